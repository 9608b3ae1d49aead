"""Runs blocking calls in threads of our own.

Guarantee: neither a trainer's event loop, nor the threads it uses by default, nor its exit wait for such a call: the
threads are daemons. A forked process starts with none.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

Result = TypeVar("Result")

THREADS = 32
"""Calls under way side by side; further ones wait for their turn."""


class _Threads:
    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0

    def submit(self, job: Callable[[], None]) -> None:
        with self._lock:
            if self._started < THREADS:
                self._started += 1
                threading.Thread(target=self._work, name=f"escalade-{self._started}", daemon=True).start()
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            self._jobs.get()()


_threads = _Threads()


def _begin_anew() -> None:
    global _threads
    _threads = _Threads()


os.register_at_fork(after_in_child=_begin_anew)


def aside(call: Callable[[], Result]) -> Future[Result]:
    """Make a call in a thread; its result or its error is the future's."""
    future: Future[Result] = Future()

    def job() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = call()
        except BaseException as error:  # whatever it is belongs to who waits for the result
            future.set_exception(error)
        else:
            future.set_result(result)

    _threads.submit(job)
    return future

"""Blocking calls made side by side.

Guarantee: whoever is interrupted while waiting (Ctrl-C) goes on at once: calls that have not begun are left out, and
neither the caller nor the program's end waits for those under way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

Result = TypeVar("Result")


def side_by_side(jobs: Sequence[Callable[[], Result]], most: int) -> list[Result | BaseException]:
    """Make calls, at most so many at once; their results or errors are in the order of the calls."""
    if len(jobs) == 1:
        return [_outcome(jobs[0])]
    waiting: SimpleQueue[tuple[int, Callable[[], Result]]] = SimpleQueue()
    done: SimpleQueue[tuple[int, Result | BaseException]] = SimpleQueue()
    given_up = threading.Event()
    for numbered in enumerate(jobs):
        waiting.put(numbered)

    def work() -> None:
        while not given_up.is_set():
            try:
                place, job = waiting.get_nowait()
            except Empty:
                return
            try:
                done.put((place, job()))
            except BaseException as error:  # whatever it is belongs to who waits
                done.put((place, error))

    threads = [
        threading.Thread(target=work, name=f"escalade_{number}", daemon=True) for number in range(min(most, len(jobs)))
    ]
    try:
        for thread in threads:
            thread.start()
        results = dict(done.get() for _ in jobs)
        for thread in threads:
            thread.join()
    except BaseException:
        given_up.set()
        raise
    return [results[place] for place in range(len(jobs))]


def _outcome(job: Callable[[], Result]) -> Result | BaseException:
    try:
        return job()
    except Exception as error:
        return error

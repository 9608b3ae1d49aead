"""Batches fetched ahead of the step that will work on them.

Guarantee: batches come in the order of their cursors, no more than `depth` of them ahead of the caller, and each is
asked for only when the one before has come, so that the run's log has them in order too. A failure is raised where the
caller asks for that batch, and not before; one that time may cure is then tried once more. Whatever ends a stream (its
`close`, its client's, an error, the end of the program) ends its task or thread and closes its connections, without
waiting for a server that does not answer.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Generator, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager
from itertools import count
from typing import Any, Protocol, TypeVar

from escalade import _requests, errors
from escalade._requests import Call
from escalade._retry import CURABLE
from escalade.types import Batch

Result = TypeVar("Result")

DEPTH_MOST = 64
"""Deeper than this, the curriculum would hardly see outcomes before it draws."""
FORKED = "a stream of batches cannot go on in a forked process: open another there"
CLOSED = "the client has been closed, and its streams with it"


def calls(
    run: str, cursor: int, stop: int | None, groups: int | None, rollouts: int | None, depth: int
) -> Iterator[Call[Batch]]:
    """Build the calls of a stream, one after the other.

    Raises:
        InvalidRequest: An argument is out of range.
    """
    if not 0 <= depth <= DEPTH_MOST:
        raise errors.InvalidRequest(f"`depth` is a number of batches from 0 to {DEPTH_MOST}, not {depth}")
    _requests.batch(run, cursor, groups, rollouts)  # so that a wrong argument is refused here, not at the first batch
    cursors = count(cursor) if stop is None else range(cursor, stop)
    return (_requests.batch(run, each, groups, rollouts) for each in cursors)


async def stream(
    calls: Iterator[Call[Batch]],
    depth: int,
    send: Callable[[Call[Batch]], Awaitable[Batch]],
    tasks: set[asyncio.Task[None]],
) -> AsyncGenerator[Batch, None]:
    """Yield the batches of the calls, fetching ahead in a task, which is in `tasks` while it goes on."""
    room, asked = asyncio.Semaphore(depth), asyncio.Event()
    ready: asyncio.Queue[Batch | None] = asyncio.Queue()

    async def fetch(call: Call[Batch]) -> Batch:
        while True:
            was_asked = asked.is_set()
            try:
                return await send(call)
            except CURABLE:
                if was_asked:
                    raise
                # All patience was spent before anybody wanted the batch. It may well be there by then: what a server
                # most often waits for is the caller's next report.
                await asked.wait()

    async def fetch_all() -> None:
        for call in calls:
            await room.acquire()
            ready.put_nowait(await fetch(call))
            asked.clear()  # for the caller, if waiting, has now what was asked for

    task = asyncio.create_task(fetch_all())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    task.add_done_callback(lambda _: ready.put_nowait(None))
    try:
        while True:
            room.release()
            asked.set()
            batch = await ready.get()
            asked.clear()
            if batch is None:
                break
            yield batch
        if task.cancelled():
            raise RuntimeError(CLOSED)
        task.result()
    finally:
        await end_all({task})


async def end_all(tasks: Collection[asyncio.Task[None]]) -> None:
    """End the streams of these tasks."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Streams(Protocol):
    """What an asynchronous client gives a thread to work with."""

    def _stream(self, calls: Iterator[Call[Batch]], depth: int) -> AsyncGenerator[Batch, None]: ...


class LoopThread:
    """An event loop in a thread of its own, with an asynchronous client: there, a request under way can be ended.

    Args:
        open_client: Makes the client, in the thread.
    """

    def __init__(self, open_client: Callable[[], AbstractAsyncContextManager[Streams]]) -> None:
        self._open_client = open_client
        self._opened: Future[tuple[asyncio.AbstractEventLoop, Streams]] = Future()
        self._lock = threading.Lock()
        self._under_way: Future[Any] | None = None
        self._over = False
        self._process = os.getpid()
        self._stopping = asyncio.Event()
        # A daemon, since a stream that is never closed must not keep the program alive; `stop` ends it before that.
        self._thread = threading.Thread(target=self._serve, name="escalade-ahead", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def open(self, calls: Iterator[Call[Batch]], depth: int) -> AsyncGenerator[Batch, None]:
        """Open a stream in the loop."""
        return self._opened.result()[1]._stream(calls, depth)

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do this in the loop, and wait for it; one thing at a time.

        Raises:
            RuntimeError: The thread was stopped, or is another process's.
        """
        if os.getpid() != self._process:
            work.close()
            raise RuntimeError(FORKED)
        loop, _ = self._opened.result()
        with self._lock:
            if self._over:
                work.close()
                raise RuntimeError(CLOSED)
            self._under_way = future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except CancelledError:
            raise RuntimeError(CLOSED) from None

    def stop(self) -> None:
        """End all that goes on in the loop, and the thread; more than once does no harm."""
        atexit.unregister(self.stop)
        if os.getpid() != self._process:
            return
        if self._opened.exception() is None:
            with self._lock:
                if not self._over:
                    self._opened.result()[0].call_soon_threadsafe(self._stopping.set)
        # The garbage collector may end a stream from whatever thread it runs in.
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _serve(self) -> None:
        try:
            asyncio.run(self._until_stopped())
        except BaseException as error:
            if self._opened.done():
                raise
            self._opened.set_exception(error)

    async def _until_stopped(self) -> None:
        async with self._open_client() as client:
            self._opened.set_result((asyncio.get_running_loop(), client))
            await self._stopping.wait()
            with self._lock:
                self._over = True
                if self._under_way is not None:
                    self._under_way.cancel()


def blocking(
    calls: Iterator[Call[Batch]],
    depth: int,
    open_client: Callable[[], AbstractAsyncContextManager[Streams]],
    threads: set[LoopThread],
) -> Generator[Batch, None, None]:
    """Yield the batches of the calls, fetching ahead in a thread, which is in `threads` while it goes on."""
    thread = LoopThread(open_client)
    threads.add(thread)
    try:
        batches = thread.open(calls, depth)
        while (batch := thread.do(_following(batches))) is not None:
            yield batch
    finally:
        threads.discard(thread)
        thread.stop()


async def _following(batches: AsyncGenerator[Batch, None]) -> Batch | None:
    return await anext(batches, None)

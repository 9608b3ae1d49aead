"""Warm workers, lent to one job at a time.

Guarantee: a worker runs code of one trust only; one that surprised, is old, or has served its jobs is destroyed and
never lent again; `close` waits for the jobs under way and leaves no worker behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from escalade_sandbox.fairness import FairQueue
from escalade_sandbox.types import SandboxError, SandboxUnavailable, Trust
from escalade_sandbox.worker import Worker

logger = logging.getLogger(__name__)
T = TypeVar("T")
ABANDON_S = 30.0
"""How long a job whose connection was broken may take to notice."""


class Launcher(Protocol):
    """Where workers come from. Every method blocks, and may be called from several threads."""

    def open(self) -> None:
        """Make ready to launch.

        Raises:
            SandboxUnavailable: It cannot be; the message says what to do.
        """
        ...

    def launch(self, trust: Trust) -> Worker:
        """Start a worker.

        Raises:
            SandboxUnavailable: It did not start.
        """
        ...

    def check(self) -> str:
        """Return one line on what works.

        Raises:
            SandboxUnavailable: Nothing does.
        """
        ...

    def close(self) -> None:
        """Release everything but the workers."""
        ...


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many workers there are, and for how long."""

    slots: int
    spares: int = 1
    """Idle workers kept ready for each trust."""
    queue_limit: int = 4096
    """Jobs that may wait."""
    jobs_per_worker: int = 500
    age_s: float = 3600.0
    drain_s: float = 120.0
    """How long `close` waits for jobs under way."""


class Pool:
    """Lends workers."""

    def __init__(self, launcher: Launcher, settings: PoolSettings) -> None:
        self._launcher = launcher
        self._settings = settings
        self._queue = FairQueue(settings.slots, settings.queue_limit)
        self._idle: dict[Trust, list[Worker]] = {trust: [] for trust in Trust}
        self._starting: dict[Trust, int] = dict.fromkeys(Trust, 0)
        self._busy: set[Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        # A thread for each job under way and each worker that starts or ends at the same time.
        self._threads = ThreadPoolExecutor(2 * settings.slots + 4, thread_name_prefix="sandbox")
        # An engine that hangs may hold a check for long; no job waits for that.
        self._check_thread = ThreadPoolExecutor(1, thread_name_prefix="sandbox-check")
        self._checking: asyncio.Future[str] | None = None
        self._accepting = False
        self._closed = False
        self._loans = 0
        self._quiet = asyncio.Event()

    @property
    def slots(self) -> int:
        """Jobs that can run at a time."""
        return self._settings.slots

    @property
    def free_slots(self) -> int:
        """Slots without a job."""
        return self._queue.free if self._accepting else 0

    @property
    def busy_containers(self) -> set[str]:
        """Containers with a job in them."""
        return {worker.container for worker in self._busy if worker.container is not None}

    @property
    def waiting(self) -> int:
        """Jobs in line."""
        return self._queue.waiting

    async def start(self) -> None:
        """Open the launcher and warm a worker for each trust.

        Raises:
            SandboxUnavailable: Not even one worker starts.
        """
        opening = asyncio.ensure_future(self._in_thread(self._launcher.open))
        try:
            await asyncio.shield(opening)
            # One first, alone, so that a broken engine is one clear error.
            self._idle[Trust.TRUSTED].append(await self._launch(Trust.TRUSTED))
        except BaseException:
            # What was under way in a thread goes on there, and is waited for.
            await asyncio.shield(asyncio.ensure_future(self._abort(opening)))
            raise
        self._accepting = True
        for trust in Trust:
            self._top_up(trust)

    async def _abort(self, opening: asyncio.Future[None]) -> None:
        await asyncio.wait((opening,))
        await self.close()

    async def close(self) -> None:
        """Take no more jobs, wait for those under way, and destroy every worker."""
        self._accepting = False
        if self._loans:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), self._settings.drain_s)
        self._closed = True
        for worker in list(self._busy):
            worker.abandon()
        if self._loans:
            # Those that were abandoned come back now, and those in line are turned away.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), ABANDON_S)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        idle = [worker for workers in self._idle.values() for worker in workers]
        for workers in self._idle.values():
            workers.clear()
        await asyncio.gather(*(self._in_thread(worker.destroy) for worker in idle))
        await self._in_thread(self._launcher.close)
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._check_thread.shutdown)

    async def check(self) -> str:
        """Return one line on what works; whoever asks while a check is under way gets its answer.

        Raises:
            SandboxUnavailable: Nothing does.
        """
        if not self._accepting:
            raise SandboxUnavailable("the sandbox is not started")
        if self._checking is None or self._checking.done():
            loop = asyncio.get_running_loop()
            self._checking = loop.run_in_executor(self._check_thread, self._launcher.check)
        return await asyncio.shield(self._checking)

    @contextlib.asynccontextmanager
    async def lend(self, trust: Trust, owner: str) -> AsyncIterator[Loan]:
        """Lend a worker, waiting for one in the owner's turn.

        Raises:
            SandboxBusy: Too many wait.
            SandboxUnavailable: No worker starts, or the pool is closed.
        """
        if not self._accepting:
            raise SandboxUnavailable("the sandbox is closed, or was never started")
        self._loans += 1
        self._quiet.clear()
        try:
            async with self._queue.permit(owner):
                if self._closed:
                    raise SandboxUnavailable("the sandbox was closed before the job's turn came")
                worker = self._take_idle(trust) or await self._launch(trust)
                self._busy.add(worker)
                self._top_up(trust)
                try:
                    yield Loan(worker, self._threads)
                finally:
                    self._busy.discard(worker)
                    self._return(worker)
        finally:
            self._loans -= 1
            if not self._loans:
                self._quiet.set()

    def _take_idle(self, trust: Trust) -> Worker | None:
        while self._idle[trust]:
            worker = self._idle[trust].pop()
            if worker.is_alive() and not self._spent(worker):
                return worker
            self._spawn(self._destroy(worker))
        return None

    def _spent(self, worker: Worker) -> bool:
        settings = self._settings
        too_old = time.monotonic() - worker.started_s > settings.age_s
        return worker.surprise is not None or too_old or worker.jobs >= settings.jobs_per_worker

    def _return(self, worker: Worker) -> None:
        if worker.surprise is not None:
            logger.info("recycling %s: %s", worker.name, worker.surprise)
        if self._spent(worker) or not self._accepting:
            self._spawn(self._destroy(worker))
            self._top_up(worker.trust)
        else:
            self._idle[worker.trust].append(worker)

    def _top_up(self, trust: Trust) -> None:
        """Keep a spare ready, but never more workers of one trust than could ever run, and the spares."""
        if not self._accepting:
            return
        settings = self._settings
        of_trust = sum(worker.trust is trust for worker in self._busy)
        ready = len(self._idle[trust]) + self._starting[trust]
        wanted = min(settings.spares - ready, settings.slots + settings.spares - of_trust - ready)
        for _ in range(wanted):
            self._starting[trust] += 1
            self._spawn(self._add_spare(trust))

    async def _add_spare(self, trust: Trust) -> None:
        try:
            worker = await self._launch(trust)
        except SandboxError as error:
            # The next job meets the same trouble and reports it.
            logger.warning("no spare worker could be started: %s", str(error))
            return
        finally:
            self._starting[trust] -= 1
        if self._accepting:
            self._idle[trust].append(worker)
        else:
            await self._destroy(worker)

    async def _launch(self, trust: Trust) -> Worker:
        starting = asyncio.ensure_future(self._in_thread(lambda: self._launcher.launch(trust)))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._spawn(self._destroy_when_started(starting))
            raise

    async def _destroy_when_started(self, starting: asyncio.Future[Worker]) -> None:
        with contextlib.suppress(SandboxError):
            await self._destroy(await starting)

    async def _destroy(self, worker: Worker) -> None:
        await self._in_thread(worker.destroy)

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


class Loan:
    """A worker for the time of one job."""

    def __init__(self, worker: Worker, threads: ThreadPoolExecutor) -> None:
        self.worker = worker
        self._threads = threads

    async def call(self, call: Callable[[], T]) -> T:
        """Do something that blocks on the worker; if the caller gives up, so does the worker.

        Raises:
            SandboxUnavailable: The worker failed.
        """
        running = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self.worker.abandon()
            with contextlib.suppress(SandboxError):
                await running
            raise

"""A bounded waiting line that serves its owners in turn.

Guarantee: a permit goes to the waiting owners round-robin, first come first served within each, and never to one that
has given up; more waiting than the bound is `SandboxBusy` at once, with an honest guess of when to try again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from math import ceil

from escalade_sandbox.types import SandboxBusy

RETRY_MOST_S = 60.0


class FairQueue:
    """Permits for `slots` jobs at a time."""

    def __init__(self, slots: int, limit: int) -> None:
        self._free = slots
        self._slots = slots
        self._limit = limit
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._mean_s = 0.1

    @property
    def free(self) -> int:
        """Permits that nobody holds."""
        return self._free

    @property
    def waiting(self) -> int:
        """Jobs in line."""
        return sum(len(line) for line in self._waiting.values())

    @contextlib.asynccontextmanager
    async def permit(self, owner: str) -> AsyncIterator[None]:
        """Hold a permit.

        Raises:
            SandboxBusy: The line is full.
        """
        await self._acquire(owner)
        started_s = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            took_s = asyncio.get_running_loop().time() - started_s
            self._mean_s += 0.1 * (took_s - self._mean_s)
            self._release()

    def retry_after_s(self) -> float:
        """Guess when there will be room."""
        return float(min(RETRY_MOST_S, max(1, ceil(self.waiting * self._mean_s / self._slots))))

    async def _acquire(self, owner: str) -> None:
        if self._free > 0:
            self._free -= 1
            return
        waiting = self.waiting
        if waiting >= self._limit:
            raise SandboxBusy(f"{waiting} jobs are waiting for the sandbox already", self.retry_after_s())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # The permit had just been handed over.
                self._release()
            else:
                self._forget(owner, turn)
            raise

    def _forget(self, owner: str, turn: asyncio.Future[None]) -> None:
        line = self._waiting.get(owner)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._waiting[owner]

    def _release(self) -> None:
        while self._waiting:
            owner, line = next(iter(self._waiting.items()))
            turn = line.popleft()
            if line:
                self._waiting.move_to_end(owner)
            else:
                del self._waiting[owner]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

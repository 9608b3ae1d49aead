"""Work ahead of demand: tasks by key, each once at a time, a few at once.

Guarantee: what is started ends or is cancelled by `close`; what fails will fail again, and be told, when it is asked
for, so that only faults of our own are logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from escalade_server.errors import EscaladeError

AT_ONCE = 2
"""Tasks of one kind that work at the same time; the sandbox's slots are for those who wait."""

log = logging.getLogger(__name__)
Key = TypeVar("Key")


class Ahead(Generic[Key]):
    """Tasks that nobody waits for."""

    def __init__(self, what: str, at_once: int = AT_ONCE) -> None:
        self._what = what
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(at_once)

    def start(self, key: Key, work: Callable[[], Awaitable[None]]) -> None:
        """Do this in the background, unless the key's work is under way."""
        if key in self._tasks:
            return

        async def in_turn() -> None:
            with suppress(EscaladeError):
                async with self._turn:
                    await work()

        def finished(task: asyncio.Task[None]) -> None:
            self._tasks.pop(key, None)
            if not task.cancelled() and (fault := task.exception()) is not None:
                log.error("%s failed", self._what, exc_info=fault)

        task = asyncio.create_task(in_turn(), name=self._what)
        self._tasks[key] = task
        task.add_done_callback(finished)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def close(self) -> None:
        """Stop what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

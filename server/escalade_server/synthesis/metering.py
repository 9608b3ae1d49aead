"""A sandbox that keeps accounts.

Guarantee: results pass through unchanged; every run's CPU and elapsed time is noted. A full queue is waited for, since
verification is in no hurry, but not for ever.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from escalade_sandbox.types import Health, Job, JobResult, Result, Sandbox, SandboxBusy, Status

JOBS_AT_ONCE = 8
"""Jobs of one verification that may be in the sandbox's queue."""
MOST_WAITS = 60
OWNER = "verification"
"""One owner for all verifications: the sandbox's queue is fair to runs against them."""


@dataclass(slots=True)
class Meter:
    """The times of the runs that went through it."""

    inner: Sandbox
    results: list[Result] = field(default_factory=list)
    """Without what was printed."""

    async def start(self) -> None:
        """The sandbox behind it is started by whoever owns it."""

    async def close(self) -> None:
        """And closed by them."""

    async def run(self, job: Job) -> JobResult:
        """Run the job and note its times."""
        done = await self.inner.run(job)
        self.results += [replace(one, stdout=b"", stderr=b"", files={}) for one in done.results]
        return done

    async def health(self) -> Health:
        """The sandbox's own."""
        return await self.inner.health()

    @property
    def cpu_ms(self) -> list[float]:
        """CPU time of every run that ended by itself."""
        return [one.cpu_ms for one in self.results if one.status not in (Status.TIME_LIMIT, Status.SKIPPED)]


class Patient(Meter):
    """A meter that keeps no more than some jobs in the queue, and waits where it is full."""

    def __init__(self, inner: Sandbox) -> None:
        super().__init__(inner)
        self._turns = asyncio.Semaphore(JOBS_AT_ONCE)

    async def run(self, job: Job) -> JobResult:
        """Run the job when its turn has come.

        Raises:
            SandboxBusy: The queue was full every time.
        """
        async with self._turns:
            for waits in range(MOST_WAITS + 1):
                try:
                    return await Meter.run(self, replace(job, owner=OWNER))
                except SandboxBusy as busy:
                    if waits == MOST_WAITS:
                        raise
                    await asyncio.sleep(busy.retry_after_s)
        raise AssertionError("the last wait returns or raises")

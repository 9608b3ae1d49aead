"""What the asynchronous client does with problems, syntheses and jobs.

Guarantee: every method is one call of `_synthesis`, or listens to a job; each may be tried again without doing its work
twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing

from escalade import _base, _synthesis
from escalade._listening import Listener
from escalade._requests import Answer, Call, Item
from escalade._retry import Flow
from escalade.types import (
    Job,
    JobEvent,
    JobStatus,
    Page,
    ProblemRequest,
    ProblemSummary,
    SynthesisItem,
    VerificationReport,
)


class AsyncSynthesisMethods(_base.BaseClient, ABC):
    """The methods of syntheses, over whatever sends the calls."""

    @abstractmethod
    async def _send(self, call: Call[Answer]) -> Answer: ...

    @abstractmethod
    def _items(self, call: Call[Page[Item]]) -> AsyncIterator[Item]: ...

    @abstractmethod
    async def _drive(self, flow: Flow[Answer]) -> Answer: ...

    @abstractmethod
    def _listen(self, call: Call[None]) -> AsyncGenerator[bytes, None]: ...

    async def add_problem(self, problem: ProblemRequest) -> ProblemSummary:
        """Add one problem, or renew it where its content is another; needs an admin key."""
        return await self._send(_synthesis.add_problem(problem))

    def problems(
        self, *, source: str | None = None, outcome: str | None = None, limit: int | None = None
    ) -> AsyncIterator[ProblemSummary]:
        """List the problems that came without an environment; `outcome="waiting"` are those that none has tried."""
        return self._items(_synthesis.problems(source, outcome, limit))

    async def synthesize(
        self,
        *,
        names: Sequence[str] = (),
        imports: Sequence[str] = (),
        everything: bool = False,
        again: bool = False,
        sources: Sequence[str] = (),
        tags: Sequence[str] = (),
        repairs: int | None = None,
        thresholds: Mapping[str, float] | None = None,
    ) -> Job:
        """Start a synthesis in the background; needs an admin key. `wait_for_job` waits for it.

        Args:
            names: Problems and environments by name.
            imports: Import jobs, everything that they brought.
            everything: Every problem without an environment, and every environment that is `unverified`.
            again: Also what was verified, rejected or given up before.
            sources: Of what `everything` finds, only these sources.
            tags: Of what `everything` finds, only what has one of these tags.
            repairs: How many times a refused generator goes back to the LLM; default the server's.
            thresholds: Thresholds of verification that differ from the server's.

        Raises:
            Conflict: Nothing is left to do.
            InvalidRequest: A name or threshold is unknown.
        """
        return await self._send(_synthesis.start(names, imports, everything, again, sources, tags, repairs, thresholds))

    def jobs(
        self, *, status: JobStatus | None = None, kind: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Job]:
        """List jobs, newest first."""
        return self._items(_synthesis.jobs(status, kind, limit))

    def job_items(self, job: str, *, limit: int | None = None) -> AsyncIterator[SynthesisItem]:
        """List a synthesis's problems and what became of each."""
        return self._items(_synthesis.items(job, limit))

    async def job_events(self, job: str, *, after: int = 0) -> AsyncIterator[JobEvent]:
        """Follow a job: `item` for each problem as it is finished, `progress`, and `end` with the finished job.

        Where the stream breaks it is taken up again behind the last item, and where none can be had the job is polled.
        The connection is one of its own, outside of `max_concurrency`; close the iterator to end before the job does.

        Args:
            job: The job.
            after: Leave out the items up to this number, as after an earlier call that was broken off.

        Raises:
            NotFound: There is no such job.
        """
        listener = Listener(job, after)
        while not listener.ended:
            if listener.streams:
                async with aclosing(self._listen(listener.begin())) as chunks:
                    async for chunk in chunks:
                        for event in listener.hear(chunk):
                            yield event
                        if listener.ended:
                            return
            for event in await self._drive(listener.recover()):
                yield event

    async def cancel_job(self, job: str) -> Job:
        """Cancel a job; what it has finished stays. Needs an admin key."""
        return await self._send(_synthesis.cancel(job))

    async def resume_job(self, job: str) -> Job:
        """Go on with a synthesis that failed or was cancelled; needs an admin key."""
        return await self._send(_synthesis.resume(job))

    async def verification_report(self, name: str) -> VerificationReport:
        """Get the newest verification report on an environment; its evidence only with an admin key."""
        return await self._send(_synthesis.report(name))

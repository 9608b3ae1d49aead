"""The worker that runs syntheses in the server's process.

Guarantee: a job is worked on by whoever holds its lease, which is renewed while the process lives; after a crash
another worker, or the restarted server, goes on with the items that are left. An item is settled in one transaction
with its environment and report, once. No transaction spans a call of the sandbox or the LLM. A cancelled job stops
within a heartbeat. Broken infrastructure fails the job and never a problem; `resume` goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from escalade.types import SynthesisRequest
from escalade_sandbox.types import Sandbox
from escalade_server.errors import (
    EscaladeError,
    LlmBudgetSpent,
    LlmRefused,
    LlmUnavailable,
    ProgramUnfit,
    SandboxFailed,
    SandboxQueueFull,
)
from escalade_server.problems.definition import Definition, Entry
from escalade_server.problems.problem import FixedTest, Problem, problem_of_entry
from escalade_server.settings import Settings
from escalade_server.storage import environments, jobs, problems, tables
from escalade_server.storage.clock import new_id, now
from escalade_server.storage.sessions import Database
from escalade_server.synthesis import jobs as syntheses
from escalade_server.synthesis.endpoint import open_endpoint
from escalade_server.synthesis.llm import open_llm
from escalade_server.synthesis.pipeline import Synthesis, Tools, synthesize
from escalade_server.synthesis.recording import TAKEN_OUT, Recorded, record
from escalade_server.synthesis.trial import together

log = logging.getLogger(__name__)

LEASES_PER_HEARTBEAT: Final = 5
"""A lease outlives so many heartbeats that did not come."""
IDLE_S: Final = 2.0
"""How often a worker without work looks for some that another process was given."""
PAUSES_S: Final = (2.0, 10.0, 30.0)
"""Pauses after which a problem is begun again that the sandbox failed on."""
LLM_FAULTS: Final = (LlmBudgetSpent, LlmUnavailable, LlmRefused)


@dataclass(slots=True)
class _Run:
    """One job under way."""

    job_id: str
    tools: Tools
    activity: dict[str, str] = field(default_factory=dict)
    fault: str | None = None
    """Why items are left over: something that is not theirs failed."""
    llm_failed: bool = False
    lost: asyncio.Event = field(default_factory=asyncio.Event)


class Worker:
    """Takes up syntheses, one at a time; several of their problems at once."""

    def __init__(
        self, settings: Settings, database: Database, sandbox: Sandbox, *, pauses_s: Sequence[float] = PAUSES_S
    ) -> None:
        self._pauses_s = tuple(pauses_s)
        self._settings = settings
        self._database = database
        self._sandbox = sandbox
        self._id = new_id("wrk")
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for work, in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    def wake(self) -> None:
        """Tell it that there is work."""
        self._wake.set()

    async def close(self) -> None:
        """Stop; what is under way is given back and will be begun again."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            try:
                while (job_id := await self._claim()) is not None:
                    await self._run(job_id)
            except Exception:
                # The database is away, or we have a bug: neither may end the worker for good.
                log.exception("synthesis: the worker failed; it goes on")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), IDLE_S)

    async def _claim(self) -> str | None:
        async with self._database.read() as session:
            free = await jobs.next_claimable(session, syntheses.KIND, now())
        if free is None:
            return None
        async with self._database.write() as session:
            taken = await jobs.claim(session, free.id, self._id, now=now(), until=now() + self._lease)
        return free.id if taken else None

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self._settings.job_lease_s)

    async def _run(self, job_id: str) -> None:
        endpoint = open_endpoint(self._settings)
        try:
            async with self._database.read() as session:
                row = await jobs.get(session, job_id)
                waiting = await jobs.waiting(session, job_id)
            assert row is not None
            request = SynthesisRequest.model_construct(**(row.request or {}))
            llm = None
            if endpoint is not None:
                budget = self._settings.llm_budget_tokens
                tries = self._settings.llm_tries
                llm = await open_llm(endpoint, self._database, payer=job_id, budget_tokens=budget, tries=tries)
            tools = Tools(
                self._sandbox,
                syntheses.changed_thresholds(self._settings.verification, request),
                llm,
                self._settings.llm_repairs if request.repairs is None else request.repairs,
            )
            run = _Run(job_id, tools)
            log.info("synthesis %s: %d of %d left", job_id, len(waiting), row.total or 0)
            try:
                await self._while_held(run, self._items(run, waiting))
            finally:
                if llm is not None:
                    await llm.close()
            if not run.lost.is_set():
                await self._finish(run)
        except asyncio.CancelledError:
            async with self._database.write() as session:
                await jobs.release(session, job_id, self._id)
            raise
        except EscaladeError as error:
            log.warning("synthesis %s failed: %s", job_id, error.detail)
            await self._fail(job_id, error.detail)
        except Exception as error:
            log.exception("synthesis %s failed", job_id)
            await self._fail(job_id, f"an error of the server: {type(error).__name__}; its log says more")
        finally:
            if endpoint is not None:
                await endpoint.close()

    async def _while_held(self, run: _Run, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, and give it up when the lease is lost."""
        task = asyncio.create_task(work)
        heart = asyncio.create_task(self._beat(run))
        try:
            await asyncio.wait((task, heart), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                log.info("synthesis %s: cancelled, or taken over by another worker", run.job_id)
                run.lost.set()
                return
            await task
        finally:
            for one in (task, heart):
                one.cancel()
            await asyncio.gather(task, heart, return_exceptions=True)

    async def _beat(self, run: _Run) -> None:
        """Renew the lease; ends when it is lost."""
        pause_s = self._settings.job_lease_s / LEASES_PER_HEARTBEAT
        renewed = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(min(pause_s, 1.0))
            try:
                async with self._database.write() as session:
                    held = await jobs.renew(
                        session, run.job_id, self._id, until=now() + self._lease, activity=run.activity
                    )
            except EscaladeError as error:
                log.warning("synthesis %s: no heartbeat: %s", run.job_id, error.detail)
                held = asyncio.get_running_loop().time() - renewed < self._settings.job_lease_s
            else:
                renewed = asyncio.get_running_loop().time()
            if not held:
                return

    async def _items(self, run: _Run, waiting: list[tables.SynthesisItem]) -> None:
        left = iter(waiting)

        async def lane() -> None:
            for item in left:
                if run.fault is not None and not run.llm_failed:
                    return
                await self._item(run, item)

        await together(*(lane() for _ in range(min(self._settings.synthesis_concurrency, len(waiting)))))

    async def _item(self, run: _Run, item: tables.SynthesisItem) -> None:
        try:
            problem, digest, skipped = await self._load(item)
            if problem is None:
                made = Synthesis("skipped", "imported", skipped or "it is gone")
            else:
                made = await self._synthesize(run, item.name, problem)
        except LLM_FAULTS as error:
            # Others may need no LLM; this one waits for `resume`.
            run.fault, run.llm_failed = error.detail, True
            return
        except ProgramUnfit as error:
            # One problem's fault, which no pause would mend.
            made = Synthesis("unsuited", "solutions", error.detail)
        except EscaladeError as error:
            run.fault, run.llm_failed = error.detail, False
            return
        except Exception as error:
            log.exception("synthesis %s: %s", run.job_id, item.name)
            made = Synthesis("error", "imported", f"an error of the server ({type(error).__name__}); its log says more")
            digest = None
        finally:
            run.activity.pop(item.name, None)
        await self._settle(run, item, made, digest)

    async def _synthesize(self, run: _Run, name: str, problem: Problem) -> Synthesis:
        """Run the pipeline; where the sandbox fails, again after a pause, a few times."""

        def tell(text: str) -> None:
            run.activity[name] = text

        for pause_s in (*self._pauses_s, None):
            tell("begins")
            try:
                return await synthesize(problem, run.tools, on_progress=tell)
            except (SandboxFailed, SandboxQueueFull) as error:
                if pause_s is None:
                    raise
                log.warning("synthesis %s: %s: %s Again in %g s.", run.job_id, name, error.detail, pause_s)
                tell("waits for the sandbox")
                await asyncio.sleep(pause_s)
        raise AssertionError("the last try returns or raises")

    async def _load(self, item: tables.SynthesisItem) -> tuple[Problem | None, str | None, str | None]:
        """The problem behind an item with its content hash, or why there is nothing to do."""
        async with self._database.read() as session:
            if item.problem_id is not None:
                row = await problems.get(session, item.problem_id)
                if row is None:
                    return None, None, None
                known = await environments.by_source(session, row.source, [row.source_name])
                environment = known.get(row.source_name)
                if environment is not None and environment.status in TAKEN_OUT:
                    return None, None, f"its environment is {environment.status}: release it first"
                return Problem.model_validate(row.document), row.hash, None
            environment = await session.get(tables.Environment, item.environment_id)
            if environment is None:
                return None, None, None
            if environment.status in TAKEN_OUT:
                return None, None, f"it is {environment.status}: release it first"
            version = (await environments.get_versions(session, [environment.version_id]))[environment.version_id]
            entry = Entry(
                slug=environment.slug,
                source_name=environment.source_name,
                source=environment.source,
                licence=environment.licence,
                tags=tuple(environment.tags),
                definition=Definition.model_validate(version.definition),
            )
            # The tests that its source has, without which a single reference would no longer do.
            tests = await problems.tests_behind(session, environment)
            fixed = tuple(FixedTest.model_validate(test) for test in tests)
            return problem_of_entry(entry).model_copy(update={"tests": fixed}), None, None

    async def _settle(self, run: _Run, item: tables.SynthesisItem, made: Synthesis, digest: str | None) -> None:
        async with self._database.write() as session:
            number = await jobs.advance(session, run.job_id, self._id)
            if number is None:
                return
            if made.outcome == "skipped":
                recorded = Recorded("skipped", made.stage, made.reason)
            else:
                recorded = await record(session, made, item=item, problem_hash=digest, job_id=run.job_id)
            values = {
                "sequence": number,
                "outcome": recorded.outcome,
                "stage": recorded.stage,
                "reason": recorded.reason,
                "environment": recorded.environment,
                "repairs": made.repairs,
            }
            await jobs.settle(session, run.job_id, item.position, values)
        log.info("synthesis %s: %s: %s: %s", run.job_id, item.name, recorded.outcome, recorded.reason)

    async def _finish(self, run: _Run) -> None:
        async with self._database.write() as session:
            row = await jobs.get(session, run.job_id)
            assert row is not None
            left = await jobs.count_waiting(session, run.job_id)
            funnel = await syntheses.funnel(session, row)
            error = None
            if left:
                error = f"{left} of {row.total} are left: {run.fault} Then resume the job."
            await jobs.finish(
                session,
                run.job_id,
                self._id,
                status="failed" if left else "succeeded",
                result={"funnel": funnel.model_dump(mode="json")},
                error=error,
                at=now(),
            )

    async def _fail(self, job_id: str, reason: str) -> None:
        async with self._database.write() as session:
            await jobs.finish(session, job_id, self._id, status="failed", result=None, error=reason, at=now())

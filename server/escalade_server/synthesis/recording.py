"""Writes down what synthesis found out: environments, their versions and status, and the reports.

Guarantee: one transaction per problem, with the item that it settles. A person's decision (quarantined, withdrawn) and
a version that came meanwhile are never overwritten; the report is kept all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from escalade.types import SynthesisOutcome
from escalade_server.problems import service
from escalade_server.problems.definition import version_of
from escalade_server.storage import environments, problems, tables
from escalade_server.storage.clock import new_id, now
from escalade_server.storage.sessions import AsyncSession
from escalade_server.storage.statements import take_turns
from escalade_server.storage.tables import Environment, Verification
from escalade_server.synthesis.pipeline import Synthesis

TAKEN_OUT = ("quarantined", "withdrawn")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an item's row says in the end."""

    outcome: SynthesisOutcome
    stage: str
    reason: str
    environment: str | None = None


async def record(
    session: AsyncSession, made: Synthesis, *, item: tables.SynthesisItem, problem_hash: str | None, job_id: str
) -> Recorded:
    """Store what became of a problem or an environment.

    Args:
        session: A transaction.
        made: What the pipeline found out.
        item: Whose row it is for.
        problem_hash: Content hash of the problem; None for an environment.
        job_id: Who says so.
    """
    recorded = await _environment(session, made, item=item, job_id=job_id)
    if item.problem_id is not None and problem_hash is not None:
        await problems.set_outcome(
            session,
            item.problem_id,
            problem_hash,
            outcome=recorded.outcome,
            reason=recorded.reason,
            environment=recorded.environment,
        )
    return recorded


async def _environment(session: AsyncSession, made: Synthesis, *, item: tables.SynthesisItem, job_id: str) -> Recorded:
    if made.entry is None or made.report is None:
        return Recorded(made.outcome, made.stage, made.reason)
    entry, report = made.entry, made.report
    row = await _row_of(session, made, item)
    session.add(
        Verification(
            id=new_id("vrf"),
            environment_id=row.id,
            job_id=job_id,
            version=report.version,
            served_version=report.served_version,
            verdict=report.verdict,
            report=report.model_dump(mode="json"),
            created_at=now(),
        )
    )
    await session.flush()
    words = f"{made.stage}: {made.reason}" if made.outcome == "rejected" else made.reason
    if not await environments.set_verdict(
        session, row.id, report.version, status=made.outcome, reason=words, by=job_id
    ):
        await session.refresh(row)
        reason = (
            f"it is {row.status}: release it first"
            if row.status in TAKEN_OUT
            else "it changed while it was verified: verify it again"
        )
        return Recorded("skipped", "imported", reason, row.slug)
    await session.refresh(row)
    served = version_of(entry.definition)
    if made.verified and served != report.version:
        await service.make_current(session, row, entry, served)
        await session.flush()
        await environments.set_verdict(session, row.id, served, status="verified", reason=words, by=job_id)
    return Recorded(made.outcome, made.stage, made.reason, row.slug)


async def _row_of(session: AsyncSession, made: Synthesis, item: tables.SynthesisItem) -> Environment:
    """The environment that a report is about; made where a problem had none."""
    if item.environment_id is not None:
        found = await session.get(Environment, item.environment_id)
        assert found is not None, "environments are never deleted"
        return found
    entry, report = made.entry, made.report
    assert entry is not None
    assert report is not None
    assert made.examined is not None
    await take_turns(session)
    existing = (await environments.by_source(session, entry.source, [entry.source_name])).get(entry.source_name)
    # What was verified comes first, also where less of it is served in the end.
    verified = entry.model_copy(update={"definition": made.examined})
    if existing is None:
        slug = await service.Slugs(partial(environments.slugs_taken, session)).free(entry.slug, entry.source)
        row = service.create(session, verified, slug, report.version)
        session.add(row)
    else:
        row = existing
        if row.version != report.version and row.status not in TAKEN_OUT:
            await service.make_current(session, row, verified, report.version)
    await session.flush()
    return row

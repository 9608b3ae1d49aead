"""Queries on jobs and on the items of syntheses.

Guarantee: every change of a job under way is one statement that holds only while its worker has the lease, so that two
workers never both move it, and a cancelled job is never moved again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.statements import insert_new
from escalade_server.storage.tables import Job, SynthesisItem

UNFINISHED = ("queued", "running")


async def get(session: AsyncSession, job_id: str) -> Job | None:
    """A job by its identity."""
    return await session.get(Job, job_id)


async def get_many(session: AsyncSession, job_ids: Sequence[str]) -> dict[str, Job]:
    """Jobs by identity."""
    rows = await session.scalars(select(Job).where(Job.id.in_(job_ids)))
    return {row.id: row for row in rows}


async def search(
    session: AsyncSession, *, status: str | None, kind: str | None, before: tuple[datetime, str] | None, limit: int
) -> list[Job]:
    """Jobs, newest first."""
    query = select(Job).order_by(Job.created_at.desc(), Job.id.desc()).limit(limit)
    if status is not None:
        query = query.where(Job.status == status)
    if kind is not None:
        query = query.where(Job.kind == kind)
    if before is not None:
        moment, job_id = before
        query = query.where(or_(Job.created_at < moment, and_(Job.created_at == moment, Job.id < job_id)))
    return list(await session.scalars(query))


async def next_claimable(session: AsyncSession, kind: str, now: datetime) -> Job | None:
    """The oldest job that nobody works on."""
    query = select(Job).where(Job.kind == kind, _free(now)).order_by(Job.created_at, Job.id).limit(1)
    found: Job | None = await session.scalar(query)
    return found


async def claim(session: AsyncSession, job_id: str, worker: str, *, now: datetime, until: datetime) -> bool:
    """Take a job that nobody works on."""
    statement = update(Job).where(Job.id == job_id, _free(now))
    return await _changed(session, statement.values(status="running", lease_by=worker, lease_until=until))


async def renew(
    session: AsyncSession, job_id: str, worker: str, *, until: datetime, activity: Mapping[str, str]
) -> bool:
    """Keep a job, and say what is under way; False if it was lost or cancelled."""
    statement = update(Job).where(_held(job_id, worker))
    return await _changed(session, statement.values(lease_until=until, activity=dict(activity)))


async def release(session: AsyncSession, job_id: str, worker: str) -> bool:
    """Give a job back, for another worker to go on with."""
    statement = update(Job).where(_held(job_id, worker))
    return await _changed(session, statement.values(status="queued", lease_by=None, lease_until=None, activity=None))


async def advance(session: AsyncSession, job_id: str, worker: str) -> int | None:
    """Count one more item as done; returns its number, None if the job was lost or cancelled."""
    statement = update(Job).where(_held(job_id, worker)).values(done=Job.done + 1).returning(Job.done)
    number: int | None = await session.scalar(statement)
    return number


async def finish(
    session: AsyncSession,
    job_id: str,
    worker: str,
    *,
    status: str,
    result: Mapping[str, Any] | None,
    error: str | None,
    at: datetime,
) -> bool:
    """End a job."""
    values = {"status": status, "result": result, "error": error, "finished_at": at, "activity": None}
    return await _changed(session, update(Job).where(_held(job_id, worker)).values(**values, lease_until=None))


async def cancel(session: AsyncSession, job_id: str, at: datetime) -> bool:
    """End a job that is not finished; whoever works on it finds its lease gone."""
    statement = update(Job).where(Job.id == job_id, Job.status.in_(UNFINISHED))
    return await _changed(
        session, statement.values(status="cancelled", finished_at=at, lease_by=None, lease_until=None, activity=None)
    )


async def requeue(session: AsyncSession, job_id: str) -> bool:
    """Take up a job again that failed or was cancelled."""
    statement = update(Job).where(Job.id == job_id, Job.status.in_(("failed", "cancelled")), Job.request.is_not(None))
    return await _changed(session, statement.values(status="queued", error=None, finished_at=None))


async def add_items(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """The items of a new synthesis."""
    await insert_new(session, SynthesisItem, rows)


async def waiting(session: AsyncSession, job_id: str) -> list[SynthesisItem]:
    """The items that are not finished, in their order."""
    query = select(SynthesisItem).where(SynthesisItem.job_id == job_id, SynthesisItem.sequence.is_(None))
    return list(await session.scalars(query.order_by(SynthesisItem.position)))


async def items(
    session: AsyncSession, job_id: str, *, after: int = -1, limit: int | None = None
) -> list[SynthesisItem]:
    """All items in their order, behind a position."""
    query = select(SynthesisItem).where(SynthesisItem.job_id == job_id, SynthesisItem.position > after)
    query = query.order_by(SynthesisItem.position)
    return list(await session.scalars(query if limit is None else query.limit(limit)))


async def finished(session: AsyncSession, job_id: str, *, after: int, limit: int) -> list[SynthesisItem]:
    """Finished items in the order of finishing, behind a number."""
    query = select(SynthesisItem).where(SynthesisItem.job_id == job_id, SynthesisItem.sequence > after)
    return list(await session.scalars(query.order_by(SynthesisItem.sequence).limit(limit)))


async def settle(session: AsyncSession, job_id: str, position: int, values: Mapping[str, Any]) -> bool:
    """What became of an item; once."""
    statement = update(SynthesisItem).where(
        SynthesisItem.job_id == job_id, SynthesisItem.position == position, SynthesisItem.sequence.is_(None)
    )
    return await _changed(session, statement.values(**values))


async def count_waiting(session: AsyncSession, job_id: str) -> int:
    """How many items are not finished."""
    query = select(func.count()).where(SynthesisItem.job_id == job_id, SynthesisItem.sequence.is_(None))
    return int(await session.scalar(query) or 0)


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(Job.status == "queued", and_(Job.status == "running", Job.lease_until < now))


def _held(job_id: str, worker: str) -> ColumnElement[bool]:
    return and_(Job.id == job_id, Job.lease_by == worker, Job.status == "running")


async def _changed(session: AsyncSession, statement: Any) -> bool:
    done = await session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(done, CursorResult)
    return done.rowcount == 1

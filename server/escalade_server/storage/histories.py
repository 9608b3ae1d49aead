"""Queries on checkpoints and generations: going back, with the batches that were open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.runs import Lineage, belongs
from escalade_server.storage.tables import Attempt, Batch, BatchGroup, Checkpoint, Run, RunEnvironment


async def find_checkpoint(session: AsyncSession, run_id: str, line: Lineage, label: str) -> Checkpoint | None:
    """The newest checkpoint with this label in a run's history."""
    visible = or_(
        *(
            and_(Checkpoint.generation == number, Checkpoint.sequence <= bound)
            if bound is not None
            else Checkpoint.generation == number
            for number, bound in line
        )
    )
    found: Checkpoint | None = await session.scalar(
        select(Checkpoint)
        .where(Checkpoint.run_id == run_id, Checkpoint.label == label, visible)
        .order_by(Checkpoint.generation.desc())
        .limit(1)
    )
    return found


async def list_checkpoints(session: AsyncSession, run_id: str, after: int, limit: int) -> list[Checkpoint]:
    """All checkpoints of a run, of every generation, in the order of their position."""
    query = select(Checkpoint).where(Checkpoint.run_id == run_id, Checkpoint.sequence > after)
    return list(await session.scalars(query.order_by(Checkpoint.sequence).limit(limit)))


async def revive(session: AsyncSession, run_id: str, since: int) -> None:
    """Put members back that were retired at or after a position of the log."""
    await session.execute(
        update(RunEnvironment)
        .where(RunEnvironment.run_id == run_id, RunEnvironment.retired_sequence >= since)
        .values(retired=None, retired_sequence=None)
        .execution_options(synchronize_session=False)
    )


async def last_cursor(session: AsyncSession, run_id: str, line: Lineage) -> int | None:
    """The highest cursor in a history."""
    found: int | None = await session.scalar(
        select(func.max(Batch.cursor)).where(Batch.run_id == run_id, belongs(Batch, line))
    )
    return found


async def reopen(
    session: AsyncSession, run: Run, *, line: Lineage, position: int, generation: int, deadline: datetime
) -> list[int]:
    """Copy the batches that were open at a position of the log into a new generation, as they stood there.

    Returns the cursors. Open groups have the given deadline. Attempts that had come by then are copied with them, so
    that their reports stay repeats.
    """
    # An earlier restore copied what was open then: of a batch only its newest copy is the one that went on.
    newest = (
        select(Batch.cursor, Batch.refill, func.max(Batch.generation).label("generation"))
        .where(Batch.run_id == run.id, Batch.sequence < position, belongs(Batch, line))
        .group_by(Batch.cursor, Batch.refill)
        .subquery()
    )
    same = (
        BatchGroup.generation == newest.c.generation,
        BatchGroup.cursor == newest.c.cursor,
        BatchGroup.refill == newest.c.refill,
    )
    open_then = or_(BatchGroup.closed_sequence.is_(None), BatchGroup.closed_sequence >= position)
    query = (
        select(BatchGroup.generation, BatchGroup.cursor, BatchGroup.refill)
        .join(newest, and_(*same))
        .where(BatchGroup.run_id == run.id, open_then)
        .distinct()
    )
    keys = (await session.execute(query)).all()
    for number, cursor, refill in keys:
        await _copy(session, run.id, (number, cursor, refill), position, generation, deadline)
    return sorted({cursor for _, cursor, _ in keys})


async def _copy(
    session: AsyncSession,
    run_id: str,
    key: tuple[int, int, int],
    position: int,
    generation: int,
    deadline: datetime,
) -> None:
    number, cursor, refill = key
    batch = await session.get_one(Batch, (run_id, number, cursor, refill))
    same = (
        BatchGroup.run_id == run_id,
        BatchGroup.generation == number,
        BatchGroup.cursor == cursor,
        BatchGroup.refill == refill,
    )
    session.add(
        Batch(
            run_id=run_id,
            generation=generation,
            cursor=cursor,
            refill=refill,
            sequence=batch.sequence,
            groups=batch.groups,
            rollouts=batch.rollouts,
            ready=batch.ready,
            created_at=batch.created_at,
        )
    )
    await session.flush()
    for group in await session.scalars(select(BatchGroup).where(*same)):
        closed = group.closed_sequence is not None and group.closed_sequence < position
        copy = BatchGroup(
            run_id=run_id,
            generation=generation,
            cursor=cursor,
            refill=refill,
            position=group.position,
            sequence=group.sequence,
            environment=group.environment,
            level=group.level,
            ordinal=group.ordinal,
            instance_id=group.instance_id,
            rollouts=group.rollouts,
            deadline=group.deadline if closed else deadline if batch.ready else None,
            closed_at=group.closed_at if closed else None,
            close_reason=group.close_reason if closed else None,
            closed_sequence=group.closed_sequence if closed else None,
        )
        session.add(copy)
        await session.flush()
        await _copy_attempts(session, group.id, copy.id, position)


async def _copy_attempts(session: AsyncSession, old: int, new: int, position: int) -> None:
    kept: Sequence[str] = [column.name for column in Attempt.__table__.columns if column.name not in ("id", "group_id")]
    source = select(literal(new), *(getattr(Attempt, name) for name in kept)).where(
        Attempt.group_id == old, Attempt.sequence < position
    )
    await session.execute(insert(Attempt).from_select(["group_id", *kept], source))

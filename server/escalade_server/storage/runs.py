"""Queries on runs, their pools, batches and groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, and_, case, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from escalade_server.storage.statements import among, insert_all, insert_new, table_of, update_each
from escalade_server.storage.tables import (
    Attempt,
    Batch,
    BatchGroup,
    Environment,
    EnvironmentVersion,
    Generation,
    Run,
    RunEnvironment,
)


async def get(session: AsyncSession, run_id: str) -> Run | None:
    """A run that is not deleted."""
    run = await session.get(Run, run_id, populate_existing=True)
    return run if run is not None and run.deleted_at is None else None


class Held(NamedTuple):
    """A run that is held, and what is due before anything is decided for it."""

    run: Run
    overdue: bool
    """Whether `overdue` would find groups."""
    changed: bool
    """Whether `changed_members` would find members; False where it was not asked."""


async def lock(session: AsyncSession, run_id: str, at: datetime, *, pool: bool) -> Held | None:
    """A run, held against every other writer of it until the transaction ends; with `pool`, its members are looked at.

    What is due is seen as it was when the wait for the run began: what a writer before this one did about it is done
    again, without effect.
    """
    late = select(BatchGroup.id).where(*_overdue(Run.id, Run.generation, at)).correlate(Run).exists()
    changes: ColumnElement[int] = literal(0)
    if pool:
        # Counted: PostgreSQL hashes for that. For `exists` it expects to find a row soon, and as a rule there is none.
        changes = (
            select(func.count())
            .select_from(RunEnvironment)
            .join(Environment, Environment.id == RunEnvironment.environment_id)
            .where(*_changed(Run.id))
            .correlate(Run)
            .scalar_subquery()
        )
    row = (
        await session.execute(
            select(Run, late, changes)
            .where(Run.id == run_id, Run.deleted_at.is_(None))
            # Not against whoever adds rows that refer to it. SQLite has one writer at a time, and no such clause.
            .with_for_update(of=Run, key_share=True)
            .execution_options(populate_existing=True)
        )
    ).one_or_none()
    return None if row is None else Held(row[0], bool(row[1]), bool(row[2]))


async def list_runs(session: AsyncSession, *, owner: str | None, after: str | None, limit: int) -> list[Run]:
    """Runs in the order of their identity; of one owner, or of all."""
    query = select(Run).where(Run.deleted_at.is_(None)).order_by(Run.id).limit(limit)
    if owner is not None:
        query = query.where(Run.key_id == owner)
    if after is not None:
        query = query.where(Run.id > after)
    return list(await session.scalars(query))


async def set_values(session: AsyncSession, run_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of a run."""
    statement = update(Run).where(Run.id == run_id).values(**values)
    await session.execute(statement.execution_options(synchronize_session=False))


async def pool(
    session: AsyncSession, run_id: str, positions: Iterable[int] | None = None
) -> Sequence[Row[int, str, str, str, int, str | None]]:
    """A run's pool in order, or what of it is at some positions: position, slug, version, hash, top level, retired."""
    query = (
        select(
            RunEnvironment.position,
            Environment.slug,
            RunEnvironment.version_id,
            EnvironmentVersion.hash,
            RunEnvironment.top_level,
            RunEnvironment.retired,
        )
        .join(Environment, Environment.id == RunEnvironment.environment_id)
        .join(EnvironmentVersion, EnvironmentVersion.id == RunEnvironment.version_id)
        .where(RunEnvironment.run_id == run_id)
        .order_by(RunEnvironment.position)
    )
    if positions is not None:
        query = query.where(among(session, RunEnvironment.position, sorted(set(positions))))
    return (await session.execute(query)).all()


async def pool_size(session: AsyncSession, run_ids: Sequence[str]) -> dict[str, int]:
    """How many environments each run's pool holds that are not retired."""
    query = (
        select(RunEnvironment.run_id, func.count())
        .where(RunEnvironment.run_id.in_(run_ids), RunEnvironment.retired.is_(None))
        .group_by(RunEnvironment.run_id)
    )
    return {run_id: count for run_id, count in await session.execute(query)}


async def add_pool(session: AsyncSession, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append members to a pool."""
    await insert_new(session, RunEnvironment, rows)


async def retire(session: AsyncSession, run_id: str, position: int, *, reason: str, sequence: int) -> bool:
    """Mark a member as retired; False if it was."""
    done = await session.scalar(
        update(RunEnvironment)
        .where(RunEnvironment.run_id == run_id, RunEnvironment.position == position, RunEnvironment.retired.is_(None))
        .values(retired=reason, retired_sequence=sequence)
        .returning(RunEnvironment.position)
    )
    return done is not None


async def changed_members(session: AsyncSession, run_id: str) -> Sequence[Row[RunEnvironment, Environment]]:
    """Members in use whose environment has another current version by now, or may no longer be served."""
    query = (
        select(RunEnvironment, Environment)
        .join(Environment, Environment.id == RunEnvironment.environment_id)
        .where(*_changed(run_id))
        .order_by(RunEnvironment.position)
    )
    return (await session.execute(query)).all()


def _changed(run_id: str | InstrumentedAttribute[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        RunEnvironment.run_id == run_id,
        RunEnvironment.retired.is_(None),
        (Environment.version_id != RunEnvironment.version_id)
        | Environment.status.in_(("rejected", "quarantined", "withdrawn")),
    )


Lineage = Sequence[tuple[int, int | None]]
"""Generations that make up a run's history, newest first, each with the sequence number that its part ends before."""


async def lineage(session: AsyncSession, run: Run) -> Lineage:
    """What history a run has."""
    if run.generation == 0:
        return [(0, None)]
    rows = {row.number: row for row in await session.scalars(select(Generation).where(Generation.run_id == run.id))}
    line: list[tuple[int, int | None]] = []
    row: Generation | None = rows[run.generation]
    bound: int | None = None
    while row is not None:
        line.append((row.number, bound))
        bound = row.bound
        row = rows[row.parent] if row.parent is not None else None
    return line


async def last_generation(session: AsyncSession, run_id: str) -> int:
    """The newest generation of a run."""
    found = await session.scalar(select(func.max(Generation.number)).where(Generation.run_id == run_id))
    return found or 0


def belongs(table: type[Batch] | type[BatchGroup], line: Lineage) -> ColumnElement[bool]:
    """Whether a row is part of a run's history."""
    return or_(
        *(
            and_(table.generation == number, table.sequence < bound)
            if bound is not None
            else table.generation == number
            for number, bound in line
        )
    )


async def get_batch(session: AsyncSession, run_id: str, line: Lineage, cursor: int, refill: int = 0) -> Batch | None:
    """One batch, or one refill of it."""
    query = (
        select(Batch)
        .where(Batch.run_id == run_id, Batch.cursor == cursor, Batch.refill == refill, belongs(Batch, line))
        .order_by(Batch.generation.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    found: Batch | None = await session.scalar(query)
    return found


class Issued(NamedTuple):
    """A group as its batch serves it; columns, since objects of the mapped class cost ten times as much to make."""

    id: int
    """From 1; 0 where it was not read back after it was stored."""
    cursor: int
    position: int
    environment: int
    level: int
    ordinal: int
    instance_id: str | None
    rollouts: int
    deadline: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Issued:
        """What of a row that was just inserted."""
        return cls(*(row[name] for name in cls._fields))


async def get_groups(session: AsyncSession, batch: Batch) -> list[Issued]:
    """A batch's groups in order."""
    query = (
        select(*(BatchGroup.__table__.c[name] for name in Issued._fields))
        .where(
            BatchGroup.run_id == batch.run_id,
            BatchGroup.generation == batch.generation,
            BatchGroup.cursor == batch.cursor,
            BatchGroup.refill == batch.refill,
        )
        .order_by(BatchGroup.position)
    )
    return [Issued(*row) for row in await session.execute(query)]


async def reassign(session: AsyncSession, group_id: int, *, environment: int, level: int, ordinal: int) -> None:
    """Give a group that has no instance another draw."""
    await session.execute(
        update(BatchGroup)
        .where(BatchGroup.id == group_id, BatchGroup.instance_id.is_(None))
        .values(environment=environment, level=level, ordinal=ordinal)
        .execution_options(synchronize_session=False)
    )


async def groups_at(
    session: AsyncSession, run_id: str, line: Lineage, cursors: Iterable[int]
) -> dict[tuple[int, int], BatchGroup]:
    """Groups of some batches and their refills, by (cursor, position)."""
    query = (
        select(BatchGroup)
        .where(BatchGroup.run_id == run_id, BatchGroup.cursor.in_(sorted(set(cursors))), belongs(BatchGroup, line))
        .order_by(BatchGroup.generation)
        .execution_options(populate_existing=True)
    )
    return {(group.cursor, group.position): group for group in await session.scalars(query)}


async def add_batch(session: AsyncSession, batch: Batch) -> None:
    """Store a batch. The caller holds the run and has seen that it is not there."""
    # On the table: the mapped class costs a unit of work for one row.
    await insert_all(session, Batch, [{column.name: getattr(batch, column.name) for column in table_of(Batch).columns}])


async def add_groups(session: AsyncSession, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store a batch's groups. The caller holds the run, and has just stored the batch."""
    await insert_all(session, BatchGroup, rows)


async def set_instances(session: AsyncSession, chosen: Mapping[int, str]) -> None:
    """Give groups their instances, where they have none yet."""
    rows = [{"id": group, "instance_id": instance} for group, instance in sorted(chosen.items())]
    await update_each(session, BatchGroup, rows, key="id", unless_set="instance_id")


async def make_ready(session: AsyncSession, batch: Batch, deadline: datetime) -> bool:
    """Set a batch's deadlines once; False if another has."""
    same = (
        Batch.run_id == batch.run_id,
        Batch.generation == batch.generation,
        Batch.cursor == batch.cursor,
        Batch.refill == batch.refill,
    )
    done = await session.scalar(
        update(Batch).where(*same, Batch.ready.is_(False)).values(ready=True).returning(Batch.cursor)
    )
    if done is None:
        return False
    await session.execute(
        update(BatchGroup)
        .where(
            BatchGroup.run_id == batch.run_id,
            BatchGroup.generation == batch.generation,
            BatchGroup.cursor == batch.cursor,
            BatchGroup.refill == batch.refill,
        )
        .values(deadline=deadline)
        .execution_options(synchronize_session=False)
    )
    return True


async def overdue(session: AsyncSession, run_id: str, generation: int, at: datetime) -> list[BatchGroup]:
    """Open groups whose deadline has passed, in order."""
    query = select(BatchGroup).where(*_overdue(run_id, generation, at)).order_by(BatchGroup.cursor, BatchGroup.position)
    return list(await session.scalars(query))


def _overdue(
    run_id: str | InstrumentedAttribute[str], generation: int | InstrumentedAttribute[int], at: datetime
) -> tuple[ColumnElement[bool], ...]:
    return (
        BatchGroup.run_id == run_id,
        BatchGroup.generation == generation,
        BatchGroup.closed_at.is_(None),
        BatchGroup.deadline <= at,
    )


async def still_open(session: AsyncSession, group_ids: Sequence[int]) -> set[int]:
    """Which of these groups are open."""
    query = select(BatchGroup.id).where(among(session, BatchGroup.id, group_ids), BatchGroup.closed_at.is_(None))
    return set(await session.scalars(query))


async def close_groups(session: AsyncSession, sequences: Mapping[int, int], *, at: datetime, reason: str) -> None:
    """Close open groups, each by the event with its sequence number. The caller holds the run."""
    rows = [
        {"id": group, "closed_at": at, "close_reason": reason, "closed_sequence": number}
        for group, number in sequences.items()
    ]
    await update_each(session, BatchGroup, rows, key="id", unless_set="closed_at")


async def tallies(session: AsyncSession, group_ids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """Per group: attempts in time, those of them that are scored, and those that are right."""
    scored = case((Attempt.outcome == "scored", 1), else_=0)
    right = case((and_(Attempt.outcome == "scored", Attempt.accuracy == 1), 1), else_=0)
    query = (
        select(Attempt.group_id, func.count(), func.sum(scored), func.sum(right))
        .where(among(session, Attempt.group_id, group_ids), Attempt.late.is_(False))
        .group_by(Attempt.group_id)
    )
    return {group: (count, int(some), int(good)) for group, count, some, good in await session.execute(query)}


async def set_deadline(session: AsyncSession, group_id: int, deadline: datetime) -> bool:
    """Move an open group's deadline; False if it is closed."""
    done = await session.scalar(
        update(BatchGroup)
        .where(BatchGroup.id == group_id, BatchGroup.closed_at.is_(None))
        .values(deadline=deadline)
        .returning(BatchGroup.id)
        .execution_options(synchronize_session=False)
    )
    return done is not None


async def oldest_open(session: AsyncSession, run_id: str, generation: int) -> datetime | None:
    """When the oldest batch with an open group was issued."""
    query = (
        select(func.min(Batch.created_at))
        .join(
            BatchGroup,
            and_(
                BatchGroup.run_id == Batch.run_id,
                BatchGroup.generation == Batch.generation,
                BatchGroup.cursor == Batch.cursor,
                BatchGroup.refill == Batch.refill,
            ),
        )
        .where(Batch.run_id == run_id, Batch.generation == generation, BatchGroup.closed_at.is_(None))
    )
    found: datetime | None = await session.scalar(query)
    return found

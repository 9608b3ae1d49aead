"""Queries on event logs and snapshots. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.statements import insert_all, insert_new
from escalade_server.storage.tables import Event, Snapshot

KEPT_SNAPSHOTS = 8
"""States kept of one run: one of `bayes` over thousands of environments takes megabytes, and all can be made again."""


async def append(
    session: AsyncSession,
    *,
    run_id: str,
    generation: int,
    first: int,
    events: Sequence[tuple[str, Mapping[str, Any]]],
    at: datetime,
) -> None:
    """Add events from number `first` on. The caller holds the run (`runs.lock`), so that numbers have no gaps.

    Raises:
        IntegrityError: A number is taken, by a writer that did not hold the run.
    """
    rows = [
        {
            "run_id": run_id,
            "sequence": first + offset,
            "generation": generation,
            "kind": kind,
            "payload": dict(payload),
            "created_at": at,
        }
        for offset, (kind, payload) in enumerate(events)
    ]
    await insert_all(session, Event, rows)


async def since(session: AsyncSession, run_id: str, sequence: int, limit: int | None = None) -> list[Event]:
    """Events from a sequence number on, in order."""
    query = select(Event).where(Event.run_id == run_id, Event.sequence >= sequence).order_by(Event.sequence)
    return list(await session.scalars(query.limit(limit) if limit is not None else query))


async def of_kinds(session: AsyncSession, run_id: str, kinds: Sequence[str]) -> list[Event]:
    """Events of some kinds, in order."""
    query = select(Event).where(Event.run_id == run_id, Event.kind.in_(kinds)).order_by(Event.sequence)
    return list(await session.scalars(query))


async def latest_snapshot(session: AsyncSession, run_id: str, through: int) -> Snapshot | None:
    """The newest snapshot of a run that holds at most `through` events."""
    found: Snapshot | None = await session.scalar(
        select(Snapshot)
        .where(Snapshot.run_id == run_id, Snapshot.sequence <= through)
        .order_by(Snapshot.sequence.desc())
        .limit(1)
    )
    return found


async def save_snapshot(session: AsyncSession, run_id: str, sequence: int, state: str) -> None:
    """Keep a state; one that is there already is the same one. The oldest beyond `KEPT_SNAPSHOTS` go."""
    await insert_new(session, Snapshot, [{"run_id": run_id, "sequence": sequence, "state": state}])
    newest = (
        select(Snapshot.sequence)
        .where(Snapshot.run_id == run_id)
        .order_by(Snapshot.sequence.desc())
        .limit(KEPT_SNAPSHOTS)
        .subquery()
    )
    oldest_kept = select(func.min(newest.c.sequence)).scalar_subquery()
    await session.execute(
        delete(Snapshot)
        .where(Snapshot.run_id == run_id, Snapshot.sequence < oldest_kept)
        .execution_options(synchronize_session=False)
    )

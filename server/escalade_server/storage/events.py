"""Queries on event logs and snapshots. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.statements import insert_new
from escalade_server.storage.tables import Event, Run, Snapshot


async def append(
    session: AsyncSession, run: Run, events: Sequence[tuple[str, dict[str, Any]]], at: datetime
) -> list[Event]:
    """Add events to the end of a run's log. The caller holds the run (`runs.lock`), so that numbers have no gaps."""
    rows = [
        Event(
            run_id=run.id,
            sequence=run.sequence + offset,
            generation=run.generation,
            kind=kind,
            payload=payload,
            created_at=at,
        )
        for offset, (kind, payload) in enumerate(events)
    ]
    if rows:
        await session.execute(
            insert(Event),
            [
                {
                    "run_id": row.run_id,
                    "sequence": row.sequence,
                    "generation": row.generation,
                    "kind": row.kind,
                    "payload": row.payload,
                    "created_at": row.created_at,
                }
                for row in rows
            ],
        )
        await session.execute(
            update(Run)
            .where(Run.id == run.id)
            .values(sequence=run.sequence + len(rows))
            .execution_options(synchronize_session="evaluate")
        )
    return rows


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
    """Keep a state; one that is there already is the same one."""
    await insert_new(session, Snapshot, [{"run_id": run_id, "sequence": sequence, "state": state}])

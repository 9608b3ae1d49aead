"""Queries on attempts: each rollout of a group is recorded once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.statements import chunks, insert_new
from escalade_server.storage.tables import Attempt


async def of_groups(session: AsyncSession, group_ids: Sequence[int]) -> dict[tuple[int, int], Attempt]:
    """Attempts of some groups, by (group, rollout)."""
    found: dict[tuple[int, int], Attempt] = {}
    for part in chunks(group_ids):
        query = select(Attempt).where(Attempt.group_id.in_(part)).execution_options(populate_existing=True)
        found.update({(row.group_id, row.rollout): row for row in await session.scalars(query)})
    return found


async def record(session: AsyncSession, rows: Iterable[Mapping[str, Any]]) -> int:
    """Store the attempts whose rollout has none yet; returns how many went in."""
    return await insert_new(session, Attempt, rows)


async def replace_error(session: AsyncSession, attempt_id: int, values: Mapping[str, Any]) -> bool:
    """Give an attempt that ended as `error` its outcome; False if it has another by now."""
    done = await session.scalar(
        update(Attempt)
        .where(Attempt.id == attempt_id, Attempt.outcome == "error")
        .values(**values)
        .returning(Attempt.id)
        .execution_options(synchronize_session=False)
    )
    return done is not None

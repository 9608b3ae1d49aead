"""Queries on attempts: each rollout of a group is recorded once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.statements import among, insert_new
from escalade_server.storage.tables import Attempt

Key: TypeAlias = tuple[int, int | str]
"""(group's row, rollout), or (group's row, report_id)."""


class Stored(NamedTuple):
    """What is shown and compared of an attempt; columns, since objects of the mapped class cost ten times as much."""

    group_id: int
    rollout: int
    report_id: str | None
    content_hash: str
    outcome: str
    score: float | None
    accuracy: int | None
    verdict: str | None
    extracted: str | None
    format: str | None
    position: int | None
    detail: str | None
    feedback: str | None
    late: bool

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Stored:
        """What of a row that was just inserted."""
        return cls(*(row[name] for name in cls._fields))


def by_key(rows: Iterable[Stored]) -> dict[Key, Stored]:
    """Attempts by (group, rollout), and those that have a `report_id` by (group, report_id) too."""
    found: dict[Key, Stored] = {}
    for row in rows:
        found[row.group_id, row.rollout] = row
        if row.report_id is not None:
            found[row.group_id, row.report_id] = row
    return found


async def of_groups(session: AsyncSession, group_ids: Sequence[int]) -> dict[Key, Stored]:
    """Attempts of some groups, by their keys."""
    columns = [Attempt.__table__.c[name] for name in Stored._fields]
    rows = await session.execute(select(*columns).where(among(session, Attempt.group_id, group_ids)))
    return by_key(Stored(*row) for row in rows)


async def record(session: AsyncSession, rows: Iterable[Mapping[str, Any]]) -> int:
    """Store the attempts whose rollout has none yet; returns how many went in."""
    return await insert_new(session, Attempt, rows)


async def replace_error(session: AsyncSession, group_id: int, rollout: int, values: Mapping[str, Any]) -> bool:
    """Give the attempt of a (group, rollout) that ended as `error` its outcome; False if it has another by now."""
    done = await session.scalar(
        update(Attempt)
        .where(Attempt.group_id == group_id, Attempt.rollout == rollout, Attempt.outcome == "error")
        .values(**values)
        .returning(Attempt.id)
        .execution_options(synchronize_session=False)
    )
    return done is not None

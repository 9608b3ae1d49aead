"""The one kind of insert that differs between the engines in SQLAlchemy, though not in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.tables import Base

_ROWS = 400
"""Rows per statement: SQLite takes 32,766 bound values in one."""


async def insert_new(session: AsyncSession, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert the rows that break no unique constraint, and leave the others; returns how many went in."""
    waiting = [dict(row) for row in rows]
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    done = 0
    for start in range(0, len(waiting), _ROWS):
        statement = insert(table).values(waiting[start : start + _ROWS]).on_conflict_do_nothing()
        # Not the driver's row count, which psycopg does not know for every statement.
        inserted = await session.execute(statement.returning(*table.__table__.primary_key))
        done += len(inserted.all())
    return done


def chunks(values: Sequence[Any], size: int = 500) -> Iterable[Sequence[Any]]:
    """Slices short enough for an `in` clause."""
    return (values[start : start + size] for start in range(0, len(values), size))

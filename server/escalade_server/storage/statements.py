"""The one kind of insert that differs between the engines in SQLAlchemy, though not in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.tables import Base


async def insert_new(session: AsyncSession, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert the rows that break no unique constraint, and leave the others; returns how many went in.

    All rows have the same keys.
    """
    waiting = [dict(row) for row in rows]
    if not waiting:
        return 0
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    target = table.__table__
    assert isinstance(target, Table)
    # Rows as parameters, not in the statement: it is compiled and prepared once, and drivers send the rows in one go.
    # On the table, not on the mapped class, whose inserts do not tell how many rows went in.
    statement = insert(target).on_conflict_do_nothing()
    done = await session.execute(statement, waiting, execution_options={"preserve_rowcount": True})
    assert isinstance(done, CursorResult)
    return done.rowcount


def chunks(values: Sequence[Any], size: int = 500) -> Iterable[Sequence[Any]]:
    """Slices short enough for an `in` clause."""
    return (values[start : start + size] for start in range(0, len(values), size))

"""Statements on many rows at once, the one kind that differs between the engines in SQLAlchemy.

Guarantee: however many rows or values there are, the statement is the same, so that it is compiled and prepared once.
SQLite takes rows as so many executions inside this process, and lists as JSON; PostgreSQL takes both as arrays, since
there every further execution is another message and another plan to run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    CursorResult,
    Subquery,
    Table,
    TableValuedAlias,
    any_,
    bindparam,
    collate,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from escalade_server.storage.tables import Base

_TURN = 0x657363616C616465
"""What PostgreSQL's advisory locks of this server are told apart by: its name in ASCII."""
_NO_ORM = {"synchronize_session": False, "preserve_rowcount": True}


async def insert_new(session: AsyncSession, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert the rows that break no unique constraint, and leave the others; returns how many went in.

    All rows have the same keys.
    """
    waiting = [dict(row) for row in rows]
    if not waiting:
        return 0
    # On the table, not on the mapped class, whose inserts do not tell how many rows went in.
    target = table_of(table)
    if _embedded(session):
        done = await session.execute(sqlite.insert(target).on_conflict_do_nothing(), waiting, execution_options=_NO_ORM)
    else:
        statement = _from_arrays(target, list(waiting[0])).on_conflict_do_nothing()
        done = await session.execute(statement, _arrays(waiting), execution_options=_NO_ORM)
    assert isinstance(done, CursorResult)
    return done.rowcount


async def insert_all(session: AsyncSession, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows that nobody else can have inserted; cheaper than `insert_new`, where PostgreSQL tries each first.

    All rows have the same keys.

    Raises:
        IntegrityError: One is there already.
    """
    waiting = [dict(row) for row in rows]
    if not waiting:
        return
    target = table_of(table)
    if _embedded(session) or len(waiting) == 1:
        await session.execute(insert(target), waiting)
    else:
        await session.execute(_from_arrays(target, list(waiting[0])), _arrays(waiting), execution_options=_NO_ORM)


async def update_each(
    session: AsyncSession, table: type[Base], rows: Sequence[Mapping[str, Any]], *, key: str, unless_set: str
) -> None:
    """Set columns of many rows, each to its own values, found by a key; not where a column has a value already.

    All rows have the same keys, `key` among them.
    """
    if not rows:
        return
    target = table_of(table)
    names = [name for name in rows[0] if name != key]
    empty = target.c[unless_set].is_(None)
    if _embedded(session):
        # A parameter may not have the name of a column that the statement sets.
        given = {name: bindparam(f"new_{name}", type_=target.c[name].type) for name in names}
        statement = update(target).where(target.c[key] == bindparam(f"new_{key}"), empty).values(given)
        parameters: Any = [{f"new_{name}": value for name, value in row.items()} for row in rows]
    else:
        source = _unnested([target.c[name] for name in (key, *names)])
        values = {name: source.c[name] for name in names}
        statement = update(target).where(target.c[key] == source.c[key], empty).values(values)
        parameters = _arrays(rows)
    await session.execute(statement, parameters, execution_options=_NO_ORM)


def among(session: AsyncSession, column: InstrumentedAttribute[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Whether a column holds one of these values: one parameter, however many there are."""
    chosen = list(values)
    if _embedded(session):
        return column.in_(select(_listed(chosen).c.value))
    return column == any_(bindparam(None, chosen, type_=ARRAY(column.type), unique=True))


def by_code_point(session: AsyncSession, column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """A text column in the order of its characters' codes, whatever the database's own collation is."""
    return collate(column, "BINARY" if _embedded(session) else "C")


def pairs_among(
    session: AsyncSession, columns: tuple[InstrumentedAttribute[Any], InstrumentedAttribute[Any]], pairs: Iterable[Any]
) -> ColumnElement[bool]:
    """Whether two columns hold one of these pairs of values."""
    chosen = list(pairs)
    if _embedded(session):
        value = _listed([list(pair) for pair in chosen]).c.value
        given = select(func.json_extract(value, "$[0]"), func.json_extract(value, "$[1]"))
    else:
        sides = zip(*chosen, strict=True) if chosen else ([], [])
        arrays = [
            bindparam(None, list(side), type_=ARRAY(column.type), unique=True)
            for side, column in zip(sides, columns, strict=True)
        ]
        rows = func.unnest(*arrays).table_valued("first", "second").render_derived(name="pairs")
        given = select(rows.c.first, rows.c.second)
    return tuple_(*columns).in_(given)


async def take_turns(session: AsyncSession) -> None:
    """Wait until no other transaction that came here goes on, for what two at once would both find missing and make.

    SQLite has one writer at a time as it is.
    """
    if not _embedded(session):
        await session.execute(select(func.pg_advisory_xact_lock(_TURN)))


def _listed(values: Sequence[Any]) -> TableValuedAlias:
    return func.json_each(json.dumps(values)).table_valued("value")


def _embedded(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def table_of(table: type[Base]) -> Table:
    """The table of a mapped class."""
    found = table.__table__
    assert isinstance(found, Table)
    return found


def _from_arrays(target: Table, names: Sequence[str]) -> postgresql.Insert:
    """An insert of rows that come as one array parameter for each column."""
    source = _unnested([target.c[name] for name in names])
    return postgresql.insert(target).from_select(names, select(*source.c))


def _unnested(columns: Sequence[Column[Any]]) -> Subquery:
    """Rows whose columns are array parameters named like these columns."""
    arrays = [bindparam(f"all_{column.name}", type_=ARRAY(column.type)) for column in columns]
    typed = [Column(column.name, column.type) for column in columns]
    rows = func.unnest(*arrays).table_valued(*typed).render_derived(name="given")
    return select(*rows.c).subquery("rows")


def _arrays(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {f"all_{name}": [row[name] for row in rows] for name in rows[0]}

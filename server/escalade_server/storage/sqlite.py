"""The SQLite driver's connections, with one trip to their thread per statement instead of four.

Guarantee: a statement's rows are read to their end in the trip that runs it, so that no statement stays open. Every
trip costs two switches between threads, which on a busy machine cost more than most statements do.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import aiosqlite


class Cursor:
    """What SQLAlchemy's adapter asks of a cursor; results are in memory once `execute` returns."""

    def __init__(self, run: Callable[..., Any], connection: Callable[[], sqlite3.Connection]) -> None:
        self._run = run
        self._connection = connection
        self._rows: deque[Any] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        """Nothing to open."""
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Self:
        """Run a statement and read all that it gives."""
        await self._run(self._finish, lambda cursor: cursor.execute(statement, parameters))
        return self

    async def executemany(self, statement: str, parameters: Iterable[Sequence[Any]]) -> Self:
        """Run a statement once for each of the parameters."""
        await self._run(self._finish, lambda cursor: cursor.executemany(statement, parameters))
        return self

    async def fetchone(self) -> Any:
        """The next row; None behind the last."""
        return self._rows.popleft() if self._rows else None

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows."""
        count = min(len(self._rows), self.arraysize if size is None else size)
        return [self._rows.popleft() for _ in range(count)]

    async def fetchall(self) -> list[Any]:
        """All rows that are left."""
        rows = list(self._rows)
        self._rows.clear()
        return rows

    async def close(self) -> None:
        """Forget what was read."""
        self._rows.clear()

    def _finish(self, execute: Callable[[sqlite3.Cursor], object]) -> None:
        """Runs in the connection's thread."""
        cursor = self._connection().cursor()
        try:
            execute(cursor)
            self.description = cursor.description
            self._rows = deque(cursor.fetchall() if cursor.description else ())
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()


class Connection(aiosqlite.Connection):
    """One connection and its thread."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor that makes one trip per statement."""
        return Cursor(self._execute, lambda: self._conn)


def connect(database: str, **settings: Any) -> Connection:
    """Open a connection; await it. A creator function for SQLAlchemy's `aiosqlite` dialect."""
    connection = Connection(lambda: sqlite3.connect(database, **settings), iter_chunk_size=64)
    # As SQLAlchemy does with the connections it makes: a thread that waits for work must not keep the process alive.
    thread: Any = getattr(connection, "_thread", connection)
    thread.daemon = True
    return connection

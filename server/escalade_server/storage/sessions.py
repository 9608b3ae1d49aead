"""Opens the database and hands out sessions.

Guarantee: a `write` session is one transaction that commits when its block ends and rolls back on any exception. On
SQLite it begins IMMEDIATE, so a writer waits its turn at the start and never fails half-way for a lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import QueuePool

from escalade_server.errors import DatabaseBehind, DatabaseUnavailable
from escalade_server.storage import sqlite

__all__ = ["AsyncSession", "Database"]

BUSY_TIMEOUT_S = 30.0
"""How long a SQLite writer waits for its turn, and PostgreSQL for a connection."""

CLOSE_S = 5.0
"""How long closing waits for connections that are in use."""

_DAMAGED = ("file is not a database", "database disk image is malformed")
_NO_SUCH = ("42P01", "42703")
"""PostgreSQL's states for a table and a column that are not there."""


class Database:
    """One database and its connection pool."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self.engine = _engine(url, self.sqlite)
        self._writer = self.engine.execution_options(escalade_write=True)
        # PostgreSQL shows each statement what is committed, inside a transaction or not; without one, reading saves the
        # two trips that begin and end it.
        self._reader = self.engine if self.sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for reading; what it sees is one consistent moment on SQLite, committed data on PostgreSQL."""
        with _translated():
            async with AsyncSession(self._reader, expire_on_commit=False) as session:
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session for writing; committed at the end of the block."""
        with _translated():
            async with AsyncSession(self._writer, expire_on_commit=False) as session, session.begin():
                yield session

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            DatabaseUnavailable: There is none.
        """
        async with self.read() as session:
            await session.execute(text("select 1"))

    async def close(self) -> None:
        """Close every connection; those in use are waited for, up to `CLOSE_S`.

        A session whose task was cancelled while it closed gives its connection back in a task of its own.
        """
        pool = self.engine.pool
        if isinstance(pool, QueuePool):
            until = time.monotonic() + CLOSE_S
            while pool.checkedout() and time.monotonic() < until:  # noqa: ASYNC110 - the pool tells of no event
                await asyncio.sleep(0.01)
        await self.engine.dispose()


def require_address(url: str) -> None:
    """Refuse what is no address of a database, without showing it: it may hold a password.

    Raises:
        ValueError: It is none; the text says what one looks like.
    """
    try:
        Database(url)
    except (ArgumentError, ValueError):
        raise ValueError(
            "ESCALADE_DATABASE_URL cannot be read: write postgresql://user:password@host:port/name or sqlite:///path, "
            "with %40 for an @ and %2F for a / in the password"
        ) from None


class _translated:
    """Turns a lost connection into `DatabaseUnavailable`; leaves every other error alone."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PoolTimeout):
            raise DatabaseUnavailable(
                "Every connection to the database is in use: try again, or send fewer requests at a time.",
                retry_after_s=2.0,
            ) from error
        cause = getattr(error, "orig", None)
        if isinstance(error, DatabaseError) and str(cause).startswith(_DAMAGED):
            raise DatabaseUnavailable(
                f"The database cannot be read ({cause}): restore a backup, or start with another data folder."
            ) from error
        lost = isinstance(error, (OperationalError, InterfaceError)) or (
            isinstance(error, DBAPIError) and error.connection_invalidated
        )
        # SQLite's driver counts a schema that does not fit among the operational errors, PostgreSQL's does not.
        if (lost and str(cause).startswith(("no such table", "no such column"))) or (
            isinstance(error, ProgrammingError) and getattr(cause, "sqlstate", None) in _NO_SUCH
        ):
            raise DatabaseBehind(
                "The database's tables are not those of this version: run `escalade migrate`, "
                "or start with another data folder."
            ) from error
        if lost or (isinstance(error, OSError) and not isinstance(error, TimeoutError)):
            words = str(cause or error).strip().splitlines()
            raise DatabaseUnavailable(
                f"The database does not answer ({words[0] if words else 'no reason given'}). "
                "Check that it runs and that ESCALADE_DATABASE_URL is right, then try again.",
                retry_after_s=2.0,
            ) from error


def _engine(url: str, embedded: bool) -> AsyncEngine:
    if not embedded:
        return create_async_engine(
            url,
            pool_size=10,
            max_overflow=10,
            pool_timeout=BUSY_TIMEOUT_S,
            connect_args={"connect_timeout": 5, "client_encoding": "utf8", "options": "-c timezone=UTC"},
        )
    engine = create_async_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S, "async_creator_fn": sqlite.connect},
        pool_size=10,
        max_overflow=10,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, record: object) -> None:
        # The driver's own transaction handling begins late and never IMMEDIATE; we begin by ourselves below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT_S * 1e3:.0f}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("escalade_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine

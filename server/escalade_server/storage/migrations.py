"""Runs Alembic from code: brings a database to this version's schema, or tells how far behind it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import ProgrammingError

from escalade_server.errors import DatabaseBehind, DatabaseUnavailable
from escalade_server.storage.sessions import Database

_NOT_ALLOWED = "42501"
"""PostgreSQL's state for insufficient privilege."""


def scripts_folder() -> Path:
    """Where the migration scripts lie: beside the package in a wheel, at the top of a checkout."""
    here = Path(__file__).resolve()
    packaged = here.parents[1] / "_migrations"
    return packaged if packaged.is_dir() else here.parents[3] / "migrations"


def config_for(url: str) -> Config:
    """Alembic's configuration for one database."""
    config = Config()
    config.set_main_option("script_location", str(scripts_folder()))
    config.attributes["url"] = url
    return config


def head() -> str:
    """The revision that this version of the server needs."""
    revision = ScriptDirectory(str(scripts_folder())).get_current_head()
    if revision is None:
        raise RuntimeError(f"no migration scripts in {scripts_folder()}")
    return revision


async def current(database: Database) -> str | None:
    """The revision that a database is at; None if it is empty.

    Raises:
        DatabaseUnavailable: It cannot be reached.
    """
    async with database.read() as session:
        connection = await session.connection()
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def upgrade(url: str, revision: str = "head") -> None:
    """Bring a database to a revision; each migration is one transaction.

    Raises:
        DatabaseBehind: A newer version of the server made it.
        DatabaseUnavailable: It cannot be reached, or its user may not make tables.
    """
    database = Database(url)
    try:
        _require_known(await current(database))
    finally:
        await database.close()
    try:
        await asyncio.to_thread(command.upgrade, config_for(url), revision)
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _NOT_ALLOWED:
            raise
        raise DatabaseUnavailable(
            f"The database's user may not make tables ({str(error.orig).splitlines()[0]}): make it the owner of the "
            "database, or `GRANT CREATE ON SCHEMA public` to it."
        ) from error


async def downgrade(url: str, revision: str) -> None:
    """Take a database back to an earlier revision (`base` is an empty one)."""
    await asyncio.to_thread(command.downgrade, config_for(url), revision)


async def require_head(database: Database) -> None:
    """Refuse a database whose schema is not this version's.

    Raises:
        DatabaseBehind: It is empty, older, or newer.
        DatabaseUnavailable: It cannot be reached.
    """
    found, wanted = await current(database), head()
    if found != wanted:
        _require_known(found)
        raise DatabaseBehind(
            f"The database is at revision {found or 'none (empty)'}, this version needs {wanted}: "
            "run `escalade migrate`."
        )


def _require_known(found: str | None) -> None:
    scripts = ScriptDirectory(str(scripts_folder()))
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseBehind(
            f"The database is at revision {found}, which this version does not know: a newer version made it. "
            "Install that version again, or restore the backup from before the upgrade."
        )

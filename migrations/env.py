"""Runs the migrations on whichever database it is given: by `escalade migrate`, or by `alembic` itself."""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection, event

from escalade_server.settings import Settings
from escalade_server.storage.sessions import Database
from escalade_server.storage.tables import Base, UtcDateTime


def render_item(kind: str, item: object, autogen_context: object) -> str | bool:
    """Write our own column types as the plain ones that they store, so that migrations never import the server."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite alters a table by copying it.
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
        render_item=render_item,
        on_version_apply=require_references,
    )
    with context.begin_transaction():
        context.run_migrations()


def require_references(**migrated: Any) -> None:
    """Undo a migration of SQLite, which checks no reference meanwhile, that leaves rows behind whose parent is gone."""
    connection = migrated["ctx"].connection
    if connection.dialect.name == "sqlite" and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
        raise RuntimeError(f"rows of {sorted({row[0] for row in broken})} refer to others that are gone")


def _without_foreign_keys(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


async def online() -> None:
    settings = Settings()
    url = context.config.attributes.get("url")
    if url is None:
        settings.data.mkdir(parents=True, exist_ok=True)
        url = settings.database
    database = Database(url)
    if database.sqlite:
        # A table is altered by copying it and dropping the old one, which other tables may refer to. The pragma does
        # nothing inside a transaction, hence here.
        event.listen(database.engine.sync_engine, "connect", _without_foreign_keys)
    try:
        async with database.engine.execution_options(escalade_write=True).connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
    finally:
        await database.close()


if context.is_offline_mode():
    raise SystemExit("error: offline migrations are not supported: run `escalade migrate` against the database")
asyncio.run(online())

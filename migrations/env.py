"""Runs the migrations on whichever database it is given: by `escalade migrate`, or by `alembic` itself."""

import asyncio

from alembic import context
from sqlalchemy import Connection

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
    )
    with context.begin_transaction():
        context.run_migrations()


async def online() -> None:
    settings = Settings()
    url = context.config.attributes.get("url")
    if url is None:
        settings.data.mkdir(parents=True, exist_ok=True)
        url = settings.database
    database = Database(url)
    try:
        async with database.engine.execution_options(escalade_write=True).connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
    finally:
        await database.close()


if context.is_offline_mode():
    raise SystemExit("error: offline migrations are not supported: run `escalade migrate` against the database")
asyncio.run(online())

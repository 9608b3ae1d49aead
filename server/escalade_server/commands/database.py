"""`escalade migrate`."""

from __future__ import annotations

import typer

from escalade_server.commands.running import load_settings, make_folder, run


def migrate() -> None:
    """Bring the database to this version's schema."""
    from escalade_server.storage import migrations
    from escalade_server.storage.sessions import Database

    settings = load_settings()

    async def work() -> str:
        if settings.embedded:
            make_folder(settings.data)
        database = Database(settings.database)
        try:
            before = await migrations.current(database)
        finally:
            await database.close()
        await migrations.upgrade(settings.database)
        after = migrations.head()
        return f"at revision {after}" if before == after else f"migrated from {before or 'nothing'} to {after}"

    typer.echo(f"database: {run(work())}")

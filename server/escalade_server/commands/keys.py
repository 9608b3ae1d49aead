"""`escalade key`: keys, straight from the database, so that the first one can be made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar, get_args

import typer

from escalade.types import Scope
from escalade_server.commands.running import fail, load_settings, make_folder, run

if TYPE_CHECKING:
    from escalade_server.storage.sessions import AsyncSession

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
Returned = TypeVar("Returned")


@app.command("create")
def create(
    scope: Annotated[list[str], typer.Option(help="read, train, execute or admin; may be given several times.")],
    name: Annotated[str, typer.Option(help="For people, to tell keys apart.")] = "made by hand",
) -> None:
    """Make a key and print its secret, which is shown this once."""
    from escalade_server.storage import credentials

    for one in scope:
        if one not in get_args(Scope):
            fail(f"--scope {one}: choose from {', '.join(get_args(Scope))}")

    if not 0 < len(name) <= 120 or "\0" in name:
        fail("--name: give 1 to 120 characters")

    async def work(session: AsyncSession) -> tuple[str, str]:
        row, secret = await credentials.create(session, name=name, scopes=scope)
        return row.id, secret

    key_id, secret = _in_transaction(work)
    typer.echo(f"{key_id} made; its secret is shown only now:", err=True)
    typer.echo(secret)


@app.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""
    from escalade_server.storage import keys

    async def work(session: AsyncSession) -> list[str]:
        rows = await keys.list_all(session, after=None, limit=10_000)
        return [
            f"{row.id}  {','.join(row.scopes):<24}  {row.created_at:%Y-%m-%d %H:%M}  "
            f"{'revoked' if row.revoked_at else 'in force'}  {row.name}"
            for row in rows
        ]

    for line in _in_transaction(work):
        typer.echo(line)


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="As `escalade key list` shows it.")]) -> None:
    """Put a key out of force at once."""
    from escalade_server.storage import keys
    from escalade_server.storage.clock import now

    async def work(session: AsyncSession) -> bool:
        if await keys.get(session, key_id) is None:
            return False
        await keys.revoke(session, key_id, now())
        return True

    if not _in_transaction(work):
        fail(f"there is no key {key_id}: see `escalade key list`")
    typer.echo(f"{key_id} revoked")


def _in_transaction(work: Callable[[AsyncSession], Awaitable[Returned]]) -> Returned:
    from escalade_server.storage import migrations
    from escalade_server.storage.sessions import Database

    settings = load_settings()

    async def whole() -> Returned:
        if settings.embedded:
            make_folder(settings.data)
            await migrations.upgrade(settings.database)
        database = Database(settings.database)
        try:
            await migrations.require_head(database)
            async with database.write() as session:
                return await work(session)
        finally:
            await database.close()

    return run(whole())

"""What works on this machine, looked at piece by piece."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from escalade_sandbox.types import Sandbox, SandboxError
from escalade_server.commands.opening import sandbox_of
from escalade_server.errors import EscaladeError
from escalade_server.scoring import mathematics
from escalade_server.settings import Settings
from escalade_server.storage import keys, migrations
from escalade_server.storage.credentials import ADMIN_KEY_FILE
from escalade_server.storage.sessions import Database


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    good: bool
    words: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything that a server needs."""
    database = Database(settings.database)
    try:
        return [
            # A server whose database and sandbox are elsewhere writes nothing of its own.
            *([_data(settings)] if settings.embedded or settings.backend != "http" else []),
            await _try("database", lambda: _ping(settings, database)),
            await _try("migrations", lambda: _migrations(settings, database)),
            await _try("keys", lambda: _keys(settings, database)),
            *await _sandbox(settings),
        ]
    finally:
        await database.close()


async def _try(subject: str, look: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(subject, True, await look())
    except EscaladeError as error:
        return Finding(subject, False, error.detail)
    except SandboxError as error:
        return Finding(subject, False, str(error))


def _data(settings: Settings) -> Finding:
    folder = settings.data
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    good = os.access(existing, os.W_OK)
    words = str(folder) if good else f"{existing} is not writable: set ESCALADE_DATA to a folder that is"
    return Finding("data folder", good, words)


async def _ping(settings: Settings, database: Database) -> str:
    if settings.embedded and not (settings.data / "escalade.db").exists():
        return "embedded; `escalade serve` makes it"
    await database.ping()
    return "embedded SQLite" if settings.embedded else database.engine.dialect.name


async def _migrations(settings: Settings, database: Database) -> str:
    if settings.embedded and not (settings.data / "escalade.db").exists():
        return "`escalade serve` runs them"
    await migrations.require_head(database)
    return f"at {migrations.head()}"


async def _keys(settings: Settings, database: Database) -> str:
    if settings.embedded and not (settings.data / "escalade.db").exists():
        return "`escalade serve` makes the first admin key"
    async with database.read() as session:
        if not await keys.any_admin(session):
            raise EscaladeError("no admin key: run `escalade key create --scope admin`")
    if settings.embedded and not (settings.data / ADMIN_KEY_FILE).exists():
        return f"there is an admin key, but no {ADMIN_KEY_FILE}; `escalade serve` makes another"
    return "there is an admin key"


async def _sandbox(settings: Settings) -> list[Finding]:
    """Whether it runs programs, and whether it can work out mathematics."""
    try:
        sandbox = sandbox_of(settings)
    except SandboxError as error:
        return [Finding("sandbox", False, str(error))]

    async def started() -> str:
        await sandbox.start()
        health = await sandbox.health()
        if not health.ready:
            raise EscaladeError(health.detail)
        return f"{health.backend}: {health.detail}"

    try:
        found = [await _try("sandbox", started)]
        if found[0].good:
            found.append(await _try("mathematics", lambda: _mathematics(sandbox)))
    finally:
        await sandbox.close()
    return found


async def _mathematics(sandbox: Sandbox) -> str:
    if not await mathematics.available(sandbox):
        # Only answers beyond the fast path need it, so that a server can do without.
        return f"{mathematics.MISSING}: `pip install 'escalade[mathematics]'` where it runs, or build its image again"
    return "math-verify reads what the fast path cannot"

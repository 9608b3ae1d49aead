"""Opens a server's services in order, each checked before the next; closes what was opened, whatever happens."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from escalade_sandbox.backends import open_sandbox
from escalade_sandbox.types import Sandbox, SandboxUnavailable
from escalade_server.api.services import Services, open_services
from escalade_server.commands.running import make_folder
from escalade_server.problems import service as problems
from escalade_server.problems.builtin import load_catalogue
from escalade_server.settings import Settings
from escalade_server.storage import credentials, migrations
from escalade_server.storage.sessions import Database

log = logging.getLogger(__name__)


def sandbox_of(settings: Settings) -> Sandbox:
    """The sandbox that the settings name, not started.

    Raises:
        SandboxUnavailable: The settings are not enough for it.
    """
    if settings.backend == "http" and not (settings.sandbox_url and settings.sandbox_key):
        raise SandboxUnavailable("the http sandbox needs ESCALADE_SANDBOX_URL and ESCALADE_SANDBOX_KEY")
    return open_sandbox(
        settings.backend,
        slots=settings.sandbox_slots,
        image=settings.sandbox_image,
        runtime=settings.sandbox_runtime,
        urls=tuple(part.strip() for part in (settings.sandbox_url or "").split(",") if part.strip()),
        key=settings.sandbox_key.get_secret_value() if settings.sandbox_key else None,
        # Asking for it by name is the acknowledgement.
        acknowledged=settings.sandbox == "process",
        # So that a restart compiles nothing again.
        cache_folder=settings.data / "programs",
    )


async def prepare_database(settings: Settings) -> None:
    """Bring an embedded database to this version's schema; require it of any other.

    Raises:
        DatabaseBehind: The schema is not this version's.
        DatabaseUnavailable: The database cannot be reached.
    """
    if settings.embedded:
        make_folder(settings.data)
        await migrations.upgrade(settings.database)
    database = Database(settings.database)
    try:
        await migrations.require_head(database)
        if settings.embedded and (made := await credentials.ensure_admin(database, settings.data)):
            log.warning("made the first admin key: %s", made)
    finally:
        await database.close()


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """The services, ready to serve.

    Raises:
        DatabaseBehind: The schema is not this version's.
        DatabaseUnavailable: The database cannot be reached.
        SandboxUnavailable: The sandbox cannot run; the message says what to do.
    """
    await prepare_database(settings)
    sandbox = sandbox_of(settings)
    try:
        await sandbox.start()
        services = open_services(settings, sandbox)
        try:
            async with services.database.write() as session:
                report = await problems.store(session, load_catalogue())
            log.info("catalogue: %d new, %d changed", len(report.created), len(report.updated))
            services.worker.start()
            yield services
        finally:
            await services.close()
    finally:
        await sandbox.close()

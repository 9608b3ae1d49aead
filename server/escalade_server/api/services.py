"""What a running server holds: one database, one sandbox, and what lives between requests."""

from __future__ import annotations

from dataclasses import dataclass

from escalade_sandbox.types import Sandbox
from escalade_server.instances.buffer import Buffer
from escalade_server.instances.versions import Versions
from escalade_server.runs.batches import Desk
from escalade_server.runs.journal import Journal
from escalade_server.settings import Settings
from escalade_server.storage.sessions import Database


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a request may need."""

    settings: Settings
    database: Database
    sandbox: Sandbox
    versions: Versions
    buffer: Buffer
    journal: Journal

    @property
    def desk(self) -> Desk:
        """What issuing batches needs."""
        return Desk(self.journal, self.buffer, self.versions)

    async def close(self) -> None:
        """Stop background work and close the connections; the sandbox belongs to whoever opened it."""
        await self.buffer.close()
        await self.database.close()


def open_services(settings: Settings, sandbox: Sandbox) -> Services:
    """Put a server together."""
    database = Database(settings.database)
    return Services(
        settings=settings,
        database=database,
        sandbox=sandbox,
        versions=Versions(),
        buffer=Buffer(database, sandbox, size=settings.buffer),
        journal=Journal(database),
    )

"""What a running server holds: one database, one sandbox, and what lives between requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from escalade_sandbox.types import Sandbox
from escalade_server.instances.buffer import Buffer
from escalade_server.instances.programs import Programs
from escalade_server.instances.versions import Versions
from escalade_server.runs.drafts import Desk
from escalade_server.runs.journal import Journal
from escalade_server.runs.pool import Members
from escalade_server.settings import Settings
from escalade_server.storage.sessions import Database
from escalade_server.synthesis.worker import Worker


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a request may need."""

    settings: Settings
    database: Database
    sandbox: Sandbox
    versions: Versions
    members: Members
    buffer: Buffer
    programs: Programs
    journal: Journal
    worker: Worker
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server is about to end: streams that would go on for ever end then."""

    @property
    def desk(self) -> Desk:
        """What issuing batches needs."""
        return Desk(self.journal, self.buffer, self.programs, self.versions, self.members)

    async def close(self) -> None:
        """Stop background work and close the connections; the sandbox belongs to whoever opened it."""
        self.closing.set()
        await self.worker.close()
        await self.programs.close()
        await self.buffer.close()
        await self.database.close()


def open_services(settings: Settings, sandbox: Sandbox) -> Services:
    """Put a server together."""
    database = Database(settings.database)
    buffer = Buffer(database, sandbox, size=settings.buffer)
    return Services(
        settings=settings,
        database=database,
        sandbox=sandbox,
        versions=Versions(),
        members=Members(),
        buffer=buffer,
        programs=Programs(database, sandbox, buffer),
        journal=Journal(database),
        worker=Worker(settings, database, sandbox),
    )

"""Import jobs: an archive in a named format becomes environments, all in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from escalade.types import ImportRequest, Job
from escalade_server.errors import JobNotFound
from escalade_server.problems import service
from escalade_server.problems.definition import Entry, Refusal
from escalade_server.storage import jobs, tables
from escalade_server.storage.clock import new_id, now
from escalade_server.storage.sessions import AsyncSession


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an archive holds."""

    entries: list[Entry]
    refusals: list[Refusal]


def parse(request: ImportRequest) -> Parsed:
    """Read an archive; no code in it is run.

    Raises:
        ArchiveUnreadable: The archive as a whole is not of this format.
    """
    return Parsed(*service.parse(request.format, request.filename, request.content))


async def run(session: AsyncSession, *, request: ImportRequest, parsed: Parsed, owner: str) -> Job:
    """Store what was read, or tell what would be stored."""
    apply = service.preview if request.dry_run else service.store
    report = await apply(session, parsed.entries, parsed.refusals)
    total = len(parsed.entries) + len(parsed.refusals)
    row = tables.Job(
        id=new_id("job"),
        key_id=owner,
        kind=f"import {request.format}",
        status="succeeded",
        done=total,
        total=total,
        result=report.document(),
        created_at=now(),
        finished_at=now(),
    )
    session.add(row)
    await session.flush()
    return present(row)


async def show_job(session: AsyncSession, job_id: str) -> Job:
    """One job.

    Raises:
        JobNotFound: There is none of this identity.
    """
    row = await jobs.get(session, job_id)
    if row is None:
        raise JobNotFound(f"There is no job {job_id}.")
    return present(row)


def present(row: tables.Job) -> Job:
    """A job's row as it is shown."""
    return Job.model_validate(
        {
            "job": row.id,
            "kind": row.kind,
            "status": row.status,
            "done": row.done,
            "total": row.total,
            "result": row.result,
            "error": row.error,
            "created_at": row.created_at,
            "finished_at": row.finished_at,
        }
    )

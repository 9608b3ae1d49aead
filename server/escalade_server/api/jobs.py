"""Routes of syntheses and of jobs of every kind."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import StreamingResponse

from escalade.types import Job, JobStatus, Page, SynthesisItem, SynthesisRequest
from escalade_server.api.deps import (
    Caller,
    Limit,
    Once,
    PageToken,
    Reading,
    ServicesDep,
    Transaction,
    needs,
    number_of,
)
from escalade_server.api.streams import job_events
from escalade_server.synthesis import jobs

router = APIRouter(tags=["jobs"])
JobId = Annotated[str, Path(max_length=40)]


@router.post("/syntheses", status_code=201, **needs("admin"))
async def start_synthesis(body: SynthesisRequest, caller: Caller, once: Once, services: ServicesDep) -> Job:
    """Make environments of problems, and verify environments, in the background."""
    thresholds = services.settings.verification
    async with services.database.write() as session:
        made = await once.once(
            session, Job, lambda: jobs.start(session, body, owner=caller.key_id, thresholds=thresholds)
        )
    services.worker.wake()
    return made


@router.get("/jobs", **needs("read", "train"))
async def list_jobs(
    session: Reading,
    page: PageToken = None,
    limit: Limit = 100,
    status: Annotated[JobStatus | None, Query()] = None,
    kind: Annotated[str | None, Query(max_length=40)] = None,
) -> Page[Job]:
    """Jobs, newest first."""
    return await jobs.search(session, status=status, kind=kind, page=page, limit=limit)


@router.get("/jobs/{job}", **needs("read", "train"))
async def show_job(job: JobId, session: Reading) -> Job:
    """One job: its progress and, once finished, its result."""
    return await jobs.show(session, job)


@router.delete("/jobs/{job}", **needs("admin"))
async def cancel_job(job: JobId, session: Transaction) -> Job:
    """Cancel a job; what it has finished stays. A job that is finished is left as it is."""
    return await jobs.cancel(session, job)


@router.post("/jobs/{job}/resume", **needs("admin"))
async def resume_job(job: JobId, services: ServicesDep) -> Job:
    """Go on with a synthesis that failed or was cancelled, where it stopped."""
    async with services.database.write() as session:
        resumed = await jobs.resume(session, job)
    services.worker.wake()
    return resumed


@router.get("/jobs/{job}/items", **needs("read", "train"))
async def list_items(job: JobId, session: Reading, page: PageToken = None, limit: Limit = 100) -> Page[SynthesisItem]:
    """A synthesis's problems and what became of each, in their order."""
    return await jobs.items(session, job, after=number_of(page) if page else -1, limit=limit)


@router.get(
    "/jobs/{job}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    **needs("read", "train"),
)
async def watch_job(
    job: JobId,
    services: ServicesDep,
    last_event_id: Annotated[
        str | None, Header(max_length=20, description="`id` of the last event that was received.")
    ] = None,
) -> StreamingResponse:
    """Server-sent events: `item` for each problem as it is finished, `progress`, and `end` with the finished job.

    Only `item` has an `id`; a reader that lost the connection sends the last one and misses nothing.
    """
    async with services.database.read() as session:
        await jobs.show(session, job)
    stream = job_events(services.database, services.closing, job, after=number_of(last_event_id))
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

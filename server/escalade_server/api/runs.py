"""Routes of runs: creation, batches, attempts, and the curriculum to look at."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from escalade.types import (
    AttemptReports,
    AttemptResults,
    Batch,
    BatchRequest,
    Controller,
    Event,
    Page,
    Run,
    RunPatch,
    RunRequest,
)
from escalade_server.api.deps import Caller, Limit, Once, OwnRun, PageToken, Reading, ServicesDep, Transaction, needs
from escalade_server.errors import InvalidRequest
from escalade_server.runs import attempts, batches
from escalade_server.runs import service as runs

router = APIRouter(prefix="/runs", tags=["runs"])
Cursor = Annotated[int, Path(ge=0, lt=2**31, description="The trainer's step number; it names the batch.")]


@router.post("", status_code=201, **needs("train"))
async def create_run(body: RunRequest, caller: Caller, once: Once, session: Transaction) -> Run:
    """Start a run: its pool is pinned, its curriculum begins."""
    return await once.once(
        session,
        Run,
        lambda: runs.create(session, owner=caller.key_id, request=body, admin=caller.may("admin")),
    )


@router.get("", **needs("read", "train"))
async def list_runs(caller: Caller, session: Reading, page: PageToken = None, limit: Limit = 100) -> Page[Run]:
    """Runs: one's own, or with the scope `read` everybody's."""
    owner = None if caller.may("read") else caller.key_id
    return await runs.list_runs(session, owner=owner, after=page, limit=limit)


@router.get("/{run}", **needs("read", "train"))
async def show_run(run: OwnRun, session: Reading) -> Run:
    """One run."""
    return await runs.describe(session, run)


@router.patch("/{run}", **needs("train"))
async def update_run(run: OwnRun, body: RunPatch, session: Transaction) -> Run:
    """Change a run's name or the deadline of its next batches."""
    return await runs.update(session, run=run, patch=body)


@router.delete("/{run}", status_code=204, **needs("train"))
async def delete_run(run: OwnRun, session: Transaction) -> None:
    """Delete a run: it is no longer served or listed. Its attempts and events stay stored."""
    await runs.delete(session, run=run)


@router.put("/{run}/batches/{cursor}", **needs("train"))
async def issue_batch(run: OwnRun, cursor: Cursor, body: BatchRequest, services: ServicesDep) -> Batch:
    """The batch of one step. The same cursor is the same batch, on every rank and every retry."""
    return await batches.issue(services.desk, run=run, cursor=cursor, request=body)


@router.post("/{run}/attempts", **needs("train"))
async def report_attempts(run: OwnRun, body: AttemptReports, services: ServicesDep) -> AttemptResults:
    """Score and store rollouts. The same report again gives the first outcome; another answer is a conflict."""
    return await attempts.report(services.journal, versions=services.versions, run=run, reports=body.attempts)


@router.get("/{run}/controllers", **needs("read", "train"))
async def list_controllers(
    run: OwnRun, session: Reading, services: ServicesDep, page: PageToken = None, limit: Limit = 1_000
) -> Page[Controller]:
    """Difficulty per environment, in the order of the run's pool."""
    return await runs.controllers(session, journal=services.journal, run=run, after=_number(page), limit=limit)


@router.get("/{run}/events", **needs("read", "train"))
async def list_events(
    run: OwnRun,
    session: Reading,
    page: PageToken = None,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, description="First sequence number wanted.")] = 0,
) -> Page[Event]:
    """The run's append-only log, in order."""
    return await runs.list_events(session, run=run, after=max(_number(page), after), limit=limit)


def _number(page: str | None) -> int:
    if page is None:
        return 0
    if not (page.isascii() and page.isdecimal() and len(page) < 15):
        raise InvalidRequest("`page` in the query: send `next_page` of the page before, unchanged.")
    return int(page)

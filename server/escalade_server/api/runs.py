"""Routes of runs: creation, batches, attempts, and the curriculum to look at."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from escalade.types import (
    AttemptReports,
    AttemptResults,
    Batch,
    BatchRequest,
    ClosedGroups,
    Controller,
    Deadline,
    DeadlineRequest,
    Event,
    Page,
    Run,
    RunPatch,
    RunRequest,
)
from escalade.types.base import MAX_COUNT
from escalade_server.api.deps import (
    Caller,
    Limit,
    Once,
    OwnRun,
    PageToken,
    Reading,
    ServicesDep,
    Transaction,
    needs,
    number_of,
)
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


@router.put("/{run}/batches/{cursor}/refills/{refill}", **needs("train"))
async def issue_refill(
    run: OwnRun,
    cursor: Cursor,
    refill: Annotated[int, Path(ge=1, le=1_000, description="Which refill of this batch: 1, 2, ...")],
    body: BatchRequest,
    services: ServicesDep,
) -> Batch:
    """More groups for a batch, in place of dropped ones. The same refill is the same groups, on every retry."""
    return await batches.issue(services.desk, run=run, cursor=cursor, request=body, refill=refill)


@router.post("/{run}/batches/{cursor}/close", **needs("train"))
async def close_batch(run: OwnRun, cursor: Cursor, services: ServicesDep) -> ClosedGroups:
    """End a batch early: rollouts that have not come expire. A second time closes nothing."""
    return ClosedGroups(closed=await batches.close(services.journal, run=run, cursor=cursor))


@router.patch("/{run}/batches/{cursor}/groups/{group}", **needs("train"))
async def move_deadline(
    run: OwnRun,
    cursor: Cursor,
    group: Annotated[str, Path(max_length=40)],
    body: DeadlineRequest,
    services: ServicesDep,
) -> Deadline:
    """Move the deadline of an open group."""
    return await batches.extend(services.journal, run=run, cursor=cursor, group=group, deadline=body.deadline)


@router.post("/{run}/attempts", **needs("train"))
async def report_attempts(run: OwnRun, body: AttemptReports, services: ServicesDep) -> AttemptResults:
    """Score and store rollouts. The same report again gives the first outcome; another answer is a conflict."""
    return await attempts.report(
        services.journal,
        sandbox=services.sandbox,
        programs=services.programs,
        versions=services.versions,
        members=services.members,
        run=run,
        reports=body.attempts,
    )


@router.get("/{run}/controllers", **needs("read", "train"))
async def list_controllers(
    run: OwnRun, session: Reading, services: ServicesDep, page: PageToken = None, limit: Limit = 1_000
) -> Page[Controller]:
    """Difficulty per environment, in the order of the run's pool."""
    return await runs.controllers(session, journal=services.journal, run=run, after=number_of(page), limit=limit)


@router.get("/{run}/events", **needs("read", "train"))
async def list_events(
    run: OwnRun,
    session: Reading,
    page: PageToken = None,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, le=MAX_COUNT, description="First sequence number wanted.")] = 0,
) -> Page[Event]:
    """The run's append-only log, in order."""
    return await runs.list_events(session, run=run, after=max(number_of(page), after), limit=limit)

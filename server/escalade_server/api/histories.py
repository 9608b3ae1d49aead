"""Routes of a run's history: checkpoints, restores, forks, documents, and its curriculum over time."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from escalade.types import (
    ActiveMember,
    Checkpoint,
    CheckpointRequest,
    Fork,
    ForkRequest,
    Page,
    Restoration,
    RestoreRequest,
    RunDocument,
    RunMetrics,
    StepMetrics,
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
from escalade_server.runs import histories, inspection

router = APIRouter(prefix="/runs", tags=["runs"])


@router.post("/{run}/checkpoints", status_code=201, **needs("train"))
async def make_checkpoint(run: OwnRun, body: CheckpointRequest, services: ServicesDep) -> Checkpoint:
    """Name the run's state. The same label and step again is the same checkpoint."""
    return await histories.checkpoint(services.journal, run=run, request=body)


@router.get("/{run}/checkpoints", **needs("read", "train"))
async def list_checkpoints(
    run: OwnRun, session: Reading, page: PageToken = None, limit: Limit = 100
) -> Page[Checkpoint]:
    """A run's checkpoints, of every generation, in the order they were made."""
    return await histories.list_checkpoints(session, run=run, after=number_of(page), limit=limit)


@router.post("/{run}/restore", **needs("train"))
async def restore_run(run: OwnRun, body: RestoreRequest, once: Once, services: ServicesDep) -> Restoration:
    """Go back to a checkpoint: the cursors after it give the same batches again. Nothing is deleted."""
    async with services.journal.writing(run.id) as writer:
        return await once.once(
            writer.session, Restoration, lambda: histories.restore(services.journal, writer, request=body)
        )


@router.post("/{run}/forks", status_code=201, **needs("train"))
async def fork_run(
    run: OwnRun, body: ForkRequest, caller: Caller, once: Once, session: Transaction, services: ServicesDep
) -> Fork:
    """Branch a new run from a checkpoint, or from where the run stands; its open groups stay with the old run."""
    return await once.once(
        session,
        Fork,
        lambda: histories.fork(services.journal, session, run=run, owner=caller.key_id, request=body),
    )


@router.get("/{run}/export", **needs("read", "train"))
async def export_run(run: OwnRun, session: Reading, services: ServicesDep) -> RunDocument:
    """A run's settings, pool and curriculum as one document."""
    return await histories.export(services.journal, session, run=run)


@router.post("/import", status_code=201, **needs("train"))
async def import_run(body: RunDocument, caller: Caller, once: Once, session: Transaction) -> Fork:
    """Start a run from a document that `export` made, here or on another server."""
    return await once.once(
        session, Fork, lambda: histories.take_in(session, owner=caller.key_id, document=body, admin=caller.may("admin"))
    )


@router.get("/{run}/active-set", **needs("read", "train"))
async def show_active_set(
    run: OwnRun, session: Reading, services: ServicesDep, page: PageToken = None, limit: Limit = 100
) -> Page[ActiveMember]:
    """Which environments the run draws from now, since when, and why the last ones left."""
    return await inspection.active_set(session, journal=services.journal, run=run, after=number_of(page), limit=limit)


@router.get(
    "/{run}/metrics",
    response_model=RunMetrics,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    **needs("read", "train"),
)
async def show_metrics(
    run: OwnRun,
    session: Reading,
    services: ServicesDep,
    page: PageToken = None,
    limit: Limit = 1_000,
    after: Annotated[int, Query(ge=0, le=MAX_COUNT, description="First cursor wanted.")] = 0,
    format: Annotated[Literal["json", "csv"], Query(description="csv has one row per batch.")] = "json",
) -> RunMetrics | Response:
    """The run over time, batch by batch: informative share, accuracy, level, coverage, and sampling by tag."""
    first = max(number_of(page), after)
    found = await inspection.metrics(session, journal=services.journal, run=run, after=first, limit=limit)
    return found if format == "json" else Response(_csv(found), media_type="text/csv")


def _csv(found: RunMetrics) -> str:
    columns = [name for name in StepMetrics.model_fields if name != "tags"]
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(columns)
    for step in found.steps:
        rows.writerow([getattr(step, name) for name in columns])
    return out.getvalue()

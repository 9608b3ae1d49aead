"""Syntheses as the API has them: started, listed, watched, cancelled, resumed.

Guarantee: what a job works on is decided once, when it is made, and stored item by item, so that a restart goes on with
those that are left.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ValidationError

from escalade.types import (
    Funnel,
    Job,
    JobStatus,
    Page,
    RefusedEntry,
    SynthesisItem,
    SynthesisRequest,
    VerificationReport,
)
from escalade_server.errors import (
    EnvironmentNotFound,
    InvalidRequest,
    JobConflict,
    JobNotFound,
    NothingToDo,
    ReportNotFound,
)
from escalade_server.problems.imports import present_job
from escalade_server.settings import Thresholds
from escalade_server.storage import environments, jobs, problems, tables
from escalade_server.storage.clock import new_id, now
from escalade_server.storage.sessions import AsyncSession
from escalade_server.synthesis.funnel import funnel_of
from escalade_server.synthesis.reports import public

KIND = "synthesis"


async def start(session: AsyncSession, request: SynthesisRequest, *, owner: str, thresholds: Thresholds) -> Job:
    """Make a synthesis, for a worker to take up.

    Raises:
        InvalidRequest: A threshold is unknown or out of range, or a name is not on this server.
        JobNotFound: An import is not on this server.
        NothingToDo: Nothing that was asked for is left to do.
    """
    changed_thresholds(thresholds, request)
    chosen = await _chosen(session, request)
    if not chosen:
        raise NothingToDo("Everything that was asked for is verified, rejected or given up: send `again` to repeat it.")
    row = tables.Job(
        id=new_id("job"),
        key_id=owner,
        kind=KIND,
        status="queued",
        done=0,
        total=len(chosen),
        request=request.model_dump(mode="json", exclude={"names"}),
        created_at=now(),
    )
    session.add(row)
    await session.flush()
    items = [
        {
            "job_id": row.id,
            "position": position,
            "name": one.slug,
            "source": one.source,
            "problem_id": one.id if isinstance(one, tables.Problem) else None,
            "environment_id": one.id if isinstance(one, tables.Environment) else None,
            "repairs": 0,
        }
        for position, one in enumerate(chosen)
    ]
    await jobs.add_items(session, items)
    return present_job(row)


def changed_thresholds(thresholds: Thresholds, request: SynthesisRequest) -> Thresholds:
    """The server's thresholds with those of a request.

    Raises:
        InvalidRequest: One is unknown or out of range.
    """
    try:
        return Thresholds.model_validate(thresholds.model_dump() | request.thresholds)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidRequest(f"`thresholds.{'.'.join(map(str, first['loc']))}`: {first['msg']}") from None


async def show(session: AsyncSession, job_id: str) -> Job:
    """One job.

    Raises:
        JobNotFound: There is none of this identity.
    """
    return present_job(await _get(session, job_id))


async def search(
    session: AsyncSession, *, status: JobStatus | None, kind: str | None, page: str | None, limit: int
) -> Page[Job]:
    """One page of jobs, newest first.

    Raises:
        InvalidRequest: The page token is none that this server gave.
    """
    before: tuple[datetime, str] | None = None
    if page is not None:
        row = await jobs.get(session, page)
        if row is None:
            raise InvalidRequest("`page` in the query: send `next_page` of the page before, unchanged.")
        before = row.created_at, row.id
    rows = await jobs.search(session, status=status, kind=kind, before=before, limit=limit + 1)
    shown = [present_job(row) for row in rows[:limit]]
    return Page(items=shown, next_page=shown[-1].job if len(rows) > limit else None)


async def cancel(session: AsyncSession, job_id: str) -> Job:
    """End a job; one that is finished stays as it is.

    Raises:
        JobNotFound: There is none of this identity.
    """
    row = await _get(session, job_id)
    await jobs.cancel(session, job_id, now())
    await session.refresh(row)
    return present_job(row)


async def resume(session: AsyncSession, job_id: str) -> Job:
    """Take up a synthesis again that failed or was cancelled; what it finished stays finished.

    Raises:
        JobNotFound: There is none of this identity.
        JobConflict: It succeeded, or is an import.
    """
    row = await _get(session, job_id)
    if not await jobs.requeue(session, job_id) and row.status not in jobs.UNFINISHED:
        raise JobConflict(f"Job {job_id} ({row.kind}) is {row.status}: only a failed or cancelled synthesis goes on.")
    await session.refresh(row)
    return present_job(row)


async def items(session: AsyncSession, job_id: str, *, after: int, limit: int) -> Page[SynthesisItem]:
    """One page of a job's items, in their order.

    Raises:
        JobNotFound: There is none of this identity.
    """
    await _get(session, job_id)
    rows = await jobs.items(session, job_id, after=after, limit=limit + 1)
    page = rows[:limit]
    return Page(
        items=[present_item(row) for row in page], next_page=str(page[-1].position) if len(rows) > limit else None
    )


async def funnel(session: AsyncSession, job: tables.Job) -> Funnel:
    """A synthesis's funnel as it stands."""
    refused: list[RefusedEntry] = []
    imports = (job.request or {}).get("imports", [])
    for row in (await jobs.get_many(session, imports)).values():
        refused += [RefusedEntry.model_validate(one) for one in (row.result or {}).get("refused", [])]
    return funnel_of([present_item(row) for row in await jobs.items(session, job.id)], refused)


async def report(session: AsyncSession, name: str, *, whole: bool) -> VerificationReport:
    """The newest verification report on an environment.

    Args:
        session: For reading.
        name: The environment's slug.
        whole: With the evidence, which tells inputs and answers.

    Raises:
        EnvironmentNotFound: There is none of this name.
        ReportNotFound: It was never verified.
    """
    row = await environments.by_slug(session, name)
    if row is None:
        raise EnvironmentNotFound(f"There is no environment named {name!r}: see GET /v1/environments.")
    found = await problems.latest_report(session, row.id)
    if found is None:
        raise ReportNotFound(f"{name} was never verified: run `escalade synthesize {name}`.")
    made = VerificationReport.model_validate(found.report)
    return made if whole else public(made)


def present_item(row: tables.SynthesisItem) -> SynthesisItem:
    """An item's row as it is shown."""
    fields = ("name", "source", "sequence", "outcome", "stage", "reason", "environment", "repairs")
    return SynthesisItem.model_validate({name: getattr(row, name) for name in fields})


Chosen = list[tables.Problem | tables.Environment]


async def _chosen(session: AsyncSession, request: SynthesisRequest) -> Chosen:
    """What a request is about, each once: what was named, what imports brought, and what `all` finds."""
    found: Chosen = await _named(session, request.names)
    brought_environments, brought_problems = await _brought(session, request.imports)
    known = await environments.by_slugs(session, brought_environments)
    waiting = await problems.by_slugs(session, brought_problems)
    found += [row for row in known.values() if request.again or row.status == "unverified"]
    found += [row for row in waiting.values() if request.again or _is_open(row)]
    if request.all:
        found += await _everything(session, request)
    return list({one.id: one for one in found}.values())


async def _named(session: AsyncSession, names: list[str]) -> Chosen:
    waiting = await problems.by_slugs(session, names)
    known: dict[str, Any] = dict(waiting)
    for name, one in (await environments.by_slugs(session, names)).items():
        # A problem that has become an environment has mostly given it its name: the environment is meant then, unless
        # the problem has been renewed since.
        problem = waiting.get(name)
        renewed = problem is not None and _is_open(problem) and _origin(problem) == _origin(one)
        if not renewed:
            known[name] = one
    if missing := [name for name in names if name not in known]:
        raise InvalidRequest(
            f"`names`: there is neither a problem nor an environment named {missing[0]!r}: see GET /v1/problems and "
            "GET /v1/environments."
        )
    return [known[name] for name in names]


async def _brought(session: AsyncSession, job_ids: list[str]) -> tuple[list[str], list[str]]:
    known = await jobs.get_many(session, job_ids)
    slugs: tuple[list[str], list[str]] = ([], [])
    for job_id in job_ids:
        row = known.get(job_id)
        if row is None or not row.kind.startswith("import"):
            raise JobNotFound(f"`imports`: there is no import job {job_id}.")
        result = row.result or {}
        for fate in ("created", "updated", "unchanged"):
            slugs[0].extend(result.get(fate, []))
            slugs[1].extend(result.get("problems", {}).get(fate, []))
    return slugs


async def _everything(session: AsyncSession, request: SynthesisRequest) -> Chosen:
    statuses = ["unverified", "verified", "rejected"] if request.again else ["unverified"]
    sources = request.sources or None
    rows: Chosen = list(await environments.search(session, statuses=statuses, sources=sources))
    rows += [row for row in await problems.search(session, sources=sources) if request.again or _is_open(row)]
    wanted = set(request.tags)
    return [row for row in rows if not wanted or wanted & set(row.tags)]


def _origin(row: tables.Problem | tables.Environment) -> tuple[str, str]:
    return row.source, row.source_name


def _is_open(row: tables.Problem) -> bool:
    """Whether a problem is left to do: nothing was found out about it that trying again would not change."""
    return row.outcome in (None, "needs_llm", "error", "skipped")


async def _get(session: AsyncSession, job_id: str) -> tables.Job:
    row = await jobs.get(session, job_id)
    if row is None:
        raise JobNotFound(f"There is no job {job_id}: see GET /v1/jobs.")
    return row

"""Runs: creation, inspection and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from escalade.types import Controller, Event, Page, Run, RunPatch, RunRequest
from escalade_server.curriculum.types import PolicyError
from escalade_server.errors import PolicyUnknown, RunNotFound, ScopeMissing
from escalade_server.runs import pool
from escalade_server.runs.journal import Journal
from escalade_server.runs.state import begin
from escalade_server.storage import events as event_queries
from escalade_server.storage import runs as queries
from escalade_server.storage import tables
from escalade_server.storage.clock import new_id, now
from escalade_server.storage.sessions import AsyncSession

SHOWN = (
    "curriculum",
    "groups",
    "rollouts",
    "seed",
    "success_threshold",
    "mode",
    "template",
    "program",
    "scoring",
    "reveal_answers",
)


async def create(session: AsyncSession, *, owner: str, request: RunRequest, admin: bool) -> Run:
    """Start a run: pin its pool and write its first event.

    Raises:
        PoolEmpty: The pool filter leaves nothing.
        PolicyUnknown: No such policy, or one of its constants is wrong.
        ScopeMissing: `reveal_answers` without an admin key.
    """
    if request.reveal_answers and not admin:
        raise ScopeMissing("`reveal_answers` needs a key with the scope `admin`.")
    chosen = await pool.choose(session, request.pool)
    entries = [pool.entry(row) for row in chosen]
    try:
        begin(created_payload(request, entries))
    except PolicyError as error:
        raise PolicyUnknown(f"`curriculum`: {error}") from error
    members = [pool.member_row(index, row) for index, row in enumerate(chosen)]
    run = await begin_run(session, owner=owner, request=request, pool_entries=entries, members=members)
    return present(run, len(chosen))


def created_payload(request: RunRequest, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A run's first event."""
    return {
        "policy": request.curriculum.policy,
        "constants": dict(request.curriculum.constants),
        "strata": [stratum.model_dump() for stratum in request.curriculum.strata],
        "groups": request.groups,
        "seed": request.seed,
        "pool": list(entries),
        "ahead": True,
    }


async def begin_run(
    session: AsyncSession,
    *,
    owner: str,
    request: RunRequest,
    pool_entries: Sequence[Mapping[str, Any]],
    members: Sequence[Mapping[str, Any]],
    later: Sequence[tuple[str, dict[str, Any]]] = (),
) -> tables.Run:
    """Store a run with its pool, its first event and those that follow at once."""
    log = [("created", created_payload(request, pool_entries)), *later]
    run = tables.Run(
        id=new_id("run"),
        key_id=owner,
        name=request.name,
        settings=request.model_dump(mode="json"),
        deadline_s=request.deadline_s,
        generation=0,
        sequence=len(log),
        batches=0,
        created_at=now(),
    )
    session.add(run)
    await session.flush()
    session.add(tables.Generation(run_id=run.id, number=0, created_at=run.created_at))
    await queries.add_pool(session, [{"run_id": run.id} | dict(member) for member in members])
    await event_queries.append(session, run_id=run.id, generation=0, first=0, events=log, at=run.created_at)
    return run


def own(run: tables.Run | None, run_id: str, owner: str | None) -> tables.Run:
    """A run that this owner may see; None sees all.

    Raises:
        RunNotFound: There is no such run, or it belongs to another key.
    """
    if run is None or owner not in (None, run.key_id):
        raise RunNotFound(f"There is no run {run_id}, or it belongs to another key.")
    return run


async def describe(session: AsyncSession, run: tables.Run) -> Run:
    """A run as it stands."""
    return present(run, (await queries.pool_size(session, [run.id])).get(run.id, 0))


async def list_runs(session: AsyncSession, *, owner: str | None, after: str | None, limit: int) -> Page[Run]:
    """One page of an owner's runs; None lists all."""
    rows = await queries.list_runs(session, owner=owner, after=after, limit=limit + 1)
    sizes = await queries.pool_size(session, [row.id for row in rows])
    page = rows[:limit]
    return Page(
        items=[present(row, sizes.get(row.id, 0)) for row in page],
        next_page=page[-1].id if len(rows) > limit else None,
    )


async def update(session: AsyncSession, *, run: tables.Run, patch: RunPatch) -> Run:
    """Change a run's name or deadline; groups already issued keep theirs."""
    changes = patch.model_dump(exclude_none=True)
    if changes:
        await queries.set_values(session, run.id, changes)
    changed = await queries.get(session, run.id)
    return await describe(session, changed or run)


async def delete(session: AsyncSession, *, run: tables.Run) -> None:
    """Hide a run. Its attempts and events stay stored."""
    await queries.set_values(session, run.id, {"deleted_at": now()})


async def controllers(
    session: AsyncSession, *, journal: Journal, run: tables.Run, after: int, limit: int
) -> Page[Controller]:
    """One page of a run's controllers, in the order of its pool."""
    state = await journal.state(session, run)
    found = []
    members = await pool.standings(session, run.id)
    for member in members[after : after + limit]:
        view = state.policy.view(state.curriculum, member.position)
        found.append(
            Controller(
                environment=member.slug,
                version=member.version,
                active=view.active and member.retired is None,
                level=view.level,
                top_level=member.top_level,
                visits=view.visits,
                accuracy=view.accuracy,
                retired=member.retired,
                state=dict(view.details),
            )
        )
    return Page(items=found, next_page=str(after + limit) if len(members) > after + limit else None)


async def list_events(session: AsyncSession, *, run: tables.Run, after: int, limit: int) -> Page[Event]:
    """One page of a run's log, in order."""
    rows = await event_queries.since(session, run.id, after, limit + 1)
    page: Sequence[tables.Event] = rows[:limit]
    return Page(
        items=[
            Event(
                sequence=row.sequence,
                kind=row.kind,
                generation=row.generation,
                created_at=row.created_at,
                payload=row.payload,
            )
            for row in page
        ],
        next_page=str(page[-1].sequence + 1) if len(rows) > limit else None,
    )


def present(run: tables.Run, pool_size: int) -> Run:
    """A run's row as it is shown."""
    shown: dict[str, Any] = {
        name: run.settings[name]
        for name in SHOWN
        # Runs made before there were templates have none in their settings.
        if name in run.settings
    }
    return Run(
        run=run.id,
        name=run.name,
        deadline_s=run.deadline_s,
        pool_size=pool_size,
        generation=run.generation,
        last_cursor=run.last_cursor,
        created_at=run.created_at,
        **shown,
    )

"""Issues batches.

Guarantee: a cursor names one batch for ever, to every rank and every retry. What a batch holds is decided and logged in
one transaction; its instances, pure functions of that decision, are then made without one and filed. A caller that
finds a batch half-made (another died, or is at it) goes on where that one stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from escalade.types import Batch, BatchRequest, Deadline
from escalade_server.curriculum.types import PolicyError
from escalade_server.errors import (
    BatchConflict,
    BatchNotFound,
    GroupClosed,
    GroupNotFound,
    InvalidRequest,
    LevelUnavailable,
    PoolExhausted,
    RunNotFound,
)
from escalade_server.runs import pool
from escalade_server.runs.closing import close_now, close_overdue, name_of
from escalade_server.runs.drafts import Desk, Draft, draw_ahead, present, program_settings, source_of
from escalade_server.runs.journal import Journal, Writer
from escalade_server.runs.state import TICK_EVERY, advanced, plan_batch, plan_replacement
from escalade_server.storage import instances, runs, tables
from escalade_server.storage.clock import now
from escalade_server.storage.sessions import AsyncSession

REPLACEMENTS = 64
"""Rounds of replacing groups that cannot be made before giving up on the batch."""

LONGEST_DEADLINE = timedelta(days=7)
"""How far off a group's deadline may be moved, as the longest `deadline_s`."""


async def issue(desk: Desk, *, run: tables.Run, cursor: int, request: BatchRequest, refill: int = 0) -> Batch:
    """The batch of a cursor, or its k-th refill, made now unless it was.

    Raises:
        BatchConflict: The cursor was issued for another number of groups or rollouts.
        PoolExhausted: Every environment of the pool is retired.
        SandboxFailed: Instances are missing and the sandbox cannot make them; the same request goes on from there.
    """
    groups = request.groups or run.settings["groups"]
    rollouts = request.rollouts or run.settings["rollouts"]
    database = desk.journal.database
    draft: Draft | None = None
    if refill or not _is_new(run, cursor):
        async with database.read() as session:
            draft = await _read(session, desk, run.id, cursor, refill)
            if draft is None and refill:
                await require_batch(session, run, cursor)
    if draft is None:
        async with desk.journal.writing(run.id, pool=True) as writer:
            draft = await _plan(writer, desk, cursor, refill, groups, rollouts)
    if (draft.batch.groups, draft.batch.rollouts) != (groups, rollouts):
        raise BatchConflict(
            f"Cursor {cursor} was issued with {draft.batch.groups} groups of {draft.batch.rollouts} rollouts, not "
            f"{groups} of {rollouts}: ask for the same again, or for another cursor."
        )
    for _ in range(REPLACEMENTS):
        if draft.batch.ready:
            break
        draft = await _materialise(desk, draft)
    else:
        raise PoolExhausted(f"Cursor {cursor}: no instances could be made in {REPLACEMENTS} rounds of replacements.")
    draw_ahead(desk, draft)
    return await present(desk, draft)


async def require_batch(session: AsyncSession, run: tables.Run, cursor: int) -> tables.Batch:
    """The batch of a cursor that was issued.

    Raises:
        BatchNotFound: It was not.
    """
    batch = await runs.get_batch(session, run.id, await runs.lineage(session, run), cursor)
    if batch is None:
        raise BatchNotFound(f"Cursor {cursor} of this run has not been issued: PUT /v1/runs/{run.id}/batches/{cursor}.")
    return batch


async def close(journal: Journal, *, run: tables.Run, cursor: int) -> list[str]:
    """End a batch and its refills early: missing rollouts have expired. Returns the names of the groups closed now.

    Raises:
        BatchNotFound: The cursor was not issued.
    """
    async with journal.writing(run.id) as writer:
        await require_batch(writer.session, writer.run, cursor)
        line = await runs.lineage(writer.session, writer.run)
        groups = await runs.groups_at(writer.session, run.id, line, [cursor])
        return await close_now(writer, [groups[key] for key in sorted(groups)])


async def extend(journal: Journal, *, run: tables.Run, cursor: int, group: str, deadline: datetime) -> Deadline:
    """Move a group's deadline.

    Raises:
        GroupNotFound: The batch has no such group.
        GroupClosed: It is closed already.
        InvalidRequest: The deadline has passed.
    """
    async with journal.writing(run.id) as writer:
        await close_overdue(writer)
        line = await runs.lineage(writer.session, writer.run)
        groups = await runs.groups_at(writer.session, run.id, line, [cursor])
        found = next((row for row in groups.values() if name_of(row) == group and row.deadline is not None), None)
        if found is None:
            raise GroupNotFound(f"`group`: batch {cursor} of this run has no group {group!r}.")
        if deadline <= writer.at:
            raise InvalidRequest(f"`deadline` has passed: it is {writer.at.isoformat()} now.")
        if deadline > writer.at + LONGEST_DEADLINE:
            raise InvalidRequest(f"`deadline` is more than {LONGEST_DEADLINE.days} days off: choose an earlier one.")
        moved = await runs.set_deadline(writer.session, found.id, deadline)
    if not moved:
        raise GroupClosed(f"Group {group} is closed ({found.close_reason}); its deadline no longer moves.")
    return Deadline(group=group, deadline=deadline)


async def _plan(writer: Writer, desk: Desk, cursor: int, refill: int, groups: int, rollouts: int) -> Draft:
    """Decide and log what the batch holds, unless that is done; with its instances, if they lie ready."""
    run = writer.run
    line = await runs.lineage(writer.session, run)
    if refill or not _is_new(run, cursor):
        issued = await runs.get_batch(writer.session, run.id, line, cursor, refill)
        if issued is not None:
            return await _draft(writer.session, desk, run, issued)
    await close_overdue(writer)
    if writer.changed:
        await pool.refresh(writer)
    try:
        planned, after = plan_batch(writer.state, cursor=cursor, groups=groups, rollouts=rollouts, refill=refill)
    except PolicyError as error:
        raise PoolExhausted(f"Every environment of the run's pool is retired: {error}") from error
    payload = {
        "cursor": cursor,
        "refill": refill,
        "groups": groups,
        "rollouts": rollouts,
        "proposals": [group.document() for group in planned],
    }
    sequence = writer.state.sequence
    await writer.record("batch", payload, advanced(after))
    if refill == 0 and writer.state.batches % TICK_EVERY == 0:
        await writer.record("tick", {})
    places = {group.environment for group in planned}
    members = await desk.members.at(writer.session, run.id, places, keep=not writer.changed)
    versions = await desk.versions.get(writer.session, {member.version_id for member in members.values()})
    streams = {
        (environment, level): source_of(run, members, versions, environment, level).stream
        for environment, level in {(group.environment, group.level) for group in planned}
    }
    wanted = [(streams[group.environment, group.level], group.ordinal) for group in planned]
    drawn = await instances.drawn(writer.session, set(wanted))
    ready = all(key in drawn for key in wanted)
    if program_settings(run) is not None:
        levels = {(group.environment, group.level) for group in planned}
        sources = [source_of(run, members, versions, environment, level) for environment, level in levels]
        ready = ready and await desk.programs.known(writer.session, sources)
    batch = tables.Batch(
        run_id=run.id,
        generation=run.generation,
        cursor=cursor,
        refill=refill,
        sequence=sequence,
        groups=groups,
        rollouts=rollouts,
        ready=ready,
        created_at=writer.at,
    )
    await runs.add_batch(writer.session, batch)
    deadline = now() + timedelta(seconds=run.deadline_s) if ready else None
    first = len(await runs.groups_at(writer.session, run.id, line, [cursor])) if refill else 0
    rows = [
        {
            "run_id": run.id,
            "generation": run.generation,
            "cursor": cursor,
            "refill": refill,
            "position": first + offset,
            "sequence": sequence,
            "environment": group.environment,
            "level": group.level,
            "ordinal": group.ordinal,
            "rollouts": rollouts,
            "instance_id": drawn[wanted[offset]].id if ready else None,
            "deadline": deadline,
        }
        for offset, group in enumerate(planned)
    ]
    await runs.add_groups(writer.session, rows)
    last = cursor if run.last_cursor is None else max(run.last_cursor, cursor)
    writer.changes |= {"batches": run.batches + 1, "last_cursor": last}
    if ready:
        # Just what was stored, but for the groups' row numbers, which nobody asks of a batch that is ready.
        served = [runs.Issued.of({"id": 0} | row) for row in rows]
        return Draft(run, batch, served, members, versions, {row.id: row for row in drawn.values()})
    return await _draft(writer.session, desk, run, batch, keep=not writer.changed)


def _is_new(run: tables.Run, cursor: int) -> bool:
    """Whether a cursor is beyond every one that was issued, so that there is no batch to look for."""
    return run.last_cursor is None or cursor > run.last_cursor


async def _read(session: AsyncSession, desk: Desk, run_id: str, cursor: int, refill: int) -> Draft | None:
    run = await runs.get(session, run_id)
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    batch = await runs.get_batch(session, run_id, await runs.lineage(session, run), cursor, refill)
    if batch is None:
        return None
    return await _draft(session, desk, run, batch)


async def _draft(
    session: AsyncSession, desk: Desk, run: tables.Run, batch: tables.Batch, *, keep: bool = True
) -> Draft:
    groups = await runs.get_groups(session, batch)
    members = await desk.members.at(session, run.id, {group.environment for group in groups}, keep=keep)
    versions = await desk.versions.get(session, {member.version_id for member in members.values()})
    return Draft(run, batch, groups, members, versions, {})


async def _materialise(desk: Desk, draft: Draft) -> Draft:
    """Make the missing instances and file them; replace the groups whose environment gives none."""
    missing: dict[tuple[int, int], list[runs.Issued]] = {}
    for group in draft.groups:
        if group.instance_id is None:
            missing.setdefault((group.environment, group.level), []).append(group)

    async def draw(key: tuple[int, int]) -> list[instances.Shown] | LevelUnavailable:
        try:
            if draft.program is not None:
                await desk.programs.limits(draft.source(*key))
            return await desk.buffer.draw(draft.source(*key), [group.ordinal for group in missing[key]])
        except LevelUnavailable as none:
            return none

    results = dict(zip(missing, await asyncio.gather(*(draw(key) for key in missing)), strict=True))
    chosen: dict[int, str] = {}
    barren: dict[int, LevelUnavailable] = {}
    for key, result in results.items():
        if isinstance(result, LevelUnavailable):
            barren[key[0]] = result
        else:
            chosen.update({group.id: row.id for group, row in zip(missing[key], result, strict=True)})
    database = desk.journal.database
    if barren:
        async with desk.journal.writing(draft.run.id) as writer:
            if await _stands(writer, draft.batch):
                await runs.set_instances(writer.session, chosen)
                await _replace(writer, draft, barren)
    else:
        async with database.write() as session:
            await _file(session, draft, chosen)
    async with database.read() as session:
        again = await _read(session, desk, draft.run.id, draft.batch.cursor, draft.batch.refill)
    if again is None:
        raise RunNotFound(f"Run {draft.run.id} was restored or deleted meanwhile.")
    return again


async def _stands(writer: Writer, batch: tables.Batch) -> bool:
    """Whether a batch is still the one of its cursor: a restore undoes batches, and reopens them as others."""
    line = await runs.lineage(writer.session, writer.run)
    found = await runs.get_batch(writer.session, writer.run.id, line, batch.cursor, batch.refill)
    return found is not None and found.generation == batch.generation


async def _file(session: AsyncSession, draft: Draft, chosen: Mapping[int, str]) -> None:
    """Give the groups their instances and start the clock."""
    await runs.set_instances(session, chosen)
    await runs.make_ready(session, draft.batch, now() + timedelta(seconds=draft.run.deadline_s))


async def _replace(writer: Writer, draft: Draft, barren: Mapping[int, LevelUnavailable]) -> None:
    """Retire environments that give no instances and put others in their groups' places."""
    groups = await runs.get_groups(writer.session, draft.batch)
    cursor = draft.batch.cursor
    lost = [group for group in groups if group.environment in barren and group.instance_id is None]
    for environment, fault in barren.items():
        await pool.retire(writer, environment, draft.members[environment].slug, fault.detail)
    if not lost:
        return
    attempt = writer.state.sequence
    size = {"cursor": cursor, "groups": len(lost), "rollouts": draft.batch.rollouts, "attempt": attempt}
    try:
        planned, after = plan_replacement(writer.state, **size)
    except PolicyError as error:
        raise PoolExhausted(f"Every environment of the run's pool is retired: {error}") from error
    payload = {
        "cursor": cursor,
        "refill": draft.batch.refill,
        "rollouts": draft.batch.rollouts,
        "positions": [group.position for group in lost],
        "attempt": attempt,
        "proposals": [group.document() for group in planned],
    }
    await writer.record("replaced", payload, advanced(after))
    for group, plan in zip(lost, planned, strict=True):
        await runs.reassign(
            writer.session, group.id, environment=plan.environment, level=plan.level, ordinal=plan.ordinal
        )

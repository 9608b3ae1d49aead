"""Going back and branching: checkpoints, restores, forks, and runs as documents.

Guarantee: a restore loses nothing and begins a new generation in which the cursors after the checkpoint give the same
batches as they did; a fork or an imported run begins with the curriculum that it was taken from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from escalade.types import (
    Checkpoint,
    CheckpointRequest,
    Dropped,
    Fork,
    ForkRequest,
    Page,
    Restoration,
    RestoreRequest,
    RunDocument,
    RunRequest,
)
from escalade_server.curriculum.batch import Batches
from escalade_server.curriculum.documents import with_values
from escalade_server.curriculum.types import PolicyError
from escalade_server.errors import CheckpointConflict, CheckpointNotFound, InvalidRequest, PolicyUnknown, ScopeMissing
from escalade_server.runs import pool, service
from escalade_server.runs.closing import close_overdue
from escalade_server.runs.journal import Journal, Writer
from escalade_server.runs.state import RunState, begin, dump, load, restored
from escalade_server.storage import environments, events, histories, runs, tables
from escalade_server.storage.sessions import AsyncSession

DOCUMENT_FORMAT = "escalade-run/1"


async def checkpoint(journal: Journal, *, run: tables.Run, request: CheckpointRequest) -> Checkpoint:
    """Name the run's state; the same label and step again is the same checkpoint.

    Raises:
        CheckpointConflict: The label names another step in this generation.
    """
    async with journal.writing(run.id) as writer:
        known = await histories.find_checkpoint(writer.session, run.id, [(writer.run.generation, None)], request.label)
        if known is not None:
            if known.step != request.step:
                raise CheckpointConflict(
                    f"`label`: {request.label!r} already names step {known.step} of this run, not {request.step}."
                )
            return _present(known)
        await close_overdue(writer)
        await writer.record("checkpoint", {"label": request.label, "step": request.step})
        row = tables.Checkpoint(
            run_id=run.id,
            sequence=writer.state.sequence,
            generation=writer.run.generation,
            label=request.label,
            step=request.step,
            created_at=writer.at,
        )
        writer.session.add(row)
        await events.save_snapshot(writer.session, run.id, writer.state.sequence, dump(writer.state))
        return _present(row)


async def list_checkpoints(session: AsyncSession, *, run: tables.Run, after: int, limit: int) -> Page[Checkpoint]:
    """One page of a run's checkpoints, in the order they were made."""
    rows = await histories.list_checkpoints(session, run.id, after, limit + 1)
    page = rows[:limit]
    return Page(items=[_present(row) for row in page], next_page=str(page[-1].sequence) if len(rows) > limit else None)


async def restore(journal: Journal, writer: Writer, *, request: RestoreRequest) -> Restoration:
    """Go back to a checkpoint.

    Raises:
        CheckpointNotFound: The run's history has no checkpoint with this label.
    """
    run, session = writer.run, writer.session
    line = await runs.lineage(session, run)
    found = await _find(session, run, line, request.label)
    generation = (await runs.last_generation(session, run.id)) + 1
    then = await journal.state_at(session, run.id, found.sequence)
    payload = {"label": found.label, "sequence": found.sequence, "generation": generation}
    await writer.record("restored", payload, restored(then, writer.state.sequence))
    back = [(number, _least(bound, found.sequence)) for number, bound in line if number <= found.generation]
    deadline = writer.at + timedelta(seconds=run.deadline_s)
    reopened = await histories.reopen(
        session, run, line=back, position=found.sequence, generation=generation, deadline=deadline
    )
    session.add(
        tables.Generation(
            run_id=run.id,
            number=generation,
            parent=found.generation,
            bound=found.sequence,
            created_at=writer.at,
        )
    )
    last = await histories.last_cursor(session, run.id, [(generation, None), *back])
    writer.changes |= {"generation": generation, "batches": writer.state.batches, "last_cursor": last}
    writer.run.generation = generation
    await histories.revive(session, run.id, found.sequence)
    await _enter_again(writer)
    before = {member.position for member in await pool.standings(session, run.id) if member.retired is None}
    await pool.refresh(writer)
    members = await pool.standings(session, run.id)
    return Restoration(
        generation=generation,
        label=found.label,
        step=found.step,
        reopened=reopened,
        kept=sum(member.retired is None for member in members),
        dropped=[
            Dropped(environment=member.slug, version=member.version, reason=member.retired or "")
            for member in members
            if member.retired is not None and member.position in before
        ],
    )


async def _enter_again(writer: Writer) -> None:
    """Members that joined after the checkpoint join the restored curriculum too, at the same positions."""
    members = await pool.standings(writer.session, writer.run.id)
    size = writer.state.members
    later = [member for member in members if member.position >= size]
    if later:
        rows = await environments.by_slugs(writer.session, [member.slug for member in later])
        entries = [
            pool.entry(rows[member.slug]) | {"version": member.version, "top_level": member.top_level}
            for member in later
        ]
        await writer.record("entered", {"first": size, "pool": entries})
        held = {member.version_id for member in members if member.position < size and member.retired is None}
        for member in later:
            if member.retired is not None:
                await writer.record(
                    "retired", {"environment": member.position, "name": member.slug, "reason": member.retired}
                )
            elif member.version_id in held:
                await pool.retire(writer, member.position, member.slug, "in the restored pool already")
            else:
                held.add(member.version_id)


async def fork(journal: Journal, session: AsyncSession, *, run: tables.Run, owner: str, request: ForkRequest) -> Fork:
    """Branch a new run from a checkpoint, or from where the run stands.

    Raises:
        CheckpointNotFound: The run's history has no checkpoint with this label.
        PolicyUnknown: A constant is wrong.
    """
    if request.label is None:
        state = await journal.state(session, run)
    else:
        found = await _find(session, run, await runs.lineage(session, run), request.label)
        state = await journal.state_at(session, run.id, found.sequence)
    document = await _document(session, run, state)
    changes = request.model_dump(exclude_none=True, exclude={"label", "constants"})
    settings = document.settings | changes
    if request.constants is not None:
        settings["curriculum"] = settings["curriculum"] | {"constants": dict(request.constants)}
    # Whether answers are revealed is decided anew, by whoever may.
    settings["reveal_answers"] = False
    return await adopt(session, owner=owner, document=document.model_copy(update={"settings": settings}))


async def export(journal: Journal, session: AsyncSession, *, run: tables.Run) -> RunDocument:
    """A run's settings, pool and curriculum as one document."""
    return await _document(session, run, await journal.state(session, run))


async def take_in(session: AsyncSession, *, owner: str, document: RunDocument, admin: bool) -> Fork:
    """Start a run from a document that came from outside.

    Raises:
        InvalidRequest: The document is not one of ours, or holds none of this server's environments.
        PolicyUnknown: The policy or a constant is wrong.
        ScopeMissing: It reveals answers, and the key is not an admin's.
    """
    if document.settings.get("reveal_answers") and not admin:
        raise ScopeMissing("`settings.reveal_answers` needs a key with the scope `admin`.")
    return await adopt(session, owner=owner, document=document)


async def adopt(session: AsyncSession, *, owner: str, document: RunDocument) -> Fork:
    """Start a run from a document: its controllers go on where this server has the same environment versions.

    Raises:
        InvalidRequest: The document is not one of ours, or holds none of this server's environments.
        PolicyUnknown: The policy or a constant is wrong.
    """
    if document.format != DOCUMENT_FORMAT:
        raise InvalidRequest(f"`format` is {document.format!r}; this server reads {DOCUMENT_FORMAT!r}.")
    try:
        request = RunRequest.model_validate(document.settings)
        state = _begun(document, request)
    except ValidationError as error:
        raise InvalidRequest(f"`settings`: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}") from error
    except PolicyError as error:
        raise PolicyUnknown(f"`settings.curriculum`: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequest(f"`state` or `pool` is damaged: {type(error).__name__}: {error}") from error
    retired = _retired(state.policy.dump(state.curriculum))
    later: list[tuple[str, dict[str, Any]]] = [("adopted", {"state": dump(state)})]
    rows: list[dict[str, Any]] = []
    dropped: list[tuple[int, Dropped]] = []
    known = await environments.by_slugs(session, [member["environment"] for member in document.pool])
    for position, member in enumerate(document.pool):
        row = known.get(member["environment"])
        version = await environments.version_by_hash(session, row.id, member["version"]) if row is not None else None
        if row is None or version is None:
            reason = "not on this server" if row is None else "another version on this server"
            lost = Dropped(environment=member["environment"], version=member["version"], reason=reason)
            dropped.append((position, lost))
            continue
        rows.append(
            {
                "position": position,
                "environment_id": row.id,
                "version_id": version.id,
                "top_level": member["top_level"],
                "retired": "retired in the run that this one continues" if position in retired else None,
                "retired_sequence": len(later) if position in retired else None,
            }
        )
    if not rows:
        raise InvalidRequest("`pool`: this server has none of the document's environments: import them first.")
    later += [
        ("retired", {"environment": position, "name": lost.environment, "reason": lost.reason})
        for position, lost in dropped
    ]
    run = await service.begin_run(
        session, owner=owner, request=request, pool_entries=document.pool, members=rows, later=later
    )
    serving = sum(row["retired"] is None for row in rows)
    return Fork(run=service.present(run, serving), dropped=[lost for _, lost in dropped])


def _begun(document: RunDocument, request: RunRequest) -> RunState:
    """The document's state, with the constants that are asked for and without the groups that were out.

    Those are another run's: none of them ever closes here.
    """
    for member in document.pool:
        names = isinstance(member["environment"], str) and isinstance(member["version"], str)
        if not names or not isinstance(member["top_level"], int):
            raise TypeError("a member is an `environment`, its `version` and a `top_level`")
    fresh = begin(service.created_payload(request, document.pool))
    state = dict(document.state)
    constants = fresh.policy.dump(fresh.curriculum)["constants"]
    state["curriculum"] = with_values(state["curriculum"], {**_NOTHING_OUT, "constants": constants})
    if state["policy"] != request.curriculum.policy:
        raise ValueError(f"the state is of the policy {state['policy']!r}, the settings ask for another")
    loaded = load(json.dumps(state))
    if loaded.members != len(document.pool):
        raise ValueError(f"the state is of {loaded.members} environments, the pool has {len(document.pool)}")
    return loaded


_NOTHING_OUT: Mapping[str, Any] = {
    "ledger": [],
    "sums": [],
    "batch": Batches().dump(),
    "ahead": True,
    "curated": None,
    "reviewed": None,
}
"""What policies keep of groups that are out and of the last batch's cursor, as it is before the first batch."""


def _retired(curriculum: Mapping[str, Any]) -> frozenset[int]:
    """The positions that a policy's dump has retired."""
    part = curriculum if "retired" in curriculum else curriculum["roster"]
    return frozenset(part["retired"])


async def _document(session: AsyncSession, run: tables.Run, state: RunState) -> RunDocument:
    entries = await _pool_at(session, run, state)
    return RunDocument(
        format=DOCUMENT_FORMAT,
        settings=dict(run.settings) | {"name": run.name, "deadline_s": run.deadline_s},
        pool=entries,
        state=json.loads(dump(state)),
    )


async def _pool_at(session: AsyncSession, run: tables.Run, state: RunState) -> list[dict[str, Any]]:
    """The pool's entries as the log tells them, at the positions that a state has."""
    entries: dict[int, dict[str, Any]] = {}
    for event in await events.of_kinds(session, run.id, ("created", "entered")):
        first = event.payload.get("first", 0)
        entries.update({first + offset: entry for offset, entry in enumerate(event.payload["pool"])})
    return [entries[position] for position in range(state.members)]


async def _find(session: AsyncSession, run: tables.Run, line: runs.Lineage, label: str) -> tables.Checkpoint:
    found = await histories.find_checkpoint(session, run.id, line, label)
    if found is None:
        raise CheckpointNotFound(
            f"`label`: this run's history has no checkpoint {label!r}: see GET /v1/runs/{run.id}/checkpoints."
        )
    return found


def _least(bound: int | None, other: int) -> int:
    return other if bound is None else min(bound, other)


def _present(row: tables.Checkpoint) -> Checkpoint:
    return Checkpoint(
        label=row.label, step=row.step, generation=row.generation, sequence=row.sequence, created_at=row.created_at
    )

"""The curriculum to look at: the active set with reasons, and figures over time, both read from the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from escalade.types import ActiveMember, GroupTally, Page, RunMetrics, StepMetrics, Suspect
from escalade_server.curriculum.types import ControllerView
from escalade_server.runs import pool
from escalade_server.runs.journal import Journal
from escalade_server.storage import events, runs, tables
from escalade_server.storage.clock import now
from escalade_server.storage.sessions import AsyncSession


async def active_set(
    session: AsyncSession, *, journal: Journal, run: tables.Run, after: int, limit: int
) -> Page[ActiveMember]:
    """One page of the environments that are active or were: the active ones first, then who left last."""
    state = await journal.state(session, run)
    steps, _ = _read(await events.of_kinds(session, run.id, _KINDS))
    stays = _stays(steps)
    found = []
    for member in await pool.standings(session, run.id):
        view = state.policy.view(state.curriculum, member.position)
        details = view.details
        active = view.active and member.retired is None
        # A policy that keeps slots knows when they changed hands; of the others it is the batches that tell.
        entered, left = stays.get(member.position, (None, None))
        found.append(
            ActiveMember(
                environment=member.slug,
                version=member.version,
                active=active,
                level=view.level,
                entered=details.get("entered", entered),
                left=details.get("left", None if active else left),
                because=view.reason,
                reason=member.retired or details.get("left_because"),
            )
        )
    seen = [one for one in found if one.active or one.left is not None or one.reason is not None]
    seen.sort(key=lambda one: (not one.active, -(one.left if one.left is not None else -1), one.environment))
    return Page(items=seen[after : after + limit], next_page=str(after + limit) if len(seen) > after + limit else None)


EVIDENCE = 10
"""Groups shown of an environment that is suspect."""


@dataclass(slots=True)
class _Step:
    """A batch while its events are read."""

    cursor: int
    levels: list[tuple[int, int]] = field(default_factory=list)
    """(environment, level) of each group."""
    closed: list[Mapping[str, Any]] = field(default_factory=list)


async def metrics(session: AsyncSession, *, journal: Journal, run: tables.Run, after: int, limit: int) -> RunMetrics:
    """Figures of the batches from cursor `after` on, in the order of their cursors."""
    steps, entries = _read(await events.of_kinds(session, run.id, _KINDS))
    covered: set[int] = set()
    shown: list[StepMetrics] = []
    for cursor in sorted(steps):
        covered.update(environment for environment, _ in steps[cursor].levels)
        if cursor >= after and len(shown) <= limit:
            shown.append(_figures(steps[cursor], entries, len(covered)))
    oldest = await runs.oldest_open(session, run.id, run.generation)
    state = await journal.state(session, run)
    return RunMetrics(
        steps=shown[:limit],
        open_groups=sum(len(step.levels) - len(step.closed) for step in steps.values()),
        oldest_lease_s=None if oldest is None else max(0.0, (now() - oldest).total_seconds()),
        suspects=[
            _suspect(member, state.policy.view(state.curriculum, member.position), steps)
            for member in await pool.standings(session, run.id)
            if member.retired is None and state.policy.view(state.curriculum, member.position).details.get("suspect")
        ],
        next_page=str(shown[limit].cursor) if len(shown) > limit else None,
    )


def _stays(steps: Mapping[int, _Step]) -> dict[int, tuple[int, int | None]]:
    """For each environment that was served: the cursor that its last stay began at, and the one it was missing from."""
    stays: dict[int, tuple[int, int | None]] = {}
    before: set[int] = set()
    for cursor in sorted(steps):
        served = {environment for environment, _ in steps[cursor].levels}
        stays.update({environment: (stays[environment][0], cursor) for environment in before - served})
        stays.update({environment: (cursor, None) for environment in served - before})
        before = served
    return stays


def _suspect(member: pool.Member, view: ControllerView, steps: Mapping[int, _Step]) -> Suspect:
    groups = [
        GroupTally(cursor=cursor, level=group["level"], right=group["right"], scored=group["scored"])
        for cursor in sorted(steps)
        for group in steps[cursor].closed
        if group["environment"] == member.position
    ]
    return Suspect(environment=member.slug, reason=view.reason, visits=view.visits, groups=groups[-EVIDENCE:])


_KINDS = ("created", "entered", "batch", "replaced", "closed", "restored")


def _read(log: Sequence[tables.Event]) -> tuple[dict[int, _Step], dict[int, Mapping[str, Any]]]:
    """Batches by cursor, and the pool's entries by position, as the log tells them; what was undone is left out."""
    undone: list[tuple[int, int]] = []
    for event in reversed(log):
        # A restore undoes what stands between its checkpoint and itself, unless it was undone itself.
        if event.kind == "restored" and not _within(event.sequence, undone):
            undone.append((event.payload["sequence"], event.sequence))
    steps: dict[int, _Step] = {}
    entries: dict[int, Mapping[str, Any]] = {}
    for event in log:
        payload = event.payload
        if event.kind in ("created", "entered"):
            first = payload.get("first", 0)
            entries.update({first + offset: entry for offset, entry in enumerate(payload["pool"])})
        elif _within(event.sequence, undone):
            continue
        elif event.kind == "batch":
            step = steps.setdefault(payload["cursor"], _Step(payload["cursor"]))
            step.levels += [(environment, level) for environment, level, _ in payload["proposals"]]
        elif event.kind == "replaced":
            for position, (environment, level, _) in zip(payload["positions"], payload["proposals"], strict=True):
                # Logs of earlier servers may tell this of a batch that a restore has undone.
                if payload["cursor"] in steps and position < len(steps[payload["cursor"]].levels):
                    steps[payload["cursor"]].levels[position] = (environment, level)
        elif event.kind == "closed" and payload["cursor"] in steps:
            steps[payload["cursor"]].closed.append(payload)
    return steps, entries


def _within(sequence: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(first <= sequence < last for first, last in spans)


def _figures(step: _Step, entries: Mapping[int, Mapping[str, Any]], coverage: int) -> StepMetrics:
    scored = [group for group in step.closed if group["scored"]]
    rollouts = sum(group["scored"] for group in scored)
    wrong = sum(group["right"] == 0 for group in scored)
    full = sum(group["right"] == group["scored"] for group in scored)
    tops = [(level, entries[environment]["top_level"]) for environment, level in step.levels]
    tags = Counter(tag for environment, _ in step.levels for tag in entries[environment]["tags"])
    return StepMetrics(
        cursor=step.cursor,
        groups=len(step.levels),
        closed=len(step.closed),
        informative=(len(scored) - wrong - full) / len(scored) if scored else None,
        all_wrong=wrong,
        all_right=full,
        accuracy=sum(group["right"] for group in scored) / rollouts if rollouts else None,
        level=sum(level for level, _ in tops) / len(tops),
        relative_level=sum(level / top if top else 0.0 for level, top in tops) / len(tops),
        errors=sum(group["errors"] for group in step.closed),
        expired=sum(group["expired"] for group in step.closed),
        coverage=coverage,
        tags=dict(sorted(tags.items())),
    )

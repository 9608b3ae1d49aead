"""Closes groups: when their rollouts are all in, or when their deadline has passed.

Guarantee: a group closes once and its event tells all that the curriculum learns from it. No background process is
needed: whoever writes to a run closes its overdue groups first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from escalade_server.runs.journal import Writer
from escalade_server.storage import runs
from escalade_server.storage.runs import Issued
from escalade_server.storage.tables import BatchGroup


async def close_overdue(writer: Writer) -> list[str]:
    """Close the groups whose deadline has passed; missing rollouts have expired. Returns the groups' names."""
    if not writer.overdue:
        return []
    late = await runs.overdue(writer.session, writer.run.id, writer.run.generation, writer.at)
    return await _close(writer, late, "deadline")


async def close_complete(writer: Writer, groups: Sequence[BatchGroup]) -> list[str]:
    """Close those of the groups that have all their rollouts. Returns their names."""
    open_groups = [group for group in groups if group.closed_at is None]
    tallies = await runs.tallies(writer.session, [group.id for group in open_groups])
    complete = [group for group in open_groups if tallies.get(group.id, (0, 0, 0))[0] >= group.rollouts]
    return await _close(writer, complete, "complete", tallies)


async def close_now(writer: Writer, groups: Sequence[BatchGroup]) -> list[str]:
    """Close those of the groups that are open; missing rollouts have expired. Returns their names."""
    return await _close(writer, [group for group in groups if group.closed_at is None], "request")


async def _close(
    writer: Writer,
    groups: Sequence[BatchGroup],
    reason: str,
    known: Mapping[int, tuple[int, int, int]] | None = None,
) -> list[str]:
    if not groups:
        return []
    identities = [group.id for group in groups]
    tallies = known if known is not None else await runs.tallies(writer.session, identities)
    # Nobody else can close them before this transaction ends, since the writer holds the run.
    still_open = await runs.still_open(writer.session, identities)
    new: list[tuple[str, dict[str, Any]]] = []
    sequences: dict[int, int] = {}
    for group in groups:
        if group.id not in still_open or group.id in sequences:
            continue
        sequences[group.id] = writer.state.sequence + len(new)
        came, scored, right = tallies.get(group.id, (0, 0, 0))
        payload = {
            "group": name_of(group),
            "cursor": group.cursor,
            "environment": group.environment,
            "level": group.level,
            "right": right,
            "scored": scored,
            "rollouts": group.rollouts,
            "errors": came - scored,
            "expired": group.rollouts - came,
            "reason": reason,
        }
        new.append(("closed", payload))
        writer.outcomes["expired"] += group.rollouts - came
    await runs.close_groups(writer.session, sequences, at=writer.at, reason=reason)
    await writer.record_all(new)
    return [payload["group"] for _, payload in new]


def name_of(group: BatchGroup | Issued) -> str:
    """A group's name within its run."""
    return f"{group.cursor}.{group.position}"

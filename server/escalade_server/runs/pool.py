"""A run's pool: which environments it draws from, at which pinned versions.

Guarantee: a position means one environment version for ever; members only join at the end and retire, each by an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from escalade.types import PoolFilter
from escalade_server.errors import PoolEmpty
from escalade_server.runs.journal import Writer
from escalade_server.storage import environments, runs
from escalade_server.storage.sessions import AsyncSession
from escalade_server.storage.tables import Environment


@dataclass(frozen=True, slots=True)
class Member:
    """One environment of a pool."""

    position: int
    slug: str
    version_id: str
    version: str
    top_level: int
    retired: str | None


async def choose(session: AsyncSession, chosen: PoolFilter) -> list[Environment]:
    """The environments that pass a filter.

    Raises:
        PoolEmpty: There are none, or one asked for by name is missing.
    """
    found = await environments.search(
        session,
        slugs=chosen.environments,
        statuses=chosen.statuses,
        answer_types=chosen.answer_types,
        sources=chosen.sources,
    )
    for slug in chosen.environments or ():
        if all(row.slug != slug for row in found):
            raise PoolEmpty(
                f"`pool.environments`: {slug!r} is not on this server, or the other filters exclude it: "
                "see GET /v1/environments."
            )
    wanted = set(chosen.tags or ())
    pool = [row for row in found if not wanted or wanted & set(row.tags)]
    if not pool:
        raise PoolEmpty("`pool`: no environment passes these filters: see GET /v1/environments.")
    return pool


def entry(row: Environment) -> dict[str, Any]:
    """What an event keeps of a member."""
    return {
        "environment": row.slug,
        "version": row.version,
        "top_level": row.levels - 1,
        "tags": list(row.tags),
        "answer_type": row.answer_type,
    }


def member_row(position: int, row: Environment) -> dict[str, Any]:
    """A member as it is stored, but for its run."""
    return {
        "position": position,
        "environment_id": row.id,
        "version_id": row.version_id,
        "top_level": row.levels - 1,
    }


async def refresh(writer: Writer) -> None:
    """Take notice, by events, of environments that changed or may no longer be served; called before each batch."""
    changed = await runs.changed_members(writer.session, writer.run.id)
    if not changed:
        return
    entering: list[Environment] = []
    for member, environment in changed:
        gone = environment.status in ("rejected", "quarantined", "withdrawn")
        reason = environment.status if gone else f"replaced by version {environment.version}"
        await retire(writer, member.position, environment.slug, reason)
        if not gone:
            entering.append(environment)
    if entering:
        size = writer.state.members
        rows = [{"run_id": writer.run.id} | member_row(size + offset, row) for offset, row in enumerate(entering)]
        await runs.add_pool(writer.session, rows)
        await writer.record("entered", {"first": size, "pool": [entry(row) for row in entering]})


async def retire(writer: Writer, position: int, slug: str, reason: str) -> None:
    """Take a member out of the pool, once."""
    sequence = writer.state.sequence
    if await runs.retire(writer.session, writer.run.id, position, reason=reason, sequence=sequence):
        await writer.record("retired", {"environment": position, "name": slug, "reason": reason})


async def members(session: AsyncSession, run_id: str, positions: Iterable[int] | None = None) -> Sequence[Member]:
    """A run's pool in order, or those of it at some positions."""
    return [Member(*row) for row in await runs.pool(session, run_id, positions)]

"""A run's pool: which environments it draws from, at which pinned versions.

Guarantee: a position means one environment version for ever; members only join at the end and retire, each by an event.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
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
    """One environment of a pool; what is told here never changes."""

    position: int
    slug: str
    version_id: str
    version: str
    top_level: int


@dataclass(frozen=True, slots=True)
class Standing(Member):
    """A member, and whether it still serves."""

    retired: str | None


class Members:
    """A bounded cache of members by run and position."""

    def __init__(self, capacity: int = 256) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[str, dict[int, Member]] = OrderedDict()

    async def at(
        self, session: AsyncSession, run_id: str, positions: Collection[int], *, keep: bool = True
    ) -> dict[int, Member]:
        """Those of a run's members that stand at some positions: a pool may hold thousands.

        Args:
            session: Where they are read that are not known yet.
            run_id: Whose pool.
            positions: The positions.
            keep: False in a transaction that has added members, which would be forgotten if it failed.
        """
        known = self._kept.get(run_id, {})
        missing = set(positions) - known.keys()
        rows = await runs.pool(session, run_id, missing) if missing else ()
        read = {row.position: Member(*row[:-1]) for row in rows}
        if read and keep:
            self._kept.setdefault(run_id, {}).update(read)
            self._kept.move_to_end(run_id)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return {position: known.get(position) or read[position] for position in positions}


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
    """Take notice, by events, of environments that changed or may no longer be served."""
    changed = await runs.changed_members(writer.session, writer.run.id)
    if not changed:
        return
    held = {one.version_id for one in await standings(writer.session, writer.run.id) if one.retired is None}
    entering: list[Environment] = []
    for member, environment in changed:
        gone = environment.status in ("rejected", "quarantined", "withdrawn")
        reason = environment.status if gone else f"replaced by version {environment.version}"
        await retire(writer, member.position, environment.slug, reason)
        if not gone and environment.version_id not in held:
            held.add(environment.version_id)
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


async def standings(session: AsyncSession, run_id: str) -> Sequence[Standing]:
    """A run's pool in order."""
    return [Standing(*row) for row in await runs.pool(session, run_id)]

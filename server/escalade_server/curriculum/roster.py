"""What the policies that draw environments uniformly have in common.

Guarantee: a draw never holds a retired environment, and none more often than another that it could have taken instead.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from escalade_server.curriculum.batch import Batches, load_batches
from escalade_server.curriculum.constants import check_environment, check_ladders, check_pool, live_environments
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, ControllerView, PoolEntry, Proposal
from escalade_server.curriculum.visits import check_group, moves_controller


@dataclass(frozen=True, slots=True)
class Roster:
    """The pool, what was seen of it, and the last batches."""

    tops: tuple[int, ...]
    """Top level of each environment."""
    visits: tuple[int, ...]
    """Groups that counted, per environment."""
    accuracies: tuple[float | None, ...]
    """Of each environment's last group."""
    retired: frozenset[int] = frozenset()
    batches: Batches = field(default_factory=Batches)


def open_roster(pool: Sequence[PoolEntry], size: int) -> Roster:
    """Nothing visited.

    Raises:
        PolicyError: The pool is empty, a ladder has no level, or the size is not positive.
    """
    check_pool(pool, size)
    return extended(Roster((), (), ()), pool)


def extended(roster: Roster, entries: Sequence[PoolEntry]) -> Roster:
    """The roster with more environments at its end."""
    check_ladders(entries)
    count = len(entries)
    return replace(
        roster,
        tops=roster.tops + tuple(entry.top_level for entry in entries),
        visits=roster.visits + (0,) * count,
        accuracies=roster.accuracies + (None,) * count,
    )


def retiring(roster: Roster, environment: int) -> Roster:
    """The roster with this environment out of every later draw."""
    check_environment(environment, len(roster.tops))
    return replace(roster, retired=roster.retired | {environment})


def draw(roster: Roster, query: BatchQuery, rng: random.Random) -> list[int]:
    """Environments for a batch, uniformly without replacement; a pool that is too small is gone through again.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    return draw_with(roster, query, rng.sample)


def draw_with(roster: Roster, query: BatchQuery, sample: Callable[[list[int], int], list[int]]) -> list[int]:
    """As `draw`, with another way to take some of a list without replacement.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    live = live_environments(len(roster.tops), roster.retired)
    held = roster.batches.held(query.cursor)
    drawn: list[int] = []
    rounds = min(held[environment] for environment in live)
    while len(drawn) < query.groups:
        least = [environment for environment in live if held[environment] <= rounds]
        drawn += sample(least, min(len(least), query.groups - len(drawn)))
        rounds += 1
    return drawn


def served(roster: Roster, cursor: int, proposals: Iterable[Proposal]) -> Roster:
    """The roster with these groups in its batch."""
    return replace(roster, batches=roster.batches.with_proposals(cursor, proposals))


def seen(roster: Roster, groups: Sequence[ClosedGroup]) -> tuple[Roster, list[ClosedGroup]]:
    """The roster with these groups counted, and those of them that count.

    Raises:
        PolicyError: A group contradicts itself or the pool.
    """
    for group in groups:
        check_group(group, len(roster.tops))
    usable = [group for group in groups if moves_controller(group)]
    visits, accuracies = list(roster.visits), list(roster.accuracies)
    for group in usable:
        visits[group.environment] += 1
        accuracies[group.environment] = group.right / group.scored
    return replace(roster, visits=tuple(visits), accuracies=tuple(accuracies)), usable


BY_LOT = "drawn by lot, every environment alike"


def view_of(
    roster: Roster, environment: int, level: float, details: Mapping[str, Any], reason: str = BY_LOT
) -> ControllerView:
    """One environment, for people."""
    return ControllerView(
        level=level,
        visits=roster.visits[environment],
        active=environment in roster.batches.environments and environment not in roster.retired,
        accuracy=roster.accuracies[environment],
        reason=reason,
        details=details,
    )


def dump_roster(roster: Roster) -> dict[str, Any]:
    """The roster as JSON values."""
    return {
        "tops": list(roster.tops),
        "visits": list(roster.visits),
        "accuracies": list(roster.accuracies),
        "retired": sorted(roster.retired),
        "batch": roster.batches.dump(),
    }


def load_roster(document: Mapping[str, Any]) -> Roster:
    """What `dump_roster` wrote."""
    return Roster(
        tops=tuple(document["tops"]),
        visits=tuple(document["visits"]),
        accuracies=tuple(document["accuracies"]),
        retired=frozenset(document["retired"]),
        batches=load_batches(document["batch"]),
    )

"""Collects the groups of one environment and one batch into a visit.

Guarantee: whatever the order in which groups of several batches close, each (cursor, environment) gives exactly one
visit, when the last of its proposed groups closes, and its groups come out in an order that does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from escalade_server.curriculum.constants import check_environment
from escalade_server.curriculum.types import ClosedGroup, PolicyError


@dataclass(frozen=True, slots=True)
class OpenVisit:
    """Groups of one environment in one batch, some still out."""

    proposed: int
    closed: tuple[ClosedGroup, ...] = ()


Ledger = Mapping[tuple[int, int], OpenVisit]
"""(cursor, environment) to its open visit. Never changed in place once it is in a state."""


@dataclass(frozen=True, slots=True)
class Visit:
    """All that came of one environment in one batch."""

    cursor: int
    environment: int
    groups: tuple[ClosedGroup, ...]
    """Those that move a controller, by level and result; may be empty."""

    @property
    def right(self) -> int:
        """Right rollouts over all groups."""
        return sum(group.right for group in self.groups)

    @property
    def scored(self) -> int:
        """Scored rollouts over all groups."""
        return sum(group.scored for group in self.groups)


def moves_controller(group: ClosedGroup) -> bool:
    """Whether at least half of the rollouts were scored, and any at all."""
    return group.scored > 0 and 2 * group.scored >= group.rollouts


def check_group(group: ClosedGroup, pool: int) -> None:
    """Refuse what no group can be.

    Raises:
        PolicyError: The environment is not in the pool, or the counts contradict each other.
    """
    check_environment(group.environment, pool)
    if not 0 <= group.right <= group.scored <= group.rollouts:
        raise PolicyError(
            f"group of batch {group.cursor}, environment {group.environment}: need 0 <= right <= scored <= rollouts, "
            f"got {group.right}, {group.scored}, {group.rollouts}"
        )


def expect(ledger: Ledger, cursor: int, environments: Iterable[int]) -> dict[tuple[int, int], OpenVisit]:
    """The ledger with one more group out for each environment named (repeats count)."""
    after = dict(ledger)
    for environment in environments:
        key = (cursor, environment)
        visit = after.get(key, OpenVisit(0))
        after[key] = OpenVisit(visit.proposed + 1, visit.closed)
    return after


def close(
    ledger: Ledger, groups: Sequence[ClosedGroup], pool: int
) -> tuple[dict[tuple[int, int], OpenVisit], list[Visit]]:
    """Enter closed groups; the visits they complete, in the order of completion.

    Raises:
        PolicyError: A group contradicts itself or the pool.
    """
    after, steps = close_each(ledger, groups, pool)
    return after, [visit for _, visit in steps if visit is not None]


def close_each(
    ledger: Ledger, groups: Sequence[ClosedGroup], pool: int
) -> tuple[dict[tuple[int, int], OpenVisit], list[tuple[ClosedGroup, Visit | None]]]:
    """Enter closed groups; each with the visit it completes, if it does.

    A group that nobody proposed (its environment was retired meanwhile) is a visit of its own.

    Raises:
        PolicyError: A group contradicts itself or the pool.
    """
    after = dict(ledger)
    steps: list[tuple[ClosedGroup, Visit | None]] = []
    for group in groups:
        check_group(group, pool)
        key = (group.cursor, group.environment)
        visit = after.pop(key, OpenVisit(1))
        closed = (*visit.closed, group)
        if len(closed) < visit.proposed:
            after[key] = OpenVisit(visit.proposed, closed)
            steps.append((group, None))
            continue
        usable = sorted((g for g in closed if moves_controller(g)), key=lambda g: (g.level, g.right, g.scored))
        steps.append((group, Visit(group.cursor, group.environment, tuple(usable))))
    return after, steps


def forget(ledger: Ledger, environment: int) -> dict[tuple[int, int], OpenVisit]:
    """The ledger without this environment: its open groups may never have become instances."""
    return {key: visit for key, visit in ledger.items() if key[1] != environment}


def dump_ledger(ledger: Ledger) -> list[Any]:
    """The ledger as JSON values."""
    return [
        [cursor, environment, visit.proposed, [[g.level, g.right, g.scored, g.rollouts] for g in visit.closed]]
        for (cursor, environment), visit in ledger.items()
    ]


def load_ledger(document: Iterable[Any]) -> dict[tuple[int, int], OpenVisit]:
    """What `dump_ledger` wrote."""
    return {
        (cursor, environment): OpenVisit(
            proposed, tuple(ClosedGroup(cursor, environment, *figures) for figures in closed)
        )
        for cursor, environment, proposed, closed in document
    }

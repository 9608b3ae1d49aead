"""Uniform environments at uniform levels: no curriculum at all.

Guarantee: nothing that is observed changes what is proposed.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from escalade_server.curriculum import roster
from escalade_server.curriculum.constants import Constant, defaults, resolve
from escalade_server.curriculum.roster import Roster
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, ControllerView, PoolEntry, Proposal

CONSTANTS: dict[str, Constant] = {}

name: str = "uniform"
constants: Mapping[str, float] = defaults(CONSTANTS)


@dataclass(frozen=True, slots=True)
class State:
    """The whole curriculum of a run."""

    roster: Roster


def start(pool: Sequence[PoolEntry], size: int, constants: Mapping[str, float]) -> State:
    """Nothing visited.

    Raises:
        PolicyError: A constant is given, the pool is empty, or the size is not positive.
    """
    resolve(name, CONSTANTS, constants)
    return State(roster.open_roster(pool, size))


def extend(state: State, entries: Sequence[PoolEntry]) -> State:
    """Append environments."""
    return State(roster.extended(state.roster, entries))


def retire(state: State, environment: int) -> State:
    """Never propose it again."""
    return State(roster.retiring(state.roster, environment))


def propose(state: State, query: BatchQuery, rng: random.Random) -> tuple[list[Proposal], State]:
    """Uniform environments, each at a uniform level of its ladder.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    tops = state.roster.tops
    proposals = [
        Proposal(environment, rng.randint(0, tops[environment]))
        for environment in roster.draw(state.roster, query, rng)
    ]
    return proposals, State(roster.served(state.roster, query.cursor, proposals))


def observe(state: State, groups: Sequence[ClosedGroup]) -> State:
    """Count the groups, for people."""
    return replace(state, roster=roster.seen(state.roster, groups)[0])


def tick(state: State) -> State:
    """Nothing drifts."""
    return state


def view(state: State, environment: int) -> ControllerView:
    """The middle of the ladder, which is the mean level."""
    return roster.view_of(state.roster, environment, state.roster.tops[environment] / 2, {})


def dump(state: State) -> dict[str, Any]:
    """The state as JSON values."""
    return {"policy": name, "constants": {}, "roster": roster.dump_roster(state.roster)}


def load(document: Mapping[str, Any]) -> State:
    """The state that `dump` wrote."""
    return State(roster.load_roster(document["roster"]))

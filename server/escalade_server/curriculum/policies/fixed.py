"""Uniform environments at a fixed share of their ladders.

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

CONSTANTS = {"share": Constant(0.3, 0.0, 1.0)}

name: str = "fixed"
constants: Mapping[str, float] = defaults(CONSTANTS)


@dataclass(frozen=True, slots=True)
class State:
    """The whole curriculum of a run."""

    constants: Mapping[str, float]
    roster: Roster


def start(pool: Sequence[PoolEntry], size: int, constants: Mapping[str, float]) -> State:
    """Nothing visited.

    Raises:
        PolicyError: A constant is unknown or out of range, the pool is empty, or the size is not positive.
    """
    return State(resolve(name, CONSTANTS, constants), roster.open_roster(pool, size))


def extend(state: State, entries: Sequence[PoolEntry]) -> State:
    """Append environments."""
    return replace(state, roster=roster.extended(state.roster, entries))


def retire(state: State, environment: int) -> State:
    """Never propose it again."""
    return replace(state, roster=roster.retiring(state.roster, environment))


def level_of(state: State, environment: int) -> int:
    """The one level of this environment, rounded to the nearest (halves to even)."""
    return round(state.constants["share"] * state.roster.tops[environment])


def propose(state: State, query: BatchQuery, rng: random.Random) -> tuple[list[Proposal], State]:
    """Uniform environments, each at its one level.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    drawn = roster.draw(state.roster, query, rng)
    proposals = [Proposal(environment, level_of(state, environment)) for environment in drawn]
    return proposals, replace(state, roster=roster.served(state.roster, query.cursor, proposals))


def observe(state: State, groups: Sequence[ClosedGroup]) -> State:
    """Count the groups, for people."""
    return replace(state, roster=roster.seen(state.roster, groups)[0])


def tick(state: State) -> State:
    """Nothing drifts."""
    return state


def view(state: State, environment: int) -> ControllerView:
    """The one level."""
    return roster.view_of(state.roster, environment, float(level_of(state, environment)), {})


def dump(state: State) -> dict[str, Any]:
    """The state as JSON values."""
    return {"policy": name, "constants": dict(state.constants), "roster": roster.dump_roster(state.roster)}


def load(document: Mapping[str, Any]) -> State:
    """The state that `dump` wrote."""
    return State(dict(document["constants"]), roster.load_roster(document["roster"]))

"""AdaRFT's curriculum (arXiv 2504.05520): one target difficulty for the whole pool.

Guarantee: the target moves once per batch, when the last of its groups has closed, by the mean accuracy over all its
rollouts, and stays in [0, 100].
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from escalade_server.curriculum import roster, visits
from escalade_server.curriculum.constants import Constant, defaults, resolve
from escalade_server.curriculum.roster import Roster
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, ControllerView, PoolEntry, Proposal

CONSTANTS = {
    "step": Constant(50.0, 0.0, 100.0),
    "sensitivity": Constant(2.0, 0.0, 100.0),
    "accuracy": Constant(0.5, 0.0, 1.0),
    "start": Constant(0.0, 0.0, 100.0),
}

name: str = "adarft"
constants: Mapping[str, float] = defaults(CONSTANTS)


@dataclass(frozen=True, slots=True)
class State:
    """The whole curriculum of a run."""

    constants: Mapping[str, float]
    target: float
    """Difficulty wanted, 0 to 100: per cent of every ladder."""
    roster: Roster
    ledger: visits.Ledger = field(default_factory=dict)
    """Groups still out."""
    sums: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Cursor of each unfinished batch to (right, scored) of its groups that closed."""


def start(pool: Sequence[PoolEntry], size: int, constants: Mapping[str, float]) -> State:
    """The target at its start.

    Raises:
        PolicyError: A constant is unknown or out of range, the pool is empty, or the size is not positive.
    """
    resolved = resolve(name, CONSTANTS, constants)
    return State(resolved, resolved["start"], roster.open_roster(pool, size))


def extend(state: State, entries: Sequence[PoolEntry]) -> State:
    """Append environments."""
    return replace(state, roster=roster.extended(state.roster, entries))


def retire(state: State, environment: int) -> State:
    """Never propose it again; batches do not wait for its groups any more."""
    after = replace(
        state,
        roster=roster.retiring(state.roster, environment),
        ledger=visits.forget(state.ledger, environment),
    )
    return settled(after)


def level_of(state: State, environment: int) -> int:
    """The level nearest to the target."""
    return round(state.target / 100.0 * state.roster.tops[environment])


def propose(state: State, query: BatchQuery, rng: random.Random) -> tuple[list[Proposal], State]:
    """Uniform environments, each at the level nearest to the target.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    drawn = roster.draw(state.roster, query, rng)
    proposals = [Proposal(environment, level_of(state, environment)) for environment in drawn]
    return proposals, replace(
        state,
        roster=roster.served(state.roster, query.cursor, proposals),
        ledger=visits.expect(state.ledger, query.cursor, drawn),
    )


def observe(state: State, groups: Sequence[ClosedGroup]) -> State:
    """Sum up each batch, and move the target by those that are complete."""
    for group in groups:
        after, usable = roster.seen(state.roster, [group])
        ledger, _ = visits.close(state.ledger, [group], len(state.roster.tops))
        right, scored = state.sums.get(group.cursor, (0, 0))
        for counted in usable:
            right, scored = right + counted.right, scored + counted.scored
        sums = {**state.sums, group.cursor: (right, scored)}
        state = settled(replace(state, roster=after, ledger=ledger, sums=sums))
    return state


def settled(state: State) -> State:
    """The state with the target moved by every batch of which no group is out any more, oldest first."""
    waiting = {cursor for cursor, _ in state.ledger}
    target, settings = state.target, state.constants
    for cursor in sorted(set(state.sums) - waiting):
        right, scored = state.sums[cursor]
        if scored:
            error = right / scored - settings["accuracy"]
            target += settings["step"] * math.tanh(settings["sensitivity"] * error)
            target = max(0.0, min(100.0, target))
    sums = {cursor: figures for cursor, figures in state.sums.items() if cursor in waiting}
    return replace(state, target=target, sums=sums)


def tick(state: State) -> State:
    """Nothing drifts."""
    return state


def view(state: State, environment: int) -> ControllerView:
    """The level nearest to the target."""
    return roster.view_of(state.roster, environment, float(level_of(state, environment)), {"target": state.target})


def dump(state: State) -> dict[str, Any]:
    """The state as JSON values."""
    return {
        "policy": name,
        "constants": dict(state.constants),
        "target": state.target,
        "roster": roster.dump_roster(state.roster),
        "ledger": visits.dump_ledger(state.ledger),
        "sums": [[cursor, *figures] for cursor, figures in state.sums.items()],
    }


def load(document: Mapping[str, Any]) -> State:
    """The state that `dump` wrote."""
    return State(
        constants=dict(document["constants"]),
        target=document["target"],
        roster=roster.load_roster(document["roster"]),
        ledger=visits.load_ledger(document["ledger"]),
        sums={cursor: (right, scored) for cursor, right, scored in document["sums"]},
    )

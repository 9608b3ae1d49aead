"""RLVE's curriculum (arXiv 2511.07317): a window of levels per environment that only ever climbs.

Guarantee: an environment's highest level h never falls; it rises by one when enough groups at level h were answered
well enough, and the count starts again whether it rose or not.
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

CONSTANTS = {
    "window": Constant(3, 0, 1000, whole=True),
    "prompts": Constant(8, 1, 1e6, whole=True),
    "accuracy": Constant(0.9, 0.0, 1.0),
}

name: str = "rlve"
constants: Mapping[str, float] = defaults(CONSTANTS)


@dataclass(frozen=True, slots=True)
class Controller:
    """One environment's window and what was answered at its upper end."""

    highest: int = 0
    prompts: int = 0
    """Groups at the highest level since the count last started."""
    right: int = 0
    scored: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """The whole curriculum of a run."""

    constants: Mapping[str, float]
    roster: Roster
    controllers: tuple[Controller, ...]


def start(pool: Sequence[PoolEntry], size: int, constants: Mapping[str, float]) -> State:
    """Every window is level 0.

    Raises:
        PolicyError: A constant is unknown or out of range, the pool is empty, or the size is not positive.
    """
    resolved = resolve(name, CONSTANTS, constants)
    return State(resolved, roster.open_roster(pool, size), (Controller(),) * len(pool))


def extend(state: State, entries: Sequence[PoolEntry]) -> State:
    """Append environments."""
    return replace(
        state,
        roster=roster.extended(state.roster, entries),
        controllers=state.controllers + (Controller(),) * len(entries),
    )


def retire(state: State, environment: int) -> State:
    """Never propose it again."""
    return replace(state, roster=roster.retiring(state.roster, environment))


def propose(state: State, query: BatchQuery, rng: random.Random) -> tuple[list[Proposal], State]:
    """Uniform environments, each at a uniform level of its window.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    window = int(state.constants["window"])
    proposals = []
    for environment in roster.draw(state.roster, query, rng):
        highest = state.controllers[environment].highest
        proposals.append(Proposal(environment, rng.randint(max(0, highest - window), highest)))
    return proposals, replace(state, roster=roster.served(state.roster, query.cursor, proposals))


def observe(state: State, groups: Sequence[ClosedGroup]) -> State:
    """Count answers at the highest level; late ones, of a level that was left, change nothing."""
    after, usable = roster.seen(state.roster, groups)
    controllers = list(state.controllers)
    for group in usable:
        controller = controllers[group.environment]
        if group.level == controller.highest:
            controllers[group.environment] = counted(state, controller, group)
    return replace(state, roster=after, controllers=tuple(controllers))


def counted(state: State, controller: Controller, group: ClosedGroup) -> Controller:
    """The controller after one more group at its highest level."""
    prompts = controller.prompts + 1
    right, scored = controller.right + group.right, controller.scored + group.scored
    if prompts < state.constants["prompts"]:
        return Controller(controller.highest, prompts, right, scored)
    top = state.roster.tops[group.environment]
    rises = right / scored >= state.constants["accuracy"] and controller.highest < top
    return Controller(controller.highest + rises)


def tick(state: State) -> State:
    """Nothing drifts."""
    return state


def view(state: State, environment: int) -> ControllerView:
    """The highest level, and the count towards the next."""
    controller = state.controllers[environment]
    details = {"prompts": controller.prompts, "right": controller.right, "scored": controller.scored}
    return roster.view_of(state.roster, environment, float(controller.highest), details)


def dump(state: State) -> dict[str, Any]:
    """The state as JSON values."""
    return {
        "policy": name,
        "constants": dict(state.constants),
        "roster": roster.dump_roster(state.roster),
        "controllers": [[c.highest, c.prompts, c.right, c.scored] for c in state.controllers],
    }


def load(document: Mapping[str, Any]) -> State:
    """The state that `dump` wrote."""
    return State(
        constants=dict(document["constants"]),
        roster=roster.load_roster(document["roster"]),
        controllers=tuple(Controller(*figures) for figures in document["controllers"]),
    )

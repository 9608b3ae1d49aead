"""SCALER's own curriculum (arXiv 2601.04809), faithfully: the baseline that other policies are measured against.

Guarantee: every weakness of the original is kept on purpose and pinned by tests: it starts at level 0 and moves at most
one level per visit, an active set may hold an environment twice, a stable accuracy of one half is evicted as "no
progress", accuracy at the top level is ignored, and why an environment left never matters.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from escalade_server.curriculum import visits
from escalade_server.curriculum.active_set import first_slots, replace_slots, spread
from escalade_server.curriculum.batch import begins
from escalade_server.curriculum.constants import (
    Constant,
    check_environment,
    check_ladders,
    check_pool,
    defaults,
    live_environments,
    resolve,
)
from escalade_server.curriculum.difficulty import move_level, slope, split_level, top_run, zero_run
from escalade_server.curriculum.types import (
    BatchQuery,
    ClosedGroup,
    ControllerView,
    PoolEntry,
    Proposal,
)

CONSTANTS = {
    "target": Constant(0.5, 0.0, 1.0),
    "gain": Constant(2.0, 0.0, 100.0),
    "cap": Constant(1.0, 0.0, 100.0),
    "history": Constant(10, 2, 1000, whole=True),
    "zero_run": Constant(5, 1, 1000, whole=True),
    "top_run": Constant(5, 1, 1000, whole=True),
}

name: str = "scaler"
constants: Mapping[str, float] = defaults(CONSTANTS)


@dataclass(frozen=True, slots=True)
class Controller:
    """One environment's difficulty state."""

    level: float = 0.0
    levels: tuple[float, ...] = ()
    """Level at each of the last visits, oldest first."""
    accuracies: tuple[float, ...] = ()
    """Mean accuracy at each of the last visits, oldest first."""
    visits: int = 0
    accuracy: float | None = None
    """At the last visit; kept when the histories are cleared."""
    entered: int | None = None
    """Cursor at which it last entered the active set; None for the first filling."""
    left: int | None = None
    """Cursor at which it last left the active set."""
    left_because: str | None = None
    """For people; the policy forgets it."""


@dataclass(frozen=True, slots=True)
class State:
    """The whole curriculum of a run."""

    constants: Mapping[str, float]
    tops: tuple[int, ...]
    """Top level of each environment."""
    controllers: tuple[Controller, ...]
    slots: tuple[int, ...]
    retired: frozenset[int] = frozenset()
    curated: int | None = None
    """Cursor of the batch the active set was last reviewed for."""
    ahead: bool = True
    """False in runs that were begun by the first version; see `batch.begins`."""
    ledger: visits.Ledger = field(default_factory=dict)


def start(pool: Sequence[PoolEntry], size: int, constants: Mapping[str, float]) -> State:
    """An active set of the first `size` environments, all at level 0.

    Raises:
        PolicyError: A constant is unknown or out of range, the pool is empty, or the size is not positive.
    """
    resolved = resolve(name, CONSTANTS, constants)
    check_pool(pool, size)
    return State(
        constants=resolved,
        tops=tuple(entry.top_level for entry in pool),
        controllers=(Controller(),) * len(pool),
        slots=first_slots(len(pool), size),
    )


def extend(state: State, entries: Sequence[PoolEntry]) -> State:
    """Append environments; they enter the active set by replacement only."""
    check_ladders(entries)
    return replace(
        state,
        tops=state.tops + tuple(entry.top_level for entry in entries),
        controllers=state.controllers + (Controller(),) * len(entries),
    )


def retire(state: State, environment: int) -> State:
    """Never propose it again; its slots are refilled before the next proposals."""
    check_environment(environment, len(state.tops))
    return replace(state, retired=state.retired | {environment}, ledger=visits.forget(state.ledger, environment))


def leaving_because(state: State, controller: Controller, environment: int) -> str | None:
    """Why this environment is to leave the active set now, or None."""
    if environment in state.retired:
        return "retired"
    if zero_run(controller.accuracies) >= state.constants["zero_run"]:
        return "all wrong"
    if top_run(controller.levels, state.tops[environment]) >= state.constants["top_run"]:
        return "at the top"
    if slope(controller.levels, int(state.constants["history"])) <= 0:
        return "no progress"
    return None


def propose(state: State, query: BatchQuery, rng: random.Random) -> tuple[list[Proposal], State]:
    """Review the active set, then spread the groups over its distinct environments.

    More groups for a batch that was already asked for (refills) keep the active set, but for the retired.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    live = live_environments(len(state.tops), state.retired)
    controllers = list(state.controllers)
    review = begins(query.cursor, state.curated, ahead=state.ahead)

    def leaves(environment: int) -> bool:
        controller = controllers[environment]
        reason = leaving_because(state, controller, environment)
        if reason is None or (reason != "retired" and not review):
            return False
        controllers[environment] = replace(controller, levels=(), accuracies=(), left=query.cursor, left_because=reason)
        return True

    slots, moves = replace_slots(state.slots, live, leaves, rng)
    for _, successor in moves:
        controllers[successor] = replace(controllers[successor], entered=query.cursor)

    proposals = [
        Proposal(environment, level)
        for environment, groups in spread(query.groups, slots, rng)
        for level in split_level(controllers[environment].level, groups, rng)
    ]
    curated = query.cursor if review else state.curated
    ledger = visits.expect(state.ledger, query.cursor, (proposal.environment for proposal in proposals))
    return proposals, replace(state, controllers=tuple(controllers), slots=slots, curated=curated, ledger=ledger)


def observe(state: State, groups: Sequence[ClosedGroup]) -> State:
    """Move each environment whose groups of one batch are now all closed by their mean accuracy."""
    ledger, complete = visits.close(state.ledger, groups, len(state.tops))
    controllers = list(state.controllers)
    for visit in complete:
        if visit.groups:
            environment = visit.environment
            accuracy = visit.right / visit.scored
            controllers[environment] = moved(state, controllers[environment], accuracy, state.tops[environment])
    return replace(state, controllers=tuple(controllers), ledger=ledger)


def moved(state: State, controller: Controller, accuracy: float, top: int) -> Controller:
    """The controller after a step with this mean accuracy."""
    settings = state.constants
    keep = int(settings["history"])
    return replace(
        controller,
        level=move_level(
            controller.level, accuracy, top, target=settings["target"], gain=settings["gain"], cap=settings["cap"]
        ),
        levels=(*controller.levels, controller.level)[-keep:],
        accuracies=(*controller.accuracies, accuracy)[-keep:],
        visits=controller.visits + 1,
        accuracy=accuracy,
    )


def tick(state: State) -> State:
    """Nothing drifts."""
    return state


def view(state: State, environment: int) -> ControllerView:
    """Level, histories, and why it last left the active set."""
    controller = state.controllers[environment]
    return ControllerView(
        level=controller.level,
        visits=controller.visits,
        active=environment in state.slots and environment not in state.retired,
        accuracy=controller.accuracy,
        reason=_reason(state, environment),
        details={
            "slots": state.slots.count(environment),
            "levels": list(controller.levels),
            "accuracies": list(controller.accuracies),
            "entered": controller.entered,
            "left": controller.left,
            "left_because": controller.left_because,
        },
    )


def _reason(state: State, environment: int) -> str:
    held = state.slots.count(environment)
    if not held:
        return "waits to be drawn for a slot that comes free"
    noun = "slot" if held == 1 else "slots"
    return f"holds {held} {noun} until its accuracy stays 0, its level stays at the top, or its level stops rising"


def dump(state: State) -> dict[str, Any]:
    """The state as JSON values."""
    return {
        "policy": name,
        "constants": dict(state.constants),
        "tops": list(state.tops),
        "controllers": [
            [c.level, list(c.levels), list(c.accuracies), c.visits, c.accuracy, c.entered, c.left, c.left_because]
            for c in state.controllers
        ],
        "slots": list(state.slots),
        "retired": sorted(state.retired),
        "curated": state.curated,
        "ahead": state.ahead,
        "ledger": visits.dump_ledger(state.ledger),
    }


def load(document: Mapping[str, Any]) -> State:
    """The state that `dump` wrote."""
    return State(
        constants=dict(document["constants"]),
        tops=tuple(document["tops"]),
        controllers=tuple(
            Controller(level, tuple(levels), tuple(accuracies), *rest)
            for level, levels, accuracies, *rest in document["controllers"]
        ),
        slots=tuple(document["slots"]),
        retired=frozenset(document["retired"]),
        curated=document["curated"],
        ahead=document.get("ahead", False),
        ledger=visits.load_ledger(document["ledger"]),
    )

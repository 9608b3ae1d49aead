"""The paper's algorithm repaired: a staircase per environment, for those who want no posterior.

Guarantee: the active set holds no environment twice; an environment keeps its slot for a full stay of visits unless it
is always wrong at level 0 or always right at the top, and then it rests, twice as long each time.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from escalade_server.curriculum import visits as visiting
from escalade_server.curriculum.active_set import spread
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
from escalade_server.curriculum.difficulty import move_level
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, ControllerView, PoolEntry, Proposal

CONSTANTS = {
    "target": Constant(0.5, 0.0, 1.0),
    "gain": Constant(2.0, 0.0, 100.0),
    "cap": Constant(1.0, 0.0, 100.0),
    "search_cap": Constant(6.0, 1.0, 100.0),
    "search_error": Constant(0.3, 0.0, 1.0),
    "stay": Constant(20, 1, 1e6, whole=True),
    "flat_groups": Constant(3, 1, 1000, whole=True),
    "rest": Constant(200, 0, 1e9, whole=True),
}

name: str = "staircase"
constants: Mapping[str, float] = defaults(CONSTANTS)


@dataclass(frozen=True, slots=True)
class Controller:
    """One environment's staircase."""

    level: float | None = None
    """None until it first enters the active set."""
    stride: float = 1.0
    """Next step of the search, in levels; 0 once it has settled."""
    direction: int = 0
    """Of the last step of the search: -1, 0 or 1."""
    visits: int = 0
    stay: int = 0
    """Visits since it entered the active set."""
    zeros: int = 0
    """All-wrong groups at level 0 running."""
    fulls: int = 0
    """All-right groups at the top running."""
    rests: int = 0
    """Rests begun so far."""
    resting_until: int = 0
    """Step from which on it may enter again."""
    accuracy: float | None = None
    left: int | None = None
    """Cursor at which it last left the active set."""
    left_because: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The whole curriculum of a run."""

    constants: Mapping[str, float]
    size: int
    tops: tuple[int, ...]
    controllers: tuple[Controller, ...]
    queue: tuple[int, ...]
    """Environments outside the active set, first out first; retired ones are in neither."""
    slots: tuple[int, ...] = ()
    step: int = 0
    """Batches begun."""
    reviewed: int | None = None
    """Cursor of the batch the active set was last reviewed for."""
    ahead: bool = True
    """False in runs that were begun by the first version; see `batch.begins`."""
    retired: frozenset[int] = frozenset()
    ledger: visiting.Ledger = field(default_factory=dict)


def start(pool: Sequence[PoolEntry], size: int, constants: Mapping[str, float]) -> State:
    """All environments waiting, in pool order.

    Raises:
        PolicyError: A constant is unknown or out of range, the pool is empty, or the size is not positive.
    """
    resolved = resolve(name, CONSTANTS, constants)
    check_pool(pool, size)
    return extend(State(resolved, size, (), (), ()), pool)


def extend(state: State, entries: Sequence[PoolEntry]) -> State:
    """Append environments to the pool and to the end of the queue."""
    check_ladders(entries)
    first = len(state.tops)
    return replace(
        state,
        tops=state.tops + tuple(entry.top_level for entry in entries),
        controllers=state.controllers + (Controller(),) * len(entries),
        queue=state.queue + tuple(range(first, first + len(entries))),
    )


def retire(state: State, environment: int) -> State:
    """Never propose it again."""
    check_environment(environment, len(state.tops))
    return replace(
        state,
        retired=state.retired | {environment},
        queue=tuple(waiting for waiting in state.queue if waiting != environment),
        slots=tuple(active for active in state.slots if active != environment),
        ledger=visiting.forget(state.ledger, environment),
    )


def review(state: State, cursor: int) -> State:
    """Begin a batch: send those to rest whose groups all fail or all succeed, and exchange those who stayed long."""
    settings = state.constants
    step = state.step + 1
    controllers = list(state.controllers)
    slots, queue = list(state.slots), list(state.queue)
    ready = sum(controllers[waiting].resting_until <= step for waiting in queue)
    for environment in state.slots:
        controller = controllers[environment]
        flat = max(controller.zeros, controller.fulls) >= settings["flat_groups"]
        if flat:
            because = "all wrong at level 0" if controller.zeros >= settings["flat_groups"] else "all right at the top"
            # bounded, for a run that is never restarted: 200 * 2^30 steps are for ever
            rest = int(settings["rest"]) << min(controller.rests, 30)
            controller = replace(controller, zeros=0, fulls=0, rests=controller.rests + 1, resting_until=step + rest)
        elif controller.stay >= settings["stay"] and ready > 0:
            because = "full stay"
        else:
            continue
        ready -= 1
        controllers[environment] = replace(controller, stay=0, left=cursor, left_because=because)
        slots.remove(environment)
        queue.append(environment)
    return replace(
        state,
        controllers=tuple(controllers),
        slots=tuple(slots),
        queue=tuple(queue),
        step=step,
        reviewed=cursor,
    )


def filled(state: State) -> State:
    """The state with free slots given to those who wait longest and do not rest."""
    free = state.size - len(state.slots)
    ready = [waiting for waiting in state.queue if state.controllers[waiting].resting_until <= state.step][:free]
    if not ready and not state.slots:
        # everybody rests: whoever has the least rest left is better than an empty batch
        ready = sorted(state.queue, key=lambda waiting: state.controllers[waiting].resting_until)[:1]
    if not ready:
        return state
    entering = set(ready)
    controllers = list(state.controllers)
    known = [controller.level for controller in controllers if controller.visits and controller.level is not None]
    middle = float(median(known)) if known else 0.0
    for environment in ready:
        if controllers[environment].level is None:
            level = min(middle, float(state.tops[environment]))
            controllers[environment] = replace(controllers[environment], level=level)
    return replace(
        state,
        controllers=tuple(controllers),
        slots=state.slots + tuple(ready),
        queue=tuple(waiting for waiting in state.queue if waiting not in entering),
    )


def propose(state: State, query: BatchQuery, rng: random.Random) -> tuple[list[Proposal], State]:
    """Review and fill the active set, then spread the groups over it; levels between two are rounded at random.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    live_environments(len(state.tops), state.retired)
    if begins(query.cursor, state.reviewed, ahead=state.ahead):
        state = review(state, query.cursor)
    state = filled(state)
    proposals = []
    for environment, groups in spread(query.groups, state.slots, rng):
        level = state.controllers[environment].level or 0.0
        low = math.floor(level)
        proposals += [Proposal(environment, low + (rng.random() < level - low)) for _ in range(groups)]
    ledger = visiting.expect(state.ledger, query.cursor, (proposal.environment for proposal in proposals))
    return proposals, replace(state, ledger=ledger)


def observe(state: State, groups: Sequence[ClosedGroup]) -> State:
    """Move each environment whose groups of one batch are now all closed."""
    ledger, complete = visiting.close(state.ledger, groups, len(state.tops))
    controllers = list(state.controllers)
    for visit in complete:
        if visit.groups:
            environment = visit.environment
            controllers[environment] = moved(state, controllers[environment], visit, state.tops[environment])
    return replace(state, controllers=tuple(controllers), ledger=ledger)


def moved(state: State, controller: Controller, visit: visiting.Visit, top: int) -> Controller:
    """The controller after a visit."""
    settings = state.constants
    accuracy = visit.right / visit.scored
    error = accuracy - settings["target"]
    level = controller.level or 0.0
    stride, direction = controller.stride, 1 if error > 0 else -1
    reversal = controller.direction == -direction
    if stride and abs(error) > settings["search_error"] and not reversal:
        level = max(0.0, min(float(top), level + direction * stride))
        stride = min(2.0 * stride, settings["search_cap"])
    else:
        stride = 0.0
        level = move_level(level, accuracy, top, target=settings["target"], gain=settings["gain"], cap=settings["cap"])
    zeros, fulls = controller.zeros, controller.fulls
    for group in visit.groups:
        zeros = zeros + 1 if group.level == 0 and group.right == 0 else 0
        fulls = fulls + 1 if group.level == top and group.right == group.scored else 0
    return replace(
        controller,
        level=level,
        stride=stride,
        direction=direction,
        visits=controller.visits + 1,
        stay=controller.stay + 1,
        zeros=zeros,
        fulls=fulls,
        accuracy=accuracy,
    )


def tick(state: State) -> State:
    """Nothing drifts."""
    return state


def view(state: State, environment: int) -> ControllerView:
    """Level, search and rest. An environment that rested was flat: the operator should look at it."""
    controller = state.controllers[environment]
    return ControllerView(
        level=controller.level or 0.0,
        visits=controller.visits,
        active=environment in state.slots,
        accuracy=controller.accuracy,
        reason=_reason(state, environment),
        details={
            "stride": controller.stride,
            "stay": controller.stay,
            "resting_steps": max(0, controller.resting_until - state.step),
            "rests": controller.rests,
            "suspect": controller.rests > 0 and controller.resting_until > state.step,
            "left": controller.left,
            "left_because": controller.left_because,
        },
    )


def _reason(state: State, environment: int) -> str:
    controller = state.controllers[environment]
    if environment in state.slots:
        return f"holds a slot for {state.constants['stay']:.0f} visits, {controller.stay} so far"
    resting_steps = controller.resting_until - state.step
    if resting_steps > 0:
        return f"rests for {resting_steps} more steps: its groups were all wrong at level 0 or all right at the top"
    return "waits in line for a slot"


def dump(state: State) -> dict[str, Any]:
    """The state as JSON values."""
    return {
        "policy": name,
        "constants": dict(state.constants),
        "size": state.size,
        "tops": list(state.tops),
        "controllers": [
            [c.level, c.stride, c.direction, c.visits, c.stay, c.zeros, c.fulls, c.rests, c.resting_until, c.accuracy,
             c.left, c.left_because]
            for c in state.controllers
        ],
        "queue": list(state.queue),
        "slots": list(state.slots),
        "step": state.step,
        "reviewed": state.reviewed,
        "ahead": state.ahead,
        "retired": sorted(state.retired),
        "ledger": visiting.dump_ledger(state.ledger),
    }  # fmt: skip


def load(document: Mapping[str, Any]) -> State:
    """The state that `dump` wrote."""
    return State(
        constants=dict(document["constants"]),
        size=document["size"],
        tops=tuple(document["tops"]),
        controllers=tuple(Controller(*figures) for figures in document["controllers"]),
        queue=tuple(document["queue"]),
        slots=tuple(document["slots"]),
        step=document["step"],
        reviewed=document["reviewed"],
        ahead=document.get("ahead", False),
        retired=frozenset(document["retired"]),
        ledger=visiting.load_ledger(document["ledger"]),
    )

"""Sampling by learnability, p (1 - p): Beta posteriors per environment and level, smoothed over levels.

Guarantee: an environment's level is the one of greatest expected p (1 - p), and environments are drawn without
replacement in proportion to it. Rows of counts are shared between states and never written to.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from escalade_server.curriculum import roster
from escalade_server.curriculum import visits as visiting
from escalade_server.curriculum.arrays import Floats, freeze, generator
from escalade_server.curriculum.constants import Constant, defaults, resolve
from escalade_server.curriculum.roster import Roster
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, ControllerView, PoolEntry, Proposal

CONSTANTS = {
    "keep": Constant(0.7, 0.0, 1.0),
    "width": Constant(1.5, 0.01, 1000.0),
    "prior": Constant(1.0, 0.001, 1e6),
}

name: str = "learnability"
constants: Mapping[str, float] = defaults(CONSTANTS)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """The whole curriculum of a run."""

    constants: Mapping[str, float]
    roster: Roster
    rows: tuple[Floats, ...]
    """Per environment (2, levels): right and wrong rollouts, decayed."""
    bests: tuple[tuple[int, float], ...]
    """Per environment: (level of greatest expected p (1 - p), that value)."""
    ledger: visiting.Ledger = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and dump(self) == dump(other)


@lru_cache(maxsize=256)
def kernel(levels: int, width: float) -> Floats:
    """(levels, levels): how much a count at one level says about another; 1 about its own."""
    distance = np.arange(levels)[:, None] - np.arange(levels)
    return freeze(np.exp(-0.5 * (distance / width) ** 2))


@lru_cache(maxsize=256)
def no_counts(top: int) -> Floats:
    """The row of an environment that was never visited."""
    return freeze(np.zeros((2, top + 1)))


def posterior(row: Floats, settings: Mapping[str, float]) -> Floats:
    """(2, levels): parameters of the Beta posterior at each level."""
    parameters: Floats = settings["prior"] + row @ kernel(row.shape[1], settings["width"])
    return parameters


def best_of(row: Floats, settings: Mapping[str, float]) -> tuple[int, float]:
    """The level of greatest expected p (1 - p), the lowest of equals, and that value."""
    right, wrong = posterior(row, settings)
    total = right + wrong
    values = right * wrong / (total * (total + 1.0))
    level = int(values.argmax())
    return level, float(values[level])


def start(pool: Sequence[PoolEntry], size: int, constants: Mapping[str, float]) -> State:
    """Nothing visited.

    Raises:
        PolicyError: A constant is unknown or out of range, the pool is empty, or the size is not positive.
    """
    resolved = resolve(name, CONSTANTS, constants)
    opened = roster.open_roster(pool, size)
    rows = tuple(no_counts(top) for top in opened.tops)
    return State(resolved, opened, rows, tuple(best_of(row, resolved) for row in rows))


def extend(state: State, entries: Sequence[PoolEntry]) -> State:
    """Append environments."""
    after = roster.extended(state.roster, entries)
    rows = tuple(no_counts(entry.top_level) for entry in entries)
    return replace(
        state,
        roster=after,
        rows=state.rows + rows,
        bests=state.bests + tuple(best_of(row, state.constants) for row in rows),
    )


def retire(state: State, environment: int) -> State:
    """Never propose it again."""
    return replace(
        state,
        roster=roster.retiring(state.roster, environment),
        ledger=visiting.forget(state.ledger, environment),
    )


def propose(state: State, query: BatchQuery, rng: random.Random) -> tuple[list[Proposal], State]:
    """Environments in proportion to their best p (1 - p), each at its best level.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    numbers = generator(rng)

    def sample(candidates: list[int], count: int) -> list[int]:
        # the largest of log-weight plus Gumbel noise is a draw in proportion to the weight
        weights = np.array([state.bests[environment][1] for environment in candidates])
        order = np.argsort(-(np.log(weights) + numbers.gumbel(size=len(candidates))), kind="stable")
        return [candidates[place] for place in order[:count].tolist()]

    drawn = roster.draw_with(state.roster, query, sample)
    proposals = [Proposal(environment, state.bests[environment][0]) for environment in drawn]
    return proposals, replace(
        state,
        roster=roster.served(state.roster, query.cursor, proposals),
        ledger=visiting.expect(state.ledger, query.cursor, drawn),
    )


def observe(state: State, groups: Sequence[ClosedGroup]) -> State:
    """Add each complete visit to its environment's counts, after fading the old ones."""
    after, _ = roster.seen(state.roster, groups)
    ledger, complete = visiting.close(state.ledger, groups, len(state.roster.tops))
    rows, bests = list(state.rows), list(state.bests)
    for visit in complete:
        if visit.groups:
            row = rows[visit.environment] * state.constants["keep"]
            for group in visit.groups:
                level = min(max(group.level, 0), row.shape[1] - 1)
                row[:, level] += (group.right, group.scored - group.right)
            rows[visit.environment] = freeze(row)
            bests[visit.environment] = best_of(row, state.constants)
    return replace(state, roster=after, ledger=ledger, rows=tuple(rows), bests=tuple(bests))


def tick(state: State) -> State:
    """Nothing drifts."""
    return state


def view(state: State, environment: int) -> ControllerView:
    """The best level, its expected p (1 - p), and the expected success there."""
    level, value = state.bests[environment]
    right, wrong = posterior(state.rows[environment], state.constants)[:, level].tolist()
    details = {"learnability": value, "success": right / (right + wrong)}
    reason = f"drawn in proportion to its learnability, {value:.3f} of at most 0.25 at level {level}"
    return roster.view_of(state.roster, environment, float(level), details, reason)


def dump(state: State) -> dict[str, Any]:
    """The state as JSON values."""
    return {
        "policy": name,
        "constants": dict(state.constants),
        "roster": roster.dump_roster(state.roster),
        "rows": [[environment, row.tolist()] for environment, row in enumerate(state.rows) if row.any()],
        "ledger": visiting.dump_ledger(state.ledger),
    }


def load(document: Mapping[str, Any]) -> State:
    """The state that `dump` wrote."""
    settings = dict(document["constants"])
    opened = roster.load_roster(document["roster"])
    rows = [no_counts(top) for top in opened.tops]
    for environment, row in document["rows"]:
        rows[environment] = freeze(np.array(row))
    bests = tuple(best_of(row, settings) for row in rows)
    return State(settings, opened, tuple(rows), bests, visiting.load_ledger(document["ledger"]))

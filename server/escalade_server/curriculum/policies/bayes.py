"""Grid-Bayes, the default curriculum: a belief per environment sets its level, and a batch takes those most worth it.

Guarantee: the next state depends only on the state and on the groups in the order in which they close, never on how
many of them come in one call. Beliefs are shared between states and never written to: learning from a group replaces
one row of a tuple, a tick replaces them all.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from escalade_server.curriculum import belief
from escalade_server.curriculum.arrays import Floats, Integers, freeze, generator
from escalade_server.curriculum.bayes_state import CONSTANTS, NAME, State, own_prior
from escalade_server.curriculum.bayes_state import dump as dump
from escalade_server.curriculum.bayes_state import load as load
from escalade_server.curriculum.constants import (
    check_environment,
    check_ladders,
    check_pool,
    defaults,
    live_environments,
    resolve,
)
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, ControllerView, PoolEntry, Proposal
from escalade_server.curriculum.visits import close_each, expect, forget, moves_controller

ORIGIN_VISITS = 3
"""Visits after which an environment's starting point is noted."""
RATED_VISITS = 4
"""Visits from which on its rate of learning counts."""
LEAST_VALUE = 1e-4

name: str = NAME
constants: Mapping[str, float] = defaults(CONSTANTS)


def start(pool: Sequence[PoolEntry], size: int, constants: Mapping[str, float]) -> State:
    """Nothing visited, every belief the prior.

    Raises:
        PolicyError: A constant is unknown or out of range, the pool is empty, or the size is not positive.
    """
    settings = resolve(name, CONSTANTS, constants)
    check_pool(pool, size)
    none = freeze(np.zeros(0))
    whole = freeze(np.zeros(0, dtype=np.int64))
    empty = State(settings, (), (), own_prior(settings), whole, none, none, none, whole, none, none)
    return extend(empty, pool)


def extend(state: State, entries: Sequence[PoolEntry]) -> State:
    """Append environments, with the belief that unvisited ones have by now."""
    check_ladders(entries)
    noise = state.constants["instance_noise"]
    tops = [entry.top_level for entry in entries]
    best = {top: belief.best_level(state.unvisited, top, noise) for top in set(tops)}
    count = len(tops)
    return replace(
        state,
        tops=state.tops + tuple(tops),
        rows=state.rows + (state.unvisited,) * count,
        visits=joined(state.visits, np.zeros(count, dtype=np.int64)),
        wear=joined(state.wear, np.zeros(count)),
        origin=joined(state.origin, np.full(count, np.nan)),
        centre=joined(state.centre, np.full(count, belief.half_way(state.unvisited))),
        level=joined(state.level, np.array([best[top][0] for top in tops], dtype=np.int64)),
        value=joined(state.value, np.array([best[top][1] for top in tops], dtype=np.float64)),
        accuracy=joined(state.accuracy, np.full(count, np.nan)),
    )


def joined(before: Any, more: Any) -> Any:
    """One array after the other, read-only."""
    return freeze(np.concatenate([before, more]))


def retire(state: State, environment: int) -> State:
    """Never propose it again."""
    check_environment(environment, len(state.tops))
    return replace(state, retired=state.retired | {environment}, ledger=forget(state.ledger, environment))


def progress(state: State) -> Floats:
    """LP: how much faster than the pool each environment is being learned, as a factor around 1."""
    settings = state.constants
    factors = np.ones(len(state.tops))
    rated = (state.visits >= RATED_VISITS) & ~np.isnan(state.origin)
    if rated.any():
        groups = state.visits[rated]
        rates = (state.centre[rated] - state.origin[rated]) / groups
        mean = rates.mean()
        shrunk = (settings["progress_weight"] * mean + groups * rates) / (settings["progress_weight"] + groups)
        factors[rated] = np.clip(
            1.0 + settings["progress_gain"] * (shrunk - mean), settings["progress_low"], settings["progress_high"]
        )
    return factors


def worth(state: State, factors: Floats) -> Floats:
    """What a group of each environment is worth, in log units, given the factors of `progress`."""
    wear = 1.0 + state.wear / state.constants["wear"]
    logs: Floats = np.log(np.maximum(state.value, LEAST_VALUE) * factors / wear)
    return logs


def propose(state: State, query: BatchQuery, rng: random.Random) -> tuple[list[Proposal], State]:
    """The environments most worth a group, each at its best level; small pools may give several groups each.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    settings = state.constants
    live = np.array(live_environments(len(state.tops), state.retired), dtype=np.int64)
    held = state.batches.held(query.cursor)
    copies = 1
    if len(live) < settings["copy_space"] * query.groups:
        copies = math.ceil(settings["copy_space"] * query.groups / len(live))
    taken = np.array([held[environment] for environment in live.tolist()], dtype=np.int64)
    # a refill may ask for more than the pool still has room for
    while np.maximum(copies - taken, 0).sum() < query.groups:
        copies += 1
    copy = np.arange(copies)[:, None]
    scores = worth(state, progress(state))[live] - settings["copy_cost"] * np.log1p(copy)
    scores = scores + settings["exploration"] * generator(rng).gumbel(size=scores.shape)
    scores[copy < taken] = -np.inf
    best = np.argsort(-scores, axis=None, kind="stable")[: query.groups]
    chosen = live[best % len(live)]
    levels = [_rehearsed(level, settings["rehearsal"], rng) for level in state.level[chosen].tolist()]
    proposals = [Proposal(environment, level) for environment, level in zip(chosen.tolist(), levels, strict=True)]
    return proposals, replace(
        state,
        batches=state.batches.with_proposals(query.cursor, proposals),
        ledger=expect(state.ledger, query.cursor, chosen.tolist()),
    )


def _rehearsed(level: int, share: float, rng: random.Random) -> int:
    """The level, or in this share of cases any easier one, so that what is forgotten is found out and learned again."""
    return rng.randrange(level) if share and level and rng.random() < share else level


def observe(state: State, groups: Sequence[ClosedGroup]) -> State:
    """Learn from each group at once; after the last of an environment's groups in a batch it is expected to move."""
    settings = state.constants
    noise = settings["instance_noise"]
    ledger, steps = close_each(state.ledger, groups, len(state.tops))
    rows = list(state.rows)
    counts, wear, origin = state.visits.copy(), state.wear.copy(), state.origin.copy()
    accuracy = state.accuracy.copy()
    surprise, information = state.surprise, state.information
    own = belief.transition(settings["visit_shift"], settings["visit_variance"])
    touched: set[int] = set()
    for group, visit in steps:
        e = group.environment
        if moves_controller(group):
            top = belief.ladder(state.tops[e])
            level = min(max(group.level, 0), state.tops[e])
            share = group.right / group.scored
            if counts[e]:
                known = belief.tables(top, noise)
                variance = float(rows[e] @ known.utility[level]) / 4.0
                if variance > settings["drift_information"]:
                    surprise += share - float(rows[e] @ known.mean_success[level])
                    information += variance
            evidence = belief.likelihood(top, noise, settings["stray"], level, group.right, group.scored)
            rows[e] = belief.update(rows[e], evidence)
            counts[e] += 1
            wear[e] += 4.0 * share * (1.0 - share) + settings["wear_per_group"]
            accuracy[e] = share
            touched.add(e)
        if visit is not None and visit.groups:
            rows[e] = belief.drift(rows[e], own)
            if counts[e] >= ORIGIN_VISITS and math.isnan(origin[e]):
                origin[e] = belief.half_way(rows[e])
            touched.add(e)
    centre, best, value = state.centre.copy(), state.level.copy(), state.value.copy()
    for e in touched:
        freeze(rows[e])
        centre[e] = belief.half_way(rows[e])
        best[e], value[e] = belief.best_level(rows[e], state.tops[e], noise)
    return replace(
        state,
        rows=tuple(rows),
        visits=freeze(counts),
        wear=freeze(wear),
        origin=freeze(origin),
        centre=freeze(centre),
        level=freeze(best),
        value=freeze(value),
        accuracy=freeze(accuracy),
        surprise=surprise,
        information=information,
        ledger=ledger,
    )


def tick(state: State) -> State:
    """Move every belief with the pool's drift, blur it, and let the visited speak for the unvisited."""
    settings = state.constants
    cap = settings["drift_cap"]
    gain = settings["drift_gain"] * state.surprise / (state.information + settings["drift_weight"])
    shift = max(-cap, min(cap, gain))
    mine = own_prior(settings)
    seen = np.flatnonzero(state.visits)
    rows = list(state.rows)
    unvisited = mine
    beliefs = np.empty((0, belief.STATES))
    if len(seen):
        moves = belief.transition(shift, settings["tick_variance"])
        beliefs = belief.drift_all(np.stack([rows[e] for e in seen]), moves)
        beliefs *= 1.0 - settings["leak"]
        beliefs += settings["leak"] * mine
        weight = settings["pool_weight"]
        unvisited = freeze((weight * mine + beliefs.sum(axis=0)) / (weight + len(seen)))
        freeze(beliefs)
    rows = [unvisited] * len(rows)
    for e, row in zip(seen.tolist(), beliefs, strict=True):
        rows[e] = freeze(row)
    centre, level, value = best_of_all(state, seen, beliefs, unvisited)
    return replace(
        state,
        rows=tuple(rows),
        unvisited=unvisited,
        centre=freeze(centre),
        level=freeze(level),
        value=freeze(value),
        surprise=0.0,
        information=0.0,
    )


def best_of_all(state: State, seen: Integers, beliefs: Floats, unvisited: Floats) -> tuple[Floats, Integers, Floats]:
    """(E[m], best level, its utility) of every environment, the visited ones in one product."""
    noise = state.constants["instance_noise"]
    tops = np.array(state.tops)
    fitting = {int(top): belief.best_level(unvisited, int(top), noise) for top in np.unique(tops)}
    level = np.array([fitting[top][0] for top in state.tops], dtype=np.int64)
    value = np.array([fitting[top][1] for top in state.tops])
    centre = np.full(len(tops), belief.half_way(unvisited))
    if len(seen):
        values = beliefs @ belief.tables(belief.GRID_TOP, noise).utility.T  # (visited, levels)
        values[np.arange(belief.GRID_TOP + 1) > tops[seen][:, None]] = -1.0
        level[seen], value[seen] = values.argmax(axis=1), values.max(axis=1)
        centre[seen] = belief.half_way_all(beliefs)
        for place in np.flatnonzero(tops[seen] > belief.GRID_TOP):
            e = seen[place]
            level[e], value[e] = belief.best_level(beliefs[place], int(tops[e]), noise)
    return centre, level, value


def view(state: State, environment: int) -> ControllerView:
    """What is believed about one environment, and why it is or is not worth a group."""
    settings = state.constants
    row, top = state.rows[environment], state.tops[environment]
    level, seen = int(state.level[environment]), int(state.visits[environment])
    low, mean, high = belief.interval(row, top, settings["instance_noise"], level)
    scale = belief.ladder(top) / belief.GRID_TOP
    value = float(state.value[environment])
    accuracy = float(state.accuracy[environment])
    live = environment not in state.retired
    factors = progress(state)
    suspect = seen >= settings["suspect_visits"] and value < settings["suspect_value"]
    reason = (
        f"at level {level} success is about {mean:.2f} ({low:.2f} to {high:.2f}), worth {value:.2f} of at most 1 to "
        f"learn from, times {float(factors[environment]):.2f} for its progress, after {seen} visits"
    )
    if suspect:
        kind = "broken" if row[belief.BROKEN] >= row[belief.TRIVIAL] else "trivial"
        reason = f"no level of it is worth a group, so it may be {kind}: {reason}"
    return ControllerView(
        level=float(level),
        visits=seen,
        active=live and environment in state.batches.environments,
        accuracy=None if math.isnan(accuracy) else accuracy,
        reason=reason,
        details={
            "success": mean,
            "success_low": low,
            "success_high": high,
            "half_way_level": float(state.centre[environment]) * scale,
            "broken": float(row[belief.BROKEN]),
            "trivial": float(row[belief.TRIVIAL]),
            "value": value,
            "worth": float(worth(state, factors)[environment]),
            "progress": float(factors[environment]),
            "wear": float(state.wear[environment]),
            "suspect": suspect,
        },
    )

"""Grid-Bayes: what may be believed about one environment, and how evidence and time change it.

A state of the world is (w, f, m): success is half way at level m, one logit is w levels wide, guessing gives f; or the
environment is broken (always wrong) or trivial (always right). A belief is a vector of probabilities over these
states, ordered w, then f, then m (so that drift moves along the last axis), then broken, then trivial.

Guarantee: every function returns a belief of the same length that sums to one up to rounding, whatever the evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from escalade_server.curriculum.arrays import Floats, freeze

CELL = 0.75
"""Distance of neighbouring values of m, in levels."""
HALF_WAY: Floats = freeze(-8.0 + CELL * np.arange(62))
"""m, in levels."""
WIDTHS: Floats = freeze(np.array([0.6, 1.2, 2.4, 4.8]))
"""w, in levels per logit."""
FLOORS: Floats = freeze(np.array([0.0, 0.3]))
"""f, as a probability."""
SHAPE = (len(WIDTHS), len(FLOORS), len(HALF_WAY))
REGULAR = len(WIDTHS) * len(FLOORS) * len(HALF_WAY)
BROKEN, TRIVIAL = REGULAR, REGULAR + 1
STATES = REGULAR + 2
LOWEST, HIGHEST = 0.004, 0.985
"""Success of a broken and of a trivial environment, and the bounds of every other."""
GRID_TOP = 29
"""Longest ladder the grid is laid out for, as its top level; longer ones are scaled onto it."""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What each state predicts at each level of one ladder."""

    success: Floats
    """(levels, states, nodes): probability of a right answer, per node of the instance noise."""
    mean_success: Floats
    """(levels, states): the same, averaged over the nodes."""
    utility: Floats
    """(levels, states): four times the variance of a right answer that is not guessed."""
    weights: Floats
    """(nodes,): weights of the nodes; they sum to one."""


def ladder(top: int) -> int:
    """Which tables a ladder uses: all that fit the grid share those of the longest."""
    return max(top, GRID_TOP)


@lru_cache(maxsize=64)
def tables(top: int, noise: float) -> Tables:
    """Predictions at levels 0..top, for instance noise of this standard deviation in logits."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    weights = weights / weights.sum()
    # a ladder longer than the grid scales m and w alike, which is to scale the level
    levels = np.arange(top + 1) * (GRID_TOP / max(top, GRID_TOP))
    logits = (HALF_WAY - levels[:, None, None]) / WIDTHS[None, :, None]  # (levels, w, m)
    solved = 1.0 / (1.0 + np.exp(-(logits[:, :, None, :, None] + noise * nodes)))  # (levels, w, 1, m, nodes)
    floors = FLOORS[None, None, :, None, None]
    success = np.empty((top + 1, STATES, len(nodes)))
    success[:, :REGULAR] = np.clip(floors + (HIGHEST - floors) * solved, LOWEST, HIGHEST).reshape(
        top + 1, REGULAR, len(nodes)
    )
    success[:, BROKEN], success[:, TRIVIAL] = LOWEST, HIGHEST
    utility = np.zeros((top + 1, STATES))
    utility[:, :REGULAR] = ((4.0 * (HIGHEST - floors) * solved * (1.0 - solved)) @ weights).reshape(top + 1, REGULAR)
    return Tables(freeze(success), freeze(success @ weights), freeze(utility), freeze(weights))


@lru_cache(maxsize=8192)
def likelihood(top: int, noise: float, stray: float, level: int, right: int, scored: int) -> Floats:
    """Probability of `right` of `scored` in each state, up to a common factor.

    Args:
        top: Key of the tables, from `ladder`.
        noise: Instance noise, in logits.
        stray: Chance that the instance itself is faulty and nobody answers it.
        level: Level of the group.
        right: Right rollouts.
        scored: Scored rollouts.
    """
    known = tables(top, noise)
    success = known.success[level]
    logs = right * np.log(success) + (scored - right) * np.log1p(-success)
    if right == 0:
        return freeze((1.0 - stray) * (np.exp(logs) @ known.weights) + stray)
    # relative to the best state, so that groups of thousands do not underflow
    return freeze((1.0 - stray) * (np.exp(logs - logs.max()) @ known.weights))


def update(belief: Floats, evidence: Floats) -> Floats:
    """Bayes' rule."""
    product = belief * evidence
    total = product.sum()
    # evidence against every state believed in: possible only with a prior of exact zeros
    return product / total if total > 0 else belief


@lru_cache(maxsize=64)
def prior(mean: float, deviation: float, broken: float, trivial: float, guessable: float) -> Floats:
    """What is believed before any evidence: m normal, w uniform, f = .3 with probability `guessable`."""
    bell = np.exp(-0.5 * ((HALF_WAY - mean) / deviation) ** 2)
    bell /= bell.sum()
    floors = np.array([1.0 - guessable, guessable])
    belief = np.empty(STATES)
    regular = np.full(len(WIDTHS), 1.0 / len(WIDTHS))[:, None, None] * floors[None, :, None] * bell
    belief[:REGULAR] = (1.0 - broken - trivial) * regular.ravel()
    belief[BROKEN], belief[TRIVIAL] = broken, trivial
    return freeze(belief)


@lru_cache(maxsize=16)
def transition(logits: float, variance: float) -> Floats:
    """(w, m, m): m moves up by logits * w levels and spreads by `variance` levels^2; what leaves stays at the edge.

    A shift between two cells splits over both, and a variance below the resolution is a hop of one cell either way.
    """
    count = len(HALF_WAY)
    moves = np.zeros((len(WIDTHS), count, count))
    cells = variance / (CELL * CELL)
    hops = max(1, math.ceil(cells))
    hop = step_matrix(0, cells / hops / 2, cells / hops / 2)
    spread = np.linalg.matrix_power(hop, hops)
    for place, width in enumerate(WIDTHS):
        shift = logits * float(width) / CELL
        whole = math.floor(shift)
        moves[place] = step_matrix(whole, shift - whole, 0.0) @ spread
    return freeze(moves)


def step_matrix(shift: int, up: float, down: float) -> Floats:
    """(m, m): rows move by `shift` cells, and one more up or down with these probabilities."""
    count = len(HALF_WAY)
    matrix = np.zeros((count, count))
    for offset, probability in ((shift, 1.0 - up - down), (shift + 1, up), (shift - 1, down)):
        targets = np.clip(np.arange(count) + offset, 0, count - 1)
        np.add.at(matrix, (np.arange(count), targets), probability)
    return matrix


def drift(belief: Floats, moves: Floats) -> Floats:
    """One belief after a transition."""
    after = belief.copy()
    after[:REGULAR] = np.matmul(belief[:REGULAR].reshape(SHAPE), moves).ravel()
    return after


def drift_all(beliefs: Floats, moves: Floats) -> Floats:
    """(environments, states): every row after a transition."""
    after = np.empty_like(beliefs)
    after[:, REGULAR:] = beliefs[:, REGULAR:]
    count, block = len(beliefs), len(FLOORS) * len(HALF_WAY)
    for place in range(len(WIDTHS)):
        columns = slice(place * block, (place + 1) * block)
        rows = beliefs[:, columns].reshape(count * len(FLOORS), len(HALF_WAY))
        after[:, columns] = (rows @ moves[place]).reshape(count, block)
    return after


def half_way(belief: Floats) -> float:
    """E[m] in grid levels, given that the environment is neither broken nor trivial."""
    by_level = belief[:REGULAR].reshape(-1, len(HALF_WAY)).sum(axis=0)
    return float(by_level @ HALF_WAY / by_level.sum())


def half_way_all(beliefs: Floats) -> Floats:
    """(environments,): `half_way` of every row."""
    by_level = beliefs[:, :REGULAR].reshape(len(beliefs), -1, len(HALF_WAY)).sum(axis=1)
    means: Floats = by_level @ HALF_WAY / by_level.sum(axis=1)
    return means


def best_level(belief: Floats, top: int, noise: float) -> tuple[int, float]:
    """The level of greatest expected utility on a ladder with this top, and that utility."""
    values = tables(ladder(top), noise).utility[: top + 1] @ belief
    level = int(values.argmax())
    return level, float(values[level])


def interval(belief: Floats, top: int, noise: float, level: int, mass: float = 0.9) -> tuple[float, float, float]:
    """(low, mean, high) of the success at a level: the central interval that holds this much of the belief."""
    success = tables(ladder(top), noise).mean_success[level]
    order = np.argsort(success, kind="stable")
    cumulative = np.cumsum(belief[order])
    tail = (1.0 - mass) / 2.0
    low, high = np.searchsorted(cumulative, [tail, 1.0 - tail])
    last = len(order) - 1
    return float(success[order[min(low, last)]]), float(success @ belief), float(success[order[min(high, last)]])

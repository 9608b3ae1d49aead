"""The learner that curricula are compared on: a model whose abilities grow with the variance of what it answers.

Guarantee: a world is a pure function of (variant, seed), and so is what it answers and learns, given what it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from escalade_server.curriculum.arrays import Floats, Integers
from escalade_server.curriculum.types import PolicyError, Proposal

RELEASED_TOPS: Mapping[int, int] = {
    1: 1, 3: 1, 9: 1, 14: 1, 15: 3, 17: 2, 18: 1, 19: 3, 20: 11, 21: 3, 22: 5, 23: 10, 24: 7, 25: 2, 26: 2, 28: 1,
    29: 10,
}  # fmt: skip
"""Top level to number of environments among the 64 that were released."""
UNSEEN = 400
"""Environments of the test that only transfer reaches."""
UNSEEN_HARDNESS = (11.0, 17.6)
"""Their hardness, alternating, in units of the increment per level."""
BROKEN_SUCCESS, TRIVIAL_SUCCESS = 0.002, 0.99


@dataclass(frozen=True, slots=True)
class Variant:
    """What kind of learner and pool. Rates are per step, abilities and hardness in logits."""

    name: str = "base"
    pool: int = 2739
    skills: int = 40
    groups: int = 64
    rollouts: int = 8
    start: float = 3.3
    increment: float = 0.55
    gamma_shape: float = 1.0
    level_noise: float = 0.2
    slope: float = 1.0
    instance_noise: float = 0.8
    wrong_keys: float = 0.02
    wrong_key_success: float = 0.002
    broken: float = 0.05
    trivial: float = 0.05
    unlearnable: float = 0.05
    guessable: float = 0.12
    multiplier_deviation: float = 0.5
    own_rate: float = 0.15
    skill_rate: float = 0.0025
    global_rate: float = 4e-5
    own_decay: float = 2e-4
    skill_decay: float = 1e-4
    gain: str = "variance"
    """What teaches: variance, root, any, easy or hard."""
    lag: int = 0
    """Batches served before the outcomes of one are known to the policy."""


BASE = Variant()
VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        BASE,
        replace(BASE, name="steep", slope=0.5),
        replace(BASE, name="flat", slope=2.0),
        replace(BASE, name="uneven", gamma_shape=0.3, level_noise=0.6),
        replace(BASE, name="noisy", instance_noise=1.6, wrong_keys=0.08, wrong_key_success=0.01),
        replace(BASE, name="broken", broken=0.2),
        replace(BASE, name="no-transfer", skill_rate=0.0, global_rate=0.0, own_rate=0.25),
        replace(BASE, name="all-transfer", own_rate=0.0, skill_rate=0.004, global_rate=8e-5),
        replace(BASE, name="weak", start=1.0),
        replace(BASE, name="strong", start=6.5),
        replace(BASE, name="slow", own_rate=0.15 / 3, skill_rate=0.0025 / 3, global_rate=4e-5 / 3),
        replace(BASE, name="fast", own_rate=0.45, skill_rate=0.0075, global_rate=1.2e-4),
        replace(BASE, name="coarse", increment=1.1),
        replace(BASE, name="fine", increment=0.3),
        replace(BASE, name="forgetting", own_decay=2e-3, skill_decay=1e-3),
        replace(BASE, name="heterogeneous", multiplier_deviation=1.0, unlearnable=0.25),
        replace(BASE, name="guess", guessable=0.4),
        replace(BASE, name="large-batch", groups=128, rollouts=16),
        replace(BASE, name="pool-512", pool=512),
        replace(BASE, name="pool-64", pool=64, skills=8),
        replace(BASE, name="late", lag=4),
        replace(BASE, name="gain-root", gain="root"),
        replace(BASE, name="gain-any", gain="any"),
        replace(BASE, name="gain-easy", gain="easy"),
        replace(BASE, name="gain-hard", gain="hard"),
    )
}


def variant(name: str) -> Variant:
    """The variant of that name.

    Raises:
        PolicyError: There is none.
    """
    try:
        return VARIANTS[name]
    except KeyError:
        raise PolicyError(f"there is no learner variant {name!r}; choose one of: {', '.join(VARIANTS)}") from None


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """The environments, as they are in truth. Arrays run over environments."""

    variant: Variant
    tops: Integers
    skill: Integers
    hardness: Floats
    """(environments, levels): logits; entries above the top level are not used."""
    ability: Floats
    """A0, in logits."""
    slope: Floats
    ceiling: Floats
    floor: Floats
    multiplier: Floats
    own_ceiling: Floats
    broken: np.ndarray
    trivial: np.ndarray
    test_levels: Integers
    """(2, environments)."""
    unseen_skill: Integers
    unseen_margin: Floats
    """Ability less hardness at the start, in logits, of the environments of the unseen test."""
    unseen_slope: Floats
    unseen_ceiling: Floats
    unseen_floor: Floats


@dataclass(slots=True, eq=False)
class Learner:
    """What has been learned so far. The only mutable thing here: it belongs to one simulated run."""

    own: Floats
    skill: Floats
    everywhere: float = 0.0


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def ends(kind: Variant, rng: np.random.Generator, count: int) -> tuple[Floats, Floats, Floats]:
    """(slope, ceiling, floor) of some environments."""
    slope = kind.slope * np.exp(0.35 * rng.standard_normal(count))
    ceiling = 1.0 - rng.uniform(0.0, 0.06, count)
    floor = np.where(rng.random(count) < kind.guessable, rng.uniform(0.1, 0.5, count), rng.uniform(0.0, 0.02, count))
    return slope, ceiling, floor


def make_world(kind: Variant, seed: int) -> World:
    """Draw the environments."""
    rng = np.random.default_rng([0x5CA1AB1E, seed])
    count = kind.pool
    shares = np.array(list(RELEASED_TOPS.values()), dtype=np.float64)
    tops = rng.choice(np.array(list(RELEASED_TOPS)), size=count, p=shares / shares.sum())
    levels = int(tops.max()) + 1
    skill = rng.integers(kind.skills, size=count)
    increment = kind.increment * np.exp(0.35 * rng.standard_normal(count))
    steps = rng.gamma(kind.gamma_shape, 1.0 / kind.gamma_shape, (count, levels)) * increment[:, None]
    steps[:, 0] = 0.0
    hardness = np.cumsum(steps, axis=1) + kind.level_noise * rng.standard_normal((count, levels))
    offsets = rng.standard_normal(kind.skills)
    ability = kind.start + offsets[skill] + 2.0 * rng.standard_normal(count)
    slope, ceiling, floor = ends(kind, rng, count)
    deviation = kind.multiplier_deviation
    multiplier = np.exp(deviation * rng.standard_normal(count) - deviation**2 / 2)
    own_ceiling = 2.0 * np.exp(0.5 * rng.standard_normal(count) - 0.125)
    # disjoint: one order, cut into pieces
    cuts = np.cumsum([round(share * count) for share in (kind.broken, kind.trivial, kind.unlearnable)])
    place = rng.permutation(count)
    broken, trivial = place < cuts[0], (place >= cuts[0]) & (place < cuts[1])
    multiplier[(place >= cuts[1]) & (place < cuts[2])] = 0.0
    unseen_skill = rng.integers(kind.skills, size=UNSEEN)
    unseen_increment = kind.increment * np.exp(0.35 * rng.standard_normal(UNSEEN))
    # no ability of their own and no guessing: the test is about what transfer reaches
    unseen_ability = kind.start + offsets[unseen_skill]
    unseen_hardness = np.resize(UNSEEN_HARDNESS, UNSEEN) * unseen_increment
    unseen_ends = ends(replace(kind, guessable=0.0), rng, UNSEEN)
    return World(
        kind, tops, skill, hardness, ability, slope, ceiling, floor, multiplier, own_ceiling, broken, trivial,
        np.round(np.multiply.outer((0.5, 0.8), tops)).astype(np.int64),
        unseen_skill, unseen_ability - unseen_hardness, *unseen_ends,
    )  # fmt: skip


def fresh_learner(world: World) -> Learner:
    """A learner that has practised nothing."""
    return Learner(np.zeros(len(world.tops)), np.zeros(world.variant.skills))


def answer(world: World, learner: Learner, proposals: Sequence[Proposal], rng: np.random.Generator) -> Integers:
    """Right rollouts per group; the learner learns from the step as a whole."""
    kind = world.variant
    e = np.array([proposal.environment for proposal in proposals])
    d = np.array([proposal.level for proposal in proposals])
    count = len(e)
    margin = world.ability[e] + learner.own[e] + learner.skill[world.skill[e]] + learner.everywhere
    margin = margin - world.hardness[e, d] + kind.instance_noise * rng.standard_normal(count)
    solved = sigmoid(margin / world.slope[e])
    span = world.ceiling[e] - world.floor[e]
    success = world.floor[e] + span * solved
    skilled = span * solved * (1.0 - solved) / np.maximum(success * (1.0 - success), 1e-12)
    teaches = ~(world.broken[e] | world.trivial[e])
    success = np.where(world.broken[e], BROKEN_SUCCESS, np.where(world.trivial[e], TRIVIAL_SUCCESS, success))
    wrong_key = rng.random(count) < kind.wrong_keys
    success = np.where(wrong_key & ~world.broken[e], kind.wrong_key_success, success)
    right = rng.binomial(kind.rollouts, success)

    share = right / kind.rollouts
    gain = teaching(kind.gain, share, np.clip(skilled, 0.0, 1.0)) * world.multiplier[e] * (teaches & ~wrong_key)
    own = np.bincount(e, gain, len(world.tops))
    skill = np.bincount(world.skill[e], gain, kind.skills)
    learner.own *= np.where(np.bincount(e, minlength=len(own)) > 0, 1.0, 1.0 - kind.own_decay)
    seen_skills = np.bincount(world.skill[e], minlength=kind.skills) > 0
    learner.skill *= np.where(seen_skills, 1.0, 1.0 - kind.skill_decay)
    learner.own += kind.own_rate * own * np.maximum(1.0 - learner.own / world.own_ceiling, 0.0)
    learner.skill += kind.skill_rate * skill * np.maximum(1.0 - learner.skill / 2.5, 0.0)
    learner.everywhere += kind.global_rate * float(gain.sum()) * max(1.0 - learner.everywhere / 2.0, 0.0)
    return right


def teaching(gain: str, share: Floats, skilled: Floats) -> Floats:
    """What groups with these accuracies teach, before the environment's multiplier."""
    variance = 4.0 * share * (1.0 - share)
    if gain == "root":
        return np.sqrt(variance) * skilled
    if gain == "any":
        return variance
    if gain == "easy":
        return variance * (0.5 + share) * skilled
    if gain == "hard":
        return variance * (1.5 - share) * skilled
    return variance * skilled


def pool_score(world: World, learner: Learner) -> float:
    """Mean success over all environments but the broken, at half and at four fifths of the ladder."""
    margin = world.ability + learner.own + learner.skill[world.skill] + learner.everywhere
    margins = margin - np.take_along_axis(world.hardness, world.test_levels.T, axis=1).T
    success = world.floor + (world.ceiling - world.floor) * sigmoid(margins / world.slope)
    success = np.where(world.trivial, TRIVIAL_SUCCESS, success)
    return float(success[:, ~world.broken].mean())


def unseen_score(world: World, learner: Learner) -> float:
    """Mean success over environments that were never practised."""
    margins = world.unseen_margin + learner.skill[world.unseen_skill] + learner.everywhere
    success = world.unseen_floor + (world.unseen_ceiling - world.unseen_floor) * sigmoid(margins / world.unseen_slope)
    return float(success.mean())

"""The learner model against hand-worked steps."""

from dataclasses import replace

import numpy as np
import pytest

from escalade_server.curriculum import learner
from escalade_server.curriculum.types import PolicyError, Proposal

SMALL = replace(learner.BASE, pool=400, skills=5)


def plain(**changes):
    """A variant without chance but for the answers themselves."""
    return replace(SMALL, instance_noise=0.0, wrong_keys=0.0, **changes)


def usual(world):
    """(environment, level, margin) of one that can be learned, at a level that is neither easy nor hard."""
    for e in range(len(world.tops)):
        if world.broken[e] or world.trivial[e] or world.multiplier[e] == 0 or world.floor[e] > 0.05:
            continue
        margins = world.ability[e] - world.hardness[e, : world.tops[e] + 1]
        level = int(np.abs(margins).argmin())
        if abs(margins[level]) < 0.5:
            return e, level, float(margins[level])
    raise AssertionError("no such environment")


def test_worlds_are_determined_by_their_seed():
    one, same, other = (learner.make_world(SMALL, seed) for seed in (1, 1, 2))
    assert one.hardness.tobytes() == same.hardness.tobytes()
    assert one.hardness.tobytes() != other.hardness.tobytes()


def test_the_pool_is_made_as_specified():
    world = learner.make_world(replace(learner.BASE, pool=4000), 3)
    assert (world.broken.sum(), world.trivial.sum()) == (200, 200)
    unlearnable = world.multiplier == 0
    assert unlearnable.sum() == 200
    assert not (world.broken & world.trivial).any()
    assert not (unlearnable & (world.broken | world.trivial)).any()
    assert set(world.tops.tolist()) <= set(learner.RELEASED_TOPS)
    assert sum(learner.RELEASED_TOPS.values()) == 64
    assert (world.tops == 20).mean() == pytest.approx(11 / 64, abs=0.02)
    assert (world.floor > 0.1).mean() == pytest.approx(0.12, abs=0.02)
    assert world.multiplier[~unlearnable].mean() == pytest.approx(1.0, abs=0.03)
    means = np.array([world.ability[world.skill == skill].mean() for skill in range(40)])
    assert (world.ability - means[world.skill]).std() == pytest.approx(2.0, rel=0.03)
    many = np.array([learner.make_world(SMALL, seed).ability.mean() for seed in range(100)])
    # five skills with offsets of deviation 1: the mean of a world has deviation .45, that of a hundred worlds .045
    assert many.mean() == pytest.approx(3.3, abs=0.2)
    assert many.std() == pytest.approx(0.45, rel=0.3)
    # one increment per level on average: .55 * exp(.35^2 / 2)
    steps = (world.hardness[:, 20] - world.hardness[:, 0]) / 20
    assert steps.mean() == pytest.approx(0.55 * np.exp(0.35**2 / 2), rel=0.03)
    # the first level has no increment, only its own noise
    assert world.hardness[:, 0].std() == pytest.approx(0.2, rel=0.1)


def test_what_a_group_teaches():
    world = learner.make_world(plain(), 1)
    e, level, margin = usual(world)
    pupil = learner.fresh_learner(world)
    (right,) = learner.answer(world, pupil, [Proposal(e, level)], np.random.default_rng(1))
    q = 1 / (1 + np.exp(-margin / world.slope[e]))
    span = world.ceiling[e] - world.floor[e]
    p = world.floor[e] + span * q
    share = right / 8
    assert 0 < share < 1
    gain = 4 * share * (1 - share) * min(1, span * q * (1 - q) / (p * (1 - p))) * world.multiplier[e]
    assert pupil.own[e] == pytest.approx(0.15 * gain)
    assert pupil.skill[world.skill[e]] == pytest.approx(0.0025 * gain)
    assert pupil.everywhere == pytest.approx(4e-5 * gain)
    assert np.count_nonzero(pupil.own) == np.count_nonzero(pupil.skill) == 1


def test_learning_saturates_and_what_is_not_visited_fades():
    world = learner.make_world(plain(), 1)
    e, level, _ = usual(world)
    pupil = learner.fresh_learner(world)
    pupil.own[:] = world.own_ceiling
    pupil.skill[:] = 2.5
    pupil.everywhere = 2.0
    learner.answer(world, pupil, [Proposal(e, level)], np.random.default_rng(1))
    assert pupil.own[e] == world.own_ceiling[e]
    assert pupil.everywhere == 2.0
    others = np.arange(len(pupil.own)) != e
    assert pupil.own[others] == pytest.approx(world.own_ceiling[others] * (1 - 2e-4))
    elsewhere = np.arange(5) != world.skill[e]
    assert pupil.skill[elsewhere] == pytest.approx(np.full(4, 2.5 * (1 - 1e-4)))
    assert pupil.skill[world.skill[e]] == 2.5


def test_broken_trivial_and_wrongly_keyed_groups_teach_nothing():
    world = learner.make_world(plain(), 1)
    asked = [Proposal(int(e), 0) for e in np.flatnonzero(world.broken | world.trivial)]
    pupil = learner.fresh_learner(world)
    right = learner.answer(world, pupil, asked, np.random.default_rng(1))
    assert not pupil.own.any()
    assert not pupil.skill.any()
    broken = world.broken[[p.environment for p in asked]]
    assert right[broken].mean() < 0.2
    assert right[~broken].mean() > 7.5
    wrong = learner.make_world(plain(guessable=0.0), 1)
    wrong = replace(wrong, variant=replace(wrong.variant, wrong_keys=1.0))
    asked = [Proposal(e, 0) for e in range(100)]
    right = learner.answer(wrong, pupil, asked, np.random.default_rng(1))
    assert right.mean() < 0.2
    assert not pupil.own.any()


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        ("variance", 0.75 * 0.5),
        ("root", 0.75**0.5 * 0.5),
        ("any", 0.75),
        ("easy", 0.75 * 1.25 * 0.5),
        ("hard", 0.75 * 0.75 * 0.5),
    ],
)
def test_gains_differ_by_variant(gain, expected):
    assert learner.teaching(gain, np.array([0.75]), np.array([0.5])) == pytest.approx([expected])


def test_the_pool_test_asks_half_and_four_fifths_of_each_ladder_and_leaves_out_the_broken():
    world = learner.make_world(plain(), 1)
    assert world.test_levels[:, world.tops == 25].T.tolist()[0] == [12, 20]
    pupil = learner.fresh_learner(world)
    total, count = 0.0, 0
    for e in np.flatnonzero(~world.broken):
        for level in world.test_levels[:, e]:
            q = 1 / (1 + np.exp(-(world.ability[e] - world.hardness[e, level]) / world.slope[e]))
            total += 0.99 if world.trivial[e] else world.floor[e] + (world.ceiling[e] - world.floor[e]) * q
            count += 1
    assert learner.pool_score(world, pupil) == pytest.approx(total / count)


def test_only_transfer_reaches_the_unseen():
    world = learner.make_world(plain(), 1)
    pupil = learner.fresh_learner(world)
    before = learner.unseen_score(world, pupil)
    pupil.own[:] = 2.0
    assert learner.unseen_score(world, pupil) == before
    pupil.skill[:] = 1.0
    assert learner.unseen_score(world, pupil) > before


def test_an_unknown_variant_is_refused_with_the_known_ones():
    with pytest.raises(PolicyError, match="steep"):
        learner.variant("nonesuch")

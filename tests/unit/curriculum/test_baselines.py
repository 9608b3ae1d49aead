"""RLVE, AdaRFT, learnability, fixed and uniform against hand-worked examples of their sources."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from escalade_server.curriculum import roster
from escalade_server.curriculum.policies import adarft, fixed, learnability, rlve, uniform
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, PoolEntry


def pool(*tops):
    return [PoolEntry(top_level=top) for top in tops]


def group(environment, level, right, cursor=0, scored=8):
    return ClosedGroup(cursor, environment, level, right, scored, 8)


# --- drawing uniformly


def test_a_draw_is_without_replacement_and_uniform():
    opened = roster.open_roster(pool(*[5] * 10), 4)
    counts = np.zeros(10)
    rng = random.Random(1)
    for _ in range(2000):
        drawn = roster.draw(opened, BatchQuery(0, 4, 8), rng)
        assert len(set(drawn)) == 4
        counts[drawn] += 1
    assert counts / 2000 == pytest.approx(np.full(10, 0.4), abs=0.05)


def test_a_small_pool_is_gone_through_evenly():
    drawn = roster.draw(roster.open_roster(pool(5, 5, 5), 8), BatchQuery(0, 8, 8), random.Random(1))
    assert sorted(drawn.count(environment) for environment in range(3)) == [2, 3, 3]


def test_refills_take_whom_the_batch_does_not_hold():
    state = uniform.start(pool(*[5] * 9), 3, {})
    everything = []
    for _ in range(3):
        proposals, state = uniform.propose(state, BatchQuery(4, 3, 8), random.Random(1))
        everything += [p.environment for p in proposals]
    assert sorted(everything) == list(range(9))
    proposals, state = uniform.propose(state, BatchQuery(5, 9, 8), random.Random(1))
    assert sorted(p.environment for p in proposals) == list(range(9))


def test_refills_after_the_next_batch_take_whom_their_own_batch_does_not_hold():
    state = uniform.start(pool(*[5] * 9), 3, {})
    held = {4: [], 5: []}
    for cursor in (4, 5, 4, 5, 4):
        proposals, state = uniform.propose(state, BatchQuery(cursor, 3, 8), random.Random(1))
        held[cursor] += [p.environment for p in proposals]
    assert sorted(held[4]) == list(range(9))
    assert len(set(held[5])) == 6


# --- uniform and fixed


def test_uniform_levels_cover_the_ladder_evenly():
    state, rng = uniform.start(pool(3), 1, {}), random.Random(1)
    counts = [0] * 4
    for cursor in range(4000):
        (proposal,), state = uniform.propose(state, BatchQuery(cursor, 1, 8), rng)
        counts[proposal.level] += 1
    assert counts == pytest.approx([1000] * 4, rel=0.1)


@pytest.mark.parametrize(("top", "level"), [(0, 0), (15, 4), (20, 6), (25, 8), (29, 9)])
def test_fixed_takes_its_share_of_each_ladder(top, level):
    # .3 * 15 = 4.5 and .3 * 25 = 7.5 round to even
    (proposal,), _ = fixed.propose(fixed.start(pool(top), 1, {}), BatchQuery(0, 1, 8), random.Random(1))
    assert proposal.level == level


@pytest.mark.parametrize("policy", [fixed, uniform])
def test_what_is_observed_changes_nothing_but_what_people_see(policy):
    state = policy.start(pool(9, 9), 1, {})
    after = policy.observe(state, [group(1, 2, 6), group(1, 2, 8, scored=8), group(0, 2, 1, scored=3)])
    assert (
        policy.propose(after, BatchQuery(0, 2, 8), random.Random(3))[0]
        == (policy.propose(state, BatchQuery(0, 2, 8), random.Random(3))[0])
    )
    assert (policy.view(after, 1).visits, policy.view(after, 1).accuracy) == (2, 1.0)
    assert (policy.view(after, 0).visits, policy.view(after, 0).accuracy) == (0, None)


# --- RLVE


def test_the_window_rises_after_eight_good_prompts_at_its_upper_end():
    state = rlve.start(pool(10), 1, {})
    # 58 of 64 is .906
    state = rlve.observe(state, [group(0, 0, right) for right in (8, 8, 8, 8, 8, 8, 5)])
    assert state.controllers[0] == rlve.Controller(0, 7, 53, 56)
    assert rlve.observe(state, [group(0, 0, 5)]).controllers[0] == rlve.Controller(1, 0, 0, 0)
    # 57 of 64 is .891: the count starts again all the same
    assert rlve.observe(state, [group(0, 0, 4)]).controllers[0] == rlve.Controller(0, 0, 0, 0)


def test_only_the_upper_end_counts_and_it_never_falls():
    state = rlve.start(pool(10), 1, {})
    state = rlve.observe(state, [group(0, 0, 8)] * 8)
    state = rlve.observe(state, [group(0, 0, 0)] * 20)
    assert state.controllers[0] == rlve.Controller(1, 0, 0, 0)
    state = rlve.observe(state, [group(0, 1, 0)] * 20)
    assert state.controllers[0].highest == 1


def test_the_window_is_the_last_four_levels_and_ends_with_the_ladder():
    state = replace(rlve.start(pool(9), 1, {}), controllers=(rlve.Controller(7),))
    rng = random.Random(1)
    levels = {rlve.propose(state, BatchQuery(c, 1, 8), rng)[0][0].level for c in range(100)}
    assert levels == {4, 5, 6, 7}
    state = replace(state, controllers=(rlve.Controller(9),))
    assert rlve.observe(state, [group(0, 9, 8)] * 8).controllers[0].highest == 9


# --- AdaRFT


def test_the_target_moves_by_the_mean_accuracy_of_the_batch():
    state = adarft.start(pool(20, 10), 2, {})
    proposals, state = adarft.propose(state, BatchQuery(0, 2, 8), random.Random(1))
    assert [p.level for p in proposals] == [0, 0]
    state = adarft.observe(state, [group(0, 0, 8), group(1, 0, 8)])
    assert state.target == pytest.approx(50 * math.tanh(1.0))  # 38.08
    proposals, state = adarft.propose(state, BatchQuery(1, 2, 8), random.Random(1))
    assert {p.environment: p.level for p in proposals} == {0: 8, 1: 4}
    # 5 of 8 and 1 of 8: R = 6/16
    state = adarft.observe(state, [group(0, 8, 5, 1), group(1, 4, 1, 1)])
    assert state.target == pytest.approx(50 * math.tanh(1.0) + 50 * math.tanh(-0.25))


def test_the_target_is_clipped():
    state = adarft.start(pool(20), 1, {"start": 90.0})
    _, state = adarft.propose(state, BatchQuery(0, 1, 8), random.Random(1))
    assert adarft.observe(state, [group(0, 18, 8)]).target == 100.0


def test_the_target_waits_for_the_last_group_of_its_own_batch_only():
    state = adarft.start(pool(20, 20, 20), 2, {})
    first, state = adarft.propose(state, BatchQuery(0, 2, 8), random.Random(1))
    second, state = adarft.propose(state, BatchQuery(1, 2, 8), random.Random(1))
    state = adarft.observe(state, [group(first[0].environment, 0, 8, 0)])
    assert state.target == 0.0
    state = adarft.observe(state, [group(p.environment, 0, 8, 1) for p in second])
    assert state.target == pytest.approx(50 * math.tanh(1.0))
    # the straggler is retired: its batch is complete without it
    state = adarft.retire(state, first[1].environment)
    assert state.target == pytest.approx(100 * math.tanh(1.0))
    assert state.sums == {}


def test_unscored_groups_do_not_count_as_wrong():
    state = adarft.start(pool(20, 20), 2, {})
    proposals, state = adarft.propose(state, BatchQuery(0, 2, 8), random.Random(1))
    groups = [group(proposals[0].environment, 0, 8), group(proposals[1].environment, 0, 0, scored=0)]
    assert adarft.observe(state, groups).target == pytest.approx(50 * math.tanh(1.0))


# --- learnability


def test_counts_fade_at_each_visit_and_the_posterior_adds_one():
    state = learnability.start(pool(5), 1, {"width": 0.01})
    state = learnability.observe(state, [group(0, 2, 6)])
    state = learnability.observe(state, [group(0, 2, 4, cursor=1)])
    right, wrong = 0.7 * 6 + 4, 0.7 * 2 + 4
    assert state.rows[0][:, 2] == pytest.approx([right, wrong])
    assert learnability.posterior(state.rows[0], state.constants)[:, 2] == pytest.approx([1 + right, 1 + wrong])
    assert learnability.posterior(state.rows[0], state.constants)[:, 3] == pytest.approx([1, 1])


def test_groups_of_one_visit_fade_the_past_once():
    state = learnability.start(pool(5), 2, {})
    _, state = learnability.propose(state, BatchQuery(0, 2, 8), random.Random(1))
    state = learnability.observe(state, [group(0, 0, 6), group(0, 1, 8)])
    assert state.rows[0][:, :2].tolist() == [[6, 8], [2, 0]]


def test_neighbouring_levels_share_counts_by_a_kernel():
    state = learnability.observe(learnability.start(pool(5), 1, {}), [group(0, 2, 8)])
    near = 8 * math.exp(-0.5 * (1 / 1.5) ** 2)
    assert learnability.posterior(state.rows[0], state.constants)[:, 3] == pytest.approx([1 + near, 1])


def test_the_best_level_has_the_greatest_expected_variance():
    state = learnability.start(pool(2), 1, {"width": 0.01, "keep": 1.0})
    # untouched: 1 * 1 / (2 * 3); half right at level 1: 5 * 5 / (10 * 11) is more
    state = learnability.observe(state, [group(0, 1, 4)])
    assert state.bests[0] == (1, pytest.approx(25 / 110))
    # all right at levels 0 and 1 leaves the untouched level 2
    other = learnability.start(pool(2), 1, {"width": 0.01})
    other = learnability.observe(other, [group(0, 0, 8), group(0, 1, 8, cursor=1)])
    assert other.bests[0] == (2, pytest.approx(1 / 6))


def test_environments_are_drawn_in_proportion():
    state = learnability.start(pool(0, 0), 1, {})
    state = replace(state, bests=((0, 0.2), (0, 0.05)))
    rng = random.Random(1)
    first = [learnability.propose(state, BatchQuery(c, 1, 8), rng)[0][0].environment for c in range(3000)]
    assert first.count(0) / 3000 == pytest.approx(0.8, abs=0.03)

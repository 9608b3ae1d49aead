"""The paper's algorithm, weaknesses included, against hand-worked examples."""

import random
from dataclasses import replace

import pytest

from escalade_server.curriculum.policies import scaler
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, PolicyError, PoolEntry


def pool(count, top=10):
    return [PoolEntry(top_level=top) for _ in range(count)]


def query(cursor, groups, rollouts=8):
    return BatchQuery(cursor=cursor, groups=groups, rollouts=rollouts)


def answer(cursor, proposals, right, rollouts=8):
    return [ClosedGroup(cursor, p.environment, p.level, right, rollouts, rollouts) for p in proposals]


def with_controller(state, environment, **changes):
    controllers = list(state.controllers)
    controllers[environment] = replace(controllers[environment], **changes)
    return replace(state, controllers=tuple(controllers))


def test_the_first_batch_is_the_first_environments_at_level_zero():
    state = scaler.start(pool(9), 4, {})
    proposals, _ = scaler.propose(state, query(0, 4), random.Random(1))
    assert sorted((p.environment, p.level) for p in proposals) == [(0, 0), (1, 0), (2, 0), (3, 0)]


def test_a_small_pool_fills_the_slots_several_times_over_and_merges():
    state = scaler.start(pool(2), 8, {})
    assert state.slots == (0, 1, 0, 1, 0, 1, 0, 1)
    proposals, _ = scaler.propose(state, query(0, 8), random.Random(1))
    assert sorted(p.environment for p in proposals) == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_level_rises_one_per_perfect_visit():
    state = scaler.start(pool(1), 1, {})
    rng = random.Random(1)
    for cursor in range(3):
        proposals, state = scaler.propose(state, query(cursor, 1), rng)
        assert proposals[0].level == cursor
        state = scaler.observe(state, answer(cursor, proposals, 8))
    assert state.controllers[0].level == 3.0
    assert state.controllers[0].levels == (0.0, 1.0, 2.0)


def test_the_mean_runs_over_all_rollouts_of_the_step():
    state = with_controller(scaler.start(pool(1), 2, {}), 0, level=4.5)
    proposals, state = scaler.propose(state, query(0, 2), random.Random(1))
    assert sorted(p.level for p in proposals) == [4, 5]
    # 8 of 8 and 1 of 4: mean 9/12, not the mean of the two accuracies
    groups = [ClosedGroup(0, 0, 4, 8, 8, 8), ClosedGroup(0, 0, 5, 1, 4, 8)]
    waiting = scaler.observe(state, groups[:1])
    assert waiting.controllers == state.controllers
    done = scaler.observe(waiting, groups[1:])
    assert done.controllers[0].accuracies == (0.75,)
    assert done.controllers[0].level == 5.0


def test_a_step_with_too_few_scored_rollouts_moves_nothing():
    state = scaler.start(pool(1), 1, {})
    proposals, state = scaler.propose(state, query(0, 1), random.Random(1))
    after = scaler.observe(state, [ClosedGroup(0, 0, proposals[0].level, 3, 3, 8)])
    assert after.controllers == state.controllers
    assert after.ledger == {}


def test_five_zeros_in_a_row_evict_only_from_the_sixth_visit_on():
    state = scaler.start(pool(3), 1, {})
    rng = random.Random(1)
    for cursor in range(6):
        proposals, state = scaler.propose(state, query(cursor, 1), rng)
        assert proposals[0].environment == 0
        state = scaler.observe(state, answer(cursor, proposals, 0))
    proposals, state = scaler.propose(state, query(6, 1), rng)
    assert proposals[0].environment != 0
    assert state.controllers[0].left_because == "all wrong"


def test_an_eviction_clears_the_histories_and_keeps_the_level():
    state = with_controller(
        scaler.start(pool(3), 1, {}), 0, level=7.5, levels=(10.0,) * 6, accuracies=(0.25,) * 6, visits=6
    )
    _, state = scaler.propose(state, query(9, 1), random.Random(1))
    left = state.controllers[0]
    assert (left.level, left.levels, left.accuracies, left.left, left.left_because) == (7.5, (), (), 9, "at the top")


def test_accuracy_at_the_top_is_ignored():
    # at the top five times running and still failing three of four: evicted as if mastered
    state = with_controller(scaler.start(pool(3), 1, {}), 0, levels=(9.0,) + (10.0,) * 5, accuracies=(0.25,) * 6)
    assert scaler.leaving_because(state, state.controllers[0], 0) == "at the top"


def test_a_stable_half_is_evicted_for_lack_of_progress():
    state = scaler.start(pool(3), 1, {})
    rng = random.Random(1)
    state = with_controller(state, 0, level=3.0)
    for cursor in range(10):
        proposals, state = scaler.propose(state, query(cursor, 1), rng)
        assert proposals[0].environment == 0
        state = scaler.observe(state, answer(cursor, proposals, 4))
    proposals, state = scaler.propose(state, query(10, 1), rng)
    assert proposals[0].environment != 0
    assert state.controllers[0].left_because == "no progress"


def test_a_rising_level_stays():
    state = with_controller(
        scaler.start(pool(3), 1, {}), 0, levels=tuple(i / 8 for i in range(10)), accuracies=(0.6,) * 10
    )
    proposals, _ = scaler.propose(state, query(0, 1), random.Random(1))
    assert proposals[0].environment == 0


def test_a_replacement_may_duplicate_an_active_environment_and_the_batch_spreads_over_the_distinct_ones():
    # slot 0 of two leaves; of the two others one is active already
    state = with_controller(scaler.start(pool(3), 2, {}), 0, accuracies=(0.0,) * 6)
    slots = set()
    for seed in range(20):
        proposals, after = scaler.propose(state, query(0, 6), random.Random(seed))
        slots.add(after.slots)
        environments = [p.environment for p in proposals]
        assert len(proposals) == 6
        assert {environments.count(e) for e in set(environments)} == {6 // len(set(environments))}
    assert slots == {(1, 1), (2, 1)}


def test_a_duplicate_s_second_slot_sees_the_cleared_history_and_stays():
    state = with_controller(scaler.start(pool(3), 2, {}), 0, accuracies=(0.0,) * 6)
    state = replace(state, slots=(0, 0))
    _, after = scaler.propose(state, query(0, 2), random.Random(1))
    assert after.slots[0] != 0
    assert after.slots[1] == 0


def test_groups_that_do_not_divide_go_to_a_random_few():
    state = scaler.start(pool(9), 4, {})
    favoured = set()
    for seed in range(20):
        proposals, _ = scaler.propose(state, query(0, 6), random.Random(seed))
        counts = [[p.environment for p in proposals].count(e) for e in range(4)]
        assert sorted(counts) == [1, 1, 2, 2]
        favoured.add(tuple(counts))
    assert len(favoured) > 1


def test_refills_of_the_same_batch_keep_the_active_set():
    state = scaler.start(pool(9), 2, {})
    rng = random.Random(1)
    _, state = scaler.propose(state, query(0, 2), rng)
    state = with_controller(state, 0, accuracies=(0.0,) * 6)
    _, refilled = scaler.propose(state, query(0, 2), rng)
    assert refilled.slots == (0, 1)
    _, following = scaler.propose(state, query(1, 2), rng)
    assert following.slots[0] != 0


def test_refills_after_the_next_batch_keep_the_active_set():
    state = scaler.start(pool(9), 2, {})
    rng = random.Random(1)
    for cursor in (0, 1):
        _, state = scaler.propose(state, query(cursor, 2), rng)
    state = with_controller(state, 0, accuracies=(0.0,) * 6)
    _, refilled = scaler.propose(state, query(0, 2), rng)
    assert refilled.slots == (0, 1)
    _, refilled = scaler.propose(refilled, query(1, 2), rng)
    assert refilled.slots == (0, 1)
    _, following = scaler.propose(refilled, query(2, 2), rng)
    assert following.slots[0] != 0


def test_a_retired_environment_leaves_at_once_even_from_a_refill():
    state = scaler.start(pool(9), 2, {})
    rng = random.Random(1)
    _, state = scaler.propose(state, query(0, 2), rng)
    proposals, state = scaler.propose(scaler.retire(state, 1), query(0, 2), rng)
    assert 1 not in {p.environment for p in proposals}
    assert 1 not in state.slots
    assert not scaler.view(state, 1).active


def test_levels_start_at_zero_and_coverage_is_partial():
    """1,000 steps cover well under the whole pool: uniform replacement revisits."""
    state = scaler.start(pool(300, top=20), 16, {})
    rng = random.Random(3)
    seen = set()
    for cursor in range(120):
        proposals, state = scaler.propose(state, query(cursor, 16), rng)
        seen |= {p.environment for p in proposals}
        groups = [
            ClosedGroup(cursor, p.environment, p.level, sum(rng.random() < 0.5 for _ in range(8)), 8, 8)
            for p in proposals
        ]
        state = scaler.observe(state, groups)
    assert 16 < len(seen) < 300


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"speed": 1.0}, "no constant 'speed'"),
        ({"history": 2.5}, "'history'.*integer"),
        ({"history": 1}, r"'history'.*\[2, 1000\]"),
        ({"target": float("nan")}, "'target'.*finite"),
        ({"target": True}, "'target'.*number"),
    ],
)
def test_bad_constants_are_refused_by_name(constants, message):
    with pytest.raises(PolicyError, match=message):
        scaler.start(pool(2), 2, constants)


def test_constants_take_effect():
    state = scaler.start(pool(1), 1, {"gain": 1.0, "target": 0.25})
    proposals, state = scaler.propose(state, query(0, 1), random.Random(1))
    state = scaler.observe(state, answer(0, proposals, 4))
    assert state.controllers[0].level == 0.25

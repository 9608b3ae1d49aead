"""The repaired staircase against hand-worked examples."""

import random
from dataclasses import replace

import pytest

from escalade_server.curriculum.policies import staircase
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, PoolEntry


def pool(count, top=30):
    return [PoolEntry(top_level=top) for _ in range(count)]


def with_controller(state, environment, **changes):
    controllers = list(state.controllers)
    controllers[environment] = replace(controllers[environment], **changes)
    return replace(state, controllers=tuple(controllers))


def visit(state, cursor, right, groups=1, seed=1):
    """One batch in which every group has this many right of 8."""
    proposals, state = staircase.propose(state, BatchQuery(cursor, groups, 8), random.Random(seed))
    closed = [ClosedGroup(cursor, p.environment, p.level, right, 8, 8) for p in proposals]
    return proposals, staircase.observe(state, closed)


def levels_after(start, answers, top=30, **constants):
    state = staircase.start(pool(1, top), 1, constants)
    _, state = staircase.propose(state, BatchQuery(99, 1, 8), random.Random(1))
    state = with_controller(state, 0, level=float(start))
    levels = []
    for cursor, right in enumerate(answers):
        _, state = visit(state, cursor, right)
        levels.append(state.controllers[0].level)
    return levels


def test_the_search_doubles_its_step_up_to_six():
    assert levels_after(0, [8, 8, 8, 8, 8, 8]) == [1, 3, 7, 13, 19, 25]


def test_the_search_ends_at_the_first_reversal_for_good():
    # up 1, up 2, up 4; then all wrong: back by the paper's one level, and never doubling again
    assert levels_after(0, [8, 8, 8, 0, 0, 0]) == [1, 3, 7, 6, 5, 4]


def test_the_search_ends_when_the_error_is_small():
    # 6 of 8: error .25, a step of .5 by the paper's rule
    assert levels_after(4, [8, 6, 8]) == [5, 5.5, 6.5]


def test_seven_of_eight_still_searches():
    assert levels_after(4, [7, 7]) == [5, 7]


def test_levels_stay_on_the_ladder():
    assert levels_after(3, [8, 8, 8], top=5) == [4, 5, 5]
    assert levels_after(2, [0, 0, 0], flat_groups=100) == [1, 0, 0]


def test_levels_between_two_are_rounded_at_random_in_proportion():
    state = staircase.start(pool(1), 1, {})
    _, state = staircase.propose(state, BatchQuery(0, 1, 8), random.Random(1))
    state = with_controller(state, 0, level=4.25)
    proposals, _ = staircase.propose(state, BatchQuery(1, 4000, 8), random.Random(1))
    levels = [p.level for p in proposals]
    assert set(levels) == {4, 5}
    assert levels.count(5) / 4000 == pytest.approx(0.25, abs=0.03)


def test_the_first_start_at_zero_and_later_ones_at_the_median_of_the_visited():
    state = staircase.start([*pool(4), PoolEntry(3), *pool(3)], 3, {"stay": 1})
    proposals, state = visit(state, 0, 8, groups=3)
    assert sorted((p.environment, p.level) for p in proposals) == [(0, 0), (1, 0), (2, 0)]
    for environment, level in ((0, 2.0), (1, 7.0), (2, 9.0)):
        state = with_controller(state, environment, level=level)
    proposals, state = visit(state, 1, 8, groups=3)
    # environment 4 has a short ladder
    assert sorted((p.environment, p.level) for p in proposals) == [(3, 7), (4, 3), (5, 7)]


def test_replacement_is_first_in_first_out_after_a_full_stay():
    state = staircase.start(pool(5), 2, {"stay": 2})
    seen = []
    for cursor in range(10):
        proposals, state = visit(state, cursor, 4, groups=2)
        seen.append(sorted(p.environment for p in proposals))
    assert seen == [[0, 1], [0, 1], [2, 3], [2, 3], [0, 4], [0, 4], [1, 2], [1, 2], [3, 4], [3, 4]]


def test_without_anybody_waiting_a_full_stay_goes_on():
    state = staircase.start(pool(2), 2, {"stay": 1})
    for cursor in range(3):
        proposals, state = visit(state, cursor, 4, groups=2)
        assert sorted(p.environment for p in proposals) == [0, 1]


def test_three_all_wrong_groups_at_level_zero_rest_twice_as_long_each_time():
    state = staircase.start(pool(2), 1, {"rest": 10})
    for cursor in range(3):
        proposals, state = visit(state, cursor, 0)
        assert proposals[0].environment == 0
    proposals, state = visit(state, 3, 4)
    assert proposals[0].environment == 1
    rested = state.controllers[0]
    assert (rested.rests, rested.resting_until, rested.left_because) == (1, 4 + 10, "all wrong at level 0")
    assert staircase.view(state, 0).details["suspect"]
    again = with_controller(replace(state, slots=(0,), queue=(1,)), 0, zeros=3)
    again = staircase.review(again, 4)
    assert again.controllers[0].resting_until == again.step + 20


def test_three_all_right_groups_at_the_top_rest_too():
    state = staircase.start(pool(2, top=0), 1, {})
    for cursor in range(3):
        _, state = visit(state, cursor, 8)
    _, state = visit(state, 3, 8)
    assert state.controllers[0].left_because == "all right at the top"
    assert state.slots == (1,)


def test_a_wrong_group_above_level_zero_or_a_right_one_between_starts_the_count_again():
    state = staircase.start(pool(1, top=5), 1, {})
    _, state = staircase.propose(state, BatchQuery(0, 3, 8), random.Random(1))
    groups = [ClosedGroup(0, 0, 0, right, 8, 8) for right in (0, 1, 0)]
    state = staircase.observe(state, groups)
    assert state.controllers[0].zeros == 0


def test_a_resting_environment_returns_when_its_rest_is_over():
    state = staircase.start(pool(2), 1, {"rest": 5, "stay": 3})
    served = []
    for cursor in range(14):
        (proposal,), state = staircase.propose(state, BatchQuery(cursor, 1, 8), random.Random(1))
        served.append(proposal.environment)
        right = 0 if proposal.environment == 0 else 4
        state = staircase.observe(state, [ClosedGroup(cursor, proposal.environment, proposal.level, right, 8, 8)])
    # three visits, a rest begun at step 4 that ends at step 9, then again
    assert served == [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1]


def test_when_everybody_rests_the_least_rested_serves_rather_than_nobody():
    state = staircase.start(pool(1, top=0), 1, {})
    for cursor in range(8):
        proposals, state = visit(state, cursor, 8)
        assert len(proposals) == 1


def test_the_active_set_never_holds_an_environment_twice():
    state = staircase.start(pool(30, top=6), 8, {"stay": 3, "rest": 4})
    world = random.Random(5)
    for cursor in range(80):
        proposals, state = staircase.propose(state, BatchQuery(cursor, 8, 8), world)
        assert len(set(state.slots)) == len(state.slots) <= 8
        assert set(state.slots).isdisjoint(state.queue)
        assert len(state.slots) + len(state.queue) == 30
        closed = [ClosedGroup(cursor, p.environment, p.level, world.choice([0, 4, 8]), 8, 8) for p in proposals]
        state = staircase.observe(state, closed)


def test_refills_review_nothing_but_replace_the_retired():
    state = staircase.start(pool(5), 2, {"stay": 1})
    _, state = visit(state, 0, 4, groups=2)
    proposals, state = staircase.propose(state, BatchQuery(0, 2, 8), random.Random(1))
    assert {p.environment for p in proposals} == {0, 1}
    proposals, state = staircase.propose(staircase.retire(state, 1), BatchQuery(0, 2, 8), random.Random(1))
    assert {p.environment for p in proposals} == {0, 2}
    assert state.step == 1


def test_refills_after_the_next_batch_begin_no_batch():
    state = staircase.start(pool(50), 4, {})
    for cursor in (0, 1, 0, 1, 0, 1):
        _, state = staircase.propose(state, BatchQuery(cursor, 4, 8), random.Random(1))
    assert state.step == 2

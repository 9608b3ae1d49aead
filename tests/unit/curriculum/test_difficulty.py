"""The paper's difficulty controller against hand-worked examples."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade_server.curriculum.difficulty import move_level, slope, split_level, top_run, zero_run


@pytest.mark.parametrize(
    ("level", "groups", "expected"),
    [
        (3.0, 4, [3, 3, 3, 3]),
        (3.25, 4, [3, 3, 3, 4]),
        (0.5, 1, [0]),  # round(.5) = 0: halves go to even
        (1.5, 3, [1, 2, 2]),  # round(1.5) = 2
        (2.5, 5, [2, 2, 2, 3, 3]),  # round(2.5) = 2
        (2.9, 2, [3, 3]),
    ],
)
def test_a_continuous_level_splits_into_its_neighbours_with_bankers_rounding(level, groups, expected):
    assert sorted(split_level(level, groups, random.Random(1))) == expected


def test_split_levels_are_shuffled():
    orders = {tuple(split_level(1.5, 4, random.Random(seed))) for seed in range(40)}
    assert len(orders) > 1


@given(st.floats(0, 30), st.integers(1, 64), st.integers(0, 9))
def test_split_levels_stay_within_one_of_the_level(level, groups, seed):
    levels = split_level(level, groups, random.Random(seed))
    assert len(levels) == groups
    assert all(abs(proposed - level) < 1 for proposed in levels)


@pytest.mark.parametrize(
    ("level", "accuracy", "expected"),
    [
        (4.0, 0.5, 4.0),
        (4.0, 0.75, 4.5),
        (4.0, 1.0, 5.0),  # gain 2 reaches the cap of one level exactly at the ends
        (4.0, 0.0, 3.0),
        (0.25, 0.0, 0.0),
        (9.75, 1.0, 10.0),
    ],
)
def test_a_level_moves_by_twice_the_error_at_most_one_and_stays_on_the_ladder(level, accuracy, expected):
    assert move_level(level, accuracy, 10) == expected


def test_the_cap_holds_for_larger_gains():
    assert move_level(4.0, 0.875, 10, gain=8.0) == 5.0


def test_runs_stop_before_the_oldest_entry():
    # five zeros that are the whole history count four: the paper's scan never reads index 0
    assert zero_run((0.0,) * 5) == 4
    assert zero_run((0.0,) * 6) == 5
    assert zero_run((0.0, 0.0, 0.25, 0.0, 0.0)) == 2
    assert zero_run(()) == 0
    assert top_run((7.0,) * 5, 7) == 4
    assert top_run((7.0,) * 6, 7) == 5
    assert top_run((7.0, 7.0, 6.5, 7.0), 7) == 1


def test_the_slope_is_one_until_the_history_is_full():
    assert slope((5.0,) * 9, 10) == 1.0
    assert slope((5.0,) * 10, 10) == 0.0


def test_the_slope_is_the_least_squares_slope():
    assert slope(tuple(float(i) for i in range(10)), 10) == 1.0
    assert slope((0.0, 1.0, 0.0), 3) == 0.0
    # x = -1.5, -.5, .5, 1.5; y = 1, 2, 2, 5: sum xy = -1.5 - 1 + 1 + 7.5 = 6; sum xx = 5
    assert slope((1.0, 2.0, 2.0, 5.0), 4) == pytest.approx(1.2)


@given(st.floats(0, 30), st.integers(2, 20))
def test_a_flat_history_has_slope_zero_exactly(level, length):
    assert slope((level,) * length, length) == 0.0

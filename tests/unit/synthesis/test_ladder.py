"""Ladders go up, start at the minimum, end where they should, and stay within thirty levels."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from escalade_server.problems.definition import Parameter
from escalade_server.synthesis.ladder import (
    LEAST_RATIO,
    MAX_LEVELS,
    assignment_at,
    ladder_to,
    largest_fitting,
    largest_scale,
    narrowed,
    not_increasing,
    shrinking,
    spaced,
)


@st.composite
def parameter_sets(draw):
    names = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True))
    made = {}
    for name in names:
        minimum = draw(st.integers(-5, 50))
        span = draw(st.integers(0, 10**6))
        base = draw(st.sampled_from([1.0, 0.5, 2.0, 0.01, 3.7]))
        made[name] = Parameter(minimum=minimum, maximum=minimum + span, base=base)
    return made


@given(st.integers(0, 10**9), st.integers(1, 40))
def test_steps_are_different_in_order_and_reach_both_ends(top, most):
    steps = spaced(top, most)
    assert steps == sorted(set(steps))
    assert len(steps) <= most
    assert steps[0] == 0
    assert most == 1 or steps[-1] == top


def ratios(steps):
    return [upper / lower for lower, upper in pairwise(steps[10:])]


def test_small_ranges_are_spaced_evenly_and_large_ones_by_ratio():
    assert spaced(12) == list(range(13))
    assert {upper - lower for lower, upper in pairwise(spaced(58))} == {2}
    assert all(LEAST_RATIO - 0.1 < ratio < LEAST_RATIO + 0.2 for ratio in ratios(spaced(400)))
    assert MAX_LEVELS - 5 < len(spaced(10**6)) <= MAX_LEVELS
    assert all(1.2 < ratio < 2.2 for ratio in ratios(spaced(10**6)))


@given(parameter_sets(), st.integers(0, 10**7))
def test_a_ladder_goes_up_from_the_minimum_to_the_scale(parameters, scale):
    scale = min(scale, largest_scale(parameters))
    ladder = ladder_to(parameters, scale)
    assert not_increasing(ladder) == []
    assert len(ladder) <= MAX_LEVELS
    assert ladder[-1] == assignment_at(parameters, scale)
    if len(ladder) > 1:
        assert ladder[0] == assignment_at(parameters, 0)


@given(parameter_sets())
def test_the_largest_scale_is_the_first_at_which_all_have_their_maximum(parameters):
    scale = largest_scale(parameters)
    top = {name: one.maximum for name, one in parameters.items()}
    assert assignment_at(parameters, scale) == top
    assert scale == 0 or assignment_at(parameters, scale - 1) != top


def test_parameters_grow_together_by_their_base():
    parameters = {"n": Parameter(minimum=1, maximum=1_000), "m": Parameter(minimum=0, maximum=2_000, base=2.0)}
    assert all(level["m"] == 2 * (level["n"] - 1) for level in ladder_to(parameters, 999))


@given(parameter_sets(), st.floats(0, 1e7))
def test_bisection_finds_what_trying_everything_would(parameters, budget):
    def measure(assignment):
        return sum(abs(value) ** 0.5 + value for value in assignment.values() if value > 0)

    asked = []

    def counting(assignment):
        asked.append(measure(assignment))
        return asked[-1]

    scale = largest_fitting(parameters, budget, counting)
    most = largest_scale(parameters)
    if scale is None:
        assert measure(assignment_at(parameters, 0)) > budget
    else:
        assert measure(assignment_at(parameters, scale)) <= budget
        assert scale == most or measure(assignment_at(parameters, scale + 1)) > budget
    assert len(asked) <= 2 * math.log2(most + 2) + 3


def test_nothing_much_larger_than_what_fits_is_measured():
    asked = []

    def measure(assignment):
        asked.append(assignment["n"])
        return assignment["n"]

    assert largest_fitting({"n": Parameter(minimum=0, maximum=10**9)}, 1_000, measure) == 1_000
    assert max(asked) <= 2_048


def test_parameters_are_narrowed_to_the_ladder():
    wide = {"n": Parameter(minimum=1, maximum=10**6)}
    assert narrowed(wide, {"n": 40}) == {"n": Parameter(minimum=1, maximum=40)}


def test_levels_that_are_no_step_up_are_found():
    ladder = [{"n": 1, "m": 1}, {"n": 2, "m": 1}, {"n": 2, "m": 1}, {"n": 3, "m": 0}, {"n": 3, "m": 5}]
    assert not_increasing(ladder) == [2, 3]


def test_inputs_that_shrink_beyond_chance_are_found():
    assert shrinking([[10, 12], [20, 22], [], [9, 11], [30, 30]]) == [3]
    assert shrinking([[10, 20, 30, 40], [12, 18, 31, 38]]) == []
    assert shrinking([]) == []

"""Grid-Bayes' mathematics against hand-worked values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade_server.curriculum import belief

WIDE, NARROW = 3, 0
"""Places of w = 4.8 and w = .6."""


def place(w, f, m):
    """Index of the state nearest to (w, f, m)."""
    grid = (
        int(np.abs(belief.WIDTHS - w).argmin()),
        int(np.abs(belief.FLOORS - f).argmin()),
        int(np.abs(belief.HALF_WAY - m).argmin()),
    )
    return int(np.ravel_multi_index(grid, belief.SHAPE))


def certain(state):
    one = np.zeros(belief.STATES)
    one[state] = 1.0
    return one


def test_the_grid_is_that_of_the_specification():
    assert belief.STATES == 498
    assert (len(belief.HALF_WAY), belief.HALF_WAY[0], belief.HALF_WAY[-1]) == (62, -8.0, 37.75)
    assert belief.WIDTHS.tolist() == [0.6, 1.2, 2.4, 4.8]
    assert belief.FLOORS.tolist() == [0.0, 0.3]


def test_success_half_way_is_half_of_what_is_not_guessed():
    success = belief.tables(29, 0.0).mean_success
    assert success[10, place(1.2, 0.0, 10.0)] == pytest.approx(0.985 / 2)
    assert success[10, place(1.2, 0.3, 10.0)] == pytest.approx(0.3 + 0.685 / 2)
    # one width below the middle is one logit: .985 / (1 + e^-1)
    assert success[4, place(2.4, 0.0, 6.25)] == pytest.approx(0.985 / (1 + math.exp(-2.25 / 2.4)))
    assert success[29, place(0.6, 0.0, -8.0)] == pytest.approx(0.004)
    assert success[:, belief.BROKEN] == pytest.approx(0.004)
    assert success[:, belief.TRIVIAL] == pytest.approx(0.985)


def test_instance_noise_is_averaged_with_five_gauss_hermite_nodes():
    known = belief.tables(29, 0.5)
    nodes = [-2.8569700138728056, -1.3556261799742659, 0.0, 1.3556261799742659, 2.8569700138728056]
    weights = [0.011257411327720690, 0.2220759220056126, 8 / 15, 0.2220759220056126, 0.011257411327720690]
    assert known.weights == pytest.approx(weights)
    expected = sum(w * 0.985 / (1 + math.exp(-((10 - 7) / 1.2 + 0.5 * z))) for w, z in zip(weights, nodes, strict=True))
    assert known.mean_success[7, place(1.2, 0.0, 10.0)] == pytest.approx(expected)


def test_utility_is_four_times_the_variance_that_is_not_guessed():
    utility = belief.tables(29, 0.0).utility
    assert utility[10, place(1.2, 0.0, 10.0)] == pytest.approx(0.985)
    assert utility[10, place(1.2, 0.3, 10.0)] == pytest.approx(0.685)
    assert not utility[:, [belief.BROKEN, belief.TRIVIAL]].any()


def test_the_likelihood_of_no_right_answer_holds_the_stray_share():
    evidence = belief.likelihood(29, 0.0, 0.01, 10, 0, 8)
    assert evidence[belief.BROKEN] == pytest.approx(0.99 * 0.996**8 + 0.01)
    assert evidence[belief.TRIVIAL] == pytest.approx(0.01)


def test_the_likelihood_of_some_right_answers_is_right_up_to_a_factor():
    evidence = belief.likelihood(29, 0.0, 0.01, 10, 5, 8)
    half, trivial = 0.4925**5 * 0.5075**3, 0.985**5 * 0.015**3
    assert evidence[place(1.2, 0.0, 10.0)] / evidence[belief.TRIVIAL] == pytest.approx(half / trivial)


def test_groups_of_thousands_do_not_underflow():
    evidence = belief.likelihood(29, 0.5, 0.01, 10, 2500, 5000)
    updated = belief.update(belief.prior(8, 8, 0.05, 0.03, 0.12), evidence)
    assert np.isfinite(updated).all()
    assert updated.sum() == pytest.approx(1.0)


def test_impossible_evidence_leaves_the_belief_alone():
    one = certain(belief.BROKEN)
    assert belief.update(one, np.zeros(belief.STATES)) is one


def test_the_prior_has_the_masses_of_the_specification():
    mine = belief.prior(8.0, 8.0, 0.05, 0.03, 0.12)
    assert mine.sum() == pytest.approx(1.0)
    assert (mine[belief.BROKEN], mine[belief.TRIVIAL]) == (0.05, 0.03)
    by_floor = mine[: belief.REGULAR].reshape(belief.SHAPE).sum(axis=(0, 2))
    assert by_floor == pytest.approx([0.92 * 0.88, 0.92 * 0.12])
    by_width = mine[: belief.REGULAR].reshape(belief.SHAPE).sum(axis=(1, 2))
    assert by_width == pytest.approx([0.23] * 4)
    by_level = mine[: belief.REGULAR].reshape(belief.SHAPE).sum(axis=(0, 1))
    # one standard deviation from the mean: e^-1/2 of the density there
    assert by_level[32] / by_level[21] == pytest.approx(math.exp(-0.5 * ((16 - 8) ** 2 - (7.75 - 8) ** 2) / 64))


def test_a_small_variance_is_a_hop_either_way():
    moves = belief.transition(0.0, 0.15)
    hop = 0.15 / 0.5625 / 2
    assert moves[WIDE, 30, 29:32] == pytest.approx([hop, 1 - 2 * hop, hop])
    assert moves[WIDE, 30].sum() == pytest.approx(1.0)


def test_a_shift_is_rounded_to_cells_and_the_remainder_spread():
    # .05 logits are .05 * 4.8 = .24 levels = .32 cells
    moves = belief.transition(0.05, 0.0)
    assert moves[WIDE, 30, 30:32] == pytest.approx([0.68, 0.32])
    # -.2 * 4.8 / .75 = -1.28 cells
    moves = belief.transition(-0.2, 0.0)
    assert moves[WIDE, 30, 28:30] == pytest.approx([0.28, 0.72])


def test_mass_that_leaves_the_grid_stays_on_its_edge():
    moves = belief.transition(0.0, 0.15)
    hop = 0.15 / 0.5625 / 2
    assert moves[WIDE, 61, 60:] == pytest.approx([hop, 1 - hop])
    assert moves[WIDE, 0, :2] == pytest.approx([1 - hop, hop])


@given(st.floats(-0.5, 0.5), st.floats(0.0, 5.0))
def test_transitions_keep_mass_and_have_the_mean_and_variance_asked_for(shift, variance):
    moves = belief.transition(shift, variance)
    assert moves.min() >= 0
    assert moves.sum(axis=2) == pytest.approx(np.ones((4, 62)))
    for width, rows in zip(belief.WIDTHS, moves, strict=True):
        steps = belief.HALF_WAY - belief.HALF_WAY[31]
        mean = rows[31] @ steps
        assert mean == pytest.approx(shift * width, abs=1e-6)
        # splitting a shift between two cells adds at most a quarter of a cell squared
        spread = rows[31] @ steps**2 - mean**2
        assert variance - 1e-6 <= spread <= variance + 0.25 * 0.5625 + 1e-6


def test_drift_of_one_and_of_all_agree_and_leave_the_broken_alone():
    rng = np.random.default_rng(1)
    beliefs = rng.dirichlet(np.ones(belief.STATES), size=5)
    moves = belief.transition(0.03, 0.1)
    together = belief.drift_all(beliefs, moves)
    for before, after in zip(beliefs, together, strict=True):
        assert belief.drift(before, moves) == pytest.approx(after)
        assert after[belief.REGULAR :].tolist() == before[belief.REGULAR :].tolist()
    assert belief.half_way_all(together) == pytest.approx([belief.half_way(row) for row in together])


def test_the_half_way_level_ignores_broken_and_trivial():
    mixed = 0.5 * certain(belief.BROKEN) + 0.3 * certain(place(1.2, 0, 10)) + 0.2 * certain(place(1.2, 0, 4))
    assert belief.half_way(mixed) == pytest.approx((0.3 * 10 + 0.2 * 4) / 0.5)


def test_the_best_level_is_where_success_is_half_way_if_the_ladder_reaches_it():
    sure = certain(place(1.2, 0.0, 10.0))
    assert belief.best_level(sure, 20, 0.5)[0] == 10
    assert belief.best_level(sure, 5, 0.5)[0] == 5
    assert belief.best_level(certain(belief.TRIVIAL), 20, 0.5) == (0, 0.0)


def test_a_ladder_longer_than_the_grid_is_scaled_onto_it():
    sure = certain(place(1.2, 0.0, 10.0))
    assert belief.best_level(sure, 58, 0.5)[0] == 20
    assert belief.best_level(certain(place(0.6, 0.0, 28.0)), 290, 0.0)[0] == 280


def test_the_interval_holds_the_mean_of_a_certain_belief_and_widens_with_doubt():
    low, mean, high = belief.interval(certain(place(1.2, 0.0, 10.0)), 20, 0.5, 10)
    assert low == pytest.approx(mean)
    assert mean == pytest.approx(high)
    low, mean, high = belief.interval(belief.prior(8, 8, 0.05, 0.03, 0.12), 20, 0.5, 10)
    assert low < mean < high
    assert (low, high) == pytest.approx((0.004, 0.985), abs=0.02)

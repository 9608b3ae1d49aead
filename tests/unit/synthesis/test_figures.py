"""No figure claims more than its draws support."""

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade_server.synthesis.figures import (
    distinct_estimate,
    lower_bound,
    modal,
    percentile,
    share_decision,
)


@given(st.integers(0, 400), st.integers(1, 400))
def test_the_bound_lies_below_the_share(hits, draws):
    hits = min(hits, draws)
    assert 0 <= lower_bound(hits, draws) <= hits / draws
    assert lower_bound(hits, draws, 3.09) <= lower_bound(hits, draws)


def test_the_bound_holds_nineteen_times_in_twenty():
    chance = random.Random(5)
    for share, draws in product((0.1, 0.3, 0.5, 0.8), (32, 100, 400)):
        above = sum(lower_bound(sum(chance.random() < share for _ in range(draws)), draws) > share for _ in range(600))
        assert above / 600 < 0.09, (share, draws)


def test_no_draws_say_nothing():
    assert lower_bound(0, 0) == 0
    assert modal([]) == (None, 0)
    assert percentile([], 0.99) == 0
    assert distinct_estimate([]) == 0
    assert share_decision(0, 0, 0.3, last=False) == "passed"


def decide(share, chance, limit=0.3):
    """Draw as verification does: up to 400, a hundred at a time."""
    draws = hits = 0
    while True:
        hits += sum(chance.random() < share for _ in range(100))
        draws += 100
        decision = share_decision(hits, draws, limit, last=draws == 400)
        if decision != "open":
            return decision, draws


def test_what_is_at_the_limit_is_hardly_ever_refused_and_what_is_far_above_always():
    chance = random.Random(11)
    assert sum(decide(0.30, chance)[0] == "refused" for _ in range(500)) < 30
    assert sum(decide(0.20, chance)[0] == "refused" for _ in range(500)) == 0
    assert all(decide(0.55, chance)[0] == "refused" for _ in range(200))
    assert decide(1.0, chance) == ("refused", 100)


@pytest.mark.parametrize(("kinds", "draws"), [(1, 32), (3, 32), (10, 160), (12, 32), (40, 32), (1_000, 32)])
def test_the_number_of_distinct_things_is_estimated_from_below(kinds, draws):
    chance = random.Random(kinds)
    estimates = [distinct_estimate([chance.randrange(kinds) for _ in range(draws)]) for _ in range(300)]
    seen = [len({chance.randrange(kinds) for _ in range(draws)}) for _ in range(300)]
    mean = sum(estimates) / 300
    assert mean <= kinds * 1.1
    assert mean >= min(kinds * 0.95, sum(seen) / 300)


def test_all_different_draws_leave_room_for_many_more():
    assert distinct_estimate(list(range(32))) > 400


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_enough_do_not_exceed(values, share):
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9

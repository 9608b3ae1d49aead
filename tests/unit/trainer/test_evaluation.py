"""Figures of an evaluation: pass@k and intervals by hand, nothing counted that was not judged."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade.errors import InvalidRequest
from escalade.trainer.evaluate import document, numbers
from escalade.trainer.evaluation import figures, pass_at, wilson
from escalade.trainer.tallies import Tally


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(case: tuple[int, int, int]) -> None:
    scored, right, k = case
    draws = list(combinations([True] * right + [False] * (scored - right), k))
    assert pass_at(right, scored, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_wilsons_interval_by_hand() -> None:
    low, high = wilson(0.5, 10)
    assert (round(low, 4), round(high, 4)) == (0.2366, 0.7634)
    assert wilson(0.0, 10)[0] == 0.0
    assert wilson(1.0, 4)[1] == pytest.approx(1.0)
    assert wilson(0.0, 10)[1] > 0.2, "ten failures do not prove that it never succeeds"


def test_what_was_not_judged_counts_for_nothing() -> None:
    tallies = [Tally("a", 0, "i", 1, 2), Tally("a", 0, "j", 0, 0), Tally("a", 1, "k", 2, 2)]
    found = figures(tallies, [1, 2])
    assert (found.instances, found.rollouts, found.accuracy) == (3, 4, 0.75)
    assert found.pass_at == {1: 0.75, 2: 1.0}
    nothing = figures([Tally("a", 0, "j", 0, 0)], [1])
    assert (nothing.accuracy, nothing.low, nothing.pass_at) == (None, None, {1: None})


def test_the_document_holds_every_cell() -> None:
    found = document("small:x", [Tally("a", 0, "i", 1, 2), Tally("b", 3, "j", 2, 2)], [1])
    assert [(cell["environment"], cell["level"], cell["accuracy"]) for cell in found["cells"]] == [
        ("a", 0, 0.5),
        ("b", 3, 1.0),
    ]
    assert found["levels"]["3"]["accuracy"] == 1.0


def test_lists_of_numbers_are_read_or_refused_by_name() -> None:
    assert numbers("0-2, 9", "--levels") == [0, 1, 2, 9]
    for wrong in ("", "a", "1-", "-3", "5-2", "1,,2"):
        with pytest.raises(InvalidRequest, match="--levels"):
            numbers(wrong, "--levels")

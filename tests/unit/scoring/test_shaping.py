"""Scores: the formula, its bounds, and partial credit; accuracy is never touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from escalade.types import AnswerSpec, ExtractionSettings, LengthPenalty, ScoringSettings
from escalade_server.scoring.credit import share
from escalade_server.scoring.judging import Judgement, Question, judge
from escalade_server.scoring.shaping import excess, partial_credit, shaped

PARTIAL = ScoringSettings(shaping="partial")
units = st.floats(0, 1)
below_one = st.floats(0, 0.999)
penalties = st.none() | st.builds(
    lambda free, more, weight: LengthPenalty(free_tokens=free, most_tokens=free + more, weight=weight),
    st.integers(0, 10_000),
    st.integers(1, 10_000),
    st.floats(0.01, 1),
)
settings = st.builds(
    ScoringSettings,
    shaping=st.sampled_from(["binary", "partial"]),
    guess_floor=below_one,
    format_bonus=below_one,
    format_penalty=units,
    length_penalty=penalties,
)


def judged(spec: AnswerSpec, truth: str, completion: str, chosen: ScoringSettings, tokens: int | None = 0) -> Judgement:
    found = judge(Question(spec, truth, completion, settings=chosen, tokens=tokens))
    assert isinstance(found, Judgement)
    return found


@given(settings, units, st.booleans(), st.integers(0, 30_000))
def test_scores_stay_in_bounds_and_only_a_right_answer_in_good_form_gets_the_most(chosen, credit, good_form, tokens):
    score = shaped(chosen, credit, good_form=good_form, tokens=tokens)
    assert 0 <= score <= 1
    assert score <= shaped(chosen, 1.0, good_form=True, tokens=tokens)
    assert shaped(chosen, 1.0, good_form=True, tokens=0) == 1.0


@given(settings, units, units, st.booleans())
def test_more_credit_never_scores_less(chosen, one, other, good_form):
    low, high = sorted((one, other))
    scores = [shaped(chosen, credit, good_form=good_form, tokens=50) for credit in (low, high)]
    assert scores[0] <= scores[1]


@pytest.mark.parametrize(("tokens", "taken"), [(0, 0.0), (100, 0.0), (150, 0.25), (200, 0.5), (10_000, 0.5)])
def test_length_costs_in_proportion_between_its_bounds(tokens, taken):
    assert excess(LengthPenalty(free_tokens=100, most_tokens=200, weight=0.5), tokens) == taken


def test_a_length_penalty_without_a_length_is_a_mistake_of_the_caller():
    chosen = ScoringSettings(length_penalty=LengthPenalty(free_tokens=1, most_tokens=2))
    with pytest.raises(ValueError, match="length"):
        shaped(chosen, 1.0, good_form=True, tokens=None)


@pytest.mark.parametrize(
    "fields",
    [
        {"extraction": {"boxed": False, "answer_tag": False}},
        {"length_penalty": {"free_tokens": 5, "most_tokens": 5}},
        {"format_bonus": 1.0},
        {"guess_floor": 1.0},
        {"shaping": "generous"},
        {"unknown": 1},
    ],
)
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(ValidationError):
        ScoringSettings.model_validate(fields)


@pytest.mark.parametrize(
    ("completion", "score"),
    [
        (r"\boxed{7}", 1.0),
        (r"\boxed{8}", 0.2),
        ("<answer>7</answer>", 1.0),
        (r"\boxed{8} no, \boxed{7}", 0.5),
        ("Final answer: 7", 0.5),
        (r"\boxed{seven}", 0.0),
        ("nothing", 0.0),
    ],
)
def test_form_is_worth_a_bonus_and_its_lack_costs(completion, score):
    chosen = ScoringSettings(extraction=ExtractionSettings(final_line=True), format_bonus=0.2, format_penalty=0.5)
    assert judged(AnswerSpec(type="number"), "7", completion, chosen).score == score


@given(settings, st.integers(-9, 9), st.sampled_from(["number", "array", "multiset", "string", "matrix"]))
def test_accuracy_is_what_it_is_without_shaping(chosen, value, kind):
    spec, completion = AnswerSpec(type=kind), rf"\boxed{{{value}}}"
    plain = judged(spec, "3", completion, ScoringSettings())
    found = judged(spec, "3", completion, chosen)
    assert (found.accuracy, found.verdict) == (plain.accuracy, plain.verdict)
    assert plain.score == plain.accuracy


@pytest.mark.parametrize(
    ("spec", "truth", "answer", "right", "chance"),
    [
        ({"type": "array"}, "1 2 3 4\n", "[1, 2, 3, 5]", 3 / 4, 1 / 4),
        ({"type": "array"}, "4\n1 2 3 4\n", "[1, 2, 3, 5]", 3 / 4, 1 / 4),
        ({"type": "array"}, "1 2 3 4\n", "[1, 2]", 2 / 4, 1 / 4),
        ({"type": "array"}, "1 2\n", "[1, 2, 3, 4]", 2 / 4, 1 / 2),
        ({"type": "array"}, "0 0 0 1\n", "[0, 0, 0, 0]", 3 / 4, 3 / 4),
        ({"type": "array"}, "0.5 1.5\n", "[0.5000000001, 9]", 1 / 2, 1 / 2),
        ({"type": "array"}, "a b c\n", "[a, b, d]", 2 / 3, 1 / 3),
        ({"type": "array"}, "1 2 3\n", "(1, 2, 3", 0, 0),
        ({"type": "multiset"}, "1 2 2 3\n", "[3, 2, 2, 9]", 3 / 4, 2 / 4),
        ({"type": "multiset"}, "1 2\n", "[0, 1, 2, 3, 4, 5, 6, 7]", 2 / 8, 1 / 2),
        ({"type": "multiset"}, "0.5 1.5 9.5\n", "[1.5, 0.4999999, 7]", 2 / 3, 1 / 3),
        ({"type": "permutation"}, "1 2 3 4\n", "[2, 1, 3, 4]", 2 / 4, 1 / 4),
        ({"type": "permutation"}, "1 2 3 4\n", "[1, 1, 1, 1]", 0, 0),
        ({"type": "matrix"}, "1 2\n3 4\n", "[[1, 2], [3, 5]]", 3 / 4, 1 / 4),
        ({"type": "matrix"}, "1 2\n3 4\n", "[[1, 2, 3], [3, 4, 5]]", 4 / 6, 1 / 4),
        ({"type": "matrix"}, "1 2 3 4\n", "[[1, 2], [3, 4]]", 2 / 4, 1 / 4),
        ({"type": "graph"}, "1 2\n2 3\n", "[(2, 1), (1, 3)]", 1 / 2, 0),
        ({"type": "graph"}, "3 2\n1 2\n2 3\n", "[(1, 2), (2, 3), (1, 3)]", 2 / 3, 0),
        ({"type": "graph", "directed": True}, "1 2\n2 3\n", "[(2, 1), (2, 3)]", 1 / 2, 0),
        ({"type": "graph", "weighted": True}, "1 2 5\n2 3 6\n", "[(1, 2, 5), (2, 3, 7)]", 1 / 2, 0),
        ({"type": "number"}, "17", "18", 0, 0),
        ({"type": "string"}, "abc", "abd", 0, 0),
        ({"type": "bool"}, "YES", "NO", 0, 0),
    ],
)
def test_a_wrong_list_has_a_share_of_right_elements(spec, truth, answer, right, chance):
    found = share(AnswerSpec(**spec), truth, answer)
    assert (found.right, found.chance) == pytest.approx((right, chance))


def test_partial_credit_leaves_nothing_to_guessing():
    assert partial_credit(0.75, 0.75, 0.0) == 0
    assert partial_credit(0.75, 0.5, 0.0) == 0.5
    assert partial_credit(0.75, 0.0, 0.5) == 0.5
    assert partial_credit(0.2, 0.5, 0.0) == 0
    assert partial_credit(0.9, 1.0, 0.0) == 0


@given(
    st.sampled_from(["array", "multiset", "permutation", "matrix", "graph"]),
    st.lists(st.integers(0, 3), min_size=1, max_size=8),
    st.lists(st.integers(0, 3), max_size=10),
)
def test_a_wrong_answer_gets_less_than_all(kind, truth, answer):
    spec = AnswerSpec(type=kind)
    found = judged(spec, " ".join(map(str, truth)), rf"\boxed{{{answer}}}", PARTIAL)
    assert found.score is not None
    assert found.score == 1.0 if found.accuracy else 0 <= found.score < 1


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["array", "multiset", "matrix", "graph"]))
def test_shares_are_total(truth, answer, kind):
    found = share(AnswerSpec(type=kind), truth, answer)
    assert 0 <= found.right < 1
    assert 0 <= found.chance <= 1

"""Hints on form: what they say, and that they say nothing of the truth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade.types import AnswerSpec, ExtractionSettings, ScoringSettings
from escalade_server.scoring.judging import Judgement, Question, judge

TALKATIVE = ScoringSettings(feedback=True)
KINDS = ("number", "bool", "string", "array", "multiset", "permutation", "matrix", "graph")
TRUTHS = {
    "number": ["5", "17", "0.25", "1 2 3", "NONE", "123456789012345678901234567890"],
    "bool": ["YES", "no", "true", "0"],
    "string": ["abc", "", "7", "a b c\nd"],
    "array": ["1 2 3", "3\n1 2 3", "a b", "0.5 0.25", "7"],
    "multiset": ["1 2 3", "2 2", "a b b", "1e9 2.5"],
    "permutation": ["2 1 3", "1", "4\n4 3 2 1"],
    "matrix": ["1 2\n3 4", "2 2\n1 2\n3 4", "..#\n#.#", "0.5 1\n2 3"],
    "graph": ["1 2\n2 3", "3 2\n1 2\n2 3", "a b"],
}
PIECES = [
    "\\boxed{",
    "}",
    "{",
    "[",
    "]",
    "(",
    ")",
    ",",
    " ",
    "1",
    "2",
    "-",
    "\n",
    "YES",
    "x",
    "\\frac",
    "\\log",
    "<think>",
]
PIECES += ["</think>", "<answer>", "</answer>", "1,5", "&", "\\\\", "->", "\u00b2"]
completions = st.lists(st.sampled_from(PIECES), max_size=25).map(lambda parts: "".join(parts)) | st.text(max_size=40)


def hint(completion: str, truth: str, kind: str = "number", settings: ScoringSettings = TALKATIVE) -> str | None:
    found = judge(Question(AnswerSpec(type=kind), truth, completion, settings=settings))
    return found.feedback if isinstance(found, Judgement) else None


@pytest.mark.parametrize(
    ("kind", "completion", "said"),
    [
        ("number", "the answer is 5", "no answer found; give it in \\boxed{...} or between <answer> and </answer>"),
        ("number", r"\boxed{5", r"a \boxed{ that is never closed"),
        ("number", r"<think>so \boxed{5}", "the thought never ends: no </think>, and no answer after it"),
        ("number", r"<think>\boxed{5}</think>", "what is boxed inside the thought does not count"),
        ("number", r"\boxed{1} or \boxed{2}", "2 boxed answers; the last one counts"),
        ("number", r"\boxed{many}", "expected a number, read text"),
        ("number", r"\boxed{1,5}", "a comma that may group digits or separate numbers"),
        ("number", r"\boxed{1/2/3}", "two divisions in a row"),
        ("number", r"\boxed{}", "the answer is empty"),
        ("bool", r"\boxed{perhaps}", "expected `yes` or `no` and nothing else"),
        ("array", r"\boxed{[1, 2}", "brackets do not match"),
        ("array", r"\boxed{I think it is sorted}", "expected a list such as [1, 2, 3], read text"),
        ("array", r"\boxed{1 2, 3}", "commas and spaces both separate"),
        ("multiset", r"\boxed{[[1], [2]]}", "read a nested list"),
        ("permutation", r"\boxed{[1, 1, 2]}", "an element occurs twice"),
        ("matrix", r"\boxed{[[1, 2], [3]]}", "the rows are not equally long"),
        ("graph", r"\boxed{[(1, 2, 3)]}", "expected edges such as [(vertex, vertex), ...]: not a list of edges"),
    ],
)
def test_the_hint_names_what_is_wrong_with_the_form(kind, completion, said):
    found = hint(completion, TRUTHS[kind][0], kind)
    assert found is not None
    assert said in found


def test_a_wrong_answer_in_good_form_gets_no_hint():
    for kind, completion in (("number", r"\boxed{6}"), ("array", r"\boxed{[9, 9]}"), ("bool", r"\boxed{no}")):
        assert hint(completion, TRUTHS[kind][0], kind) is None


def test_a_run_that_demands_one_box_says_how_many_there_are():
    settings = ScoringSettings(feedback=True, extraction=ExtractionSettings(exactly_one=True))
    assert hint(r"\boxed{1} \boxed{1}", "1", settings=settings) == "2 boxed answers where exactly one is allowed"


def test_without_feedback_there_is_none():
    assert hint("the answer is 5", "5", settings=ScoringSettings()) is None


@given(st.sampled_from(KINDS), completions, st.data())
def test_hints_do_not_vary_with_the_truth(kind, completion, data):
    """But for the verdict, which the outcome names anyway: an accepted answer gets no hint on its shape."""
    texts = st.sampled_from(TRUTHS[kind]) | st.text(alphabet="12 \n.ab", max_size=12)
    said = set()
    for truth in (data.draw(texts), data.draw(texts)):
        found = judge(Question(AnswerSpec(type=kind), truth, completion, settings=TALKATIVE))
        if isinstance(found, Judgement) and found.verdict not in ("accepted", None):
            said.add(found.feedback)
    assert len(said) <= 1

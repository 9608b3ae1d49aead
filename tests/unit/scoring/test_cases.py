"""Every answer in cases.json gets the verdict it is listed under.

To add a case, put the answer into the list of its verdict, in a group with its declaration and truth. An object
`{"before", "repeat", "times", "after"}` stands for a long text. With `"given": "completion"` the answer is first
extracted, by the group's `rules`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from escalade.types import AnswerSpec, ExtractionSettings
from escalade_server.scoring.comparators import Comparison, compare
from escalade_server.scoring.extraction import extract_answer

GROUPS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "cases.json").read_text())
VERDICTS = ("accepted", "wrong", "unreadable", "undecided", "no_truth", "too_long", "no_answer")
CASES = [
    pytest.param(group, verdict, answer, id=f"{group['about']}-{verdict}-{index}")
    for group in GROUPS
    for verdict in VERDICTS
    for index, answer in enumerate(group.get(verdict, []))
]


def spelled_out(text: str | dict[str, Any]) -> str:
    if isinstance(text, str):
        return text
    return str(text.get("before", "") + text["repeat"] * text["times"] + text.get("after", ""))


@pytest.mark.parametrize(("group", "verdict", "answer"), CASES)
def test_the_verdict_is_the_one_listed(group, verdict, answer):
    spec, truth, given = AnswerSpec(**group["spec"]), spelled_out(group["truth"]), spelled_out(answer)
    if group.get("given") == "completion":
        found = extract_answer(given, ExtractionSettings(**group.get("rules", {})))
        if found.text is None:
            assert verdict == "no_answer"
            return
        given = found.text
    result = compare(spec, truth, given)
    assert isinstance(result, Comparison)
    assert result.verdict == verdict, (given[:200], result.detail)


def test_there_are_400_cases_and_none_twice_in_a_group():
    assert len(CASES) >= 400
    for group in GROUPS:
        assert set(group) <= {"about", "given", "rules", "spec", "truth", *VERDICTS}, group["about"]
        answers = [json.dumps(answer) for verdict in VERDICTS for answer in group.get(verdict, [])]
        assert len(answers) == len(set(answers)), group["about"]

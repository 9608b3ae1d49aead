"""The cost of reading is linear, shown by structure and by counting steps, not by a clock."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from types import FrameType, ModuleType
from typing import Any

import pytest

from escalade.types import AnswerSpec, ExtractionSettings
from escalade_server.scoring import (
    comparators,
    elements,
    expressions,
    extraction,
    hard,
    numeric,
    outputs,
    readings,
    tables,
    text,
)
from escalade_server.scoring.comparators import compare
from escalade_server.scoring.extraction import extract_answer, extract_program

MODULES: list[ModuleType] = [
    comparators,
    elements,
    expressions,
    extraction,
    hard,
    numeric,
    outputs,
    readings,
    tables,
    text,
]
PATTERNS = [
    pytest.param(value, id=f"{module.__name__.rsplit('.', 1)[-1]}.{name}")
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, re.Pattern)
]
BOUND = 60
"""Most characters that a repeat which may give back is allowed to take."""

COMPLETIONS: dict[str, Callable[[int], str]] = {
    "open boxes": lambda n: "\\boxed{" * n,
    "boxes": lambda n: "\\boxed{}" * n,
    "nested boxes": lambda n: "\\boxed{" * n + "}" * n,
    "braces": lambda n: "\\boxed{" + "{" * n,
    "pairs": lambda n: "\\boxed{" + "{}" * n,
    "backslashes": lambda n: "\\boxed{" + "\\" * n,
    "thoughts": lambda n: "<think>" * n,
    "tags": lambda n: "<answer>" * n + "</answer>" * n,
    "fences": lambda n: "```\n" * n,
    "fence line": lambda n: "```" * n,
    "final answers": lambda n: "final answer " * n,
    "spaces": lambda n: "final answer" + " " * n,
    "lines": lambda n: "\n" * n,
}
ANSWERS: dict[str, Callable[[int], str]] = {
    "letters": lambda n: "a" * n,
    "digits": lambda n: "9" * n,
    "words": lambda n: "a " * n,
    "groups": lambda n: "1,000," * n,
    "groups wide": lambda n: "1,000, " * n,
    "braces": lambda n: "{" * n,
    "brackets": lambda n: "[" * n + "]" * n,
    "pairs": lambda n: "[]" * n,
    "dollars": lambda n: "$" * n,
    "stars": lambda n: "*" * n,
    "quotes": lambda n: "'" * n,
    "quoted": lambda n: "a'b" * n,
    "strings": lambda n: '"a" ' * n,
    "links": lambda n: "1-" * n,
    "fractions": lambda n: "\\frac{" * n,
    "roots": lambda n: "\\sqrt{" * n + "4" + "}" * n,
    "texts": lambda n: "\\text{" * n,
    "wrapped": lambda n: "\\text{" * n + "5" + "}" * n,
    "minuses": lambda n: "-" * n,
    "sums": lambda n: "1+" * n + "1",
    "powers": lambda n: "9^" * n + "9",
    "equals": lambda n: "5=" * n + "5",
    "labels": lambda n: "answer is " * n,
    "points": lambda n: "." * n,
    "spaces": lambda n: "5" + " " * n + "m",
    "begins": lambda n: "\\begin{array}{" * n,
    "numbers": lambda n: " ".join(str(i) for i in range(n)),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_can_backtrack_far(pattern):
    """Every repeat is possessive, or short enough that giving back costs a constant."""
    assert longest_given_back(sre_parser.parse(pattern.pattern, pattern.flags)) <= BOUND


def test_the_check_would_see_a_pattern_that_backtracks():
    for bad in (r"a*b", r"(a+)+b", r"(?:ab?)*c", r"a*?b"):
        assert longest_given_back(sre_parser.parse(bad)) > BOUND


@pytest.mark.parametrize("family", COMPLETIONS)
def test_extraction_takes_steps_in_proportion(family):
    for work in (
        lambda text: extract_answer(text, ExtractionSettings(final_line=True, fenced=True)),
        extract_program,
    ):
        assert_proportional(lambda size, work=work: work(COMPLETIONS[family](size)))


@pytest.mark.parametrize("family", ANSWERS)
def test_comparison_takes_steps_in_proportion(family):
    for kind in ("number", "string", "bool", "array", "multiset", "permutation", "matrix", "graph"):
        spec = AnswerSpec(type=kind)
        assert_proportional(lambda size, spec=spec: compare(spec, "1 2\n3 4\n", ANSWERS[family](size)))


def assert_proportional(work: Callable[[int], object]) -> None:
    """Ten times the text takes at most some twelve times the steps."""
    few, many = steps(lambda: work(100)), steps(lambda: work(1_000))
    assert many <= 12 * few + 2_000


def steps(work: Callable[[], object]) -> int:
    """Lines and calls of Python that the work takes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def longest_given_back(parsed: Any) -> int:
    """The most characters that one repeat may take and give back, whatever follows."""
    longest = 0
    for operation, argument in parsed:
        if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            least, most, inside = argument
            if most != least:
                longest = max(longest, int(most) * max(1, inside.getwidth()[1]))
            longest = max(longest, longest_given_back(inside))
        elif operation is sre.POSSESSIVE_REPEAT:
            longest = max(longest, longest_given_back(argument[2]))
        elif operation is sre.BRANCH:
            longest = max([longest, *(longest_given_back(branch) for branch in argument[1])])
        elif operation is sre.SUBPATTERN:
            longest = max(longest, longest_given_back(argument[-1]))
        elif operation in (sre.ASSERT, sre.ASSERT_NOT, sre.ATOMIC_GROUP):
            longest = max(longest, longest_given_back(argument[-1] if isinstance(argument, tuple) else argument))
    return longest

"""Extraction: what is found, total over any text, and linear by the steps it takes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escalade.types import ExtractionSettings
from escalade_server.scoring.extraction import Extraction, extract_answer, extract_program

ALL = ExtractionSettings(final_line=True)
PIECES = ["\\boxed{", "\\fbox{", "{", "}", "\\{", "\\}", "\\\\", "\\", "<think>", "</think>", "<answer>", "</answer>"]
PIECES += ["Final answer: ", "```", "~~~", "\n", " ", "7", "a", "π", "\ud800", "boxed{", "\x01\x01"]
markup = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def last_box_by_hand(text: str) -> str | None:
    """The rule itself, one character at a time."""
    stack: list[int | None] = []
    best = None
    index = 0
    while index < len(text):
        opener = next(
            (mark for mark in ("\\\\boxed{", "\\\\fbox{", "\\boxed{", "\\fbox{") if text.startswith(mark, index)), ""
        )
        if opener:
            index += len(opener)
            stack.append(index)
        elif text[index] == "\\":
            index += 2 if text[index + 1 : index + 2] in ("\\", "{", "}") else 1
        else:
            if text[index] == "{":
                stack.append(None)
            elif text[index] == "}" and stack and (start := stack.pop()) is not None:
                best = text[start:index]
            index += 1
    return best


@given(markup)
def test_many_braces_are_scanned_as_few_are(text):
    """Beyond some thousand braces another scan is used; braces after the last box change nothing."""
    boxes_alone = ExtractionSettings(answer_tag=False)
    assert extract_answer(text + "." + "{}" * 1_001, boxes_alone) == extract_answer(text + ".", boxes_alone)


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        (r"so \boxed{5}", "5"),
        (r"\boxed{\frac{1}{2}} and more", r"\frac{1}{2}"),
        (r"first \boxed{1}, then \boxed{2}", "2"),
        (r"\boxed{5} but \boxed{6", "5"),
        (r"\boxed{5 and \boxed{6}", "6"),
        (r"\boxed{x = \boxed{5}}", r"x = \boxed{5}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed {7}", "7"),
        (r"\fbox{7}", "7"),
        (r"\\boxed{7}", "7"),
        (r"}}} { \boxed{4}", "4"),
        (r"\boxed{}", ""),
        ("boxed{4}", None),
        (r"\boxed 4", None),
        (r"\boxedx{4}", None),
        ("nothing here", None),
        ("", None),
    ],
)
def test_the_last_balanced_box_is_the_answer(completion, text):
    found = extract_answer(completion)
    assert found.text == text
    assert found.format == (None if text is None else "boxed")


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        (r"<think>\boxed{1}</think> \boxed{2}", "2"),
        (r"<think>\boxed{1}</think> no box", None),
        (r"<think>\boxed{1}", None),
        (r"thought without opening \boxed{1}</think>\boxed{2}", "2"),
        (r"<think>a</think>\boxed{1}<think>\boxed{2}", None),
        (r"<think>a</think>\boxed{1}<think>b</think>\boxed{2}", "2"),
    ],
)
def test_only_what_follows_the_thought_counts(completion, text):
    assert extract_answer(completion).text == text


def test_thoughts_count_where_the_run_says_so():
    assert extract_answer(r"<think>\boxed{1}", ExtractionSettings(think=False)).text == "1"


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        ("<answer>5</answer>", "5"),
        ("<answer>5</answer> or <answer> 6 </answer>", " 6 "),
        ("<answer>5</answer> or <answer>6", "5"),
        ("<answer>5</answer></answer>", "5"),
        ("<answer>4 <answer>5</answer>", "5"),
        ("5</answer>", None),
    ],
)
def test_the_last_closed_tag_is_the_answer(completion, text):
    found = extract_answer(completion)
    assert (found.text, found.format) == (text, None if text is None else "answer_tag")


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        ("Final answer: 42", "42"),
        ("**Final Answer:** 42", "42"),
        ("The final answer is 42", "42"),
        ("The final answer is: **42**\n", "42"),
        ("# Final answer\n\n[1, 2]\n", "[1, 2]"),
        ("final answer: 1\nfinal answer: 2\n", "2"),
        ("final answer: island", "island"),
        ("final answer", None),
        ("answer: 42", None),
    ],
)
def test_the_final_answer_line_counts_where_the_run_says_so(completion, text):
    found = extract_answer(completion, ALL)
    assert (found.text, found.format) == (text, None if text is None else "final_line")
    assert extract_answer(completion).text is None


def test_each_way_can_be_switched_off_and_the_next_is_tried():
    completion = "\\boxed{1} <answer>2</answer>\nFinal answer: 3"
    assert extract_answer(completion, ALL).text == "1"
    assert extract_answer(completion, ExtractionSettings(boxed=False, final_line=True)).text == "2"
    assert extract_answer(completion, ExtractionSettings(boxed=False, answer_tag=False, final_line=True)).text == "3"
    assert extract_answer(completion, ExtractionSettings(boxed=False, answer_tag=False, fenced=True)).text is None


def test_a_run_that_demands_one_box_takes_no_other_number():
    rules = ExtractionSettings(exactly_one=True)
    assert extract_answer(r"\boxed{1}", rules).text == "1"
    several = extract_answer(r"\boxed{1} \boxed{1} <answer>1</answer>", rules)
    assert (several.text, several.format, several.boxes) == (None, None, 2)


@pytest.mark.parametrize(
    ("completion", "languages", "text", "language"),
    [
        ("```python\nx = 1\n```", (), "x = 1\n", "python"),
        ("```\na\n```\n```\nb\n```\n", (), "b\n", None),
        ("```python\na\n```\nprints\n```\n1\n```\n", ("python", "py"), "a\n", "python"),
        ("```text\na\n```\n", ("python",), None, None),
        ("```cpp\nint a[] = {1};\n```\n```c\nno\n```", ("cpp", "c++"), "int a[] = {1};\n", "cpp"),
        ("````python\n```\n````\n", (), "```\n", "python"),
        ("~~~py\na\n~~~", (), "a\n", "py"),
        ("```python\nnever closed", (), None, None),
        ("```python\na\n```\n```python\nnever closed", (), "a\n", "python"),
        ("use ```x``` inline\n```\na\n```", (), "a\n", None),
        ("```\n```", (), "", None),
        ("<think>```\na\n```", (), None, None),
        ("<think>```\na\n```</think>```\nb\n```", (), "b\n", None),
    ],
)
def test_the_last_closed_fenced_block_is_the_program(completion, languages, text, language):
    found = extract_program(completion, languages)
    assert (found.text, found.language) == (text, language)
    assert found.format == (None if text is None else "fenced")


@given(markup)
@example("\\boxed{" * 3 + "}" * 2)
@example("\\{boxed{}")
def test_a_box_is_found_as_the_rule_read_by_hand_says(text):
    found = extract_answer(text, ExtractionSettings(think=False, answer_tag=False))
    assert found.text == last_box_by_hand(text)


SWITCHES = st.fixed_dictionaries({name: st.booleans() for name in ExtractionSettings.model_fields})


@given(
    st.one_of(st.text(), markup),
    SWITCHES.filter(lambda on: any(on[form] for form in ("boxed", "answer_tag", "final_line", "fenced"))).map(
        lambda on: ExtractionSettings(**on)
    ),
)
def test_extraction_is_total_and_says_where(text, rules):
    for found in (extract_answer(text, rules), extract_program(text), extract_program(text, ("a",))):
        assert isinstance(found, Extraction)
        assert (found.text is None) == (found.format is None) == (found.start is None)
        if found.text is not None and found.start is not None:
            assert text.startswith(found.text, found.start)


@given(st.text(alphabet="ab1 ,{}[]\n", max_size=30))
def test_a_balanced_answer_comes_back_as_it_was_put_in(inside):
    depth, balanced = 0, True
    for letter in inside:
        depth += (letter == "{") - (letter == "}")
        balanced = balanced and depth >= 0
    if balanced and depth == 0:
        assert extract_answer(f"text \\boxed{{{inside}}} text").text == inside
    assert extract_answer(f"text <answer>{inside}</answer>").text == inside

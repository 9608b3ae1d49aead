"""Finding the program in a completion, and its language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade.types import ProgramLanguage
from escalade_server.scoring.submissions import Submission, detected, read_submission

BOTH: tuple[ProgramLanguage, ...] = ("cpp", "python")
CPP = "#include <iostream>\nint main() {}"


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("```python\nprint(1)\n```", Submission("python", "print(1)\n")),
        ("```Py3\nprint(1)\n```", Submission("python", "print(1)\n")),
        ("```c++\nint x;\n```", Submission("cpp", "int x;\n")),
        ("~~~cpp17\nint x;\n~~~", Submission("cpp", "int x;\n")),
        ("```c\nint x;\n```", Submission("cpp", "int x;\n")),
        (f"```\n{CPP}\n```", Submission("cpp", CPP + "\n")),
        ("```\nprint(1)\n```", Submission("python", "print(1)\n")),
        ("```python\na\n```\nthen\n```python\nb\n```", Submission("python", "b\n")),
        ("```cpp\na\n```\nthen\n```python\nb\n```", Submission("python", "b\n")),
        ("```python\na\n```\nIt prints:\n```\n3\n```", Submission("python", "a\n")),
        ("```python\na\n```\nIt prints:\n```text\n3\n```", Submission("python", "a\n")),
        ("<think>```python\na\n```</think>\n```python\nb\n```", Submission("python", "b\n")),
        ("<think>```python\na\n```", None),
        ("```python\nprint(1)", None),
        ("```java\nclass A {}\n```", None),
        ("```python\n \n```", None),
        ("print(1)", None),
        ("", None),
    ],
)
def test_the_last_block_that_may_be_a_program_counts(completion: str, expected: Submission | None) -> None:
    assert read_submission(completion, BOTH) == expected


def test_it_says_where_the_program_stands() -> None:
    completion = "Here:\n```python\nprint(1)\n```"
    found = read_submission(completion, BOTH)
    assert found is not None
    assert completion[found.start :].startswith("print(1)")


def test_a_language_that_is_not_accepted_is_no_program() -> None:
    assert read_submission(f"```cpp\n{CPP}\n```", ("python",)) is None
    assert read_submission(f"```\n{CPP}\n```", ("python",)) is None
    assert read_submission("```python\nprint(1)\n```", ("cpp",)) is None


@pytest.mark.parametrize(
    ("source", "language"),
    [
        ("  # include <cstdio>\n", "cpp"),
        ('#include "bits/stdc++.h"', "cpp"),
        ("signed x; int  main (void) {}", "cpp"),
        ("# include the first line\nprint(1)", "python"),
        ("def int_main(): pass", "python"),
        ("mint main = 3", "python"),
    ],
)
def test_the_language_of_a_block_without_a_tag(source: str, language: str) -> None:
    assert detected(source) == language


@given(st.text(st.characters(), max_size=200))
def test_it_is_total_and_gives_text_that_can_be_sent(completion: str) -> None:
    for text in (completion, f"```python\n{completion}\n```"):
        found = read_submission(text, BOTH)
        assert found is None or found.source.encode()

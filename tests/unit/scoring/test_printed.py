"""Answers as checkers are given them."""

import pytest

from escalade_server.scoring.printed import printed

PATH = "1 4 5 6"


@pytest.mark.parametrize(
    "answer",
    [
        "1 4 5 6", "[1, 4, 5, 6]", r"\left[1, 4, 5, 6\right]", "$[1, 4, 5, 6]$", r"\text{[1, 4, 5, 6]}", "1, 4, 5, 6.",
        r"1 \to 4 \to 5 \to 6", r"1 \rightarrow 4 \rightarrow 5 \rightarrow 6", "1 → 4 → 5 → 6", "1 -> 4 -> 5 -> 6",
        r"\{1, 4, 5, 6\}", "**1 4 5 6**", r"x = (1, 4, 5, 6)", "```\n1 4 5 6\n```",
    ],
)  # fmt: skip
def test_numbers_are_tokens_however_they_are_written(answer):
    assert printed(answer, "1 3 6\n") == PATH


@pytest.mark.parametrize("answer", ["[[1, 2], [3, 4]]", r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}", "1 2\n3 4"])
def test_rows_are_lines(answer):
    assert printed(answer, "2 1\n4 3\n") == "1 2\n3 4"


@pytest.mark.parametrize("answer", ["EE", r"\text{EE}", r"\texttt{EE}", r"\mathrm{EE}", "**EE**", "`EE`", "EE."])
def test_words_lose_their_decoration(answer):
    assert printed(answer, "NE\n") == "EE"


def test_marks_that_the_reference_prints_are_no_decoration():
    assert printed("*.*\n...", "*..\n..*\n") == "*.*\n..."
    assert printed("{a}", "{b}\n") == "{a}"


@pytest.mark.parametrize("answer", ["1,234", "ignore the rules", "١ ٢", r"\frac{1}{2}, 3", "[1, [2, 3]]", "", "[1, 2"])
def test_what_no_rule_fits_stays_as_it_is(answer):
    assert printed(answer, "1 2\n") == answer

"""What holds of comparison for every text: it is total, exact, and round trips through every format."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escalade.types import AnswerSpec, AnswerType
from escalade_server.scoring import numeric
from escalade_server.scoring.comparators import agree, compare
from escalade_server.scoring.expressions import read_number

TYPES = get_args(AnswerType)
NUMBER, ARRAY = AnswerSpec(type="number"), AnswerSpec(type="array")
PIECES = [
    "\\frac",
    "\\sqrt",
    "\\pi",
    "\\cdot",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    ";",
    " ",
    "\n",
    "\\\\",
    "&",
    "$",
    "^",
    "+",
    "-",
    "*",
    "/",
]
PIECES += [
    "0",
    "1",
    "23",
    ".",
    "1e9",
    "\\text{a}",
    "\\begin{bmatrix}",
    "\\end{bmatrix}",
    "->",
    '"',
    "'",
    "\\{",
    "=",
    "x",
    "YES",
    "\u0663",
    "nan",
    "!",
]
mathy = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
anything = st.one_of(st.text(), mathy)
integers = st.integers(-(10**40), 10**40)
small = st.integers(-999, 999)
LIST_FORMATS = [
    lambda items: json.dumps(items),
    lambda items: str(items),
    lambda items: str(tuple(items)),
    lambda items: " ".join(map(str, items)),
    lambda items: "\n".join(map(str, items)),
    lambda items: ", ".join(map(str, items)),
    lambda items: "$" + ", ".join(map(str, items)) + "$",
    lambda items: r"\left[ " + ", ".join(map(str, items)) + r" \right]",
    lambda items: r"\{" + ",".join(map(str, items)) + r"\}",
    lambda items: r"\begin{bmatrix}" + " & ".join(map(str, items)) + r"\end{bmatrix}",
    lambda items: r"\begin{pmatrix}" + r" \\ ".join(map(str, items)) + r"\end{pmatrix}",
]


@given(
    st.builds(
        AnswerSpec,
        type=st.sampled_from(TYPES),
        case_sensitive=st.booleans(),
        tokens=st.booleans(),
        directed=st.booleans(),
        weighted=st.booleans(),
        absolute_tolerance=st.sampled_from([None, 0.0, 1e-6, 1.0]),
    ),
    anything,
    anything,
)
@example(AnswerSpec(type="graph"), "", "")
@example(AnswerSpec(type="matrix"), "\n", "[[], []]")
def test_comparison_is_total_and_its_detail_is_short(spec, truth, answer):
    result = compare(spec, truth, answer)
    assert result.verdict in ("accepted", "wrong", "unreadable", "undecided", "no_truth")
    assert len(result.detail) < 80
    assert agree(spec, truth, answer) == agree(spec, truth, answer)


@given(
    st.sampled_from([t for t in TYPES if t != "checked"]),
    anything,
    st.text(alphabet="0123456789", min_size=3, max_size=9),
)
def test_the_detail_never_holds_the_truth(kind, answer, digits):
    result = compare(AnswerSpec(type=kind), digits, answer)
    assert digits not in result.detail


@given(integers, integers)
def test_whole_numbers_are_accepted_exactly_when_equal(truth, answer):
    assert compare(NUMBER, f"{truth}\n", str(truth)).verdict == "accepted"
    assert compare(NUMBER, f"{truth}\n", str(answer)).verdict == ("accepted" if truth == answer else "wrong")
    assert compare(NUMBER, f"{truth}\n", str(truth + 1)).verdict == "wrong"


@given(integers)
def test_a_whole_number_is_read_back_from_every_format(value):
    forms = [
        f"{value:,}",
        f"{value:,}".replace(",", "{,}"),
        f"{value:_}",
        f"{value}.0",
        f"${value}$",
        f"\\boxed{{{value}}}",
    ]
    forms += [
        f"\\frac{{{value * 3}}}{{3}}",
        f"{value} moves",
        f"x = {value}",
        f"{Decimal(value):E}" if abs(value) < 10**27 else str(value),
    ]
    for form in forms:
        assert compare(NUMBER, str(value), form).verdict == "accepted", form


@given(st.fractions(max_denominator=10**6))
def test_a_rational_is_read_back_from_every_format(value):
    top, bottom = value.numerator, value.denominator
    for form in (
        f"{top}/{bottom}",
        f"\\frac{{{top}}}{{{bottom}}}",
        f"\\dfrac{{{3 * top}}}{{{3 * bottom}}}",
        f"({top})/({bottom})",
    ):
        read = read_number(form)
        assert not isinstance(read, numeric.Approximate)
        assert numeric.to_fraction(read) == value


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12),
    st.integers(-5, 5),
)
def test_literals_are_exact_whatever_their_exponent(value, shift):
    read = numeric.literal(f"{value}e{shift}")
    assert read is not None
    assert numeric.to_fraction(read) == Fraction(value) * Fraction(10) ** shift


@given(st.integers(-(10**12), 10**12), st.integers(-(10**6), 10**6))
@example(0, 500_000)
@example(10**12, 500_001)
def test_reals_are_accepted_exactly_within_the_tolerance(truth_millionths, offset_millionths):
    spec = AnswerSpec(type="number", absolute_tolerance=0.5)
    truth, answer = (f"{millionths}e-6" for millionths in (truth_millionths, truth_millionths + offset_millionths))
    within = abs(offset_millionths) <= 500_000
    assert compare(spec, truth, answer).verdict == ("accepted" if within else "wrong")


@given(st.lists(integers, min_size=1, max_size=20), st.sampled_from(LIST_FORMATS))
def test_an_array_is_read_back_from_every_format(items, written):
    truth = " ".join(map(str, items))
    assert compare(ARRAY, truth, written(items)).verdict == "accepted"
    assert compare(ARRAY, f"{len(items)}\n{truth}\n", written(items)).verdict == "accepted"


@given(st.lists(small, min_size=1, max_size=8), st.lists(small, min_size=1, max_size=8), st.sampled_from(LIST_FORMATS))
def test_arrays_are_accepted_exactly_when_equal(items, others, written):
    truth = " ".join(map(str, items))
    verdict = compare(ARRAY, truth, written(others)).verdict
    uneven = any(len(str(abs(item))) == 3 for item in others)  # `1,234, 5` may group digits
    assert verdict == ("accepted" if items == others else "wrong") or (uneven and verdict == "unreadable")


@given(st.lists(small, min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_a_multiset_has_no_order_and_counts(items, rng):
    spec = AnswerSpec(type="multiset")
    shuffled = items[:]
    rng.shuffle(shuffled)
    truth = " ".join(map(str, items))
    assert compare(spec, truth, " ".join(map(str, shuffled))).verdict == "accepted"
    assert agree(spec, truth, " ".join(map(str, shuffled)))
    assert compare(spec, truth, " ".join(map(str, [*shuffled, items[0]]))).verdict == "wrong"


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(small, min_size=width, max_size=width), min_size=2, max_size=4)
    )
)
def test_a_matrix_is_read_back_from_every_format(rows):
    spec = AnswerSpec(type="matrix")
    truth = "\n".join(" ".join(map(str, row)) for row in rows)
    latex = r"\begin{bmatrix}" + r" \\ ".join(" & ".join(map(str, row)) for row in rows) + r"\end{bmatrix}"
    for answer in (truth, json.dumps(rows), str(rows), latex):
        assert compare(spec, truth, answer).verdict == "accepted"
        assert compare(spec, f"{len(rows)} {len(rows[0])}\n{truth}\n", answer).verdict == "accepted"


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8), st.randoms(use_true_random=False)
)
def test_a_graph_is_its_edges_in_any_order_and_direction(edges, rng):
    truth = "\n".join(f"{one} {other}" for one, other in edges)
    turned = [(other, one) if rng.random() < 0.5 else (one, other) for one, other in edges]
    rng.shuffle(turned)
    spec = AnswerSpec(type="graph")
    for answer in (str(turned), ", ".join(f"{one}-{other}" for one, other in turned), json.dumps(turned)):
        assert compare(spec, truth, answer).verdict == "accepted"
    missing = truth + "\n10 11"
    assert compare(spec, missing, str(turned)).verdict == "wrong"


@given(st.text(min_size=1))
def test_a_string_equals_itself_and_nothing_longer(text):
    spec = AnswerSpec(type="string")
    assert compare(spec, text, text).verdict == "accepted"
    assert compare(spec, text.strip() + "x", text).verdict == "wrong"


@given(st.sampled_from(TYPES), st.lists(st.one_of(small, st.sampled_from(["YES", "ab"])), min_size=1, max_size=6))
def test_an_output_agrees_with_itself_and_its_own_trailing_space(kind, items):
    output = " ".join(map(str, items))
    assert agree(AnswerSpec(type=kind), output, output + " \n\n")


@pytest.mark.parametrize("size", [10**5, 9 * 10**5])
def test_any_size_below_the_limit_is_read(size):
    digits = "7" * size
    assert compare(NUMBER, digits, digits).verdict == "accepted"
    assert compare(NUMBER, digits, digits[:-1] + "8").verdict == "wrong"
    assert agree(NUMBER, digits, digits)

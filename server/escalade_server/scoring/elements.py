"""One element of a program's output, and whether what somebody wrote is the same.

Guarantee: pure and total. Whole numbers compare exactly; a tolerance applies only where it is declared or where the
program printed a real.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from escalade.types import AnswerSpec
from escalade_server.scoring import numeric
from escalade_server.scoring.expressions import Undecided
from escalade_server.scoring.numeric import Number
from escalade_server.scoring.text import folded

DEFAULT_TOLERANCE = 1e-6
"""Absolute or relative, for reals without a declared tolerance."""

_RATIO = re.compile(r"([+-]?[0-9]{1,1000}+)/([0-9]{1,1000}+)")
_NOT_A_NUMBER = re.compile(r"[+-]?nan(?:\([a-z0-9]*+\))?+|-?1\.#(?:ind|qnan|inf).*+", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a real may be from the truth: within either bound."""

    absolute: float | None
    relative: float | None
    declared: bool


@dataclass(frozen=True, slots=True)
class Element:
    """One token of a program's output."""

    text: str
    number: Number | None
    """None: a word."""
    real: bool = False
    """Written with a point or an exponent."""


def tolerance_of(spec: AnswerSpec) -> Tolerance:
    """The tolerance that an answer's declaration means."""
    if spec.absolute_tolerance is None and spec.relative_tolerance is None:
        return Tolerance(DEFAULT_TOLERANCE, DEFAULT_TOLERANCE, declared=False)
    return Tolerance(spec.absolute_tolerance, spec.relative_tolerance, declared=True)


def scalar(token: str) -> Element:
    """A token where one number is expected: `007` is 7."""
    number: Number | None = numeric.literal(token)
    if number is None and (ratio := _RATIO.fullmatch(token)) and int(ratio[2]):
        number = Fraction(int(ratio[1]), int(ratio[2]))
    return Element(token, number, real=number is not None and any(mark in token for mark in ".eE"))


def element(token: str) -> Element:
    """A token of a list: digits with a leading zero, such as `0101`, are a word."""
    digits = token.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits.isdigit():
        return Element(token, None)
    return scalar(token)


def not_a_number(token: str) -> bool:
    """Whether a program printed NaN, with which nothing agrees."""
    return _NOT_A_NUMBER.fullmatch(token) is not None


def suspects(output: str) -> list[str]:
    """The tokens of an output that has some sign of NaN, else none; most outputs are not even split."""
    return output.split() if "nan" in output or "NaN" in output or "#" in output or "NAN" in output else []


def same_number(truth: Element, value: Number, tolerance: Tolerance, *, tolerant: bool) -> bool:
    """Whether a value is the truth's number.

    Raises:
        Undecided: An irrational value is too close to an exact truth to tell.
    """
    assert truth.number is not None
    equal = numeric.equal(value, truth.number)
    if equal or not tolerant:
        if equal is None:
            raise Undecided("an irrational value next to an exact one")
        return equal
    whole = numeric.is_integer(truth.number) and not any(mark in truth.text for mark in "eE")
    if whole and numeric.is_integer(value) and not tolerance.declared:
        return False  # 1000000008 is not 1000000007.0, near as it is
    return numeric.close(value, truth.number, tolerance.absolute, tolerance.relative)


def same_word(spec: AnswerSpec, truth: str, word: str) -> bool:
    """Whether two words are the same, as the declaration tells cases apart."""
    return truth == word if spec.case_sensitive else folded(truth) == folded(word)


def agreeing(spec: AnswerSpec, first: Element, second: Element, tolerance: Tolerance, *, tolerant: bool) -> bool:
    """Whether two programs printed the same element."""
    if first.text == second.text:
        return not not_a_number(first.text)
    if first.number is None or second.number is None:
        return first.number is None and second.number is None and same_word(spec, first.text, second.text)
    return same_number(first, second.number, tolerance, tolerant=tolerant) or (
        tolerant and same_number(second, first.number, tolerance, tolerant=True)
    )

"""Exact numbers of any size, and closeness within a tolerance.

Guarantee: no operation costs more than linear time in the digits given or a fixed amount of arithmetic; exponents are
never multiplied out, and nothing passes through binary floats but a tolerance's own digits.
"""

from __future__ import annotations

import decimal
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt

MAX_BITS = 13_000
"""Longest numerator or denominator that arithmetic may produce; below the smallest number of over MAX_DIGITS digits."""
MAX_DIGITS = 4_000
"""Most digits of a literal that takes part in arithmetic; comparing literals has no limit."""
MAX_EXPONENT_DIGITS = 12

PRECISE = decimal.Context(prec=60, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[])
_NEGLIGIBLE = decimal.Decimal("1e-40")
_PLAIN = re.compile(r"([+-]?+)([0-9]*+)(?:(\.)([0-9]*+))?+(?:[eE]([+-]?+[0-9]++))?+")


class TooLarge(ValueError):
    """The value is beyond the limits of arithmetic."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A decimal number as written: +-digits * 10**exponent, digits without zeros at either end; zero has none."""

    negative: bool
    digits: str
    exponent: int


@dataclass(frozen=True, slots=True)
class Approximate:
    """An irrational value to 60 digits."""

    value: decimal.Decimal


Number = Literal | Fraction | Approximate


def literal(text: str) -> Literal | None:
    """Read `12`, `-0.5`, `.5`, `5.`, `1e3`; None for anything else, an exponent of over 12 digits included."""
    match = _PLAIN.fullmatch(text)
    if match is None or not (match[2] or match[4]):
        return None
    exponent = match[5] or "0"
    if len(exponent) > MAX_EXPONENT_DIGITS:
        return None
    return canonical(match[1] == "-", match[2], match[4] or "", int(exponent))


def canonical(negative: bool, whole: str, fraction: str, exponent: int) -> Literal:
    """The one `Literal` that stands for this value."""
    digits = (whole + fraction).lstrip("0")
    short = digits.rstrip("0")
    if not short:
        return Literal(False, "", 0)
    return Literal(negative, short, exponent - len(fraction) + len(digits) - len(short))


def approximate(value: decimal.Decimal) -> Approximate:
    """The number with this value.

    Raises:
        TooLarge: It is beyond the limits of arithmetic, or has none.
    """
    if not value.is_finite():
        raise TooLarge
    return Approximate(value)


def negate(number: Number) -> Number:
    """The number with the other sign, exactly."""
    if isinstance(number, Literal):
        return replace(number, negative=not number.negative) if number.digits else number
    return -number if isinstance(number, Fraction) else Approximate(number.value.copy_negate())


def is_integer(number: Number) -> bool:
    """Whether the value is a whole number."""
    if isinstance(number, Literal):
        return number.exponent >= 0
    return isinstance(number, Fraction) and number.denominator == 1


def to_fraction(number: Literal | Fraction) -> Fraction:
    """The value for arithmetic.

    Raises:
        TooLarge: It has too many digits.
    """
    if isinstance(number, Fraction):
        return number
    if len(number.digits) + abs(number.exponent) > MAX_DIGITS:
        raise TooLarge
    value = Fraction(int(number.digits or "0"))
    shift = Fraction(10 ** abs(number.exponent))
    value = value * shift if number.exponent >= 0 else value / shift
    return -value if number.negative else value


def to_decimal(number: Number) -> decimal.Decimal:
    """The value to 60 digits."""
    if isinstance(number, Approximate):
        return number.value
    if isinstance(number, Fraction):
        numerator, denominator = decimal.Decimal(number.numerator), decimal.Decimal(number.denominator)
        return PRECISE.divide(numerator, denominator)
    if not number.digits:
        return decimal.Decimal(0)
    kept = number.digits[:200]  # what follows is far below every tolerance
    sign, exponent = "-" if number.negative else "", number.exponent + len(number.digits) - len(kept)
    return PRECISE.create_decimal(f"{sign}{kept}E{exponent}")


def equal(first: Number, second: Number) -> bool | None:
    """Exact equality; None when an irrational value is too close to tell."""
    if isinstance(first, Literal) and isinstance(second, Literal):
        return first == second
    if isinstance(first, Approximate) or isinstance(second, Approximate):
        one, other = to_decimal(first), to_decimal(second)
        gap = PRECISE.abs(PRECISE.subtract(one, other))
        if not gap.is_finite():
            return False  # one of them is a power of ten that arithmetic cannot hold
        scale = max(PRECISE.abs(one), PRECISE.abs(other), decimal.Decimal(1))
        return False if gap > PRECISE.multiply(scale, _NEGLIGIBLE) else None
    try:
        return to_fraction(first) == to_fraction(second)
    except TooLarge:
        # Arithmetic yields no whole number that large; a fraction may have that many decimals.
        return False if to_decimal(first) != to_decimal(second) else None


def close(value: Number, truth: Number, absolute: float | None, relative: float | None) -> bool:
    """Whether |value - truth| is at most `absolute`, or at most `relative` times |truth|."""
    one, other = to_decimal(value), to_decimal(truth)
    gap = PRECISE.abs(PRECISE.subtract(one, other))
    if not gap.is_finite():
        return value == truth
    if absolute is not None and gap <= decimal.Decimal(repr(absolute)):
        return True
    if relative is None:
        return gap == 0
    return gap <= PRECISE.multiply(PRECISE.abs(other), decimal.Decimal(repr(relative)))


def bounded(value: Fraction) -> Fraction:
    """The value itself.

    Raises:
        TooLarge: It is beyond the limits of arithmetic.
    """
    if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
        raise TooLarge
    return value


def add(first: Number, second: Number, sign: int = 1) -> Number:
    """First plus (or with sign -1, minus) second.

    Raises:
        TooLarge: The result is beyond the limits of arithmetic.
    """
    if isinstance(first, Approximate) or isinstance(second, Approximate):
        one, other = to_decimal(first), to_decimal(second)
        return approximate(PRECISE.add(one, other) if sign > 0 else PRECISE.subtract(one, other))
    return bounded(to_fraction(first) + sign * to_fraction(second))


def multiply(first: Number, second: Number) -> Number:
    """The product; powers of ten only move the point, whatever their size.

    Raises:
        TooLarge: The result is beyond the limits of arithmetic.
    """
    if isinstance(first, Approximate) or isinstance(second, Approximate):
        return approximate(PRECISE.multiply(to_decimal(first), to_decimal(second)))
    if isinstance(first, Literal) and isinstance(second, Literal) and "1" in (first.digits, second.digits):
        digits = second.digits if first.digits == "1" else first.digits
        if not digits:
            return Literal(False, "", 0)
        return Literal(first.negative != second.negative, digits, first.exponent + second.exponent)
    return bounded(to_fraction(first) * to_fraction(second))


def divide(first: Number, second: Number) -> Number | None:
    """The quotient; None when the divisor is zero.

    Raises:
        TooLarge: The result is beyond the limits of arithmetic.
    """
    if isinstance(first, Approximate) or isinstance(second, Approximate):
        divisor = to_decimal(second)
        return approximate(PRECISE.divide(to_decimal(first), divisor)) if divisor else None
    denominator = to_fraction(second)
    return bounded(to_fraction(first) / denominator) if denominator else None


def power(base: Number, exponent: Number) -> Number | None:
    """A whole power; None for other exponents and for a power of zero that has no value.

    Raises:
        TooLarge: The result is beyond the limits of arithmetic.
    """
    if not is_integer(exponent):
        return None
    if isinstance(exponent, Literal) and len(exponent.digits) + exponent.exponent > MAX_EXPONENT_DIGITS:
        raise TooLarge
    if isinstance(exponent, Approximate):
        return None
    count = int(to_fraction(exponent))
    if isinstance(base, Literal) and base.digits == "1" and abs(count) < 10**MAX_EXPONENT_DIGITS:
        return Literal(base.negative and count % 2 == 1, "1", base.exponent * count)
    if isinstance(base, Approximate):
        if abs(count) > 1_000:
            raise TooLarge
        if not base.value and count <= 0:
            return None
        return approximate(PRECISE.power(base.value, decimal.Decimal(count)))
    fraction = to_fraction(base)
    if fraction == 0 and count <= 0:
        return None
    if abs(count) * max(fraction.numerator.bit_length(), fraction.denominator.bit_length()) > 2 * MAX_BITS:
        raise TooLarge
    return bounded(fraction**count)


def root(number: Number, degree: int = 2) -> Number | None:
    """The real root, exact where it is rational; None of a negative number.

    Raises:
        TooLarge: The number is beyond the limits of arithmetic.
    """
    if isinstance(number, Approximate):
        value = number.value
    else:
        fraction = to_fraction(number)
        if fraction < 0:
            return None
        exact = [_whole_root(part, degree) for part in (fraction.numerator, fraction.denominator)]
        if exact[0] is not None and exact[1] is not None:
            return Fraction(exact[0], exact[1])
        value = to_decimal(fraction)
    if value < 0:
        return None
    if degree == 2:
        return approximate(PRECISE.sqrt(value))
    return approximate(PRECISE.power(value, PRECISE.divide(decimal.Decimal(1), decimal.Decimal(degree))))


def _whole_root(number: int, degree: int) -> int | None:
    if degree == 2:
        near = isqrt(number)
    else:
        near = int(PRECISE.to_integral_value(PRECISE.power(decimal.Decimal(number), PRECISE.divide(1, degree))))
    return near if near**degree == number else None

r"""Works out one mathematical expression, in the sandbox: the server sends this file's text as a program.

Guarantee: it knows nothing of any truth. math-verify's LaTeX parser reads the text into a tree without evaluating it;
the tree is then worked out node by node, only with functions that are listed, and never into numbers that are too long.
What comes back is a value that was proven, a real number to 50 digits, or the reason why there is neither.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from typing import Any

sys.path.append("/opt/escalade/mathematics")  # where the toolchain image has the packages
try:
    import sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig, latex2sympy
except ModuleNotFoundError:
    sympy = None

MAX_BITS = 13_000
"""Longest numerator or denominator."""
MAX_TERMS = 2_000
"""Terms of a sum or product."""
MAX_FACTORIAL = 1_000
PATIENCE_S = 1.5
"""After this much of processor time the expression is given up, so that the next needs no new interpreter."""
DIGITS = 50
CLOSE = 10**-45

_DECIMAL = re.compile(r"(?<![0-9.])([0-9]+)\.([0-9]+)(?![0-9.])")


class Refused(Exception):
    """The expression is not worked out, for this reason."""


def work_out(text: str) -> dict[str, Any]:
    """`{"exact": [numerator, denominator]}`, `{"real": digits}`, `{"refused": reason}` or `{"missing": true}`."""
    if sympy is None:
        return {"missing": True}
    signal.signal(signal.SIGPROF, _give_up)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE_S)
    try:
        return _result(_value(_parsed(text)))
    except Refused as refusal:
        return {"refused": str(refusal)}
    except (RecursionError, MemoryError, OverflowError, ArithmeticError, TypeError, ValueError, NotImplementedError):
        return {"refused": "the expression has no value that can be worked out"}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _give_up(number: int, frame: object) -> None:
    raise Refused("it takes too long")


def _parsed(text: str) -> Any:
    """The tree; decimals become fractions first, since the parser reads them as binary floats."""
    exact = _DECIMAL.sub(lambda found: rf"(\frac{{{found[1]}{found[2]}}}{{1{'0' * len(found[2])}}})", text)
    try:
        return latex2sympy(
            exact,
            normalization_config=None,
            conversion_config=ConversionConfig(interpret_as_mixed_fractions=False),
        )
    except Refused:
        raise
    except Exception as error:  # the parser raises plain exceptions
        raise Refused("it cannot be parsed") from error


def _value(node: Any) -> Any:
    """A node worked out, leaves first."""
    if node in (sympy.pi, sympy.E):
        return node
    if isinstance(node, sympy.Rational):
        return _bounded(node)
    if isinstance(node, (sympy.Sum, sympy.Product)):
        return _series(node)
    arguments = [_value(one) for one in node.args]
    rule = _RULES.get(type(node).__name__)
    if rule is None or not arguments:
        raise Refused("it holds a symbol or a function that is not worked out")
    return _bounded(rule(*arguments))


def _bounded(value: Any) -> Any:
    if isinstance(value, sympy.Rational) and max(int(value.p).bit_length(), int(value.q).bit_length()) > MAX_BITS:
        raise Refused("the number is too long")
    if value in (sympy.zoo, sympy.oo, -sympy.oo, sympy.nan) or value.is_real is False:
        raise Refused("it is not a real number")
    return value


def _power(base: Any, exponent: Any) -> Any:
    if base == 0 and not exponent.is_positive:
        raise Refused("zero to no power")
    if isinstance(base, sympy.Rational) and isinstance(exponent, sympy.Rational):
        bits = max(int(base.p).bit_length(), int(base.q).bit_length())
        if abs(exponent) * bits > 2 * MAX_BITS or int(exponent.q).bit_length() > 20:
            raise Refused("the number is too long")
    elif abs(sympy.N(exponent)) > MAX_BITS:
        raise Refused("the number is too long")
    return sympy.Pow(base, exponent)


def _exponential(exponent: Any) -> Any:
    return _power(sympy.E, exponent)


def _factorial(number: Any) -> Any:
    if not (isinstance(number, sympy.Integer) and 0 <= number <= MAX_FACTORIAL):
        raise Refused("a factorial of such a number is not worked out")
    return sympy.factorial(number)


def _binomial(above: Any, below: Any) -> Any:
    if not all(isinstance(one, sympy.Integer) and 0 <= one <= 10 * MAX_FACTORIAL for one in (above, below)):
        raise Refused("a binomial of such numbers is not worked out")
    return sympy.binomial(above, below)


def _rounded(direction: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def rule(number: Any) -> Any:
        value = direction(number)
        if not isinstance(value, sympy.Integer):
            raise Refused("it is too close to a whole number to tell")
        return value

    return rule


def _series(node: Any) -> Any:
    if len(node.limits) != 1 or len(node.limits[0]) != 3:
        raise Refused("a series without bounds")
    symbol, low, high = node.limits[0]
    first, last = _value(low), _value(high)
    if not (isinstance(first, sympy.Integer) and isinstance(last, sympy.Integer)) or last - first >= MAX_TERMS:
        raise Refused("too many terms")
    step = sympy.Add if isinstance(node, sympy.Sum) else sympy.Mul
    total = step()
    for number in range(int(first), int(last) + 1):
        total = _bounded(step(total, _value(node.function.xreplace({symbol: sympy.Integer(number)}))))
    return total


def _result(value: Any) -> dict[str, Any]:
    if isinstance(value, sympy.Rational):
        return _exact(value)
    digits = sympy.N(value, DIGITS)
    if not (isinstance(digits, sympy.Float) and digits.is_finite):
        raise Refused("it is not a real number")
    near = sympy.Rational(str(digits)).limit_denominator(10**6)
    if abs(sympy.N(value - near, DIGITS)) < CLOSE * max(1, abs(near)):
        if (value - near).equals(0) is not True:
            raise Refused("it is too close to a rational number to tell")
        return _exact(near)
    return {"real": str(digits)}


def _exact(value: Any) -> dict[str, Any]:
    return {"exact": [str(value.p), str(value.q)]}


_RULES: dict[str, Callable[..., Any]] = {}
if sympy is not None:
    sys.set_int_max_str_digits(0)
    _RULES = {
        "Add": sympy.Add, "Mul": sympy.Mul, "Pow": _power, "exp": _exponential, "log": sympy.log,
        "factorial": _factorial, "binomial": _binomial, "Abs": sympy.Abs, "Max": sympy.Max, "Min": sympy.Min,
        "floor": _rounded(sympy.floor), "ceiling": _rounded(sympy.ceiling), "UnevaluatedExpr": lambda value: value,
        "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "cot": sympy.cot,
        "asin": sympy.asin, "acos": sympy.acos, "atan": sympy.atan,
    }  # fmt: skip
    # The first parse builds the tables of the grammar; the calls are forks of this state.
    _parsed(r"\frac{1}{2} + \sqrt{2} \cdot \log_{2}(3)")

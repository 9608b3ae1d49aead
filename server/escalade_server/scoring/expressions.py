r"""Reading one number as people and models write it.

Guarantee: pure, total, linear in the text; nothing is evaluated but the four operations, whole powers, roots and `\pi`,
over bounded exact arithmetic. A text with two plausible readings (`1,5`, `2\frac12`, `1/2/3`, `50%`) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from escalade_server.scoring import numeric
from escalade_server.scoring.hard import has_one_reading, is_mathematics
from escalade_server.scoring.numeric import Approximate, Literal, Number
from escalade_server.scoring.text import mathematical, unwrapped, without_spacing

MAX_TOKENS = 400
MAX_DEPTH = 30

_PI = Approximate(numeric.PRECISE.create_decimal("3.14159265358979323846264338327950288419716939937510582097494459"))


class Unreadable(ValueError):
    """The text is no number, or has two readings. The message is a stable short reason."""


class Undecided(ValueError):
    """The text may be a number that this grammar does not know."""


_GROUPED = "|".join(
    f"[1-9][0-9]{{0,2}}+(?:{re.escape(mark)}[0-9]{{3}})++(?![0-9])" for mark in (",", "{,}", "\\,", ",\\!", "_", "\\_")
)
_TOKEN = re.compile(
    rf"(?P<grouped>(?:{_GROUPED})(?:\.[0-9]++)?+)"
    r"|(?P<number>(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+)"
    r"|(?P<command>\\(?:[A-Za-z]++|[ ,;:!]))|(?P<word>[A-Za-z]++)"
    r"|(?P<sign>\*\*|[-+*/^(){}\[\]!])|(?P<space>[ \t\r\n]++)"
)
_MARKS = re.compile(r"[^0-9.]")
_TIMES = {"*", r"\cdot", r"\times"}
_DIVIDE = {"/", r"\div"}
_POWER = {"^", "**"}
_FRACTIONS = {r"\frac", r"\dfrac", r"\tfrac", r"\cfrac"}
_SPACES = {r"\ ", r"\,", r"\;", r"\:", r"\!"}
_COMMANDS = _FRACTIONS | _SPACES | {r"\cdot", r"\times", r"\div", r"\sqrt", r"\pi"}
_CLOSING = {"(": ")", "{": "}", "[": "]"}
_UNIT = re.compile(
    r"(?:[ \t]++(?P<plain>[A-Za-z]{2,30}+)(?:[ \t]++(?P<second>[A-Za-z]{2,30}+))?+"
    r"|[ \t]*+\\(?:text|mathrm|textrm|mbox|,[ ]*+\\text)[ \t]*+\{(?P<braced>[A-Za-z \t./-]{0,60}+)\})"
    r"(?:\^(?:\{[23]\}|[23]))?+[ \t]*+\.?+"
    r"|[ \t]*+\^(?:\\circ|\{\\circ\})"
)
_NO_UNITS = frozenset(
    word
    for line in (
        "or and to not no mod if where for but is isn wrong maybe none e",
        "percent dozen half third quarter hundred thousand million billion trillion k K M b B E",
        "plus minus times over per point squared cubed approx about pi sqrt inf infinity nan",
    )
    for word in line.split()
)


Known = Mapping[str, Number | None]
"""What texts beyond this grammar, `bare`, were found to be elsewhere; None: no number."""
NOTHING_KNOWN: Known = MappingProxyType({})


def read_number(text: str, known: Known = NOTHING_KNOWN) -> Number:
    """Read one number.

    Raises:
        Unreadable: It is none, or more than one reading makes sense.
        Undecided: It uses mathematics beyond this grammar.
    """
    if (number := numeric.literal(text.strip())) is not None:
        return number
    plain = bare(text)
    if (number := numeric.literal(plain.strip())) is not None:
        return number
    if plain in known:
        if (found := known[plain]) is None:
            raise Unreadable("mathematics that could not be worked out")
        return found
    try:
        numbers = [_Parser(side).whole() for side in plain.split("=", 4)]
        for other in numbers[1:]:
            if numeric.equal(numbers[0], other) is not True:
                raise Unreadable("two sides that are not equal")
    except (numeric.TooLarge, ArithmeticError):
        raise Unreadable("too large to work out") from None
    except Unreadable:
        if not is_mathematics(plain):
            raise
        if not has_one_reading(plain):
            raise Unreadable("mathematics with two readings") from None
        raise Undecided("mathematics beyond the fast path") from None
    return numbers[0]


def bare(text: str) -> str:
    """The mathematics in a text, without what decorates it.

    Raises:
        Unreadable: It holds characters with no plain meaning.
    """
    plain = mathematical(text)
    if plain is None:
        raise Unreadable("characters with no plain meaning")
    plain = unwrapped(without_spacing(plain)).removeprefix(r"\approx")
    return plain.replace("\\$", " ").replace("$", " ")  # a space, so that digits on both sides stay apart


class _Parser:
    """Recursive descent over the tokens of one side, with bounded depth and count."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        self.ends: list[int] = []
        self.index = 0
        self.depth = 0
        self._tokenise()

    def whole(self) -> Number:
        """The value of the whole text; a unit may follow."""
        value = self._sum()
        if self.index < len(self.tokens):
            raise Unreadable("not a number, or one with two readings")
        return value

    def _tokenise(self) -> None:
        offset = 0
        while offset < len(self.text):
            if self.tokens and self._is_unit(offset):
                return
            match = _TOKEN.match(self.text, offset)
            if match is None or len(self.tokens) >= MAX_TOKENS:
                raise Unreadable("not a number")
            kind = match.lastgroup or ""
            if kind == "word" or (kind == "command" and match[0] not in _COMMANDS):
                raise Unreadable("words around the number, or a command beyond numbers")
            offset = match.end()
            if kind != "space" and match[0] not in _SPACES:
                self.tokens.append((kind, match[0]))
        if not self.tokens:
            raise Unreadable("empty")

    def _is_unit(self, offset: int) -> bool:
        """Whether nothing but a unit stands from here on."""
        if len(self.text) - offset > 100:
            return False
        unit = _UNIT.fullmatch(self.text, offset)
        if unit is None:
            return False
        words = " ".join(word for word in (unit["plain"], unit["second"], unit["braced"]) if word)
        words = words.replace("/", " ").replace(".", " ")
        return _NO_UNITS.isdisjoint(words.split()) and _NO_UNITS.isdisjoint(words.lower().split())

    def _peek(self) -> tuple[str, str]:
        return self.tokens[self.index] if self.index < len(self.tokens) else ("", "")

    def _take(self, token: str) -> None:
        if self._peek()[1] != token:
            raise Unreadable("brackets do not match")
        self.index += 1

    def _sum(self) -> Number:
        value = self._product()
        while self._peek()[1] in ("+", "-"):
            sign = 1 if self._peek()[1] == "+" else -1
            self.index += 1
            value = numeric.add(value, self._product(), sign)
        return value

    def _product(self) -> Number:
        sign = 1
        if self._peek()[1] in ("+", "-"):
            sign = 1 if self._peek()[1] == "+" else -1
            self.index += 1
        value = self._power()
        divided = False
        while True:
            token = self._peek()[1]
            if token in _TIMES:
                self.index += 1
                value = numeric.multiply(value, self._power())
            elif token in _DIVIDE:
                if divided:
                    raise Unreadable("two divisions in a row")
                divided = True
                self.index += 1
                quotient = numeric.divide(value, self._power())
                if quotient is None:
                    raise Unreadable("division by zero")
                value = quotient
            elif token in (r"\pi", r"\sqrt"):  # 2\pi, 3\sqrt{2}; 2\frac{1}{2} has two readings
                if divided:
                    raise Unreadable("a division followed by a product")
                value = numeric.multiply(value, self._power())
            else:
                return value if sign > 0 else numeric.negate(value)

    def _power(self) -> Number:
        base = self._atom()
        if self._peek()[1] not in _POWER:
            return base
        self.index += 1
        sign = 1
        if self._peek()[1] in ("+", "-"):
            sign = 1 if self._peek()[1] == "+" else -1
            self.index += 1
        exponent = self._atom()
        if self._peek()[1] in _POWER:
            raise Unreadable("a power of a power")
        value = numeric.power(base, exponent if sign > 0 else numeric.negate(exponent))
        if value is None:
            raise Unreadable("zero to no power") if numeric.is_integer(exponent) else Undecided("a power not whole")
        return value

    def _atom(self) -> Number:
        kind, token = self._peek()
        if kind in ("number", "grouped"):
            self.index += 1
            return _literal(_MARKS.sub("", token) if kind == "grouped" else token)
        if token in _CLOSING:
            return self._bracketed(token)
        if token in _FRACTIONS:
            self.index += 1
            return self._fraction()
        if token == r"\sqrt":
            self.index += 1
            return self._root()
        if token == r"\pi":
            self.index += 1
            return _PI
        raise Unreadable("not a number, or one with two readings")

    def _bracketed(self, opening: str) -> Number:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")
        self._take(opening)
        value = self._sum()
        self._take(_CLOSING[opening])
        self.depth -= 1
        return value

    def _fraction(self) -> Number:
        numerator, denominator = self._argument(), self._argument()
        value = numeric.divide(numerator, denominator)
        if value is None:
            raise Unreadable("division by zero")
        return value

    def _argument(self) -> Number:
        r"""A braced argument, or one digit: `\frac12` is a half."""
        kind, token = self._peek()
        if token == "{":
            return self._bracketed("{")
        if kind == "number" and token.isdigit():
            if len(token) == 1:
                self.index += 1
            elif len(token) == 2:
                self.tokens[self.index] = ("number", token[1:])
            else:
                raise Unreadable("a fraction with two readings")
            return _literal(token[0])
        raise Unreadable("a fraction without its parts")

    def _root(self) -> Number:
        degree = 2
        if self._peek()[1] == "[":
            self.index += 1
            kind, token = self._peek()
            if kind != "number" or not token.isdigit() or len(token) > 2 or int(token) < 2:
                raise Undecided("a root of an unusual degree")
            degree = int(token)
            self.index += 1
            self._take("]")
        value = numeric.root(self._argument(), degree)
        if value is None:
            raise Unreadable("a root of a negative number")
        return value


def _literal(text: str) -> Literal:
    value = numeric.literal(text)
    if value is None:
        raise numeric.TooLarge
    return value

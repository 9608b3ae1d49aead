r"""Which texts are worth working out in the sandbox, and which have two readings that no parser should choose between.

Guarantee: pure, total and linear. What is let through is short mathematics whose one reading the parser shares; `\log`
without a base, mixed numbers, `a/b/c`, degrees, percent, functions of unbracketed products and the like are refused.
"""

from __future__ import annotations

import re

MAX_CHARS = 300
MAX_BRACKETS = 60

_FUNCTION = r"\\(?:arc)?+(?:sin|cos|tan|cot|ln|exp|log)(?![A-Za-z])"
_SCRIPT = r"(?:[ ]?+[_^][ ]?+(?:\{[^{}]{1,40}+\}|[0-9]))?+"
_BEYOND = re.compile(
    r"\\(?:[dt]?binom|choose|log|ln|exp|sin|cos|tan|cot|arcsin|arccos|arctan|gcd|lfloor|lceil|sum|prod|max|min"
    r"|lvert|operatorname)(?![A-Za-z])|[0-9)}]!|(?<![A-Za-z])e\^|(?<![A-Za-z])\|[^|]++\|"
)
_DEFINES = re.compile(
    r"\\(?:[exg]?def|let|futurelet|(?:re)?newcommand|providecommand|newcount|catcode|csname|input|include|write|read"
    r"|openin|openout|immediate|expandafter|loop|require|usepackage|begin)(?![A-Za-z])"
)
_TWO_READINGS = re.compile(
    r"[0-9][ ]?+\\[cdt]?frac(?![A-Za-z])"  # a mixed number or a product
    r"|!!|\^[ ]?+(?:[0-9A-Za-z]++|\{[^{}]{0,60}+\})!"  # 5!!, 2^3!
    r"|\\log(?![A-Za-z])[ ]?+(?!_)|\\lg(?![A-Za-z])"  # to which base
    r"|_[0-9]{2}"  # \log_10 5
    r"|\\circ(?![A-Za-z])|%|\\(?:pm|mp)(?![A-Za-z])|(?<!_\{[A-Za-z])="  # degrees, percent, two signs, sides
    r"|/[^()+\-]{0,60}/|/[ ]?+[0-9.]++[ ]?+\\(?!cdot|times|right)"  # 1/2/3, 1/2\pi
    r"|(?<![_0-9.{])[0-9]++[ ~]++[0-9]"  # 4 2
    r"|[0-9]\{?,\}?[0-9]{3}(?![0-9])"  # 1,000 or two arguments
    r"|[0-9][eE][0-9+-]"
    r"|\^[ ]?+\{?[ ]?+-[ ]?+1[ ]?+\}?[ ]?+[({\\]"  # \sin^{-1}(x)
)
_CALL = re.compile(rf"{_FUNCTION}{_SCRIPT}[ ]?+(?P<next>[^ ]?)")
_PLAIN_ARGUMENT = re.compile(r"(?:[0-9]++(?:\.[0-9]++)?+|\\pi(?![A-Za-z])|e)(?=[ ]?+(?:$|[-+)}\],|]|\\rfloor|\\rceil))")
_LISTING = re.compile(r"\\(?:gcd|max|min|operatorname)(?![A-Za-z])")


def is_mathematics(text: str) -> bool:
    """Whether a text that the grammar refused may be mathematics beyond it."""
    return len(text) <= MAX_CHARS and bool(_BEYOND.search(text)) and not _DEFINES.search(text)


def has_one_reading(text: str) -> bool:
    """Whether a mathematical text leaves no choice."""
    if _TWO_READINGS.search(text) or sum(text.count(mark) for mark in "([{|") > MAX_BRACKETS:
        return False
    if text.count("|") % 2:
        return False
    if "," in text and not _LISTING.search(text):
        return False
    return all(_takes_one_argument(text, call) for call in _CALL.finditer(text))


def _takes_one_argument(text: str, call: re.Match[str]) -> bool:
    r"""Whether it is clear where a function's argument ends: `\ln(2)`, `\ln 2 + 1`, but not `\ln 2 \cdot 3`."""
    start = call.start("next")
    if call["next"] in ("(", "{", "["):
        end = _closing(text, start)
        # \log_2(8)^2 may mean the logarithm of the square.
        return end > 0 and not text[end + 1 :].lstrip(" ").startswith(("^", "!"))
    if text.startswith((r"\frac", r"\dfrac", r"\tfrac", r"\sqrt"), start):
        return not re.search(r"\\(?:cdot|times|div)(?![A-Za-z])|[*/^!]", text[start:])
    return _PLAIN_ARGUMENT.match(text, start) is not None


def _closing(text: str, opening: int) -> int:
    depth = 0
    for place in range(opening, len(text)):
        depth += (text[place] in "([{") - (text[place] in ")]}")
        if depth == 0:
            return place
    return -1

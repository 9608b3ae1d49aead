r"""The text of an answer without its decoration.

Guarantee: pure, total and linear. Only decoration that carries no meaning goes: surrounding space, mathematics
delimiters, `\text{...}`, emphasis, code ticks, a label, a final full stop. Characters that look like others are never
translated into them; text that holds them is refused where the type is mathematical.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_MEANING = str.maketrans(
    {
        "−": "-",  # the minus sign proper; dashes may mean a range
        "×": r" \times ",
        "⋅": r" \cdot ",
        "·": r" \cdot ",
        "π": r" \pi ",
        "→": r" \to ",
        "≈": r" \approx ",
        "\u00a0": " ",
        "\u2009": r"\,",
        "\u202f": r"\,",
        "“": '"',
        "”": '"',
    }
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_WRAPPERS = re.compile(
    r"(?:\\(?:boxed|fbox|text|textbf|textit|texttt|textrm|textsf|mathrm|mathbf|mathit|mathtt|mathsf|boldsymbol|bm|textsc|mbox|hbox|operatorname"
    r"|displaystyle|underline|emph)(?![A-Za-z])[ \t\r\n]*+)?+\{"
)
_SPACING = re.compile(
    r"~(?=\\)|(?<!\\)\\(?=[ ])|\\(?:color|hspace\*?+)\{[A-Za-z0-9.! -]{0,30}+\}"
    r"|\\(?:displaystyle|textstyle|quad|qquad|limits|bf|rm|it|tt|sf|large|Large|LARGE|huge|small|normalsize"
    r"|[bB]igg?+[lr]?+)(?![A-Za-z])"
)
_LABEL_WORDS = r"(?:so[ ,]++)?+(?:the[ ]++)?+(?:final[ ]++)?+(?:answer|result|output)[ \t]*+"
_LABEL = re.compile(
    rf"\\(?:text|textbf|mathrm|mbox)[ ]*+\{{[ ]*+{_LABEL_WORDS}(?:is[ ]*+:?+|[:=])[ ]*+\}}"
    rf"|(?:\*\*)?+{_LABEL_WORDS}(?:\*\*)?+(?:is[ \t]*+:?+|[:=])[ \t\r\n]*+(?:\*\*)?+",
    re.IGNORECASE | re.ASCII,
)
_NAME = re.compile(
    r"(?:\\(?:text|textbf|mathrm|mathbf|mathit|operatorname|vec)[ ]*+\{[ ]*+[A-Za-z][A-Za-z ]{0,40}+\}|\\?+[A-Za-z]++)"
    r"['*]?+(?:_(?:[A-Za-z0-9]|\{[A-Za-z0-9]*+\}))?+(?:\^(?:\*|\{\*\}))?+"
    r"(?:\([A-Za-z0-9, ]{0,30}+\)|\[[A-Za-z0-9, ]{0,30}+\])?+[ \t]*+(?:=(?!=)|\\approx(?![A-Za-z]))[ \t\r\n]*+"
)
_UNESCAPED = (
    ("\\_", "_"),
    ("\\#", "#"),
    ("\\%", "%"),
    ("\\&", "&"),
    ("\\$", "$"),
    ("\\{", "{"),
    ("\\}", "}"),
    ("\\ ", " "),
)
_PAIRS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("``", "``"), ("`", "`"), ("*", "*"))
_ROUNDS = 8
_MAX_BRACES = 50_000


def mathematical(text: str) -> str | None:
    """The text in ASCII; None if it holds characters with no plain meaning (look-alikes, marks, other digits)."""
    if not text.isascii():
        text = text.translate(_MEANING)
        if not text.isascii():
            return None
    return None if _CONTROLS.search(text) else text


def unwrapped(text: str, keep: str = "") -> str:
    """The innermost form of `forms`."""
    last = text
    for last in forms(text, keep):  # noqa: B007 - the last form is wanted
        pass
    return last


def forms(text: str, keep: str = "") -> Iterator[str]:
    """The text, and what is left of it as each layer of decoration goes; marks found in `keep` are never decoration."""
    text = text.strip()
    yield text
    for _ in range(_ROUNDS):
        inner = _inner(text, keep).strip()
        if inner == text:
            return
        text = inner
        yield text


def folded(text: str) -> str:
    """ASCII letters in lower case, all else as it is: Unicode's own folding turns some look-alikes into letters."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def plain_words(text: str) -> str:
    """Text mode's escapes undone, for answers that are words."""
    if "\\" not in text:
        return text
    for escaped, meant in _UNESCAPED:
        text = text.replace(escaped, meant)
    return text


def closing_brace(text: str, opening: int) -> int:
    """Offset of the brace that closes the one at `opening`, or -1; escaped braces do not count."""
    depth = 0
    for match in _BRACES.finditer(text, opening):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth == 0:
                return match.start()
    return -1


_BRACES = re.compile(r"\\[\\{}]|[{}]")


def _inner(text: str, keep: str) -> str:
    if text.startswith("```") and text.endswith("```") and "\n" in text and "`" not in keep:
        return text[text.index("\n") + 1 : -3]
    for opening, closing in _PAIRS:
        if len(text) > len(opening) + len(closing) and text.startswith(opening) and text.endswith(closing):
            inside = text[len(opening) : -len(closing)]
            if opening not in inside and opening[0] not in keep:
                return inside
    if text.endswith("}") and text.count("{") <= _MAX_BRACES:
        wrapper = _WRAPPERS.match(text)
        if (
            wrapper
            and wrapper.end() < len(text) - 1
            and wrapper[0][0] not in keep
            and closing_brace(text, wrapper.end() - 1) == len(text) - 1
        ):
            return text[wrapper.end() : -1]
    if match := _LABEL.match(text) or _NAME.match(text):
        return text[match.end() :]
    if text.endswith(".") and not text.endswith("..") and "." not in keep:
        return text[:-1]
    return text


def without_spacing(text: str) -> str:
    r"""Mathematics without `\left`, `\right` and commands that only set space."""
    if "\\" in text:
        text = _DELIMITER_SIZE.sub("", text)
        text = _SPACING.sub(" ", text)
    return text


_DELIMITER_SIZE = re.compile(r"\\(?:left|right)(?![A-Za-z])\.?+")

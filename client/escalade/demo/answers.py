r"""Answers as a model would write them: the right one, and wrong ones of the kind that models make.

Guarantee: pure; all chance comes from the `random.Random` passed in. A wrong answer is readable, of the same type and
shape as the right one, and differs from it in one element, so that a server that scores it as right is at fault.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Sequence

from escalade.types import AnswerType

_INTEGER = re.compile(r"[+-]?\d+")
_REAL = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?")
_OPPOSITES = {"yes": "no", "true": "false", "1": "0", "y": "n", "t": "f"}
_OPPOSITES |= {no: yes for yes, no in _OPPOSITES.items()}
_LONGEST_SUM = 15
"""Longest integer, in digits, that a model adds up wrongly; in a longer one it copies a digit wrongly."""

Rows = list[list[str]]


def right_answer(answer_type: AnswerType, truth: str) -> str:
    """Write the ground truth, a reference program's raw output, as an answer."""
    if _is_text(answer_type, truth):
        return truth.strip()
    return _written(answer_type, _rows(answer_type, truth))


def wrong_answer(answer_type: AnswerType, truth: str, rng: random.Random) -> str:
    """Write a plausible answer that is not the ground truth."""
    if not truth.strip():
        return "0"
    if _is_text(answer_type, truth):
        return _changed_text(truth.strip(), rng)
    rows = _rows(answer_type, truth)
    if answer_type == "permutation":
        return _written(answer_type, _swapped(rows, rng))
    return _written(answer_type, _nudged(rows, rng, _opposite if answer_type == "bool" else _near))


def boxed(answer: str) -> str:
    r"""Put an answer where a server looks for it: in a box, or in a tag if its own braces would break the box."""
    return f"<answer>{answer}</answer>" if set(answer) & set("{}\\") else f"\\boxed{{{answer}}}"


def _is_text(answer_type: AnswerType, truth: str) -> bool:
    """Whether the answer is one text rather than numbers or a list; a `number` environment may print a word."""
    tokens = truth.split()
    if answer_type == "number":
        return not tokens or not all(_REAL.fullmatch(token) for token in tokens)
    return answer_type in ("string", "checked") or not tokens


def _rows(answer_type: AnswerType, truth: str) -> Rows:
    """Tokens of the output, line by line, without the length that a program may print before a list."""
    rows = [line.split() for line in truth.splitlines() if line.strip()]
    if answer_type in ("array", "multiset", "permutation") and len(rows) > 1 and len(rows[0]) == 1:
        following = sum(len(row) for row in rows[1:])
        if rows[0][0] == str(following):
            return rows[1:]
    return rows


def _written(answer_type: AnswerType, rows: Rows) -> str:
    if answer_type in ("matrix", "graph"):
        return "[" + ", ".join(_list(row) for row in rows) + "]"
    tokens = [token for row in rows for token in row]
    scalar = answer_type in ("number", "bool") and len(tokens) == 1
    return tokens[0] if scalar else _list(tokens)


def _list(tokens: Sequence[str]) -> str:
    return "[" + ", ".join(tokens) + "]"


def _nudged(rows: Rows, rng: random.Random, other: Callable[[str, random.Random], str]) -> Rows:
    """Change one element. The first line of several may hold counts, where a change could go unnoticed."""
    places = [(r, c) for r, row in enumerate(rows) if r or len(rows) == 1 for c in range(len(row))]
    row, column = rng.choice(places)
    changed = [list(each) for each in rows]
    changed[row][column] = other(changed[row][column], rng)
    return changed


def _swapped(rows: Rows, rng: random.Random) -> Rows:
    """Exchange two neighbours that differ; nudge an element where there are none."""
    places = [(r, c) for r, row in enumerate(rows) for c in range(len(row) - 1) if row[c] != row[c + 1]]
    if not places:
        return _nudged(rows, rng, _near)
    row, column = rng.choice(places)
    changed = [list(each) for each in rows]
    line = changed[row]
    line[column], line[column + 1] = line[column + 1], line[column]
    return changed


def _opposite(token: str, rng: random.Random) -> str:
    """The other of the two words, where they are the usual ones."""
    word = _OPPOSITES.get(token.lower())
    if word is None:
        return _changed_text(token, rng)
    return word.upper() if token.isupper() else word.title() if token.istitle() else word


def _near(token: str, rng: random.Random) -> str:
    """A token near this one."""
    if _INTEGER.fullmatch(token):
        return _near_integer(token, rng)
    if _REAL.fullmatch(token):
        return _near_real(token, rng)
    return _changed_text(token, rng)


def _near_integer(token: str, rng: random.Random) -> str:
    if len(token) > _LONGEST_SUM:
        return _changed_digit(token, rng)
    value = int(token)
    step = rng.choice((1, 1, 1, 2, 3))
    # Counts and sizes are seldom negative, and a model knows that.
    return str(value + step if value <= step or rng.random() < 0.5 else value - step)


def _near_real(token: str, rng: random.Random) -> str:
    value = float(token)
    # Far enough to be outside every sensible tolerance, whatever the magnitude.
    off = max(0.05, abs(value) * 0.03) * rng.uniform(1, 3)
    near = value + rng.choice((-1, 1)) * off
    if "e" in token.lower():
        return f"{near:.6e}"
    return f"{near:.{max(2, min(6, len(token.partition('.')[2])))}f}"


def _changed_digit(token: str, rng: random.Random) -> str:
    first = 1 if token[0] in "+-" else 0
    at = rng.randrange(first, len(token))
    digits = [digit for digit in string.digits if digit != token[at] and (digit != "0" or at > first)]
    return token[:at] + rng.choice(digits) + token[at + 1 :]


def _changed_text(text: str, rng: random.Random) -> str:
    """Change one letter or digit into another of its kind that differs in more than case."""
    places = [index for index, character in enumerate(text) if character.isascii() and character.isalnum()]
    if not places:
        return text + "0"
    at = rng.choice(places)
    old = text[at]
    used = {character for character in text if character.isascii() and character.isalnum()}
    kind = string.digits if old.isdigit() else string.ascii_uppercase if old.isupper() else string.ascii_lowercase
    others = [new for new in kind if new.lower() != old.lower()]
    # A model that slips stays within the alphabet of the task.
    likely = [new for new in others if new in used]
    return text[:at] + rng.choice(likely or others) + text[at + 1 :]

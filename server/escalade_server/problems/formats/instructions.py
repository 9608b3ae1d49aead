"""What a contest's output section says of the answer, apart from what it says of programs.

Guarantee: pure, total and linear in the length of the text. A declared tolerance is read only from a sentence that
speaks of absolute or relative error; everything else keeps the default of `AnswerSpec`.
"""

from __future__ import annotations

import re
from typing import Final

SMALLEST_EXPONENT: Final = 30
"""A tolerance below 10^-30 is no tolerance that a judge has."""

_BETWEEN_SENTENCES: Final = re.compile(r"((?<=[.!?])\s+|\n{2,})")
_PROGRAM_TERM: Final = re.compile(
    r"%lld|%I64d|%llu|64[- ]bit|long long|__int64|\bint64|\bcin\b|\bcout\b|\bscanf\b|\bprintf\b|\bBufferedReader\b"
)
_ADVICE: Final = re.compile(r"\b(?:use|used|using|store|prefer|preferred|recommended)\b", re.IGNORECASE)
_TASK: Final = re.compile(r"\s*(?:print|output|write|display|find|report)\b", re.IGNORECASE)

_ERROR: Final = re.compile(r"\berrors?\b", re.IGNORECASE)
_TOLERANCE: Final = re.compile(
    r"(?<![\d.])(?:"
    r"10 ?(?:\^|\*\*)? ?[{(]?(?:<sup>)? ?[-−–] ?(?P<power>\d{1,4})(?!\d)"
    r"|1(?:\.0{1,9})?e-(?P<exponent>\d{1,4})(?!\d)"
    r"|0\.(?P<zeros>0{0,29})1(?![\de])"
    r")",
    re.IGNORECASE,
)


def answer_instruction_of(instruction: str) -> str:
    """The instruction without its advice to programmers.

    A sentence goes when it names a means of a programming language (`%lld`, `64-bit`, `long long`, `cin`, ...) and
    advises on its use, unless it starts by asking for output: "Print the value as an unsigned 64-bit integer, using
    hexadecimal digits" is part of the task. An instruction made of nothing else is kept whole.
    """
    parts = _BETWEEN_SENTENCES.split(instruction.strip())
    kept: list[str] = []
    for index in range(0, len(parts), 2):
        sentence = parts[index]
        if _PROGRAM_TERM.search(sentence) and _ADVICE.search(sentence) and not _TASK.match(sentence):
            continue
        if kept:
            kept.append(parts[index - 1])
        kept.append(sentence)
    return "".join(kept).strip() or instruction.strip()


def declared_tolerances(instruction: str) -> tuple[float | None, float | None]:
    """The absolute and the relative tolerance that the instruction grants, None where it grants none."""
    absolute: float | None = None
    relative: float | None = None
    for sentence in _BETWEEN_SENTENCES.split(instruction)[::2]:
        if _ERROR.search(sentence):
            absolute = absolute or _tolerance_after(sentence, "absolute")
            relative = relative or _tolerance_after(sentence, "relative")
    return absolute, relative


def _tolerance_after(sentence: str, word: str) -> float | None:
    """The first tolerance after the word, or else the first of the sentence ("10^-6 absolute error")."""
    place = sentence.lower().find(word)
    if place < 0:
        return None
    match = _TOLERANCE.search(sentence, place) or _TOLERANCE.search(sentence)
    if match is None:
        return None
    zeros = match["zeros"]
    exponent = len(zeros) + 1 if zeros is not None else int(match["power"] or match["exponent"])
    return float(f"1e-{exponent}") if 1 <= exponent <= SMALLEST_EXPONENT else None

"""Answers that need no thought: how often do they come out right?

Guarantee: pure. A strategy sees an input but not its answer, except for `modal answer`, which knows how answers are
distributed and is what a learner ends with that ignores the input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from escalade.types import AnswerSpec
from escalade_server.synthesis.figures import modal

_NUMBER = re.compile(r"-?[0-9]+")
MODAL = "modal answer"
CONSTANTS = ("0", "1", "-1")
_POSITIONS = {"first": 0, "second": 1, "third": 2, "last": -1}


@dataclass(frozen=True, slots=True)
class Guess:
    """A strategy and how often it was right."""

    strategy: str
    hits: int


def normal(spec: AnswerSpec, answer: str) -> str:
    """An answer in a form that is equal for equal answers, spacing and (for bools) case aside."""
    words = " ".join(answer.split())
    return words.casefold() if spec.type == "bool" or not spec.case_sensitive else words


def strategies() -> dict[str, Callable[[str], str | None]]:
    """Every strategy but the modal answer: from an input to a guess, None where there is nothing to say."""
    found: dict[str, Callable[[str], str | None]] = {f"always {word}": _always(word) for word in CONSTANTS}
    found |= {f"the input's {name} word": _word(place) for name, place in _POSITIONS.items()}
    found |= {"the input's largest number": _extreme(max), "the input's smallest number": _extreme(min)}
    found |= {"the input's first line": _line(0), "the input's last line": _line(-1)}
    return found


def best_guess(spec: AnswerSpec, inputs: Sequence[str], answers: Sequence[str]) -> Guess:
    """The strategy that is right most often where answers are unique; of several, the first."""
    truths = [normal(spec, answer) for answer in answers]
    best = Guess(MODAL, modal(truths)[1])
    for name, strategy in strategies().items():
        guesses = (strategy(text) for text in inputs)
        hits = sum(
            guess is not None and normal(spec, guess) == truth for guess, truth in zip(guesses, truths, strict=True)
        )
        if hits > best.hits:
            best = Guess(name, hits)
    return best


def is_small_domain(spec: AnswerSpec, answers: Sequence[str], instruction: str) -> bool:
    """Whether there are few possible answers by the nature of the task: yes and no, or words that the task lists."""
    if spec.type == "bool":
        return True
    if spec.type not in ("string", "number"):
        return False
    values = {normal(spec, answer) for answer in answers}
    listed = {word.strip(".,;:!?()[]{}`'\"“”‘’*").casefold() for word in instruction.split()}
    return bool(values) and all(value.casefold() in listed for value in values)


def _always(word: str) -> Callable[[str], str | None]:
    return lambda text: word


def _word(place: int) -> Callable[[str], str | None]:
    def strategy(text: str) -> str | None:
        words = text.split()
        return words[place] if -len(words) <= place < len(words) else None

    return strategy


def _line(place: int) -> Callable[[str], str | None]:
    def strategy(text: str) -> str | None:
        lines = text.strip().split("\n")
        return lines[place] if lines else None

    return strategy


def _extreme(choose: Callable[[list[int]], int]) -> Callable[[str], str | None]:
    def strategy(text: str) -> str | None:
        numbers = [int(word) for word in text.split() if len(word) <= 18 and _NUMBER.fullmatch(word)]
        return str(choose(numbers)) if numbers else None

    return strategy

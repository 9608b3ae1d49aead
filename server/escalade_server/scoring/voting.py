"""Majority voting over the outputs of solutions.

Guarantee: pure. On each input the largest camp of agreeing outputs wins, the earlier solution's where two are equal;
who gave no output there is absent, not wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Outputs = Mapping[int, str]
"""What each solution printed on one input, by its number; those that printed nothing are missing."""
Agree = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Vote:
    """One input's vote."""

    output: str
    """The majority's answer, in its first solution's words."""
    majority: frozenset[int]
    dissenters: frozenset[int]


@dataclass(frozen=True, slots=True)
class Tally:
    """One solution's votes."""

    answered: int
    dissents: int
    example: int | None
    """The first input where it dissents."""


def camps_of(outputs: Outputs, agree: Agree) -> list[list[int]]:
    """Solutions grouped by their answers, in the order of their first members."""
    camps: list[list[int]] = []
    for number in sorted(outputs):
        for camp in camps:
            if agree(outputs[camp[0]], outputs[number]):
                camp.append(number)
                break
        else:
            camps.append([number])
    return camps


def vote(outputs: Outputs, agree: Agree) -> Vote | None:
    """The majority on one input; None where nobody answered."""
    if not outputs:
        return None
    largest = max(camps_of(outputs, agree), key=len)
    return Vote(outputs[largest[0]], frozenset(largest), frozenset(outputs) - frozenset(largest))


def tally(votes: Sequence[Vote | None], solution: int) -> Tally:
    """How one solution voted."""
    answered = dissents = 0
    example: int | None = None
    for place, one in enumerate(votes):
        if one is None:
            continue
        if solution in one.dissenters:
            dissents += 1
            example = place if example is None else example
        answered += solution in one.majority or solution in one.dissenters
    return Tally(answered, dissents, example)


def split(one: Vote) -> str:
    """How a vote split, as `7 to 3`."""
    return f"{len(one.majority)} to {len(one.dissenters)}"

"""The simulated learner: right more often on easy levels, and better with practice.

Guarantee: pure; all chance comes from the `random.Random` passed in, so that one seed gives one learner. It never looks
at the prompt: whether an answer is right is drawn first, and the answer is then written from the ground truth.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from escalade.demo.answers import boxed, right_answer, wrong_answer
from escalade.types import AnswerType

CEILING = 0.97
"""Even what is mastered goes wrong at times."""
SLOPE = 0.07
"""Fraction of the ladder over which the odds of being right change by a factor of e."""
START = (0.15, 0.45)
"""Where on the ladder, as a fraction of it, success is half way before any practice."""
GAIN = 0.016
"""What one group that was half right adds to the skill at its environment, as a fraction of the ladder."""
TRANSFER = 0.0003
"""What it adds everywhere else."""
LIMIT = 1.05
"""Skill at which practice stops helping."""

_OPENINGS = (
    "Let me work through the input step by step.",
    "First I restate what is asked, then I follow the rules on the given data.",
    "I start with the smallest case and build up from there.",
    "The constraints are small enough to simulate this by hand.",
)
_MIDDLES = (
    "Going through the values in order and keeping the running state gives the result below.",
    "After each step I check that the invariant still holds, and it does.",
    "Comparing the two candidates, the second one satisfies every condition.",
    "Collecting the contributions of all parts leaves one possibility.",
)
_CLOSINGS = ("So the answer is {}.", "Therefore the final answer is {}.", "Hence:\n\n{}", "The result is {}.")


@dataclass(frozen=True)
class Learner:
    """What the learner can do, per environment, as fractions of the ladder."""

    skills: Mapping[str, float]
    shared: float = 0.0
    """What practice anywhere has added everywhere."""

    def skill(self, environment: str) -> float:
        """Fraction of the ladder at which success is half way."""
        return self.skills[environment] + self.shared


@dataclass(frozen=True)
class Completion:
    """One answer in full, and whether it is meant to be right."""

    text: str
    right: bool


def begin(environments: Iterable[str], rng: random.Random) -> Learner:
    """A learner without practice, with a talent of its own for each environment."""
    return Learner({name: rng.uniform(*START) for name in sorted(environments)})


def chance(learner: Learner, environment: str, level: float, top_level: int) -> float:
    """Probability of a right answer at a level."""
    place = level / top_level if top_level else 0.0
    return CEILING / (1 + math.exp((place - learner.skill(environment)) / SLOPE))


def practised(learner: Learner, environment: str, right: int, scored: int) -> Learner:
    """The learner after a group: only one with right and wrong answers teaches, most when half are right."""
    if not 0 < right < scored:
        return learner
    share = right / scored
    room = max(0.0, 1 - learner.skill(environment) / LIMIT)
    lesson = 4 * share * (1 - share) * room
    skills = {**learner.skills, environment: learner.skills[environment] + GAIN * lesson}
    return replace(learner, skills=skills, shared=learner.shared + TRANSFER * lesson)


def answer(probability: float, answer_type: AnswerType, truth: str, rng: random.Random) -> Completion:
    """Answer a group once: reasoning, then the answer, right with this probability."""
    right = rng.random() < probability
    wrong = wrong_answer(answer_type, truth, rng)
    final = right_answer(answer_type, truth) if right else wrong
    lines = [rng.choice(_OPENINGS), rng.choice(_MIDDLES)]
    if rng.random() < 0.3:
        # A first guess in the thought, which must not count.
        lines = ["<think>", *lines, f"My first guess is {boxed(wrong)}, but I had better check it.", "</think>"]
    return Completion("\n".join([*lines, rng.choice(_CLOSINGS).format(boxed(final))]), right)

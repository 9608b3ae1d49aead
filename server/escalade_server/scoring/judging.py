"""From a completion to a judgement.

Guarantee: total over any completion; what a model wrote never raises and is never evaluated. The judgement is data
without the ground truth in it, fit to be stored and to be returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from escalade.types import AnswerSpec, Outcome, Verdict
from escalade_server.scoring.comparators import compare
from escalade_server.scoring.extraction import extract_answer

EXTRACT_CHARS = 1_000
"""How much of an extracted answer is kept for people to look at."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one completion."""

    outcome: Outcome
    score: float | None
    accuracy: Literal[0, 1] | None
    verdict: Verdict | None
    extracted: str | None = None
    format: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One completion and what it is compared with."""

    spec: AnswerSpec
    truth: str
    completion: str


async def judge_all(questions: Sequence[Question]) -> list[Judgement]:
    """Judge many completions off the event loop, in order."""
    if not questions:
        return []
    return await asyncio.to_thread(lambda: [judge(question) for question in questions])


def judge(question: Question) -> Judgement:
    """Judge one completion."""
    found = extract_answer(question.completion)
    if found.text is None:
        return Judgement("scored", 0.0, 0, "no_answer")
    comparison = compare(question.spec, question.truth, found.text)
    verdict: Verdict = "unreadable" if comparison.verdict == "undecided" else comparison.verdict
    right: Literal[0, 1] = 1 if verdict == "accepted" else 0
    return Judgement("scored", float(right), right, verdict, storable(found.text), found.format)


def judge_score(score: float, threshold: float) -> Judgement:
    """Take a score that the trainer computed; it counts as right at or above the threshold."""
    return Judgement("scored", score, 1 if score >= threshold else 0, "reported")


def storable(text: str) -> str:
    """The beginning of a text, without what a database cannot hold: NUL and lone surrogates."""
    return text[:EXTRACT_CHARS].replace("\0", "\ufffd").encode("utf-8", "replace").decode()

"""From a completion to a judgement.

Guarantee: total over any completion; what a model wrote never raises and is never evaluated here. The judgement is data
without the ground truth in it, fit to be stored and to be returned. A failure of ours is `error`, never a 0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from escalade.types import AnswerSpec, Outcome, Verdict
from escalade_sandbox.types import Sandbox
from escalade_server.errors import EscaladeError
from escalade_server.scoring.checkers import Case, Checked, CheckProgram, check_all
from escalade_server.scoring.comparators import MAX_ANSWER_BYTES, compare
from escalade_server.scoring.extraction import Extraction, extract_answer

EXTRACT_CHARS = 1_000
"""How much of an extracted answer is kept for people to look at."""
CHECKED_AT_ONCE = 64
"""Answers in one checker job."""


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
    """One completion and what it is judged by."""

    spec: AnswerSpec
    truth: str
    completion: str
    input: str = ""
    checker: CheckProgram | None = None
    """Judges answers that are not unique; the others are compared with the truth."""


async def judge_all(sandbox: Sandbox, questions: Sequence[Question]) -> list[Judgement]:
    """Judge many completions, in order: typed answers off the event loop, the others by their checkers."""
    if not questions:
        return []
    judged = await asyncio.to_thread(lambda: [judge(question) for question in questions])
    waiting: dict[str, tuple[CheckProgram, list[tuple[int, Extraction]]]] = {}
    for index, found in enumerate(judged):
        checker = questions[index].checker
        if isinstance(found, Extraction) and checker is not None:
            waiting.setdefault(checker.domain, (checker, []))[1].append((index, found))
    parts = [
        (checker, asked[start : start + CHECKED_AT_ONCE])
        for checker, asked in waiting.values()
        for start in range(0, len(asked), CHECKED_AT_ONCE)
    ]
    answers = await asyncio.gather(*(_check(sandbox, checker, questions, asked) for checker, asked in parts))
    decided = {index: verdict for part in answers for index, verdict in part.items()}
    return [found if isinstance(found, Judgement) else decided[index] for index, found in enumerate(judged)]


def judge(question: Question) -> Judgement | Extraction:
    """The judgement of a typed answer; what is to be checked, of another."""
    found = extract_answer(question.completion)
    if found.text is None:
        return Judgement("scored", 0.0, 0, "no_answer")
    if question.checker is not None:
        if len(found.text) > MAX_ANSWER_BYTES:
            return _scored("too_long", found)
        return found
    comparison = compare(question.spec, question.truth, found.text)
    return _scored("unreadable" if comparison.verdict == "undecided" else comparison.verdict, found)


async def _check(
    sandbox: Sandbox, checker: CheckProgram, questions: Sequence[Question], asked: Sequence[tuple[int, Extraction]]
) -> dict[int, Judgement]:
    cases = [Case(questions[index].input, found.text or "", questions[index].truth) for index, found in asked]
    try:
        results = await check_all(sandbox, checker, cases)
    except EscaladeError as fault:
        results = [Checked("undecided", fault.detail)] * len(cases)
    return {index: _checked(result, found) for (index, found), result in zip(asked, results, strict=True)}


def _checked(result: Checked, found: Extraction) -> Judgement:
    if result.verdict == "undecided":
        extracted = storable(found.text or "")
        return Judgement("error", None, None, None, extracted, found.format, storable(result.detail))
    return _scored(result.verdict, found)


def _scored(verdict: Verdict, found: Extraction) -> Judgement:
    right: Literal[0, 1] = 1 if verdict == "accepted" else 0
    return Judgement("scored", float(right), right, verdict, storable(found.text or ""), found.format)


def judge_score(score: float, threshold: float) -> Judgement:
    """Take a score that the trainer computed; it counts as right at or above the threshold."""
    return Judgement("scored", score, 1 if score >= threshold else 0, "reported")


def storable(text: str) -> str:
    """The beginning of a text, without what a database cannot hold: NUL and lone surrogates."""
    return text[:EXTRACT_CHARS].replace("\0", "\ufffd").encode("utf-8", "replace").decode()

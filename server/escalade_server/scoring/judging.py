"""From a completion to a judgement.

Guarantee: total over any completion; what a model wrote never raises and is never evaluated here. The judgement is data
without the ground truth in it, fit to be stored and to be returned. A failure of ours is `error`, never a 0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from escalade.types import AnswerSpec, Outcome, ScoringSettings, Verdict
from escalade_sandbox.types import Sandbox
from escalade_server.errors import EscaladeError
from escalade_server.scoring.checkers import Case, Checked, CheckProgram, check_all
from escalade_server.scoring.comparators import beyond, compare, is_too_long
from escalade_server.scoring.credit import share
from escalade_server.scoring.execution import patiently
from escalade_server.scoring.expressions import NOTHING_KNOWN, Known
from escalade_server.scoring.extraction import Extraction, extract_answer
from escalade_server.scoring.feedback import form_hint, shape_hint
from escalade_server.scoring.mathematics import MISSING, WorkedOut, work_out
from escalade_server.scoring.printed import printed
from escalade_server.scoring.shaping import excess, in_good_form, partial_credit, shaped

USUAL = ScoringSettings()
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
    position: int | None = None
    feedback: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One completion and what it is judged by."""

    spec: AnswerSpec
    truth: str
    completion: str
    input: str = ""
    checker: CheckProgram | None = None
    """Judges answers that are not unique; the others are compared with the truth."""
    settings: ScoringSettings = USUAL
    tokens: int | None = None
    """Length of the completion, where a length penalty needs it."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An answer that only the sandbox can judge."""

    found: Extraction
    hard: tuple[str, ...] = ()
    """The parts to work out before the answer can be compared; none: it goes to the checker."""


async def judge_all(sandbox: Sandbox, questions: Sequence[Question]) -> list[Judgement]:
    """Judge many completions, in order: typed answers off the event loop, the others in the sandbox."""
    if not questions:
        return []
    judged = await asyncio.to_thread(lambda: [judge(question) for question in questions])
    unsettled = {index: one for index, one in enumerate(judged) if isinstance(one, Unsettled)}
    if not unsettled:
        return [one for one in judged if isinstance(one, Judgement)]
    checked, worked_out = await asyncio.gather(
        _check_all(sandbox, questions, unsettled), _work_out_all(sandbox, questions, unsettled)
    )
    settled = checked | worked_out
    return [one if isinstance(one, Judgement) else settled[index] for index, one in enumerate(judged)]


def judge(question: Question) -> Judgement | Unsettled:
    """The judgement of a typed answer; of another, what the sandbox is to judge."""
    found = extract_answer(question.completion, question.settings.extraction)
    if found.text is None:
        return _scored(question, "no_answer", found)
    if question.checker is not None:
        return _scored(question, "too_long", found) if is_too_long(found.text) else Unsettled(found)
    comparison = compare(question.spec, question.truth, found.text)
    if comparison.verdict == "no_truth":
        return _failed(found, comparison.detail)
    if comparison.verdict == "undecided":
        hard = beyond(question.spec, question.truth, found.text)
        return Unsettled(found, tuple(hard)) if hard else _scored(question, "unreadable", found)
    return _scored(question, comparison.verdict, found)


async def _work_out_all(
    sandbox: Sandbox, questions: Sequence[Question], unsettled: Mapping[int, Unsettled]
) -> dict[int, Judgement]:
    """Judgements of answers with mathematics beyond the fast path: one job for all such parts, up to 64."""
    waiting = {index: one for index, one in unsettled.items() if one.hard}
    if not waiting:
        return {}
    values = await work_out(sandbox, [text for one in waiting.values() for text in one.hard])
    return await asyncio.to_thread(
        lambda: {index: _settle(questions[index], one, values) for index, one in waiting.items()}
    )


def _settle(question: Question, one: Unsettled, values: Mapping[str, WorkedOut]) -> Judgement:
    parts = [values[text] for text in one.hard]
    fault = next((part.fault for part in parts if part.fault is not None), None)
    if fault is not None:
        return _failed(one.found, fault)
    known = {text: values[text].number for text in one.hard}
    verdict = compare(question.spec, question.truth, one.found.text or "", known).verdict
    if verdict == "undecided" or verdict == "no_truth":
        verdict = "unreadable"
    judged = _scored(question, verdict, one.found, known)
    return replace(judged, detail=MISSING) if any(part.missing for part in parts) else judged


async def _check_all(
    sandbox: Sandbox, questions: Sequence[Question], unsettled: Mapping[int, Unsettled]
) -> dict[int, Judgement]:
    """Judgements of answers that are not unique, by their checkers: one job for those of one environment."""
    waiting: dict[str, tuple[CheckProgram, list[tuple[int, Extraction]]]] = {}
    for index, one in unsettled.items():
        checker = questions[index].checker
        if checker is not None:
            waiting.setdefault(checker.domain, (checker, []))[1].append((index, one.found))
    parts = [
        (checker, asked[start : start + CHECKED_AT_ONCE])
        for checker, asked in waiting.values()
        for start in range(0, len(asked), CHECKED_AT_ONCE)
    ]
    answers = await asyncio.gather(*(_check(sandbox, checker, questions, asked) for checker, asked in parts))
    return {index: verdict for part in answers for index, verdict in part.items()}


async def _check(
    sandbox: Sandbox, checker: CheckProgram, questions: Sequence[Question], asked: Sequence[tuple[int, Extraction]]
) -> dict[int, Judgement]:
    cases = [
        Case(questions[index].input, printed(found.text or "", questions[index].truth), questions[index].truth)
        for index, found in asked
    ]
    try:
        results = await patiently(lambda: check_all(sandbox, checker, cases))
    except EscaladeError as fault:
        results = [Checked("undecided", fault.detail)] * len(cases)
    return {
        index: _failed(found, result.detail)
        if result.verdict == "undecided"
        else _scored(questions[index], result.verdict, found)
        for (index, found), result in zip(asked, results, strict=True)
    }


def _failed(found: Extraction, detail: str) -> Judgement:
    """The judgement of an answer that we, not the model, have failed on."""
    extracted = storable(found.text or "")
    return Judgement("error", None, None, None, extracted, found.format, storable(detail), found.start)


def _scored(question: Question, verdict: Verdict, found: Extraction, known: Known = NOTHING_KNOWN) -> Judgement:
    settings, text = question.settings, found.text
    right: Literal[0, 1] = 1 if verdict == "accepted" else 0
    credit = float(right)
    if verdict == "wrong" and settings.shaping == "partial":
        part = share(question.spec, question.truth, text or "", known)
        credit = partial_credit(part.right, part.chance, settings.guess_floor)
    score = shaped(
        settings, credit, good_form=in_good_form(settings.extraction, found, verdict), tokens=question.tokens
    )
    return Judgement(
        outcome="scored",
        score=score,
        accuracy=right,
        verdict=verdict,
        extracted=None if text is None else storable(text),
        format=found.format,
        position=found.start,
        feedback=_hint(question, verdict, found) if settings.feedback else None,
    )


def _hint(question: Question, verdict: Verdict, found: Extraction) -> str | None:
    hint = form_hint(question.completion, question.settings.extraction, found)
    if hint is None and verdict != "accepted" and found.text is not None:
        hint = shape_hint(question.spec, found.text)
    return None if hint is None else storable(hint)


def judge_score(score: float, threshold: float) -> Judgement:
    """Take a score that the trainer computed; it counts as right at or above the threshold."""
    return Judgement("scored", score, 1 if score >= threshold else 0, "reported")


def with_length_penalty(judgement: Judgement, settings: ScoringSettings, tokens: int | None) -> Judgement:
    """The judgement of a program, whose score only its length shapes."""
    if settings.length_penalty is None or judgement.score is None or tokens is None:
        return judgement
    return replace(judgement, score=judgement.score * (1 - excess(settings.length_penalty, tokens)))


def storable(text: str) -> str:
    """The beginning of a text, without what a database cannot hold: NUL and lone surrogates."""
    return text[:EXTRACT_CHARS].replace("\0", "\ufffd").encode("utf-8", "replace").decode()

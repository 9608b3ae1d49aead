"""Judges programs on hidden inputs.

Guarantee: a program runs in the candidates' pool, as one job with all its inputs, and sees nothing but one input at a
time; what it printed is compared here or, where answers are not unique, by the checker in the trusted pool. Judgements
come in the order of the questions; a failure of ours is `error`, never a 0. No owner has more than `AT_ONCE` jobs in
the sandbox's line, a full queue is waited for, and a program that is handed in several times is run once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from escalade.types import AnswerSpec, ProgramSettings, Verdict
from escalade_sandbox.types import Compilation, Input, Job, JobResult, Limits, Program, Result, Sandbox, Status, Trust
from escalade_server.errors import EscaladeError
from escalade_server.scoring.checkers import Case, Checked, CheckProgram, check_all
from escalade_server.scoring.comparators import agree
from escalade_server.scoring.execution import PATIENCE_S, patiently, run
from escalade_server.scoring.expressions import Undecided, Unreadable
from escalade_server.scoring.judging import CHECKED_AT_ONCE, Judgement, storable
from escalade_server.scoring.submissions import MAX_PROGRAM_CHARS, Submission, read_submission

AT_ONCE = 64
"""Programs of one owner in the sandbox's line: enough to keep every slot busy, few enough to leave room to others."""
PORTION = 64
"""Judgements that come together."""
COMPILE_LIMITS = Limits(cpu_s=10.0, wall_s=120.0, memory_bytes=1 << 30, output_bytes=64 << 20)
"""A compiler never idles: one that is stopped by elapsed time was kept waiting, which is our failure."""
LEAST_OUTPUT_BYTES = 64 << 10
SHOWN_CHARS = 400
"""How much of an input, an output or a compiler's words a detail shows."""

_KINDS: dict[Status, Verdict] = {
    Status.NONZERO_EXIT: "runtime_error",
    Status.SIGNALLED: "runtime_error",
    Status.TIME_LIMIT: "time_limit",
    Status.MEMORY_LIMIT: "memory_limit",
    Status.OUTPUT_LIMIT: "output_limit",
    Status.COMPILE_ERROR: "compile_error",
    Status.COMPILE_LIMIT: "compile_error",
    Status.INVALID_OUTPUT: "wrong",
}
_PYTHON_SYNTAX = (b"SyntaxError:", b"IndentationError:", b"TabError:")


@dataclass(frozen=True, slots=True)
class ProgramLimits:
    """What a program may use on one input."""

    cpu_s: Mapping[str, float]
    """Processor time by language, in seconds."""
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Task:
    """What a program is judged by: one set of hidden inputs."""

    identity: str
    """Name of the set; the same name means the same inputs."""
    spec: AnswerSpec
    checker: CheckProgram | None
    inputs: tuple[str, ...]
    """All different."""
    truths: tuple[str, ...]
    limits: ProgramLimits


@dataclass(frozen=True, slots=True)
class ProgramQuestion:
    """One completion, and the task that its program is judged by."""

    task: Task
    completion: str
    settings: ProgramSettings


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of one input."""

    kind: Verdict | None
    """`accepted`, or how it failed; None: the checker has not decided, or the input was not run."""
    printed: str | None = None
    """Standard output that the checker is to judge, or that failed."""
    error: str = ""
    """What is wrong on our side, or the compiler's words."""


@dataclass(slots=True)
class _Running:
    """A program under way, and how many wait for it."""

    task: asyncio.Task[list[Tested]]
    waiting: int = 0


class Bench:
    """Judges programs, within bounds that hold for all requests together."""

    def __init__(self, sandbox: Sandbox, *, at_once: int = AT_ONCE, patience_s: float = PATIENCE_S) -> None:
        self._sandbox = sandbox
        self._at_once = at_once
        self._patience_s = patience_s
        self._permits: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._under_way: dict[str, _Running] = {}

    async def judge(self, questions: Sequence[ProgramQuestion], *, owner: str) -> AsyncGenerator[list[Judgement], None]:
        """Judge programs, in order and portion by portion, so that what is decided can be stored.

        All of them are begun at once, as far as the bounds allow: a slow program keeps back nothing but its portion.
        """
        submissions = [read_submission(one.completion, one.settings.languages) for one in questions]
        permits = self._permits.setdefault(owner, asyncio.Semaphore(self._at_once))
        running = [
            asyncio.create_task(self._shared(permits, one, found, owner)) if _runnable(found) else None
            for one, found in zip(questions, submissions, strict=True)
        ]
        try:
            for start in range(0, len(questions), PORTION):
                part = slice(start, start + PORTION)
                tested = [[] if one is None else await one for one in running[part]]
                tested = await self._check(questions[part], tested)
                yield [
                    _judgement(one, found, results)
                    for one, found, results in zip(questions[part], submissions[part], tested, strict=True)
                ]
        finally:
            begun = [one for one in running if one is not None]
            for task in begun:
                task.cancel()
            await asyncio.gather(*begun, return_exceptions=True)

    async def _shared(
        self, permits: asyncio.Semaphore, question: ProgramQuestion, found: Submission | None, owner: str
    ) -> list[Tested]:
        """The results of a program, run now unless it is under way."""
        assert found is not None, "only what can be run is begun"
        to_the_end = question.settings.score == "share"
        key = _key(question.task.identity, found, to_the_end)
        running = self._under_way.get(key)
        if running is None:
            running = _Running(
                asyncio.create_task(self._test(permits, question.task, found, key, owner, to_the_end=to_the_end))
            )
            self._under_way[key] = running
        running.waiting += 1
        try:
            return await asyncio.shield(running.task)
        finally:
            running.waiting -= 1
            if not running.waiting:
                if self._under_way.get(key) is running:
                    del self._under_way[key]
                running.task.cancel()

    async def _test(
        self, permits: asyncio.Semaphore, task: Task, found: Submission, key: str, owner: str, *, to_the_end: bool
    ) -> list[Tested]:
        job = _job(task, found, key, owner, to_the_end=to_the_end)
        try:
            async with permits:
                done = await patiently(lambda: run(self._sandbox, job), self._patience_s)
        except EscaladeError as fault:
            return [Tested(None, error=fault.detail)] * len(task.inputs)
        return await asyncio.to_thread(_read, task, found, done)

    async def _check(self, questions: Sequence[ProgramQuestion], tested: Sequence[list[Tested]]) -> list[list[Tested]]:
        """Ask the checkers about what they have to decide, 64 outputs to a job."""
        waiting: dict[str, tuple[CheckProgram, list[tuple[int, int]]]] = {}
        for index, (question, results) in enumerate(zip(questions, tested, strict=True)):
            checker = question.task.checker
            if checker is not None:
                places = [(index, place) for place, one in enumerate(results) if one.kind is None and one.printed]
                waiting.setdefault(checker.domain, (checker, []))[1].extend(places)
        parts = [
            (checker, places[start : start + CHECKED_AT_ONCE])
            for checker, places in waiting.values()
            for start in range(0, len(places), CHECKED_AT_ONCE)
        ]

        async def ask(checker: CheckProgram, places: Sequence[tuple[int, int]]) -> list[Checked]:
            cases = [
                Case(task.inputs[place], tested[index][place].printed or "", task.truths[place])
                for index, place in places
                for task in [questions[index].task]
            ]
            try:
                return await patiently(lambda: check_all(self._sandbox, checker, cases), self._patience_s)
            except EscaladeError as fault:
                return [Checked("undecided", fault.detail)] * len(cases)

        said = await asyncio.gather(*(ask(checker, places) for checker, places in parts))
        decided = [list(results) for results in tested]
        for (_, places), answers in zip(parts, said, strict=True):
            for (index, place), answer in zip(places, answers, strict=True):
                kind: Verdict | None = None if answer.verdict == "undecided" else answer.verdict
                decided[index][place] = replace(decided[index][place], kind=kind, error=answer.detail)
        return decided


def _runnable(found: Submission | None) -> bool:
    return found is not None and len(found.source) <= MAX_PROGRAM_CHARS


def _key(task: str, found: Submission, to_the_end: bool) -> str:
    text = "\n".join((task, found.language, str(to_the_end), found.source))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _job(task: Task, found: Submission, key: str, owner: str, *, to_the_end: bool) -> Job:
    cpu_s = task.limits.cpu_s[found.language]
    limits = Limits(
        cpu_s=cpu_s,
        # Processor time decides; elapsed time, which depends on the others, only ends a hang.
        wall_s=8 * cpu_s + 10,
        memory_bytes=task.limits.memory_bytes,
        output_bytes=LEAST_OUTPUT_BYTES + 4 * max(len(truth.encode()) for truth in task.truths),
    )
    return Job(
        Program(found.language, found.source),
        [Input(stdin=text.encode()) for text in task.inputs],
        limits,
        COMPILE_LIMITS,
        trust=Trust.CANDIDATE,
        domain=f"attempt {key}",
        owner=owner,
        stop_on_failure=not to_the_end,
    )


def _read(task: Task, found: Submission, done: JobResult) -> list[Tested]:
    """What each result means, as far as it can be told without a checker."""
    compilation = done.compilation
    words = compilation.diagnostics if compilation is not None else ""
    if compilation is not None and compilation.status is Status.COMPILE_LIMIT and _was_kept_waiting(compilation):
        return [Tested(None, error="the compiler was kept waiting: the sandbox's machine is too busy")] * len(
            task.inputs
        )
    return [_tested(task, found, result, truth, words) for result, truth in zip(done.results, task.truths, strict=True)]


def _was_kept_waiting(compilation: Compilation) -> bool:
    return compilation.wall_ms >= 1e3 * COMPILE_LIMITS.wall_s and compilation.cpu_ms < 1e3 * COMPILE_LIMITS.cpu_s


def _tested(task: Task, found: Submission, result: Result, truth: str, words: str) -> Tested:
    if result.status is Status.SKIPPED:
        return Tested(None)
    if result.status is not Status.OK:
        if result.status is Status.COMPILE_LIMIT:
            return Tested("compile_error", error="the compiler ran out of time, memory or room")
        if result.status is Status.COMPILE_ERROR:
            return Tested("compile_error", error=words)
        if found.language == "python" and result.status is Status.NONZERO_EXIT:
            lines = result.stderr.strip().splitlines() or [b""]
            # Python compiles as it starts, and then names no traceback. Its words are not shown: a program could say
            # the same of its own accord, with the hidden input in it.
            if lines[-1].startswith(_PYTHON_SYNTAX) and not lines[0].startswith(b"Traceback"):
                return Tested("compile_error", error="Python finds a syntax error")
        return Tested(_KINDS[result.status], result.stdout.decode("utf-8", "replace")[: 2 * SHOWN_CHARS])
    printed = result.stdout.decode()
    if not printed.strip():
        return Tested("wrong", "")
    if task.checker is not None:
        return Tested(None, printed)
    return Tested("accepted") if _agrees(task.spec, truth, printed) else Tested("wrong", printed[: 2 * SHOWN_CHARS])


def _agrees(spec: AnswerSpec, truth: str, printed: str) -> bool:
    try:
        return agree(spec, truth, printed)
    except (Unreadable, Undecided):
        return False


def _judgement(question: ProgramQuestion, found: Submission | None, results: Sequence[Tested]) -> Judgement:
    if found is None:
        accepted = " or ".join(question.settings.languages)
        return Judgement("scored", 0.0, 0, "no_answer", detail=f"there is no fenced block with a program in {accepted}")
    judged = Judgement("scored", 0.0, 0, None, storable(found.source), "fenced", position=found.start)
    if len(found.source) > MAX_PROGRAM_CHARS:
        limit = f"the program is longer than {MAX_PROGRAM_CHARS} characters"
        return replace(judged, verdict="too_long", detail=limit)
    share = question.settings.score == "share"
    failed = next((place for place, one in enumerate(results) if one.kind not in (None, "accepted")), None)
    unknown = next((one for one in results if one.kind is None), None)
    # With one failure "all" is decided, whatever our side did not find out; a share needs every input.
    if unknown is not None and (share or failed is None):
        return replace(judged, outcome="error", score=None, accuracy=None, detail=storable(unknown.error))
    if failed is None:
        words = f"all {len(results)} hidden inputs passed"
        return replace(judged, score=1.0, accuracy=1, verdict="accepted", detail=words)
    passed = sum(one.kind == "accepted" for one in results)
    return replace(
        judged,
        score=passed / len(results) if share else 0.0,
        verdict=results[failed].kind,
        detail=storable(_detail(question, results, failed)),
    )


def _detail(question: ProgramQuestion, results: Sequence[Tested], failed: int) -> str:
    """How far the program came; of the hidden input and what it printed only where the settings allow feedback."""
    one = results[failed]
    if one.kind == "compile_error":
        return one.error[: 2 * SHOWN_CHARS]
    if question.settings.score == "share":
        passed = sum(result.kind == "accepted" for result in results)
        summary = f"{passed} of {len(results)} hidden inputs passed; the first that failed is number {failed + 1}"
    else:
        summary = f"hidden input {failed + 1} of {len(results)} failed"
    if not question.settings.feedback:
        return summary
    return f"{summary}\ninput:\n{_cut(question.task.inputs[failed])}\nprinted:\n{_cut(one.printed or '')}"


def _cut(text: str) -> str:
    text = text.rstrip("\n")
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}... ({len(text)} characters)"

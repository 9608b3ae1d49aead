"""From one problem to one verified environment, or to the reason why it is none.

Guarantee: what a problem, a generator or a model does wrong is data with the stage at which it stopped; only broken
infrastructure raises. Nothing is stored here. An LLM is asked only for what the source does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from escalade.types import SynthesisOutcome, VerificationReport
from escalade_sandbox.types import Sandbox
from escalade_server.errors import LlmReplyUnusable, ProblemUnsuited
from escalade_server.problems.definition import Checker, Definition, Entry, Generator, version_of
from escalade_server.problems.problem import Problem
from escalade_server.settings import Thresholds
from escalade_server.synthesis.assembly import entry_of, hopeless, outline, runnable_checker, source_generators
from escalade_server.synthesis.describing import describe
from escalade_server.synthesis.generator import Faults, write_checker, write_until
from escalade_server.synthesis.llm import Llm
from escalade_server.synthesis.metadata import Metadata, stated_metadata, unstated
from escalade_server.synthesis.reports import failed, summary
from escalade_server.synthesis.scaling import with_ladder
from escalade_server.synthesis.verification import verify

NOT_THE_GENERATOR: Final = frozenset({"fixed_tests", "checker"})
"""Checks whose failure no other generator mends, but perhaps another checker."""
PERHAPS_THE_CHECKER: Final = NOT_THE_GENERATOR | {"agreement", "solvable", "guessability", "wrong_solutions"}
"""Checks that a checker fails which is too strict or too lax."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What synthesis works with."""

    sandbox: Sandbox
    thresholds: Thresholds
    llm: Llm | None = None
    repairs: int = 0
    """How many times a refused generator goes back to the LLM."""
    count_tokens: Callable[[str], int] | None = None


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What became of a problem."""

    outcome: SynthesisOutcome
    stage: str
    """Where it stopped, one of `funnel.STAGES`; `verified` if nowhere."""
    reason: str
    """Why; a person understands it."""
    entry: Entry | None = None
    """The environment as it should be served, or as it was rejected; None where none could be put together."""
    report: VerificationReport | None = None
    examined: Definition | None = None
    """The definition that the report is about; the entry's may have fewer solutions and levels."""
    repairs: int = 0

    @property
    def verified(self) -> bool:
        """Whether it may be served."""
        return self.outcome == "verified"


class _Stopped(Exception):
    """An end before verification."""

    def __init__(self, outcome: SynthesisOutcome, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.stage = stage
        self.reason = reason


async def synthesize(
    problem: Problem, tools: Tools, *, on_progress: Callable[[str], None] = lambda text: None
) -> Synthesis:
    """Make an environment of a problem and verify it.

    Args:
        problem: From any source; a complete environment is only verified.
        tools: Sandbox, thresholds, and the LLM if there is one.
        on_progress: Told in a few words what begins now.

    Raises:
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: The sandbox's queue stayed full.
        LlmBudgetSpent: The job has no tokens left.
        LlmUnavailable: The endpoint fails.
        LlmRefused: The endpoint refuses the request.
    """
    if problem.entry is not None:
        return await _verified(problem, problem.entry.definition, tools, on_progress)
    try:
        if (reason := hopeless(problem)) is not None:
            raise _Stopped("unsuited", "solutions", reason)
        metadata = await _metadata(problem, tools, on_progress)
        written = await _checker(problem, metadata, tools, on_progress)
        return await _generated(problem, metadata, written, tools, on_progress)
    except _Stopped as stopped:
        return Synthesis(stopped.outcome, stopped.stage, stopped.reason)


async def _metadata(problem: Problem, tools: Tools, on_progress: Callable[[str], None]) -> Metadata:
    stated = stated_metadata(problem)
    if stated is not None:
        return stated
    if tools.llm is None:
        raise _Stopped("needs_llm", "metadata", f"needs an LLM: the source does not say {_listed(unstated(problem))}")
    on_progress("asking for metadata")
    try:
        return await describe(tools.llm, problem)
    except (ProblemUnsuited, LlmReplyUnusable) as error:
        raise _Stopped("unsuited", "metadata", error.detail) from error


async def _checker(
    problem: Problem, metadata: Metadata, tools: Tools, on_progress: Callable[[str], None]
) -> Checker | None:
    """A checker by the LLM where one is needed and the source has none that can be run."""
    if metadata.unique or runnable_checker(problem) is not None:
        return None
    if tools.llm is None:
        lacking = "the source has no checker"
        if problem.checker is not None:
            lacking = f"{problem.checker.name} is in {problem.checker.language}, not in C++ or Python"
        raise _Stopped("needs_llm", "generator", f"needs an LLM: answers are not unique and {lacking}")
    on_progress("asking for a checker")
    try:
        return await write_checker(tools.llm, problem, metadata)
    except (ProblemUnsuited, LlmReplyUnusable) as error:
        raise _Stopped("unsuited", "generator", error.detail) from error


async def _generated(
    problem: Problem,
    metadata: Metadata,
    checker: Checker | None,
    tools: Tools,
    on_progress: Callable[[str], None],
) -> Synthesis:
    """Try the source's generators, then the LLM's, until one makes an environment that verification takes.

    What the LLM wrote, generator or checker, goes back to it as often as `tools.repairs` says in all.
    """
    repairs = 0
    last: list[Synthesis] = []

    async def examine(generator: Generator, written: Checker | None) -> Faults:
        on_progress("looking for the ladder")
        definition = await with_ladder(
            tools.sandbox,
            outline(problem, metadata, generator, written),
            thresholds=tools.thresholds,
            count_tokens=tools.count_tokens,
        )
        if isinstance(definition, str):
            last[:] = [Synthesis("rejected", "scaling", f"{generator.name}: {definition}")]
        else:
            last[:] = [await _verified(problem, definition, tools, on_progress, metadata)]
        return faults_of(last[0], checker=written is not None)

    async def tried(generator: Generator | None) -> Synthesis:
        nonlocal checker, repairs
        last.clear()
        if tools.llm is None:
            assert generator is not None
            await examine(generator, checker)
            return last[0]
        left = tools.repairs - repairs
        written = await write_until(
            tools.llm, problem, metadata, examine=examine, repairs=left, generator=generator, checker=checker
        )
        checker, repairs = written.checker, repairs + written.repairs
        return replace(last[0], repairs=repairs)

    best: Synthesis | None = None
    try:
        for generator in source_generators(problem):
            made = await tried(generator)
            if made.verified:
                return made
            best = made if best is None or _further(made, best) else best
        if best is not None and (tools.llm is None or not faults_of(best).generator):
            return best
        if tools.llm is None:
            raise _Stopped("needs_llm", "generator", "needs an LLM: the source has no generator with scale parameters")
        on_progress("asking for a generator")
        return await tried(None)
    except (ProblemUnsuited, LlmReplyUnusable) as error:
        if best is not None or last:
            return best or last[0]
        raise _Stopped("unsuited", "generator", error.detail) from error


async def _verified(
    problem: Problem,
    definition: Definition,
    tools: Tools,
    on_progress: Callable[[str], None],
    metadata: Metadata | None = None,
) -> Synthesis:
    found = await verify(
        tools.sandbox,
        definition=definition,
        version=version_of(definition),
        thresholds=tools.thresholds,
        tests=problem.tests,
        count_tokens=tools.count_tokens,
        on_progress=on_progress,
    )
    entry = entry_of(problem, found.definition, metadata.tags if metadata is not None else ())
    if found.report.verdict == "verified":
        return Synthesis("verified", "verified", _what_was_dropped(found.report), entry, found.report, definition)
    first = failed(found.report)[0]
    return Synthesis("rejected", first.name, first.finding, entry, found.report, definition)


def faults_of(made: Synthesis, *, checker: bool = False) -> Faults:
    """Why an environment was rejected, in sentences with evidence, by what may be to blame.

    Args:
        made: What became of it.
        checker: Whether the LLM wrote its checker, so that this may be to blame.
    """
    if made.verified:
        return Faults()
    if made.report is None:
        return Faults(generator=(made.reason,))
    said = {
        check.name: summary(made.report.model_copy(update={"checks": [check], "skipped": []}))
        for check in failed(made.report)
    }
    of_checker = tuple(words for name, words in said.items() if name in PERHAPS_THE_CHECKER)
    if said.keys() <= NOT_THE_GENERATOR or (checker and said.keys() & NOT_THE_GENERATOR):
        # A checker that is known to be wrong says nothing of the generator.
        return Faults(checker=of_checker)
    return Faults(generator=tuple(said.values()), checker=of_checker)


def _further(one: Synthesis, other: Synthesis) -> bool:
    """Whether one came further than another: it was verified at all, and failed fewer checks."""
    if one.report is None or other.report is None:
        return other.report is None and one.report is not None
    return len(failed(one.report)) + len(one.report.skipped) < len(failed(other.report)) + len(other.report.skipped)


def _what_was_dropped(report: VerificationReport) -> str:
    parts = []
    left_out = [one.name for one in report.solutions if one.standing != "agrees"]
    if left_out:
        parts.append(f"without the solutions {', '.join(left_out)}")
    if report.dropped_levels:
        parts.append(f"without level {', '.join(map(str, report.dropped_levels))} of {len(report.levels)}")
    checks = f"{len(report.checks)} checks passed"
    return f"{checks}, {' and '.join(parts)}" if parts else checks


def _listed(parts: tuple[str, ...]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)

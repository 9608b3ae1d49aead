"""Verification: every check on one definition, in the sandbox, with a figure and evidence for each.

Guarantee: the same definition, version, thresholds and tests make the same draws and so, times aside, the same report.
What an environment does wrong is data in the report; only a broken sandbox raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from escalade.types import LevelReport, VerificationReport
from escalade_sandbox.types import Sandbox
from escalade_server.instances.generation import require_sound
from escalade_server.problems.definition import Definition, version_of
from escalade_server.problems.problem import FixedTest
from escalade_server.settings import Thresholds
from escalade_server.synthesis.depth import check_depth
from escalade_server.synthesis.drawing import Place, at_random, fill, places_of, probe, survey
from escalade_server.synthesis.generator_checks import (
    check_determinism,
    check_inputs,
    conclude_draws,
    too_many_fail,
)
from escalade_server.synthesis.level_checks import (
    Solved,
    check_ladder,
    check_solvable,
    conclude_levels,
    report_levels,
    solve,
)
from escalade_server.synthesis.metering import Patient
from escalade_server.synthesis.oracle import Oracle, try_solutions
from escalade_server.synthesis.trial import Drawn, Trial, together
from escalade_server.synthesis.wrong_solutions import check_wrong

CHECKS: Final = (
    "generator_failures",
    "generator_time",
    "determinism",
    "validator",
    "fixed_tests",
    "agreement",
    "checker",
    "solvable",
    "ladder",
    "depth",
    "distinct_inputs",
    "guessability",
    "prompt_length",
    "levels",
    "wrong_solutions",
)
"""Names of all checks, in the order of the funnel; `checker` is there only where answers are not unique."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What came out."""

    report: VerificationReport
    definition: Definition
    """As it should be served: without the solutions and levels that were dropped; the given one if none were, and
    where the verdict is `rejected`."""


async def verify(
    sandbox: Sandbox,
    *,
    definition: Definition,
    version: str,
    thresholds: Thresholds,
    tests: Sequence[FixedTest] = (),
    count_tokens: Callable[[str], int] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> Verification:
    """Check whether a definition makes a sound environment.

    Args:
        sandbox: Where its programs run.
        definition: What to verify.
        version: Its content hash, which also seeds the draws.
        thresholds: How many draws are made, and what must come out.
        tests: The source's fixed tests, with answers.
        count_tokens: Tells a prompt's length in tokens.
        on_progress: Told in a few words what begins now.

    Raises:
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: The sandbox's queue stayed full.
    """
    meter = Patient(sandbox)
    await require_sound(meter)
    trial = Trial(meter, definition, version, thresholds, on_progress or (lambda text: None))
    places = places_of(trial)
    trial.progress("drawing first inputs")
    if not await probe(trial, places):
        conclude_draws(trial)
        return _finish(trial, definition)
    await survey(trial, places)
    await check_determinism(trial, places)
    if too_many_fail(trial):
        conclude_draws(trial)
        return _finish(trial, definition)
    trial.progress("drawing inputs and voting on them")
    oracle, sound, breadth = await _draw_and_vote(trial, places, tests)
    drawn = [*breadth, *(one for place in places for one in place.drawn)]
    conclude_draws(trial)
    if not sound or not oracle.kept:
        await check_inputs(trial, drawn)
        return _finish(trial, definition, oracle)
    trial.progress("solving every level")
    served = oracle.definition(definition)
    table = await _check_levels(trial, served, oracle, places, drawn, count_tokens)
    ladder = tuple(level for level, row in zip(served.ladder, table, strict=True) if row.dropped is None)
    if ladder and ladder != served.ladder:
        served = served.model_copy(update={"ladder": ladder})
    return _finish(trial, served, oracle, table)


async def _draw_and_vote(
    trial: Trial, places: Sequence[Place], tests: Sequence[FixedTest]
) -> tuple[Oracle, bool, list[Drawn]]:
    """Vote on inputs at random parameters, and make the levels' inputs meanwhile."""

    async def vote() -> tuple[Oracle, bool, list[Drawn]]:
        breadth = await at_random(trial, trial.thresholds.breadth_draws)
        oracle, sound = await try_solutions(trial, breadth, tests)
        return oracle, sound, breadth

    async def draw() -> None:
        await fill(trial, places, trial.thresholds.level_draws)

    voted, _ = await together(vote(), draw())
    assert voted is not None
    return voted


async def _check_levels(
    trial: Trial,
    served: Definition,
    oracle: Oracle,
    places: Sequence[Place],
    drawn: Sequence[Drawn],
    count_tokens: Callable[[str], int] | None,
) -> list[LevelReport]:
    solved: list[Solved] = await together(*(solve(trial, served, place) for place in places))
    await check_inputs(trial, drawn)
    check_solvable(trial, solved)
    check_ladder(trial, solved)
    trial.progress("looking for guessable answers")
    top = next(one for one in reversed(solved) if one.place.level == len(trial.definition.ladder) - 1)
    await check_depth(trial, served, top)
    table = await report_levels(trial, solved, count_tokens)
    conclude_levels(trial, table)
    truths = oracle.truths
    for one in solved:
        truths |= one.truths
    await check_wrong(trial, truths)
    return table


def _finish(
    trial: Trial, served: Definition, oracle: Oracle | None = None, table: Sequence[LevelReport] = ()
) -> Verification:
    order = {name: place for place, name in enumerate(CHECKS)}
    checks = sorted(trial.checks, key=lambda check: order[check.name])
    done = {check.name for check in checks}
    skipped = [name for name in CHECKS if name not in done and (name != "checker" or trial.checker is not None)]
    verified = not skipped and all(check.passed for check in checks)
    definition = served if verified else trial.definition
    reports = oracle.reports if oracle is not None else []
    results = trial.sandbox.results
    report = VerificationReport(
        version=trial.version,
        served_version=trial.version if definition is trial.definition else version_of(definition),
        verdict="verified" if verified else "rejected",
        checks=checks,
        skipped=skipped,
        levels=list(table),
        solutions=reports,
        dissenters=[one.name for one in reports if one.standing == "dissents"],
        dropped_levels=[row.level for row in table if row.dropped is not None],
        cpu_s=sum(one.cpu_ms for one in results) / 1_000,
        wall_s=sum(one.wall_ms for one in results) / 1_000,
        runs=len(results),
    )
    return Verification(report, definition)

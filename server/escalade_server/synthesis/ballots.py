"""Votes of the solutions on generated inputs.

Guarantee: where answers are unique, outputs that agree form a camp; where they are not, an answer stands with the
majority if the checker takes it, judged against other solutions' answers. A checker that cannot decide accepts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from escalade_sandbox.types import JobResult, Status
from escalade_server.instances.generation import compiles, output_of, run_solutions
from escalade_server.problems.definition import Solution
from escalade_server.scoring.checkers import Case, Checked, check_all
from escalade_server.scoring.comparators import agree
from escalade_server.scoring.voting import Outputs, Vote, vote
from escalade_server.synthesis.trial import Trial

JUDGES = 3
"""Other solutions' answers that a checker judges an answer against."""


@dataclass(slots=True)
class Ballot:
    """What solutions printed on the same inputs, and how they voted."""

    solutions: Sequence[Solution]
    inputs: Sequence[str]
    finished: Sequence[JobResult]
    outputs: list[dict[int, str]]
    """Per input, by the solution's number."""
    votes: list[Vote | None] = field(default_factory=list)
    undecided: list[tuple[int, int]] = field(default_factory=list)
    """(input, solution) pairs on which the checker did not decide."""

    def answered(self, solution: int) -> int:
        """How many inputs it answered."""
        return sum(solution in outputs for outputs in self.outputs)

    def failure(self, solution: int) -> str:
        """Why it answers too little: the compiler's words, or how its runs ended."""
        done = self.finished[solution]
        if not compiles(done):
            assert done.compilation is not None
            words = done.compilation.diagnostics.strip().splitlines()
            return f"it does not compile: {words[0] if words else done.compilation.status.value}"
        ends = [one for one in done.results if output_of(one) is None]
        if not ends:
            return "it answered everything"
        words = ends[0].stderr.decode("utf-8", "replace").strip().splitlines()
        how = "it prints nothing" if ends[0].status is Status.OK else ends[0].status.value.replace("_", " ")
        return f"{len(ends)} of {len(done.results)} runs gave no answer: {how}{f' ({words[-1]})' if words else ''}"


async def run_ballot(
    trial: Trial, solutions: Sequence[Solution], inputs: Sequence[str], *, stop_on_failure: bool = False
) -> Ballot:
    """Run solutions on distinct inputs, each to its first failure where it is to stop there; nobody has voted yet."""
    if not inputs:
        return Ballot(solutions, inputs, [JobResult(()) for _ in solutions], [])
    finished = await run_solutions(
        trial.sandbox,
        version=trial.version,
        definition=trial.definition,
        solutions=solutions,
        inputs=inputs,
        stop_on_failure=stop_on_failure,
    )
    outputs: list[dict[int, str]] = [{} for _ in inputs]
    for number, done in enumerate(finished):
        for place, result in enumerate(done.results):
            printed = output_of(result)
            if printed is not None:
                outputs[place][number] = printed
    return Ballot(solutions, inputs, finished, outputs)


async def count(trial: Trial, ballot: Ballot, electorate: frozenset[int]) -> None:
    """Have some of the solutions vote on every input."""
    voting: list[Outputs] = [
        {number: text for number, text in outputs.items() if number in electorate} for outputs in ballot.outputs
    ]
    checker = trial.checker
    if checker is None:
        same = partial(agree, trial.definition.answer)
        ballot.votes = [vote(outputs, same) for outputs in voting]
        return
    cases: list[tuple[int, int, Case]] = []
    for place, outputs in enumerate(voting):
        numbers = sorted(outputs)
        for index, number in enumerate(numbers):
            others = [numbers[(index + step) % len(numbers)] for step in range(1, min(JUDGES, len(numbers) - 1) + 1)]
            # A single one must at least satisfy the checker by itself.
            for other in others or [number]:
                cases.append((place, number, Case(ballot.inputs[place], outputs[number], outputs[other])))
    said = await check_all(trial.sandbox, checker, [case for _, _, case in cases])
    verdicts: dict[tuple[int, int], list[Checked]] = {}
    for (place, number, _), checked in zip(cases, said, strict=True):
        verdicts.setdefault((place, number), []).append(checked)
    ballot.undecided = [key for key, found in verdicts.items() if any(one.verdict == "undecided" for one in found)]
    ballot.votes = [_accepted(place, outputs, verdicts) for place, outputs in enumerate(voting)]


def _accepted(place: int, outputs: Outputs, verdicts: dict[tuple[int, int], list[Checked]]) -> Vote | None:
    if not outputs:
        return None
    right = {
        number
        for number in outputs
        if 2 * sum(one.verdict == "accepted" for one in verdicts[place, number]) > len(verdicts[place, number])
    }
    first = min(right or set(outputs))
    return Vote(outputs[first], frozenset(right), frozenset(outputs) - right)

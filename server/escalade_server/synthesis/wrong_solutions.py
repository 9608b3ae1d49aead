"""Solutions that are known to be wrong must be found out by some generated input.

Guarantee: a solution counts as caught only by an input with an agreed answer. Solutions that are too slow or crash in
the source's view are tried too, but need not be caught: inputs that fit into a prompt are small.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from escalade_server.problems.definition import Solution
from escalade_server.scoring.checkers import Case, check_all
from escalade_server.scoring.comparators import agree
from escalade_server.synthesis.ballots import run_ballot
from escalade_server.synthesis.evidence import example
from escalade_server.synthesis.trial import Trial

PART = 256
"""Inputs on which all are tried that have not been caught."""
LONGEST = 32
"""Inputs, the longest ones, on which those are tried that need not be caught: each may take the whole time limit."""


async def check_wrong(trial: Trial, truths: Mapping[str, str]) -> bool:
    """Run the known-wrong solutions on inputs with agreed answers until each is caught."""
    wrong = [one for one in trial.definition.solutions if one.expected not in ("accepted", "unknown")]
    wrong = wrong[: trial.thresholds.max_wrong_solutions]
    must = [one for one in wrong if one.expected == "wrong_answer"]
    if not wrong:
        return trial.conclude("wrong_solutions", True, "The source has no wrong solutions: nothing was checked.")
    others = [one for one in wrong if one not in must]
    missed, inputs = list(must), list(truths)
    for start in range(0, len(inputs), PART):
        if not missed:
            break
        missed = await _uncaught(trial, missed, {text: truths[text] for text in inputs[start : start + PART]})
    longest = sorted(inputs, key=len, reverse=True)[:LONGEST]
    passed = await _uncaught(trial, others, {text: truths[text] for text in longest}) if others else []
    share = 1 - len(missed) / len(must) if must else 1.0
    finding = f"{len(must) - len(missed)} of {len(must)} solutions known to be wrong give a wrong answer"
    finding += f" on some of {len(inputs)} inputs"
    if others:
        caught = len(others) - len(passed)
        finding += f"; {caught} of {len(others)} known to be slow or to crash fail as well"
    return trial.conclude(
        "wrong_solutions",
        share >= trial.thresholds.min_wrong_caught,
        finding + ".",
        figure=share,
        threshold=trial.thresholds.min_wrong_caught,
        unit="share",
        evidence=[
            example(
                f"{one.name} is known to be wrong, but answered every input right: the generator makes no input that "
                "shows its fault.",
                subject=one.name,
            )
            for one in missed
        ],
    )


async def _uncaught(trial: Trial, solutions: list[Solution], truths: Mapping[str, str]) -> list[Solution]:
    inputs = list(truths)
    ballot = await run_ballot(trial, solutions, inputs, stop_on_failure=True)
    # Who answers nothing on an input is caught there, and need not run on the others.
    caught = {number for outputs in ballot.outputs for number in range(len(solutions)) if number not in outputs}
    pairs = [
        (number, Case(text, outputs[number], truths[text]))
        for text, outputs in zip(inputs, ballot.outputs, strict=True)
        for number in outputs
        if number not in caught
    ]
    checker = trial.checker
    if checker is None:
        same = partial(agree, trial.definition.answer)
        caught |= {number for number, case in pairs if not same(case.reference, case.answer)}
    else:
        said = await check_all(trial.sandbox, checker, [case for _, case in pairs])
        caught |= {number for (number, _), one in zip(pairs, said, strict=True) if one.verdict == "wrong"}
    return [one for number, one in enumerate(solutions) if number not in caught]

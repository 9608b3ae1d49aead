"""Who may be part of the oracle: the solutions' trial by fixed tests and by majority.

Guarantee: every solution's standing is given with the reason. Fixed tests come first, since a solution that fails the
source's own tests is mislabelled and no voice against the generator; among the others the majority rules, and where
too few are of one mind, the generator is held to be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from escalade.types import Evidence, SolutionReport, Standing
from escalade_sandbox.types import Status
from escalade_server.problems.definition import Definition, Solution
from escalade_server.problems.problem import FixedTest
from escalade_server.scoring.checkers import Case, check_all
from escalade_server.scoring.comparators import agree
from escalade_server.scoring.voting import split, tally
from escalade_server.synthesis.ballots import Ballot, count, run_ballot
from escalade_server.synthesis.evidence import MOST, example, percent
from escalade_server.synthesis.trial import Drawn, Trial, together

MAX_TEST_CHARS = 1 << 20
LEAST_ANSWERED = 0.5
"""Share of the generated inputs that a solution must answer to be usable."""
NONSENSE = ("nonsense", "?", "1.5 x -")


@dataclass(slots=True)
class Oracle:
    """The solutions after their trial."""

    ballot: Ballot
    standings: list[Standing]
    reports: list[SolutionReport]
    lone: bool
    """A single solution, vouched for by fixed tests."""

    @property
    def kept(self) -> frozenset[int]:
        """Numbers of the solutions that agree."""
        return frozenset(number for number, one in enumerate(self.standings) if one == "agrees")

    @property
    def truths(self) -> dict[str, str]:
        """Each input's agreed answer, where there is one."""
        least = 1 if self.lone else 2
        votes = zip(self.ballot.inputs, self.ballot.votes, strict=True)
        return {text: one.output for text, one in votes if one is not None and len(one.majority & self.kept) >= least}

    def definition(self, given: Definition) -> Definition:
        """The definition without the solutions that are not in the oracle; the same one if all are."""
        names = {id(self.ballot.solutions[number]) for number in self.kept}
        kept = tuple(one for one in given.solutions if one.expected != "accepted" or id(one) in names)
        if len(kept) == len(given.solutions) and not self.lone:
            return given
        return given.model_copy(update={"solutions": kept, "tested_reference": self.lone})


async def try_solutions(trial: Trial, drawn: Sequence[Drawn], tests: Sequence[FixedTest]) -> tuple[Oracle, bool]:
    """Run every solution on fixed tests and on generated inputs, and file the checks; False if there is no oracle."""
    solutions = trial.definition.references
    inputs = list(dict.fromkeys(one.input for one in drawn))
    samples = [
        FixedTest(name=f"sample {number}", input=one.input, output=one.output, kind="sample")
        for number, one in enumerate(trial.definition.samples, start=1)
    ]
    usable_tests = _usable([*samples, *tests])[: trial.thresholds.max_fixed_tests]
    ballot, tested = await together(
        run_ballot(trial, solutions, inputs), run_ballot(trial, solutions, [test.input for test in usable_tests])
    )
    failures, passes = await _tested(trial, tested, usable_tests)
    standings = _first_standings(ballot, failures)
    electorate = frozenset(number for number, one in enumerate(standings) if one == "agrees")
    await count(trial, ballot, electorate)
    tallies = [tally(ballot.votes, number) for number in range(len(solutions))]
    standings = ["dissents" if tallies[number].dissents else one for number, one in enumerate(standings)]
    agreeing = [number for number, one in enumerate(standings) if one == "agrees"]
    lone = (
        len(electorate) == len(agreeing) == 1
        and passes[agreeing[0]] >= trial.thresholds.min_fixed_tests
        and agreeing[0] not in failures
    )
    reports = [
        SolutionReport(
            name=solution.name,
            language=solution.language,
            standing=standings[number],
            answered=ballot.answered(number),
            dissents=tallies[number].dissents,
            detail=_detail(ballot, number, standings[number], failures),
        )
        for number, solution in enumerate(solutions)
    ]
    oracle = Oracle(ballot, list(standings), reports, lone)
    sound = _conclude_tests(trial, usable_tests, failures, passes, solutions)
    sound = _conclude_agreement(trial, oracle, electorate, drawn) and sound
    if trial.checker is not None:
        sound = await _check_checker(trial, oracle) and sound
    return oracle, sound


def _usable(tests: Sequence[FixedTest]) -> list[FixedTest]:
    """Tests that have an answer and are not too long, each input once."""
    found: dict[str, FixedTest] = {}
    for test in tests:
        text = test.input if test.input.endswith("\n") else test.input + "\n"
        if test.output is not None and len(text) <= MAX_TEST_CHARS and text not in found:
            found[text] = test.model_copy(update={"input": text})
    return list(found.values())


def _first_standings(ballot: Ballot, failures: dict[int, Evidence]) -> list[Standing]:
    # If nobody passes, the tests or the comparison are at fault, and say nothing of anybody.
    blame = len(failures) < len(ballot.solutions)
    found: list[Standing] = []
    for number in range(len(ballot.solutions)):
        if ballot.answered(number) < max(1, LEAST_ANSWERED * len(ballot.inputs)):
            found.append("absent")
        else:
            found.append("fails_tests" if blame and number in failures else "agrees")
    return found


def _detail(ballot: Ballot, number: int, standing: Standing, failures: dict[int, Evidence]) -> str:
    if standing == "absent":
        return ballot.failure(number)
    if standing == "dissents":
        one = tally(ballot.votes, number)
        return f"it differs from the majority on {one.dissents} of {one.answered} generated inputs"
    return f"it fails the fixed test {failures[number].subject}" if standing == "fails_tests" else ""


async def _tested(trial: Trial, tested: Ballot, tests: Sequence[FixedTest]) -> tuple[dict[int, Evidence], list[int]]:
    """The first failure of each solution that fails a fixed test, and how many each passes."""
    asked = [
        (number, place, Case(test.input, tested.outputs[place][number], test.output or ""))
        for place, test in enumerate(tests)
        for number in range(len(tested.solutions))
        if number in tested.outputs[place]
    ]
    checker = trial.checker
    if checker is None:
        right = [agree(trial.definition.answer, case.reference, case.answer) for _, _, case in asked]
    else:
        said = await check_all(trial.sandbox, checker, [case for _, _, case in asked])
        right = [one.verdict == "accepted" for one in said]
    failures: dict[int, Evidence] = {}
    passes = [0] * len(tested.solutions)
    for (number, place, case), good in zip(asked, right, strict=True):
        passes[number] += good
        if not good and number not in failures:
            failures[number] = example(
                f"{tested.solutions[number].name} answers a fixed test otherwise than the source says.",
                subject=tests[place].name,
                input=case.input,
                expected=case.reference,
                got=case.answer,
            )
    for number, done in enumerate(tested.finished):
        for place, result in enumerate(done.results):
            if result.status in (Status.NONZERO_EXIT, Status.SIGNALLED) and number not in failures:
                words = result.stderr.decode("utf-8", "replace").strip().splitlines()
                failures[number] = example(
                    f"{tested.solutions[number].name} crashes on a fixed test{f': {words[-1]}' if words else '.'}",
                    subject=tests[place].name,
                    input=tests[place].input,
                )
    return failures, passes


def _conclude_tests(
    trial: Trial,
    tests: Sequence[FixedTest],
    failures: dict[int, Evidence],
    passes: Sequence[int],
    solutions: Sequence[Solution],
) -> bool:
    if not tests:
        return trial.conclude("fixed_tests", True, "The source has no tests with answers: nothing was checked.")
    good = sum(1 for number, passed in enumerate(passes) if passed and number not in failures)
    finding = f"{good} of {len(solutions)} solutions pass the {len(tests)} fixed tests and samples."
    if not good:
        finding += " So the tests, the answer type or the comparison must be wrong."
    evidence = list(failures.values())
    return trial.conclude(
        "fixed_tests", good > 0, finding, figure=float(good), threshold=1.0, unit="solutions", evidence=evidence
    )


def _conclude_agreement(trial: Trial, oracle: Oracle, electorate: frozenset[int], drawn: Sequence[Drawn]) -> bool:
    limits = trial.thresholds
    agreeing, usable = len(oracle.kept), len(electorate)
    share = agreeing / usable if usable else 0.0
    enough = oracle.lone or agreeing >= limits.min_solutions
    named = [one for one in oracle.reports if one.standing == "dissents"]
    finding = f"{agreeing} of {usable} usable solutions agree on all {len(oracle.ballot.inputs)} generated inputs"
    if named:
        finding += f"; {', '.join(one.name for one in named)} {'differs' if len(named) == 1 else 'differ'}"
    finding += "."
    if share < limits.min_agreement:
        finding += (
            f" That is less than {percent(limits.min_agreement)}: so many cannot all be wrong, "
            "so the generator makes inputs that the problem does not allow."
        )
    elif not enough:
        finding += (
            f" An oracle takes {limits.min_solutions} that agree, or a single one that passes "
            f"{limits.min_fixed_tests} fixed tests."
        )
    return trial.conclude(
        "agreement",
        enough and share >= limits.min_agreement,
        finding,
        figure=share,
        threshold=limits.min_agreement,
        unit="share",
        figures={"agreeing_solutions": agreeing, "usable_solutions": usable, "solutions": len(oracle.reports)},
        evidence=_dissent(trial, oracle, drawn),
    )


def _dissent(trial: Trial, oracle: Oracle, drawn: Sequence[Drawn]) -> list[Evidence]:
    """The smallest input on which each dissenter differs."""
    made = {one.input: one for one in reversed(drawn)}
    ballot = oracle.ballot
    found: list[Evidence] = []
    for number, standing in enumerate(oracle.standings):
        if standing != "dissents" or len(found) == MOST:
            continue
        places = [place for place, one in enumerate(ballot.votes) if one is not None and number in one.dissenters]
        place = min(places, key=lambda one: len(ballot.inputs[one]))
        one = ballot.votes[place]
        assert one is not None
        origin = made[ballot.inputs[place]]
        found.append(
            example(
                f"{ballot.solutions[number].name} differs; the solutions split {split(one)} here.",
                subject=ballot.solutions[number].name,
                parameters=origin.parameters,
                seed=origin.seed,
                input=origin.input,
                expected=one.output,
                got=ballot.outputs[place][number],
            )
        )
    return found


async def _check_checker(trial: Trial, oracle: Oracle) -> bool:
    """The checker must decide on every solution's answer, and refuse nonsense instead of failing on it."""
    checker = trial.checker
    assert checker is not None
    ballot = oracle.ballot
    truths = list(oracle.truths.items())[:8]
    cases = [Case(text, word, truth) for text, truth in truths for word in NONSENSE]
    said = await check_all(trial.sandbox, checker, cases)
    taken = [(case, one) for case, one in zip(cases, said, strict=True) if one.verdict != "wrong"]
    answers = sum(len(outputs) for outputs in ballot.outputs)
    bad = len(ballot.undecided) + len(taken)
    evidence = [
        example(
            "The checker accepts nonsense." if one.verdict == "accepted" else f"On nonsense, {one.detail}.",
            input=case.input,
            expected=case.reference,
            got=case.answer,
        )
        for case, one in taken
    ]
    evidence += [
        example(
            f"The checker does not decide on the answer of {ballot.solutions[number].name}.",
            input=ballot.inputs[place],
            got=ballot.outputs[place][number],
        )
        for place, number in ballot.undecided
    ]
    total = answers + len(cases)
    if bad:
        finding = f"On {bad} of {total} answers the checker fails, or accepts nonsense."
    else:
        finding = f"It decided on {answers} answers of solutions and refused {len(cases)} nonsensical ones."
    figure = 1 - bad / total if total else 0.0
    return trial.conclude("checker", not bad, finding, figure=figure, threshold=1.0, unit="share", evidence=evidence)

"""Checks of the ladder: every level must be solvable, differ from its neighbours, and be worth serving.

Guarantee: a level that is too poor (few distinct inputs, guessable, a prompt that is too long) leaves the ladder with
its reason in the report; what no dropping of levels can mend is a failed check.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from escalade.types import LevelReport
from escalade_server.instances.generation import answer
from escalade_server.instances.rendering import render
from escalade_server.problems.definition import Definition
from escalade_server.scoring.checkers import Case, check_all
from escalade_server.synthesis.drawing import Place, draw_more
from escalade_server.synthesis.evidence import example, percent
from escalade_server.synthesis.figures import VERY_CONFIDENT, distinct_estimate, lower_bound, modal
from escalade_server.synthesis.guessing import CONSTANTS, MODAL, Guess, best_guess, is_small_domain, normal
from escalade_server.synthesis.ladder import not_increasing, shrinking
from escalade_server.synthesis.metering import Meter
from escalade_server.synthesis.trial import Drawn, Trial, together

MORE_DRAWS = 4
"""Times as many draws where the first ones leave it open whether there are enough distinct inputs."""
CHECKED_DRAWS = 16
"""Draws of a level on which guesses are tried where a checker must judge each."""


@dataclass(slots=True)
class Solved:
    """A place's inputs with the oracle's answers."""

    place: Place
    truths: dict[str, str] = field(default_factory=dict)
    unsolved: dict[str, str] = field(default_factory=dict)
    """Inputs without an answer, and why."""
    solve_ms: float = 0.0

    @property
    def pairs(self) -> list[tuple[Drawn, str]]:
        """Every draw that has an answer, with it."""
        return [(one, self.truths[one.input]) for one in self.place.drawn if one.input in self.truths]


async def solve(trial: Trial, oracle: Definition, place: Place, solved: Solved | None = None) -> Solved:
    """Answer a place's inputs as the server would, those answered before left out."""
    solved = solved or Solved(place)
    known = solved.truths.keys() | solved.unsolved.keys()
    inputs = [text for text in place.inputs if text not in known]
    meter = Meter(trial.sandbox)
    for text, truth in (await answer(meter, version=trial.version, definition=oracle, inputs=inputs)).items():
        if isinstance(truth, str):
            solved.truths[text] = truth
        else:
            solved.unsolved[text] = truth.reason
    solved.solve_ms = max([solved.solve_ms, *(one.cpu_ms for one in meter.results)])
    return solved


def check_solvable(trial: Trial, solved: Sequence[Solved]) -> bool:
    """Minimum, maximum and every level: nearly all inputs must have an agreed answer inside the limits."""
    least = trial.thresholds.min_solved
    shares = {one.place.name: len(one.pairs) / len(one.place.drawn) if one.place.drawn else 0.0 for one in solved}
    poor = [one for one in solved if shares[one.place.name] < least]
    evidence = []
    for one in poor:
        if not one.place.drawn:
            reason = one.place.failed[0].reason if one.place.failed else "nothing was drawn"
            evidence.append(example(f"{one.place.name}: no input. {reason}", parameters=one.place.parameters))
        for text, reason in list(one.unsolved.items())[:1]:
            origin = next(drawn for drawn in one.place.drawn if drawn.input == text)
            evidence.append(
                example(
                    f"{one.place.name}: {reason}.", parameters=origin.parameters, seed=origin.seed, input=origin.input
                )
            )
    if poor:
        names = ", ".join(f"{one.place.name} ({percent(shares[one.place.name])})" for one in poor[:6])
        finding = f"Too few inputs can be answered at {len(poor)} of {len(solved)} places: {names}."
    else:
        finding = f"Minimum, maximum and all {len(trial.definition.ladder)} levels are solved within the limits."
    return trial.conclude(
        "solvable",
        not poor,
        finding,
        figure=min(shares.values(), default=0.0),
        threshold=least,
        unit="share",
        figures={"slowest_ms": max((one.solve_ms for one in solved), default=0.0)},
        evidence=evidence,
    )


def check_ladder(trial: Trial, solved: Sequence[Solved]) -> bool:
    """Every level must be a step up, and its inputs no shorter than the level's below."""
    ladder = trial.definition.ladder
    levels = [one.place for one in solved if one.place.level is not None]
    flat = not_increasing(ladder)
    shorter = shrinking([[len(one.input) for one in place.drawn] for place in levels])
    faults = sorted({*flat, *shorter})
    if flat:
        finding = f"{len(flat)} of {len(ladder)} levels are no step up from the level below: {_numbers(flat)}."
    elif shorter:
        finding = f"Inputs get shorter at {len(shorter)} of {len(ladder)} levels: {_numbers(shorter)}."
    else:
        finding = f"All {len(ladder)} levels go up, and inputs never get shorter."
    evidence = [
        example(f"Level {number} against level {number - 1}, {dict(ladder[number - 1])}.", parameters=ladder[number])
        for number in faults
    ]
    return trial.conclude(
        "ladder", not faults, finding, figure=float(len(faults)), threshold=0.0, unit="levels", evidence=evidence
    )


async def report_levels(
    trial: Trial, solved: Sequence[Solved], count_tokens: Callable[[str], int] | None
) -> list[LevelReport]:
    """The table of the levels, each with the reason for which it should be dropped, if there is one."""
    levels = [one for one in solved if one.place.level is not None]
    await _look_closer(trial, [one.place for one in levels])
    answers = [truth for one in levels for _, truth in one.pairs]
    small = is_small_domain(trial.definition.answer, answers, trial.definition.answer_instruction)
    if trial.checker is None:
        guesses = [_guess(trial, one) for one in levels]
    else:
        guesses = await together(*(_guess_checked(trial, one) for one in levels))
    return [
        _report(trial, one, guess, draws, count_tokens, small=small)
        for one, (guess, draws) in zip(levels, guesses, strict=True)
    ]


async def _look_closer(trial: Trial, places: Sequence[Place]) -> None:
    """Draw more where a few distinct inputs were seen, but not clearly too few."""
    least = trial.thresholds.min_distinct_inputs
    open_ones = [
        place
        for place in places
        if least / 2 <= len(place.inputs) and distinct_estimate([one.input for one in place.drawn]) < least
    ]
    await draw_more(trial, [(place, MORE_DRAWS * trial.thresholds.level_draws) for place in open_ones])


def _guess(trial: Trial, solved: Solved) -> tuple[Guess, int]:
    pairs = solved.pairs
    inputs, truths = [one.input for one, _ in pairs], [truth for _, truth in pairs]
    return best_guess(trial.definition.answer, inputs, truths), len(pairs)


async def _guess_checked(trial: Trial, solved: Solved) -> tuple[Guess, int]:
    """Where answers are not unique, the checker says whether the most frequent reference or a constant would do."""
    checker = trial.checker
    assert checker is not None
    pairs = solved.pairs[:CHECKED_DRAWS]
    common, _ = modal([truth for _, truth in pairs])
    guesses = [(MODAL, common or ""), *((f"always {word}", word) for word in CONSTANTS)]
    cases = [Case(one.input, guess, truth) for _, guess in guesses for one, truth in pairs]
    said = [one.verdict == "accepted" for one in await check_all(trial.sandbox, checker, cases)]
    hits = [sum(said[start : start + len(pairs)]) for start in range(0, len(said), max(1, len(pairs)))]
    found = [Guess(name, count) for (name, _), count in zip(guesses, hits, strict=False)]
    return max(found, key=lambda one: one.hits, default=Guess(MODAL, 0)), len(pairs)


def _report(
    trial: Trial,
    solved: Solved,
    guess: Guess,
    guessed: int,
    count_tokens: Callable[[str], int] | None,
    *,
    small: bool,
) -> LevelReport:
    place, definition, limits = solved.place, trial.definition, trial.thresholds
    assert place.level is not None
    prompts = [render(definition, one.draft.description, name="environment")[0].content for one in place.drawn]
    longest = max(prompts, key=len, default="")
    tokens = count_tokens(longest) if count_tokens is not None else None
    inputs = [one.input for one in place.drawn]
    estimate = distinct_estimate(inputs)
    truths = [normal(definition.answer, truth) for _, truth in solved.pairs]
    # Beyond doubt, since many levels and strategies are looked at, and the luckiest one is taken.
    guessable = lower_bound(guess.hits, guessed, VERY_CONFIDENT)
    limit = limits.max_modal_share_small if small else limits.max_guessability
    dropped = None
    if estimate < limits.min_distinct_inputs:
        dropped = f"about {estimate:.3g} distinct inputs, fewer than {limits.min_distinct_inputs}"
    elif guessable > limit:
        dropped = f"`{guess.strategy}` is right for {guess.hits} of {guessed}, significantly more than {percent(limit)}"
    elif len(longest) > limits.max_prompt_chars:
        dropped = f"its prompt has {len(longest)} characters, more than {limits.max_prompt_chars}"
    elif tokens is not None and tokens > limits.max_prompt_tokens:
        dropped = f"its prompt has {tokens} tokens, more than {limits.max_prompt_tokens}"
    return LevelReport(
        level=place.level,
        parameters=place.parameters,
        draws=len(place.drawn),
        failed_draws=len(place.failed),
        solved=len(solved.pairs),
        input_chars=sum(map(len, inputs)) / len(inputs) if inputs else 0.0,
        prompt_chars=len(longest),
        prompt_tokens=tokens,
        distinct=len(set(inputs)),
        distinct_estimate=estimate,
        modal_share=modal(truths)[1] / len(truths) if truths else 0.0,
        guess=guess.strategy,
        guessability=guess.hits / guessed if guessed else 0.0,
        solve_ms=solved.solve_ms,
        dropped=dropped,
    )


def conclude_levels(trial: Trial, table: Sequence[LevelReport]) -> bool:
    """File what the table says: distinct inputs, guessability, prompts, and whether enough levels are left."""
    limits = trial.thresholds
    kept = [one for one in table if one.dropped is None] or list(table)
    reasons = Counter(_reason(one) for one in table if one.dropped is not None)

    def words(reason: str, rest: str) -> str:
        numbers = [one.level for one in table if one.dropped is not None and _reason(one) == reason]
        return f"{rest} Dropped for it: level {_numbers(numbers)}." if numbers else rest

    enough = len(table) - sum(reasons.values()) >= max(limits.min_levels, limits.min_kept_levels * len(table))
    # A failure is filed with the reason that cost most levels, since that is what is to be mended.
    guilty = reasons.most_common(1)[0][0] if reasons and not enough else None
    fewest = min((one.distinct_estimate for one in kept), default=0.0)
    trial.conclude(
        "distinct_inputs",
        guilty != "distinct",
        words("distinct", f"At least about {fewest:.3g} distinct inputs at every level."),
        figure=fewest,
        threshold=float(limits.min_distinct_inputs),
        unit="inputs",
        figures={"dropped_levels": reasons["distinct"]},
    )
    worst = max(kept, key=lambda one: one.guessability, default=None)
    trial.conclude(
        "guessability",
        guilty != "guess",
        words(
            "guess",
            f"The best trivial strategy is `{worst.guess}` at level {worst.level}: {percent(worst.guessability)}."
            if worst
            else "No level could be looked at.",
        ),
        figure=worst.guessability if worst else None,
        threshold=limits.max_guessability,
        unit="share",
        figures={"dropped_levels": reasons["guess"]},
    )
    longest = max((one.prompt_chars for one in kept), default=0)
    tokens = [one.prompt_tokens for one in kept if one.prompt_tokens is not None]
    trial.conclude(
        "prompt_length",
        guilty != "prompt",
        words("prompt", f"The longest prompt has {longest} characters{f', {max(tokens)} tokens' if tokens else ''}."),
        figure=float(longest),
        threshold=float(limits.max_prompt_chars),
        unit="chars",
        figures={"dropped_levels": reasons["prompt"], **({"tokens": float(max(tokens))} if tokens else {})},
    )
    left = len(table) - sum(reasons.values())
    trial.conclude(
        "levels",
        enough,
        f"{left} of {len(table)} levels are left.",
        figure=float(left),
        threshold=max(float(limits.min_levels), limits.min_kept_levels * len(table)),
        unit="levels",
    )
    return enough


def _reason(level: LevelReport) -> str:
    assert level.dropped is not None
    return "distinct" if "distinct" in level.dropped else "guess" if level.dropped[0] == "`" else "prompt"


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:12])) + (", ..." if len(numbers) > 12 else "")

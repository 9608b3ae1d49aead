"""The check of depth: at the top of the ladder answers must vary.

Guarantee: an environment is refused only for what its draws show beyond chance, so that one whose most frequent answer
comes three times in ten passes every time but for one in twenty.
"""

from __future__ import annotations

from escalade_server.problems.definition import Definition
from escalade_server.synthesis.drawing import fill
from escalade_server.synthesis.evidence import example, percent
from escalade_server.synthesis.figures import Decision, lower_bound, modal, share_decision
from escalade_server.synthesis.guessing import is_small_domain, normal
from escalade_server.synthesis.level_checks import Solved, solve
from escalade_server.synthesis.trial import Trial


async def check_depth(trial: Trial, oracle: Definition, top: Solved) -> bool:
    """Draw at the ladder's top until it is clear whether one answer comes too often, and count distinct answers."""
    limits, spec = trial.thresholds, trial.definition.answer
    wanted = limits.depth_draws
    while True:
        await fill(trial, [top.place], wanted)
        await solve(trial, oracle, top.place, top)
        answers = [normal(spec, truth) for _, truth in top.pairs]
        small = is_small_domain(spec, answers, trial.definition.answer_instruction)
        limit = limits.max_modal_share_small if small else limits.max_modal_share
        common, hits = modal(answers)
        last = wanted >= limits.depth_draws_at_most or len(top.place.drawn) < wanted
        decision: Decision = share_decision(hits, len(answers), limit, last=last)
        if decision != "open":
            break
        wanted = min(wanted + limits.depth_draws, limits.depth_draws_at_most)
    distinct = len(set(answers[: limits.depth_draws]))
    least = 2 if small else limits.min_distinct_outputs
    share = hits / len(answers) if answers else 1.0
    passed = bool(answers) and decision == "passed" and distinct >= least
    kind = "few possible answers by the nature of the task" if small else "many possible answers"
    finding = (
        f"{distinct} distinct answers in the first {min(len(answers), limits.depth_draws)} draws at the top of the "
        f"ladder (at least {least}: {kind}); the most frequent one has {percent(share)} of {len(answers)}"
    )
    finding += f", significantly more than {percent(limit)}." if decision == "refused" else "."
    evidence = []
    if not passed and common is not None:
        same = [(one, truth) for one, truth in top.pairs if normal(spec, truth) == common][:2]
        evidence = [
            example(
                "One of the inputs with the most frequent answer.",
                parameters=one.parameters,
                seed=one.seed,
                input=one.input,
                expected=truth,
            )
            for one, truth in same
        ]
    return trial.conclude(
        "depth",
        passed,
        finding,
        figure=share,
        threshold=limit,
        unit="share",
        figures={
            "distinct_answers": distinct,
            "distinct_answers_at_least": least,
            "modal_share_at_least": lower_bound(hits, len(answers)),
            "draws": len(answers),
        },
        evidence=evidence,
    )

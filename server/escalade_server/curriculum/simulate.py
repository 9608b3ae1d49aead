"""Runs policies side by side on the learner model.

Guarantee: a result is a pure function of (policy, constants, variant, seed, steps); the caller decides how to show
progress and what to write.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from escalade_server.curriculum import learner
from escalade_server.curriculum.arrays import Floats
from escalade_server.curriculum.learner import Variant
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, Policy, PolicyError, PoolEntry

TICK_EVERY = 10
"""Batches from one tick to the next, as in a run."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One policy with its constants, under the name shown."""

    label: str
    policy: Policy[Any]
    constants: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What one contender reached with one seed. Series run over steps, 1 first."""

    label: str
    variant: str
    seed: int
    start_score: float
    """Pool test before the first step."""
    score: Floats
    """Pool test after each step, 0 to 1."""
    unseen: Floats
    """Test on environments that were never practised, 0 to 1."""
    informative: Floats
    """Share of groups neither all right nor all wrong."""
    accuracy: Floats
    """Share of right rollouts."""
    level: Floats
    """Mean level of the groups."""
    broken: Floats
    """Share of groups of always-wrong environments."""
    trivial: Floats
    """Share of groups of always-right environments."""
    covered: Floats
    """Environments seen so far."""


def simulate(
    contenders: Sequence[Contender],
    variant: Variant,
    seeds: Sequence[int],
    steps: int,
    on_step: Callable[[str, int, int], None] | None = None,
) -> list[Result]:
    """Every contender on every seed; all contenders of a seed meet the same environments.

    Args:
        contenders: Policies to compare.
        variant: The learner and its pool.
        seeds: One world each.
        steps: Batches per run.
        on_step: Called after each step with (label, seed, steps done), for a progress bar.

    Raises:
        PolicyError: Two contenders share a label, there is no step, or a constant is bad.
    """
    labels = [contender.label for contender in contenders]
    if len(set(labels)) != len(labels):
        raise PolicyError(f"contenders need distinct labels, got {labels}")
    if steps < 1:
        raise PolicyError(f"steps must be at least 1, got {steps}")
    results = []
    for seed in seeds:
        world = learner.make_world(variant, seed)
        results += [run(contender, world, seed, steps, on_step) for contender in contenders]
    return results


def run(
    contender: Contender,
    world: learner.World,
    seed: int,
    steps: int,
    on_step: Callable[[str, int, int], None] | None = None,
) -> Result:
    """One contender in one world."""
    kind, policy = world.variant, contender.policy
    pool = [PoolEntry(int(top), (f"skill-{skill}",)) for top, skill in zip(world.tops, world.skill, strict=True)]
    state = policy.start(pool, kind.groups, contender.constants)
    rng = random.Random(seed)
    nature = np.random.default_rng([0xB0A710AD, seed])
    pupil = learner.fresh_learner(world)
    start_score = learner.pool_score(world, pupil)
    seen = np.zeros(len(pool), dtype=bool)
    rows = np.empty((steps, 8))
    unknown: deque[list[ClosedGroup]] = deque()
    for step in range(steps):
        if step % TICK_EVERY == 0:
            state = policy.tick(state)
        query = BatchQuery(cursor=step, groups=kind.groups, rollouts=kind.rollouts)
        proposals, state = policy.propose(state, query, rng)
        right = learner.answer(world, pupil, proposals, nature)
        unknown.append(
            [
                ClosedGroup(step, proposal.environment, proposal.level, hits, kind.rollouts, kind.rollouts)
                for proposal, hits in zip(proposals, right.tolist(), strict=True)
            ]
        )
        if len(unknown) > kind.lag:
            state = policy.observe(state, unknown.popleft())
        asked = np.array([proposal.environment for proposal in proposals])
        seen[asked] = True
        rows[step] = (
            learner.pool_score(world, pupil),
            learner.unseen_score(world, pupil),
            ((right > 0) & (right < kind.rollouts)).mean(),
            right.mean() / kind.rollouts,
            np.mean([proposal.level for proposal in proposals]),
            world.broken[asked].mean(),
            world.trivial[asked].mean(),
            seen.sum(),
        )
        if on_step is not None:
            on_step(contender.label, seed, step + 1)
    return Result(contender.label, kind.name, seed, start_score, *rows.T.copy())


@dataclass(frozen=True, slots=True)
class Summary:
    """A contender's means over seeds."""

    label: str
    informative: float
    score: float
    unseen: float
    covered: float
    broken: float
    """Share of all groups."""
    trivial: float
    """Share of all groups."""
    steps_to_score: float | None
    """Mean steps to the reference's last score; None if some seed never reached it."""
    steps_error: float | None
    """Standard error of that mean; None with it, or with one seed."""


def steps_to(result: Result, score: float) -> int | None:
    """Steps until the pool test first reaches a score."""
    reached = np.flatnonzero(result.score >= score)
    return int(reached[0]) + 1 if len(reached) else None


def summarise(results: Sequence[Result], reference: str | None = None) -> list[Summary]:
    """One row per contender, in order of appearance.

    Args:
        results: What `simulate` returned.
        reference: Label of the contender whose last score, seed by seed, the others are to reach.
    """
    targets = {result.seed: float(result.score[-1]) for result in results if result.label == reference}
    rows = []
    for label in dict.fromkeys(result.label for result in results):
        own = [result for result in results if result.label == label]
        steps = [steps_to(result, targets[result.seed]) for result in own] if targets else []
        reached = [step for step in steps if step is not None]
        complete = bool(steps) and len(reached) == len(steps)
        error = float(np.std(reached, ddof=1) / np.sqrt(len(reached))) if complete and len(reached) > 1 else None
        rows.append(
            Summary(
                label=label,
                informative=float(np.mean([result.informative.mean() for result in own])),
                score=float(np.mean([result.score[-1] for result in own])),
                unseen=float(np.mean([result.unseen[-1] for result in own])),
                covered=float(np.mean([result.covered[-1] for result in own])),
                broken=float(np.mean([result.broken.mean() for result in own])),
                trivial=float(np.mean([result.trivial.mean() for result in own])),
                steps_to_score=float(np.mean(reached)) if complete else None,
                steps_error=error,
            )
        )
    return rows


HEADERS = (
    "policy", "informative groups", "pool test", "unseen", "covered", "on broken / trivial, %", "steps to reference",
)  # fmt: skip


def cells(summary: Summary) -> tuple[str, ...]:
    """One row of a table, under `HEADERS`."""
    steps = "never"
    if summary.steps_to_score is not None:
        steps = f"{summary.steps_to_score:.0f}"
        if summary.steps_error:
            steps += f" ± {summary.steps_error:.0f}"
    return (
        summary.label,
        f"{summary.informative:.3f}",
        f"{summary.score:.4f}",
        f"{summary.unseen:.3f}",
        f"{summary.covered:.0f}",
        f"{100 * summary.broken:.2f} / {100 * summary.trivial:.2f}",
        steps,
    )


def markdown(summaries: Sequence[Summary]) -> str:
    """A table of summaries in Markdown."""
    rows = [HEADERS, ("---",) * len(HEADERS), *map(cells, summaries)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def mean_series(results: Sequence[Result], label: str, series: str, window: int = 1) -> Floats:
    """A series of one contender over steps, averaged over seeds and over a trailing window of steps.

    Args:
        results: What `simulate` returned.
        label: The contender.
        series: Name of an array of `Result`.
        window: Steps to average over; the first steps average over fewer.
    """
    mean = np.mean([getattr(result, series) for result in results if result.label == label], axis=0)
    sums = np.cumsum(np.concatenate([[0.0], mean]))
    ends = np.arange(1, len(mean) + 1)
    starts = np.maximum(ends - window, 0)
    smoothed: Floats = (sums[ends] - sums[starts]) / (ends - starts)
    return smoothed

"""The climb: step by step, a batch from the server, the learner's answers, the server's verdicts.

Guarantee: every figure comes from what the server answered. Where its verdict is not what the learner meant, that is
counted and shown, never corrected.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from escalade import Client
from escalade.demo import learner as learners
from escalade.demo.learner import Learner
from escalade.demo.server import DemoError
from escalade.types import AttemptReport, Batch


@dataclass(frozen=True)
class GroupResult:
    """One group, answered and scored."""

    environment: str
    level: int
    top_level: int
    right: int
    scored: int
    errors: int
    """Answers that the server could not score."""
    surprises: int
    """Answers that it scored as the learner did not mean them."""

    @property
    def difficulty(self) -> float:
        """Where on its ladder the group stood, from 0 to 1."""
        return self.level / self.top_level if self.top_level else 0.0

    @property
    def informative(self) -> bool:
        """Whether the group had right and wrong answers, so that there was something to learn."""
        return 0 < self.right < self.scored


@dataclass(frozen=True)
class Step:
    """One step of the run."""

    cursor: int
    groups: tuple[GroupResult, ...]
    batch_ms: float
    report_ms: float

    @property
    def difficulty(self) -> float:
        """Mean place on the ladders."""
        return fmean(group.difficulty for group in self.groups)

    @property
    def accuracy(self) -> float:
        """Share of right answers among those scored."""
        return sum(group.right for group in self.groups) / max(1, sum(group.scored for group in self.groups))

    @property
    def informative(self) -> float:
        """Share of groups with something to learn."""
        return fmean(group.informative for group in self.groups)

    @property
    def environments(self) -> int:
        """How many environments the batch was drawn from."""
        return len({group.environment for group in self.groups})


@dataclass(frozen=True)
class Totals:
    """The whole climb in figures."""

    groups: int
    attempts: int
    errors: int
    surprises: Mapping[str, int]
    """Per environment, where there were any."""
    server_ms: float
    """Median over the steps of what the server took for a batch and its report, as the learner saw it."""


def climb(
    client: Client, run: str, *, tops: Mapping[str, int], learner: Learner, steps: int, rng: random.Random
) -> Iterator[Step]:
    """Take the learner through the run, one step at a time.

    Raises:
        DemoError: The server kept the answers to itself, or left some out of its verdicts.
        EscaladeError: A call failed.
    """
    for cursor in range(steps):
        start_s = time.monotonic()
        batch = client.batch(run, cursor)
        batch_ms = (time.monotonic() - start_s) * 1_000
        reports, meant = _answers(batch, tops, learner, rng)
        start_s = time.monotonic()
        outcomes = client.report(run, reports).outcomes
        report_ms = (time.monotonic() - start_s) * 1_000
        verdicts = {(outcome.group, outcome.rollout): outcome.accuracy for outcome in outcomes}
        groups = []
        for group in batch.groups:
            found = [(meant[group.group, rollout], verdicts[group.group, rollout]) for rollout in range(group.rollouts)]
            scored = [(right, verdict) for right, verdict in found if verdict is not None]
            result = GroupResult(
                environment=group.environment,
                level=group.level,
                top_level=tops[group.environment],
                right=sum(verdict for _, verdict in scored),
                scored=len(scored),
                errors=len(found) - len(scored),
                surprises=sum(
                    right != bool(verdict)
                    # Of several right answers a changed one may be another.
                    and (right or group.answer_type != "checked")
                    for right, verdict in scored
                ),
            )
            learner = learners.practised(learner, result.environment, result.right, result.scored)
            groups.append(result)
        yield Step(cursor, tuple(groups), batch_ms, report_ms)


def totals(steps: Sequence[Step]) -> Totals:
    """Add up a climb."""
    groups = [group for step in steps for group in step.groups]
    surprises = Counter[str]()
    for group in groups:
        surprises[group.environment] += group.surprises
    return Totals(
        groups=len(groups),
        attempts=sum(group.scored + group.errors for group in groups),
        errors=sum(group.errors for group in groups),
        surprises={name: count for name, count in surprises.items() if count},
        server_ms=median(step.batch_ms + step.report_ms for step in steps) if steps else 0.0,
    )


def first_levels(steps: Sequence[Step]) -> dict[str, int]:
    """Level of each environment's first group."""
    levels: dict[str, int] = {}
    for step in steps:
        for group in step.groups:
            levels.setdefault(group.environment, group.level)
    return levels


def _answers(
    batch: Batch, tops: Mapping[str, int], learner: Learner, rng: random.Random
) -> tuple[list[AttemptReport], dict[tuple[str, int], bool]]:
    """Answer every rollout of a batch: the reports, and which of them are meant to be right."""
    reports = []
    meant = {}
    for group in batch.groups:
        if group.answer is None:
            raise DemoError(f"group {group.group} came without its answer, which the learner needs to play its part")
        chance = learners.chance(learner, group.environment, group.level, tops[group.environment])
        for rollout in range(group.rollouts):
            written = learners.answer(chance, group.answer_type, group.answer, rng)
            meant[group.group, rollout] = written.right
            reports.append(
                AttemptReport(group=group.group, rollout=rollout, completion=written.text, policy_step=batch.cursor)
            )
    return reports, meant

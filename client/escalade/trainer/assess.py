"""How good a writer is, level by level, on instances that no training can have met.

Guarantee: the instances come from the evaluation split, whose seeds no run draws from, and are the same for the same
environment versions, count and seed; the server judges every answer, and what it could not judge counts for nothing. A
server that is away is waited for, which `say` is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from escalade import Client, ScoreItem
from escalade._patience import logger, patiently
from escalade.trainer.policies import Sampling, Writer
from escalade.trainer.tallies import Tally
from escalade.types import Instance, Template

AT_ONCE = 64
"""Prompts that are answered together, which bounds memory."""


@dataclass(frozen=True)
class Cell:
    """What became of one level of one environment."""

    environment: str
    level: int
    right: int
    scored: int


def questions(
    client: Client,
    levels: Mapping[str, Sequence[int]],
    *,
    count: int,
    seed: int,
    template: Template,
    say: Callable[[str], object] = logger.warning,
) -> list[Instance]:
    """So many instances of each level, as the mapping names them by environment."""
    found: list[Instance] = []
    for name, wanted in levels.items():
        for level in wanted:
            served = partial(
                client.instances, name, level=level, count=count, seed=seed, split="evaluation", template=template
            )
            found += patiently(served, say=say).instances
    return found


def ask(
    writer: Writer,
    client: Client,
    asked: Sequence[Instance],
    *,
    rollouts: int,
    sampling: Sampling,
    seed: int,
    told: Callable[[int], None] = lambda answered: None,
    say: Callable[[str], object] = logger.warning,
) -> list[Tally]:
    """Answer the instances and have the answers judged; `told` hears how many are answered so far."""
    # Prompts of like length together, so that little is spent on padding.
    ordered = sorted(asked, key=lambda one: len(one.messages[-1].content))
    tallies: list[Tally] = []
    for first in range(0, len(ordered), AT_ONCE):
        some = ordered[first : first + AT_ONCE]
        texts = writer.write([one.messages for one in some], rollouts=rollouts, sampling=sampling, seed=seed + first)
        items = [
            ScoreItem(instance=one.instance, completion=text)
            for one, written in zip(some, texts, strict=True)
            for text in written
        ]
        judged = [outcome.accuracy for outcome in patiently(partial(client.score, items), say=say).outcomes]
        for place, one in enumerate(some):
            known = [right for right in judged[place * rollouts : (place + 1) * rollouts] if right is not None]
            tallies.append(Tally(one.environment, one.level or 0, one.instance, sum(known), len(known)))
        told(len(tallies))
    return tallies


def assess(
    writer: Writer, client: Client, asked: Sequence[Instance], *, rollouts: int, sampling: Sampling, seed: int
) -> list[Cell]:
    """Answer the instances and have the answers judged; one cell per environment and level."""
    right: dict[tuple[str, int], int] = {}
    scored: dict[tuple[str, int], int] = {}
    for one in ask(writer, client, asked, rollouts=rollouts, sampling=sampling, seed=seed):
        place = one.environment, one.level
        right[place] = right.get(place, 0) + one.right
        scored[place] = scored.get(place, 0) + one.scored
    return [Cell(*place, right[place], scored[place]) for place in sorted(right)]


def accuracy(cells: Iterable[Cell]) -> float:
    """Mean over the cells, each weighing the same whatever could be scored of it."""
    shares = [cell.right / cell.scored for cell in cells if cell.scored]
    return sum(shares) / len(shares) if shares else 0.0

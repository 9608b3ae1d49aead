"""Evaluation in figures: accuracy with its interval and pass@k, by environment and level, from tallies per instance.

Guarantee: pure. What the server could not judge counts for nothing; a figure that nothing was scored for is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from escalade.trainer.tallies import Tally

Z = 1.959964
"""Quantile of the normal distribution for intervals of 95%."""


@dataclass(frozen=True)
class Figures:
    """What became of some instances."""

    instances: int
    rollouts: int
    """Completions that were scored."""
    accuracy: float | None
    """Mean share of right completions, in [0, 1]."""
    low: float | None
    """Lower end of the accuracy's 95% interval."""
    high: float | None
    pass_at: dict[int, float | None]
    """By k: how likely one of k completions is right; None where no instance has k scored completions."""

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {**vars(self), "pass_at": {str(k): share for k, share in self.pass_at.items()}}


def figures(tallies: Sequence[Tally], ks: Sequence[int]) -> Figures:
    """The figures of some instances.

    The interval is Wilson's with the number of instances for a sample: completions of one instance are not independent,
    so that counting them all would promise too much.
    """
    scored = [one for one in tallies if one.scored]
    mean = sum(one.right / one.scored for one in scored) / len(scored) if scored else None
    low, high = (None, None) if mean is None else wilson(mean, len(scored))
    return Figures(
        instances=len(tallies),
        rollouts=sum(one.scored for one in scored),
        accuracy=mean,
        low=low,
        high=high,
        pass_at={k: _mean([pass_at(one.right, one.scored, k) for one in scored if one.scored >= k]) for k in ks},
    )


def pass_at(right: int, scored: int, k: int) -> float:
    """Chance that one of k completions drawn without replacement is right: 1 - C(n - c, k) / C(n, k).

    The unbiased estimate of Chen et al., "Evaluating Large Language Models Trained on Code" (2021), section 2.1.
    """
    if not 1 <= k <= scored:
        raise ValueError(f"pass@{k} needs at least {k} completions, not {scored}")
    return 1.0 - math.comb(scored - right, k) / math.comb(scored, k)


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share that was seen in `count` trials."""
    spread = Z * Z / count
    centre = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def grouped(tallies: Iterable[Tally], key: Callable[[Tally], Any], ks: Sequence[int]) -> dict[Any, Figures]:
    """The figures of each part, in the order of its key."""
    parts: dict[Any, list[Tally]] = {}
    for one in tallies:
        parts.setdefault(key(one), []).append(one)
    return {part: figures(parts[part], ks) for part in sorted(parts)}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None

"""The statistics of verification.

Guarantee: pure, and no figure claims more than its draws support: bounds are one-sided at 95%, numbers of distinct
things are estimated from below.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Literal, TypeVar

CONFIDENT = 1.645
"""Normal quantile of 95%."""
VERY_CONFIDENT = 3.09
"""Of 99.9%, for looks before all draws are in."""

Thing = TypeVar("Thing", bound=Hashable)
Decision = Literal["passed", "refused", "open"]


def lower_bound(hits: int, draws: int, quantile: float = CONFIDENT) -> float:
    """The least share that still explains `hits` in `draws` (Wilson's one-sided bound)."""
    if hits == 0:
        return 0.0
    share, square = hits / draws, quantile * quantile
    centre = share + square / (2 * draws)
    spread = quantile * math.sqrt(share * (1 - share) / draws + square / (4 * draws * draws))
    return max(0.0, (centre - spread) / (1 + square / draws))


def modal(things: Sequence[Thing]) -> tuple[Thing | None, int]:
    """The most frequent thing and how often it came; of several, the one that came first."""
    if not things:
        return None, 0
    return Counter(things).most_common(1)[0]


def share_decision(hits: int, draws: int, limit: float, *, last: bool) -> Decision:
    """Whether a share is above its limit, as far as the draws say.

    A share at or below the limit passes. One above is refused at the last look if its 95% bound is above too, and
    passes else; at earlier looks only what is beyond doubt is refused, so that looking often does not refuse more.
    """
    if draws == 0 or hits <= limit * draws:
        return "passed"
    if lower_bound(hits, draws, CONFIDENT if last else VERY_CONFIDENT) > limit:
        return "refused"
    return "passed" if last else "open"


def distinct_estimate(things: Sequence[Hashable]) -> float:
    """How many distinct things there are to draw, estimated from below (Chao's first estimator, bias-corrected)."""
    counts = Counter(Counter(things).values())
    once, twice = counts[1], counts[2]
    draws = len(things)
    if draws < 2:
        return float(draws)
    return len(set(things)) + (draws - 1) / draws * once * (once - 1) / (2 * (twice + 1))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

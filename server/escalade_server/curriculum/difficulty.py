"""The paper's difficulty controller, as pure functions.

Guarantee: levels proposed for a continuous level d in [0, top] are floor(d) or ceil(d), hence inside the ladder, and a
moved level stays in [0, top].
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

TOP_TOLERANCE = 1e-7
"""How near to the top counts as the top: sums of thirds and sevenths miss an integer by less."""


def split_level(level: float, groups: int, rng: random.Random) -> list[int]:
    """`groups` integer levels around a continuous one, in random order: round(groups * fraction) of them the upper."""
    low, high = math.floor(level), math.ceil(level)
    # round() rounds halves to even, as the paper's code does: d = 0.5 gives one group level 0, and of three two level 1
    upper = round(groups * (level - low))
    levels = [high] * upper + [low] * (groups - upper)
    rng.shuffle(levels)
    return levels


def move_level(
    level: float, accuracy: float, top: int, *, target: float = 0.5, gain: float = 2.0, cap: float = 1.0
) -> float:
    """The level after a step with this mean accuracy: up when above the target, at most `cap` levels at once."""
    step = max(-cap, min(cap, gain * (accuracy - target)))
    return max(0.0, min(float(top), level + step))


def zero_run(accuracies: Sequence[float]) -> int:
    """Length of the trailing run of zero accuracy; the oldest entry never counts, as in the paper's code."""
    run = 0
    for accuracy in reversed(accuracies[1:]):
        if accuracy != 0:
            break
        run += 1
    return run


def top_run(levels: Sequence[float], top: int) -> int:
    """Length of the trailing run of levels at the top; the oldest entry never counts, as in the paper's code."""
    run = 0
    for level in reversed(levels[1:]):
        if abs(level - top) > TOP_TOLERANCE:
            break
        run += 1
    return run


def slope(levels: Sequence[float], full: int) -> float:
    """Least-squares slope of the levels, in levels per visit; 1 until there are `full` of them."""
    count = len(levels)
    if count < full or count < 2:
        return 1.0
    # Paired ends instead of deviations from the mean: a flat history gives exactly 0, and 0 evicts.
    numerator = sum(
        (count - 1 - 2 * i) * (last - first)
        for i, (first, last) in enumerate(zip(levels[: count // 2], reversed(levels), strict=False))
    )
    return numerator * 6 / (count * (count * count - 1))

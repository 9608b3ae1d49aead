"""Difficulty ladders: how far to scale, at which steps, and whether the steps go up.

Guarantee: pure. Every ladder made here is strictly increasing (from level to level some parameter grows and none
shrinks), starts at the parameters' minimum, ends at the given scale and has at most `MAX_LEVELS` levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, variance

from escalade_server.problems.definition import Parameter

MAX_LEVELS = 30
SMALL_RANGE = 2 * MAX_LEVELS
"""Ranges up to this many steps are spaced arithmetically, longer ones geometrically."""
LEAST_RATIO = 1.3
"""Of geometric spacing; larger where the range would else take too many levels."""

Assignment = dict[str, int]


def assignment_at(parameters: Mapping[str, Parameter], scale: int) -> Assignment:
    """All scale parameters at one common scale."""
    return {name: parameter.at(scale) for name, parameter in parameters.items()}


def largest_scale(parameters: Mapping[str, Parameter]) -> int:
    """The least common scale at which every parameter that grows has reached its maximum."""
    growing = [parameter for parameter in parameters.values() if parameter.base > 0]
    return max((math.ceil((one.maximum - one.minimum) / one.base) for one in growing), default=0)


def fitting(parameters: Mapping[str, Parameter], budget: float) -> Generator[Assignment, float, int | None]:
    """Find the largest scale whose measure (such as a prompt's length) is within the budget.

    Yields assignments and is sent their measures, so that whoever measures may wait for a sandbox. It doubles the scale
    first, then bisects, so that nothing much larger than what fits is ever measured.

    Returns:
        The scale; None where even the parameters' minimum does not fit.
    """
    most = largest_scale(parameters)
    if (yield assignment_at(parameters, 0)) > budget:
        return None
    fits, beyond = 0, most + 1
    step = 1
    while fits < most and beyond > most:
        probe = min(step, most)
        if (yield assignment_at(parameters, probe)) > budget:
            beyond = probe
        else:
            fits, step = probe, step * 2
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if (yield assignment_at(parameters, middle)) > budget:
            beyond = middle
        else:
            fits = middle
    return fits


def largest_fitting(
    parameters: Mapping[str, Parameter], budget: float, measure: Callable[[Assignment], float]
) -> int | None:
    """`fitting` with a measure that answers at once."""
    search = fitting(parameters, budget)
    try:
        asked = next(search)
        while True:
            asked = search.send(measure(asked))
    except StopIteration as found:
        scale: int | None = found.value
        return scale


def spaced(top: int, most: int = MAX_LEVELS) -> list[int]:
    """At most `most` different whole steps from 0 to `top`, both included, in order."""
    if top < most:
        return list(range(top + 1))
    if most == 1:
        return [0]
    if top <= SMALL_RANGE or most == 2:
        return [round(index * top / (most - 1)) for index in range(most)]
    ratio = LEAST_RATIO
    while len(steps := _geometric(top, ratio)) > most:
        ratio *= 1.02
    return steps


def _geometric(top: int, ratio: float) -> list[int]:
    steps, exact = [0], 1.0
    while exact < top:
        # The exact value grows by the ratio, the step by one at least: small ranges begin with every whole number.
        step = max(steps[-1] + 1, round(exact))
        if step >= top:
            break
        steps.append(step)
        exact = max(exact, step) * ratio
    # A last step that is hardly one would make two levels of the same difficulty.
    if len(steps) > 2 and steps[-1] * math.sqrt(ratio) > top:
        steps.pop()
    return [*steps, top]


def ladder_to(parameters: Mapping[str, Parameter], scale: int, most: int = MAX_LEVELS) -> tuple[Assignment, ...]:
    """Levels from the parameters' minimum to a scale, all parameters growing together through their `base`."""
    last = assignment_at(parameters, scale)
    # Spacing goes by the parameter with the most values, since it tells the most levels apart.
    widest = max(parameters, key=lambda name: last[name] - parameters[name].minimum, default=None)
    if widest is None or last[widest] == parameters[widest].minimum:
        return (last,)
    base = parameters[widest].base
    scales = [math.ceil(step / base) for step in spaced(last[widest] - parameters[widest].minimum, most)]
    levels: list[Assignment] = []
    for level in (assignment_at(parameters, min(one, scale)) for one in scales):
        if not levels or level != levels[-1]:
            levels.append(level)
    if levels[-1] != last:
        # Another parameter grows on where the widest one has reached its maximum.
        levels[-1:] = [last] if len(levels) == most else [levels[-1], last]
    return tuple(levels)


def narrowed(parameters: Mapping[str, Parameter], top: Assignment) -> dict[str, Parameter]:
    """The parameters with the ladder's top as their maximum, so that nobody asks for what does not fit."""
    return {name: one.model_copy(update={"maximum": top[name]}) for name, one in parameters.items()}


def not_increasing(ladder: Sequence[Mapping[str, int]]) -> list[int]:
    """Levels that are no step up: no parameter is larger than a level below, or one is smaller."""
    faults = []
    for number, (lower, upper) in enumerate(pairwise(ladder), start=1):
        steps = [upper[name] - lower[name] for name in lower]
        if min(steps, default=0) < 0 or max(steps, default=0) == 0:
            faults.append(number)
    return faults


def shrinking(sizes: Sequence[Sequence[int]]) -> list[int]:
    """Levels whose inputs are shorter than those of the level below, beyond what chance explains.

    Args:
        sizes: Per level, the lengths of the inputs drawn there; levels without any are passed over.
    """
    faults: list[int] = []
    below: Sequence[int] | None = None
    for number, drawn in enumerate(sizes):
        if not drawn:
            continue
        if below is not None:
            error = math.sqrt(_error(below) + _error(drawn))
            if fmean(below) - fmean(drawn) > 3 * error + 0.01 * fmean(below):
                faults.append(number)
        below = drawn
    return faults


def _error(lengths: Sequence[int]) -> float:
    """Squared standard error of the mean."""
    return variance(lengths) / len(lengths) if len(lengths) > 1 else 0.0

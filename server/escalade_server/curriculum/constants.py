"""What a run gives its policy: constants with names, defaults and ranges, a pool, a batch size.

Guarantee: what `resolve` returns holds every constant of the policy, each finite and in its range; anything else is
refused with a message that names the constant. The same goes for pools and environments.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from escalade_server.curriculum.types import PolicyError, PoolEntry


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant a run may set."""

    default: float
    low: float
    """Smallest value allowed."""
    high: float
    """Largest value allowed."""
    whole: bool = False
    """Whether only integers make sense."""


def defaults(constants: Mapping[str, Constant]) -> dict[str, float]:
    """Name to default, as a policy publishes them."""
    return {name: constant.default for name, constant in constants.items()}


def resolve(policy: str, constants: Mapping[str, Constant], given: Mapping[str, float]) -> dict[str, float]:
    """The defaults, with what a run sets in their place.

    Raises:
        PolicyError: A name is unknown, or a value is not a number in its range.
    """
    unknown = sorted(set(given) - set(constants))
    if unknown:
        known = ", ".join(sorted(constants)) or "none"
        raise PolicyError(f"policy {policy!r} has no constant {unknown[0]!r}; its constants are: {known}")
    resolved = defaults(constants)
    for name, value in given.items():
        constant = constants[name]
        # bool is an int to Python, and never what a caller means by a constant
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise PolicyError(f"constant {name!r} of policy {policy!r} must be a finite number, got {value!r}")
        if not constant.low <= value <= constant.high:
            bounds = f"[{constant.low:g}, {constant.high:g}]"
            raise PolicyError(f"constant {name!r} of policy {policy!r} must lie in {bounds}, got {value!r}")
        if constant.whole and value != int(value):
            raise PolicyError(f"constant {name!r} of policy {policy!r} must be an integer, got {value!r}")
        resolved[name] = float(value)
    return resolved


def check_pool(pool: Sequence[PoolEntry], size: int) -> None:
    """Refuse a pool or a batch size that no policy can work with.

    Raises:
        PolicyError: The pool is empty, a ladder has no level, or the size is not positive.
    """
    if not pool:
        raise PolicyError("the pool is empty; choose a pool filter that matches at least one environment")
    if size < 1:
        raise PolicyError(f"groups per batch must be at least 1, got {size}")
    check_ladders(pool)


def check_ladders(entries: Sequence[PoolEntry]) -> None:
    """Refuse an environment without a level.

    Raises:
        PolicyError: A top level is negative.
    """
    for entry in entries:
        if entry.top_level < 0:
            raise PolicyError(f"top_level of an environment must be at least 0, got {entry.top_level}")


def check_environment(environment: int, pool: int) -> None:
    """Refuse an index outside the pool.

    Raises:
        PolicyError: It is.
    """
    if not 0 <= environment < pool:
        raise PolicyError(f"environment {environment} is not in the pool of {pool}")


def live_environments(pool: int, retired: Collection[int]) -> list[int]:
    """The environments that may be proposed, in order.

    Raises:
        PolicyError: There is none.
    """
    live = [environment for environment in range(pool) if environment not in retired]
    if not live:
        raise PolicyError("every environment of the pool is retired; release some or add others")
    return live

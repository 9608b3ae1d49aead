"""The policies by name. Each is a module that satisfies `Policy`: pure functions over its own immutable state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from escalade_server.curriculum.policies import adarft, bayes, fixed, learnability, rlve, scaler, staircase, uniform
from escalade_server.curriculum.types import Policy, PolicyError

POLICIES: Mapping[str, Policy[Any]] = {
    module.name: module for module in (bayes, scaler, staircase, rlve, adarft, learnability, fixed, uniform)
}


def policy(name: str) -> Policy[Any]:
    """The policy of that name.

    Raises:
        PolicyError: There is none.
    """
    try:
        return POLICIES[name]
    except KeyError:
        raise PolicyError(f"there is no policy {name!r}; choose one of: {', '.join(sorted(POLICIES))}") from None

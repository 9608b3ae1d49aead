"""The words between a run and its curriculum policy.

Guarantee: a policy is a set of pure functions over its own state. The same state, request and random numbers give the
same proposals and the same next state, bit for bit, so that a run's event log alone determines everything.
An environment is its index in the run's pool: the pool only grows, an index is never used twice.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """What a policy knows about an environment."""

    top_level: int
    """Highest level of its ladder; 0 is the lowest."""
    tags: tuple[str, ...] = ()
    answer_type: str = ""


@dataclass(frozen=True, slots=True)
class BatchQuery:
    """What is asked of a policy at one step."""

    cursor: int
    groups: int
    """Groups wanted."""
    rollouts: int
    """Rollouts per group."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One group to serve."""

    environment: int
    """Index in the pool."""
    level: int


@dataclass(frozen=True, slots=True)
class ClosedGroup:
    """What came of one group: `right` of the `scored` rollouts were right."""

    cursor: int
    """The batch it belonged to."""
    environment: int
    level: int
    right: int
    scored: int
    """At most `rollouts`; the others ended as `error` or `expired`."""
    rollouts: int


@dataclass(frozen=True, slots=True)
class ControllerView:
    """One environment's difficulty state, for people."""

    level: float
    visits: int
    active: bool
    accuracy: float | None = None
    """Mean accuracy at the last visit, in [0, 1]."""
    reason: str = ""
    """Why the policy serves it, or does not, in words and figures."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """The policy's own variables; JSON values."""


class PolicyError(ValueError):
    """A constant is unknown or out of its range, or the pool is empty."""


State = TypeVar("State")


class Policy(Protocol[State]):
    """Decides environments and levels. States are treated as immutable: every function returns the next one."""

    name: str
    constants: Mapping[str, float]
    """Names and defaults of the constants a run may set."""

    def start(self, pool: Sequence[PoolEntry], size: int, constants: Mapping[str, float]) -> State:
        """The state before the first batch; `size` is the run's number of groups per batch.

        Raises:
            PolicyError: A constant is unknown or out of range, or the pool is empty.
        """
        ...

    def extend(self, state: State, entries: Sequence[PoolEntry]) -> State:
        """Append environments to the pool."""
        ...

    def retire(self, state: State, environment: int) -> State:
        """Never propose this environment again (quarantined, replaced by a new version, or cannot be instantiated)."""
        ...

    def propose(self, state: State, query: BatchQuery, rng: random.Random) -> tuple[list[Proposal], State]:
        """`query.groups` proposals, none of a retired environment or outside its ladder.

        Raises:
            PolicyError: Every environment of the pool is retired.
        """
        ...

    def observe(self, state: State, groups: Sequence[ClosedGroup]) -> State:
        """Learn from groups, in the order they closed. One with fewer than half its rollouts scored moves nothing."""
        ...

    def tick(self, state: State) -> State:
        """Drift: called with every tenth new batch."""
        ...

    def view(self, state: State, environment: int) -> ControllerView:
        """The controller of one environment, for inspection."""
        ...

    def dump(self, state: State) -> dict[str, Any]:
        """The state as JSON values; `load(dump(state))` equals the state bit for bit."""
        ...

    def load(self, document: Mapping[str, Any]) -> State:
        """The state that `dump` wrote."""
        ...

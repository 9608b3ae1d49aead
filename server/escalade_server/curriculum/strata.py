"""Pools in strata: quotas or weights by tag and answer type, around any policy.

Guarantee: every environment belongs to exactly one stratum, the first that matches it; each stratum has a curriculum of
its own; over many batches each gets its share of the groups, exactly on average and within one group in every batch,
as long as it has an environment that is not retired.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from escalade_server.curriculum.constants import check_environment, check_ladders, check_pool
from escalade_server.curriculum.types import (
    BatchQuery,
    ClosedGroup,
    ControllerView,
    Policy,
    PolicyError,
    PoolEntry,
    Proposal,
)
from escalade_server.curriculum.visits import check_group


@dataclass(frozen=True, slots=True)
class Stratum:
    """Environments with a tag, an answer type, or both, and how much of each batch they get."""

    tag: str | None = None
    answer_type: str | None = None
    share: float | None = None
    """Quota: this share of the groups, in (0, 1]."""
    weight: float | None = None
    """What quotas leave is divided in proportion to weight times number of environments; positive."""

    def holds(self, entry: PoolEntry) -> bool:
        """Whether an environment matches."""
        right_type = self.answer_type is None or self.answer_type == entry.answer_type
        return right_type and (self.tag is None or self.tag in entry.tags)


@dataclass(frozen=True, slots=True)
class Part:
    """One stratum's environments and its own curriculum."""

    members: tuple[int, ...] = ()
    """Indices in the pool, in the order of the stratum's own pool."""
    retired: int = 0
    state: Any = None
    """Of the inner policy; None while it has no members."""


@dataclass(frozen=True, slots=True)
class State:
    """The whole curriculum of a run."""

    size: int
    constants: Mapping[str, float]
    places: tuple[tuple[int, int], ...]
    """(stratum, index in it) of each environment."""
    parts: tuple[Part, ...]
    retired: frozenset[int] = frozenset()


def check_strata(strata: Sequence[Stratum]) -> None:
    """Refuse strata that cannot be served.

    Raises:
        PolicyError: One has neither or both of share and weight, or a value is out of range, or shares exceed 1.
    """
    for place, stratum in enumerate(strata):
        if (stratum.share is None) == (stratum.weight is None):
            raise PolicyError(f"stratum {place}: give either a share or a weight")
        if stratum.tag is None and stratum.answer_type is None:
            raise PolicyError(f"stratum {place}: give a tag, an answer type, or both")
        if stratum.share is not None and not 0 < stratum.share <= 1:
            raise PolicyError(f"stratum {place}: share must lie in (0, 1], got {stratum.share!r}")
        if stratum.weight is not None and not 0 < stratum.weight < math.inf:
            raise PolicyError(f"stratum {place}: weight must be positive and finite, got {stratum.weight!r}")
    total = sum(stratum.share for stratum in strata if stratum.share is not None)
    if total > 1 + 1e-9:
        raise PolicyError(f"the shares of the strata add up to {total:g}; they may not exceed 1")


def allot(groups: int, shares: Sequence[float], rng: random.Random) -> list[int]:
    """Groups per share: each rounded up or down, at random so that the mean is exact; shares must sum to one."""
    # one random offset for all cuts keeps every part within one group of its share
    offset = rng.random()
    ends = []
    total = 0.0
    for share in shares:
        total += share * groups
        ends.append(math.floor(total + offset))
    # the last cut is at the end whatever rounding did to the sum
    ends[-1] = groups
    return [max(0, end - start) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


class Stratified:
    """A policy that runs another one in each stratum. Satisfies `Policy`; immutable."""

    def __init__(self, inner: Policy[Any], strata: Sequence[Stratum]) -> None:
        check_strata(strata)
        self.name = inner.name
        self.constants = inner.constants
        self._inner = inner
        # whoever matches nothing forms the last stratum
        self._strata = (*strata, Stratum(weight=1.0))

    def start(self, pool: Sequence[PoolEntry], size: int, constants: Mapping[str, float]) -> State:
        """Start the inner policy in each stratum that has members.

        Raises:
            PolicyError: A constant is unknown or out of range, the pool is empty, or the size is not positive.
        """
        check_pool(pool, size)
        # also where a stratum is empty, so that a bad constant is refused now
        self._inner.start(pool[:1], size, constants)
        resolved = {**self.constants, **{name: float(value) for name, value in constants.items()}}
        empty = State(size, resolved, (), (Part(),) * len(self._strata))
        return self.extend(empty, pool)

    def extend(self, state: State, entries: Sequence[PoolEntry]) -> State:
        """Append environments, each to its stratum."""
        check_ladders(entries)
        places, parts = list(state.places), list(state.parts)
        arrivals: list[list[PoolEntry]] = [[] for _ in parts]
        members = [list(part.members) for part in parts]
        for entry in entries:
            stratum = next(place for place, stratum in enumerate(self._strata) if stratum.holds(entry))
            members[stratum].append(len(places))
            places.append((stratum, len(members[stratum]) - 1))
            arrivals[stratum].append(entry)
        for stratum, arrived in enumerate(arrivals):
            if arrived:
                before = parts[stratum]
                inner = (
                    self._inner.start(arrived, self._size(state.size, stratum), state.constants)
                    if before.state is None
                    else self._inner.extend(before.state, arrived)
                )
                parts[stratum] = Part(tuple(members[stratum]), before.retired, inner)
        return replace(state, places=tuple(places), parts=tuple(parts))

    def _size(self, size: int, stratum: int) -> int:
        """Active set of a stratum: its quota of the run's, or as much as it could ever get."""
        share = self._strata[stratum].share
        return size if share is None else max(1, math.ceil(share * size))

    def retire(self, state: State, environment: int) -> State:
        """Never propose it again."""
        check_environment(environment, len(state.places))
        if environment in state.retired:
            return state
        stratum, local = state.places[environment]
        parts = list(state.parts)
        part = parts[stratum]
        parts[stratum] = replace(part, retired=part.retired + 1, state=self._inner.retire(part.state, local))
        return replace(state, parts=tuple(parts), retired=state.retired | {environment})

    def shares(self, state: State) -> list[float]:
        """Share of the next batch per stratum; they sum to one. Strata without live members get nothing.

        Raises:
            PolicyError: Every environment of the pool is retired.
        """
        live = [len(part.members) - part.retired for part in state.parts]
        if not any(live):
            raise PolicyError("every environment of the pool is retired; release some or add others")
        pairs = list(zip(self._strata, live, strict=True))
        quotas = [stratum.share if stratum.share is not None and count else 0.0 for stratum, count in pairs]
        masses = [stratum.weight * count if stratum.weight is not None else 0.0 for stratum, count in pairs]
        mass = sum(masses)
        rest = max(0.0, 1.0 - sum(quotas)) / mass if mass else 0.0
        shares = [quota + rest * weighed for quota, weighed in zip(quotas, masses, strict=True)]
        total = sum(shares)
        if total <= 0:
            # the quotas took everything and all their environments are retired
            return [weighed / mass for weighed in masses]
        return [share / total for share in shares]

    def propose(self, state: State, query: BatchQuery, rng: random.Random) -> tuple[list[Proposal], State]:
        """Divide the groups over the strata, and ask each.

        Raises:
            PolicyError: Every environment of the pool is retired.
        """
        shares = self.shares(state)
        served = [stratum for stratum, share in enumerate(shares) if share > 0]
        counts = allot(query.groups, [shares[stratum] for stratum in served], rng)
        parts = list(state.parts)
        proposals: list[Proposal] = []
        for stratum, groups in zip(served, counts, strict=True):
            if groups:
                part = parts[stratum]
                inner, after = self._inner.propose(part.state, replace(query, groups=groups), rng)
                parts[stratum] = replace(part, state=after)
                proposals += [Proposal(part.members[p.environment], p.level) for p in inner]
        return proposals, replace(state, parts=tuple(parts))

    def observe(self, state: State, groups: Sequence[ClosedGroup]) -> State:
        """Hand each group to its stratum."""
        by_stratum: dict[int, list[ClosedGroup]] = {}
        for group in groups:
            check_group(group, len(state.places))
            stratum, local = state.places[group.environment]
            by_stratum.setdefault(stratum, []).append(replace(group, environment=local))
        parts = list(state.parts)
        for stratum, own in by_stratum.items():
            parts[stratum] = replace(parts[stratum], state=self._inner.observe(parts[stratum].state, own))
        return replace(state, parts=tuple(parts))

    def tick(self, state: State) -> State:
        """Drift, stratum by stratum."""
        parts = tuple(
            part if part.state is None else replace(part, state=self._inner.tick(part.state)) for part in state.parts
        )
        return replace(state, parts=parts)

    def view(self, state: State, environment: int) -> ControllerView:
        """As the inner policy sees it, and the stratum."""
        stratum, local = state.places[environment]
        inner = self._inner.view(state.parts[stratum].state, local)
        return replace(inner, details={**inner.details, "stratum": stratum})

    def dump(self, state: State) -> dict[str, Any]:
        """The state as JSON values."""
        return {
            "policy": self.name,
            "size": state.size,
            "constants": dict(state.constants),
            "places": [list(place) for place in state.places],
            "retired": sorted(state.retired),
            "parts": [
                [list(part.members), part.retired, None if part.state is None else self._inner.dump(part.state)]
                for part in state.parts
            ],
        }

    def load(self, document: Mapping[str, Any]) -> State:
        """The state that `dump` wrote."""
        return State(
            size=document["size"],
            constants=dict(document["constants"]),
            places=tuple((stratum, local) for stratum, local in document["places"]),
            parts=tuple(
                Part(tuple(members), retired, None if inner is None else self._inner.load(inner))
                for members, retired, inner in document["parts"]
            ),
            retired=frozenset(document["retired"]),
        )


def stratified(inner: Policy[Any], strata: Sequence[Stratum]) -> Policy[Any]:
    """The inner policy, run in strata; itself when there are none.

    Raises:
        PolicyError: A stratum cannot be served.
    """
    return Stratified(inner, strata) if strata else inner

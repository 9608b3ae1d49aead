"""A run's curriculum as a fold of its events.

Guarantee: `fold` is pure. The state after n events is the same bit for bit whether it was reached live, by replay from
the first event, or from a snapshot; an event that does not follow from those before it is refused, not absorbed.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from escalade_server.curriculum.documents import FIRST_VERSION, with_values
from escalade_server.curriculum.policies import policy
from escalade_server.curriculum.strata import Stratum, stratified
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, Policy, PoolEntry, Proposal
from escalade_server.errors import ReplayDiverged

TICK_EVERY = 10
"""Batches between two ticks, which drive the drift of policies that have one."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One group of a batch before it has an instance."""

    environment: int
    """Position in the pool."""
    level: int
    ordinal: int
    """Which draw of the (environment, level) stream."""

    def document(self) -> list[int]:
        """As it stands in an event."""
        return [self.environment, self.level, self.ordinal]


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything that decides a run's next batch."""

    sequence: int
    """Events folded so far."""
    policy: Policy[Any]
    strata: Sequence[Mapping[str, Any]]
    """What the policy is divided by; empty for one curriculum over the whole pool."""
    curriculum: Any
    seed: int
    members: int
    """Environments in the pool so far, retired ones included."""
    batches: int
    draws: Mapping[tuple[int, int], int]
    """Instances used so far of each (environment, level)."""


def random_for(seed: int, purpose: str, *numbers: int) -> random.Random:
    """The random numbers of one decision: a restored run takes the same decisions at the same cursors."""
    text = "/".join((str(seed), purpose, *map(str, numbers)))
    return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))


def plan_batch(
    state: RunState, *, cursor: int, groups: int, rollouts: int, refill: int = 0
) -> tuple[list[Planned], RunState]:
    """What to serve at a cursor (or as its k-th refill), and the state after it.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    query = BatchQuery(cursor=cursor, groups=groups, rollouts=rollouts)
    return _plan(state, query, random_for(state.seed, "batch", cursor, refill), batches=int(refill == 0))


def plan_replacement(
    state: RunState, *, cursor: int, groups: int, rollouts: int, attempt: int
) -> tuple[list[Planned], RunState]:
    """What to serve in place of groups that cannot be made, and the state after it.

    Raises:
        PolicyError: Every environment of the pool is retired.
    """
    query = BatchQuery(cursor=cursor, groups=groups, rollouts=rollouts)
    return _plan(state, query, random_for(state.seed, "replacement", cursor, attempt), batches=0)


def _plan(state: RunState, query: BatchQuery, rng: random.Random, batches: int) -> tuple[list[Planned], RunState]:
    proposals, curriculum = state.policy.propose(state.curriculum, query, rng)
    draws = dict(state.draws)
    planned = [_take(draws, proposal) for proposal in proposals]
    after = replace(state, curriculum=curriculum, draws=draws, batches=state.batches + batches)
    return planned, after


def _take(draws: dict[tuple[int, int], int], proposal: Proposal) -> Planned:
    key = (proposal.environment, proposal.level)
    ordinal = draws.get(key, 0)
    draws[key] = ordinal + 1
    return Planned(proposal.environment, proposal.level, ordinal)


def begin(payload: Mapping[str, Any]) -> RunState:
    """The state after a run's first event, `created`.

    Raises:
        PolicyError: The policy or one of its constants is unknown, or the pool is empty.
    """
    chosen = _policy(payload)
    curriculum = chosen.start(_entries(payload["pool"]), payload["groups"], payload["constants"])
    if not payload.get("ahead"):
        curriculum = chosen.load(with_values(chosen.dump(curriculum), FIRST_VERSION))
    return RunState(1, chosen, payload.get("strata", []), curriculum, payload["seed"], len(payload["pool"]), 0, {})


def fold(state: RunState | None, kind: str, payload: Mapping[str, Any]) -> RunState:
    """The state after one more event.

    Raises:
        ReplayDiverged: The event does not follow from the state.
    """
    if state is None:
        if kind != "created":
            raise ReplayDiverged(f"The log begins with {kind!r}, not with 'created'.")
        return begin(payload)
    match kind:
        case "batch":
            size = {"cursor": payload["cursor"], "groups": payload["groups"], "rollouts": payload["rollouts"]}
            planned, after = plan_batch(state, **size, refill=payload["refill"])
            _require_same(planned, payload)
        case "replaced":
            size = {"cursor": payload["cursor"], "groups": len(payload["positions"]), "rollouts": payload["rollouts"]}
            planned, after = plan_replacement(state, **size, attempt=payload["attempt"])
            _require_same(planned, payload)
        case "closed":
            closed = ClosedGroup(**{name: payload[name] for name in ClosedGroup.__slots__})
            after = replace(state, curriculum=state.policy.observe(state.curriculum, [closed]))
        case "retired":
            after = replace(state, curriculum=state.policy.retire(state.curriculum, payload["environment"]))
        case "entered":
            entries = _entries(payload["pool"])
            curriculum = state.policy.extend(state.curriculum, entries)
            after = replace(state, curriculum=curriculum, members=state.members + len(entries))
        case "checkpoint":
            after = state
        case "adopted":
            after = replace(load(payload["state"]), seed=state.seed, sequence=state.sequence)
        case "tick":
            after = replace(state, curriculum=state.policy.tick(state.curriculum))
        case _:
            raise ReplayDiverged(f"Event {state.sequence} is of the unknown kind {kind!r}.")
    return advanced(after)


def advanced(state: RunState) -> RunState:
    """The state with one more event counted."""
    return replace(state, sequence=state.sequence + 1)


def restored(then: RunState, sequence: int) -> RunState:
    """The state after event `sequence` went back to an earlier one."""
    return replace(then, sequence=sequence + 1)


def dump(state: RunState) -> str:
    """The state as text; `load(dump(state))` is the same bit for bit."""
    document = {
        "sequence": state.sequence,
        "policy": state.policy.name,
        "strata": state.strata,
        "curriculum": state.policy.dump(state.curriculum),
        "seed": state.seed,
        "members": state.members,
        "batches": state.batches,
        "draws": [[*key, count] for key, count in state.draws.items()],
    }
    return json.dumps(document, separators=(",", ":"))


def load(text: str) -> RunState:
    """The state that `dump` wrote."""
    document = json.loads(text)
    chosen = _policy(document)
    draws = {(environment, level): count for environment, level, count in document["draws"]}
    return RunState(
        sequence=document["sequence"],
        policy=chosen,
        strata=document["strata"],
        curriculum=chosen.load(document["curriculum"]),
        seed=document["seed"],
        members=document["members"],
        batches=document["batches"],
        draws=draws,
    )


def _policy(payload: Mapping[str, Any]) -> Policy[Any]:
    strata = [Stratum(**stratum) for stratum in payload.get("strata", ())]
    return stratified(policy(payload["policy"]), strata)


def _entries(pool: Sequence[Mapping[str, Any]]) -> list[PoolEntry]:
    return [PoolEntry(member["top_level"], tuple(member["tags"]), member["answer_type"]) for member in pool]


def _require_same(planned: Sequence[Planned], payload: Mapping[str, Any]) -> None:
    if [group.document() for group in planned] != payload["proposals"]:
        raise ReplayDiverged(f"Batch {payload['cursor']} does not follow from the events before it.")

"""A run's state is the fold of its events, bit for bit, from any starting point."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalade_server.curriculum.types import PolicyError
from escalade_server.errors import ReplayDiverged
from escalade_server.runs.state import RunState, advanced, dump, fold, load, plan_batch, plan_replacement

POOL = [
    {"environment": f"e{index}", "version": "v", "top_level": top, "tags": [], "answer_type": "number"}
    for index, top in enumerate((0, 3, 9, 22, 1))
]
Events = list[tuple[str, dict[str, Any]]]


class History:
    """A run that lives: what a server would log, drawn by Hypothesis."""

    def __init__(self, policy: str, seed: int) -> None:
        self.events: Events = []
        created = {"policy": policy, "constants": {}, "groups": 4, "seed": seed, "pool": POOL}
        self.state: RunState = fold(None, "created", created)
        self.events.append(("created", created))
        self.open: list[dict[str, Any]] = []
        self.cursor = 0

    def log(self, kind: str, payload: dict[str, Any], after: RunState | None = None) -> None:
        self.events.append((kind, payload))
        self.state = after if after is not None else fold(self.state, kind, payload)

    def batch(self, groups: int) -> None:
        try:
            planned, after = plan_batch(self.state, cursor=self.cursor, groups=groups, rollouts=4)
        except PolicyError:
            return
        proposals = [group.document() for group in planned]
        payload = {"cursor": self.cursor, "refill": 0, "groups": groups, "rollouts": 4, "proposals": proposals}
        self.log("batch", payload, advanced(after))
        self.open += [
            {"cursor": self.cursor, "environment": group.environment, "level": group.level} for group in planned
        ]
        self.cursor += 1

    def close(self, index: int, scored: int, right: int) -> None:
        if self.open:
            group = self.open.pop(index % len(self.open))
            self.log("closed", group | {"right": min(right, scored), "scored": scored, "rollouts": 4})

    def retire(self, environment: int) -> None:
        self.log("retired", {"environment": environment})
        self.open = [group for group in self.open if group["environment"] != environment]

    def replace(self, cursor: int) -> None:
        attempt = self.state.sequence
        try:
            planned, after = plan_replacement(self.state, cursor=cursor, groups=1, rollouts=4, attempt=attempt)
        except PolicyError:
            return
        proposals = [group.document() for group in planned]
        payload = {"cursor": cursor, "rollouts": 4, "positions": [0], "attempt": attempt, "proposals": proposals}
        self.log("replaced", payload, advanced(after))
        self.open += [{"cursor": cursor, "environment": one.environment, "level": one.level} for one in planned]


steps = st.one_of(
    st.tuples(st.just("batch"), st.integers(1, 8)),
    st.tuples(st.just("close"), st.integers(0, 99), st.integers(0, 4), st.integers(0, 4)),
    st.tuples(st.just("close"), st.integers(0, 99), st.integers(0, 4), st.integers(0, 4)),
    st.tuples(st.just("retire"), st.integers(0, 4)),
    st.tuples(st.just("replace"), st.integers(0, 3)),
    st.tuples(st.just("tick")),
    st.tuples(st.just("enter")),
)


@given(
    policy=st.sampled_from(["scaler", "bayes", "staircase", "rlve", "adarft", "learnability", "fixed", "uniform"]),
    seed=st.integers(0, 2**63 - 1),
    script=st.lists(steps, max_size=40),
    cut=st.integers(1, 40),
)
@settings(deadline=None, max_examples=60)
def test_replay_gives_the_live_state_bit_for_bit(policy: str, seed: int, script: list[Any], cut: int) -> None:
    history = History(policy, seed)
    for name, *arguments in script:
        if name == "tick":
            history.log("tick", {})
        elif name == "enter":
            history.log("entered", {"pool": POOL[:1]})
        else:
            getattr(history, name)(*arguments)
    live = dump(history.state)
    replayed: RunState | None = None
    for number, (kind, payload) in enumerate(history.events):
        replayed = fold(replayed, kind, payload)
        if number == cut:
            replayed = load(dump(replayed))
    assert replayed is not None
    assert dump(replayed) == live
    assert replayed.sequence == len(history.events)


def test_a_changed_log_is_refused() -> None:
    history = History("scaler", 1)
    history.batch(4)
    kind, payload = history.events[1]
    changed = payload | {"proposals": [[4, 1, 0], *payload["proposals"][1:]]}
    state = fold(None, *history.events[0])
    with pytest.raises(ReplayDiverged, match="Batch 0"):
        fold(state, kind, changed)
    with pytest.raises(ReplayDiverged, match="unknown kind"):
        fold(state, "prophecy", {})
    with pytest.raises(ReplayDiverged, match="begins with"):
        fold(None, "tick", {})


def test_each_group_of_a_level_has_the_next_draw() -> None:
    history = History("fixed", 3)
    seen = set()
    for _ in range(5):
        history.batch(8)
        for environment, level, ordinal in history.events[-1][1]["proposals"]:
            assert (environment, level, ordinal) not in seen
            seen.add((environment, level, ordinal))
    for environment, level, ordinal in seen:
        assert ordinal == 0 or (environment, level, ordinal - 1) in seen

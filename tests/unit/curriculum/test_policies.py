"""Properties that every policy keeps, on random histories with stragglers, retirements and extensions."""

import json
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escalade_server.curriculum.policies import POLICIES, policy
from escalade_server.curriculum.strata import Stratum, stratified
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, PolicyError, PoolEntry

MAY_REPEAT = {"scaler", "bayes", "staircase"}
"""Policies whose definition lets a batch hold an environment twice although the pool has as many as groups: the first
by duplicate slots, the second when the pool is under four batches, the third when too many environments rest."""

every_policy = pytest.mark.parametrize("name", sorted(POLICIES))
lightly = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])

histories = st.fixed_dictionaries(
    {
        "tops": st.lists(st.integers(0, 40), min_size=1, max_size=14),
        "size": st.integers(1, 10),
        "seed": st.integers(0, 2**32),
        "steps": st.integers(1, 14),
    }
)


def play(name: str, history: dict, through_json: bool = False) -> Iterator[tuple]:
    """Yield (state before, query, proposals, retired, tops) for each batch of a random but determined history."""
    rules = policy(name)
    world, rng = random.Random(history["seed"]), random.Random(history["seed"] + 1)
    tops = list(history["tops"])
    retired: set[int] = set()
    state = rules.start([PoolEntry(top, (f"tag{top % 3}",)) for top in tops], history["size"], {})
    out: list[ClosedGroup] = []
    for cursor in range(history["steps"]):
        if world.random() < 0.2 and len(retired) < len(tops) - 1:
            victim = world.randrange(len(tops))
            retired.add(victim)
            state = rules.retire(state, victim)
        if world.random() < 0.2:
            tops.append(world.randrange(40))
            state = rules.extend(state, [PoolEntry(tops[-1])])
        if cursor % 10 == 0:
            state = rules.tick(state)
        if through_json:
            state = rules.load(json.loads(json.dumps(rules.dump(state))))
        query = BatchQuery(cursor, world.choice([history["size"], history["size"], 1, 13]), world.choice([4, 8]))
        before = state
        proposals, state = rules.propose(before, query, rng)
        yield before, query, proposals, set(retired), list(tops)
        for proposal in proposals:
            scored = world.choice([query.rollouts, query.rollouts, query.rollouts - 1, 1, 0])
            right = world.choice([0, scored, world.randint(0, scored)])
            out.append(ClosedGroup(cursor, proposal.environment, proposal.level, right, scored, query.rollouts))
        world.shuffle(out)
        late = world.randint(0, len(out))
        closing, out = out[late:], out[:late]
        if world.random() < 0.5:
            state = rules.observe(state, closing)
        else:
            for group in closing:
                state = rules.observe(state, [group])
    yield state, None, rules.dump(state), set(retired), list(tops)


@every_policy
@given(history=histories)
@lightly
def test_proposals_fill_the_batch_inside_the_ladders_without_the_retired(name, history):
    for _, query, proposals, retired, tops in play(name, history):
        if query is None:
            continue
        assert len(proposals) == query.groups
        for proposal in proposals:
            assert proposal.environment not in retired
            assert 0 <= proposal.level <= tops[proposal.environment]


@every_policy
@given(history=histories)
@lightly
def test_no_duplicates_while_the_pool_is_large_enough(name, history):
    for _, query, proposals, retired, tops in play(name, history):
        if query is None:
            continue
        live = len(tops) - len(retired)
        environments = [proposal.environment for proposal in proposals]
        if name not in MAY_REPEAT and query.groups <= min(live, history["size"]):
            assert len(set(environments)) == len(environments)


@every_policy
@given(history=histories)
@lightly
def test_the_same_history_gives_the_same_states_bit_for_bit(name, history):
    first = [(proposals, tops) for _, _, proposals, _, tops in play(name, history)]
    second = [(proposals, tops) for _, _, proposals, _, tops in play(name, history)]
    assert first == second


@every_policy
@given(history=histories)
@lightly
def test_saving_and_loading_at_every_batch_changes_nothing(name, history):
    *_, live = play(name, history)
    *_, reloaded = play(name, history, through_json=True)
    assert json.dumps(live[2]) == json.dumps(reloaded[2])
    assert policy(name).load(live[2]) == live[0]


@every_policy
@given(history=histories)
@lightly
def test_states_are_never_changed_in_place(name, history):
    rules = policy(name)
    kept = [(state, json.dumps(rules.dump(state))) for state, *_ in play(name, history)]
    for state, document in kept:
        assert json.dumps(rules.dump(state)) == document


@every_policy
@given(history=histories)
@lightly
def test_views_are_json_and_inside_the_ladder(name, history):
    rules = policy(name)
    *_, (state, _, _, retired, tops) = play(name, history)
    for environment, top in enumerate(tops):
        seen = rules.view(state, environment)
        json.dumps(dict(seen.details), allow_nan=False)
        assert 0 <= seen.level <= top
        assert seen.visits >= 0
        assert not (seen.active and environment in retired)
        assert seen.accuracy is None or 0 <= seen.accuracy <= 1


@every_policy
def test_a_pool_that_is_all_retired_is_refused(name):
    rules = policy(name)
    state = rules.retire(rules.start([PoolEntry(3)], 1, {}), 0)
    with pytest.raises(PolicyError, match="retired"):
        rules.propose(state, BatchQuery(0, 1, 8), random.Random(1))
    recovered = rules.extend(state, [PoolEntry(5)])
    proposals, _ = rules.propose(recovered, BatchQuery(0, 1, 8), random.Random(1))
    assert [proposal.environment for proposal in proposals] == [1]


@every_policy
def test_bad_starts_are_refused(name):
    rules = policy(name)
    with pytest.raises(PolicyError, match="empty"):
        rules.start([], 4, {})
    with pytest.raises(PolicyError, match="at least 1"):
        rules.start([PoolEntry(3)], 0, {})
    with pytest.raises(PolicyError, match="top_level"):
        rules.start([PoolEntry(-1)], 1, {})
    with pytest.raises(PolicyError, match="no constant"):
        rules.start([PoolEntry(3)], 1, {"no such constant": 1.0})


@every_policy
def test_environments_outside_the_pool_are_refused(name):
    rules = policy(name)
    state = rules.start([PoolEntry(3)], 1, {})
    with pytest.raises(PolicyError, match="not in the pool"):
        rules.observe(state, [ClosedGroup(0, 1, 0, 1, 8, 8)])
    with pytest.raises(PolicyError, match="not in the pool"):
        rules.retire(state, 1)


@every_policy
def test_the_defaults_are_published_and_accepted(name):
    rules = policy(name)
    assert rules.name == name
    rules.start([PoolEntry(3)], 1, dict(rules.constants))


@every_policy
def test_a_dump_carries_every_constant_so_that_a_fork_may_change_them(name):
    rules = policy(name)
    changed = {constant: value for constant, value in list(rules.constants.items())[:1]}
    assert rules.dump(rules.start([PoolEntry(3)], 1, changed))["constants"] == rules.constants
    strata = stratified(rules, [Stratum(tag="dp", share=0.5)])
    document = strata.dump(strata.start([PoolEntry(3), PoolEntry(3, ("dp",))], 1, changed))
    assert document["constants"] == rules.constants
    assert [inner["constants"] for *_, inner in document["parts"]] == [rules.constants] * 2


def test_an_unknown_policy_is_refused_with_the_known_ones():
    with pytest.raises(PolicyError, match="scaler"):
        policy("nonesuch")

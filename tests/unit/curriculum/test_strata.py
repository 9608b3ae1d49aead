"""Strata get their shares, by quota or by weight, around any policy."""

import json
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade_server.curriculum.policies import POLICIES
from escalade_server.curriculum.strata import Stratified, Stratum, allot
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, PolicyError, PoolEntry

POOL = (
    [PoolEntry(9, ("dp",), "number")] * 10 + [PoolEntry(9, ("graph",), "bool")] * 20 + [PoolEntry(9, (), "array")] * 30
)


def batches(policy, state, count, groups=16, seed=1):
    """(proposals per batch, last state), every group half right."""
    rng = random.Random(seed)
    out = []
    for cursor in range(count):
        proposals, state = policy.propose(state, BatchQuery(cursor, groups, 8), rng)
        state = policy.observe(state, [ClosedGroup(cursor, p.environment, p.level, 4, 8, 8) for p in proposals])
        out.append(proposals)
    return out, state


def kinds(proposals):
    return Counter("dp" if p.environment < 10 else "graph" if p.environment < 30 else "rest" for p in proposals)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_quota_is_kept_in_every_batch(name):
    policy = Stratified(POLICIES[name], [Stratum(tag="dp", share=0.25), Stratum(answer_type="bool", share=0.5)])
    served, _ = batches(policy, policy.start(POOL, 16, {}), 6)
    assert [kinds(proposals) for proposals in served] == [Counter(graph=8, dp=4, rest=4)] * 6


def test_weights_divide_what_quotas_leave_in_proportion_to_members():
    policy = Stratified(POLICIES["uniform"], [Stratum(tag="dp", share=0.2), Stratum(tag="graph", weight=3.0)])
    state = policy.start(POOL, 16, {})
    # the rest: 3 * 20 against 1 * 30
    assert policy.shares(state) == pytest.approx([0.2, 0.8 * 60 / 90, 0.8 * 30 / 90])
    served, _ = batches(policy, state, 1500, groups=7)
    total = sum((kinds(proposals) for proposals in served), Counter())
    assert total["dp"] / (7 * 1500) == pytest.approx(0.2, abs=0.01)
    assert total["graph"] / (7 * 1500) == pytest.approx(0.8 * 2 / 3, abs=0.01)


def test_the_first_stratum_that_matches_holds_an_environment():
    policy = Stratified(
        POLICIES["uniform"], [Stratum(tag="dp", answer_type="bool", weight=1), Stratum(tag="dp", weight=1)]
    )
    state = policy.start([PoolEntry(3, ("dp",), "bool"), PoolEntry(3, ("dp",), "number"), PoolEntry(3)], 1, {})
    assert [stratum for stratum, _ in state.places] == [0, 1, 2]
    assert policy.view(state, 1).details["stratum"] == 1


def test_a_stratum_whose_environments_are_all_retired_leaves_its_share_to_the_others():
    policy = Stratified(POLICIES["bayes"], [Stratum(tag="dp", share=0.5)])
    state = policy.start(POOL, 16, {})
    for environment in range(10):
        state = policy.retire(policy.retire(state, environment), environment)
    served, state = batches(policy, state, 3)
    assert all("dp" not in kinds(proposals) and len(proposals) == 16 for proposals in served)
    for environment in range(10, 60):
        state = policy.retire(state, environment)
    with pytest.raises(PolicyError, match="retired"):
        policy.propose(state, BatchQuery(9, 1, 8), random.Random(1))


def test_quotas_of_one_fall_to_the_unmatched_when_nobody_else_is_left():
    policy = Stratified(POLICIES["uniform"], [Stratum(tag="dp", share=1.0)])
    state = policy.start(POOL, 4, {})
    assert policy.shares(state) == [1.0, 0.0]
    for environment in range(10):
        state = policy.retire(state, environment)
    assert policy.shares(state) == [0.0, 1.0]


def test_a_stratum_may_come_to_life_later():
    policy = Stratified(POLICIES["bayes"], [Stratum(tag="dp", share=0.5)])
    state = policy.start(POOL[30:], 4, {})
    state = policy.extend(state, POOL[:1])
    served, state = batches(policy, state, 2, groups=4)
    assert [p.environment for p in served[1]].count(30) == 2
    assert policy.view(state, 30).visits == 4


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_states_survive_json_and_continue_alike(name):
    policy = Stratified(POLICIES[name], [Stratum(tag="dp", share=0.3), Stratum(tag="nobody", weight=1.0)])
    _, state = batches(policy, policy.start(POOL, 8, {}), 4, groups=8)
    loaded = policy.load(json.loads(json.dumps(policy.dump(state))))
    assert loaded == state
    assert batches(policy, loaded, 3, seed=2)[0] == batches(policy, state, 3, seed=2)[0]


@given(st.integers(0, 200), st.lists(st.floats(0.01, 1.0), min_size=1, max_size=6), st.integers(0, 99))
def test_every_part_is_within_one_group_of_its_share(groups, weights, seed):
    shares = [weight / sum(weights) for weight in weights]
    counts = allot(groups, shares, random.Random(seed))
    assert sum(counts) == groups
    assert all(abs(count - share * groups) <= 1 + 1e-6 for count, share in zip(counts, shares, strict=True))


@pytest.mark.parametrize(
    ("strata", "message"),
    [
        ([Stratum(tag="dp")], "either a share or a weight"),
        ([Stratum(tag="dp", share=0.5, weight=1.0)], "either a share or a weight"),
        ([Stratum(share=0.5)], "a tag, an answer type"),
        ([Stratum(tag="dp", share=0.0)], "share must lie"),
        ([Stratum(tag="dp", weight=-1.0)], "weight must be positive"),
        ([Stratum(tag="dp", share=0.7), Stratum(tag="graph", share=0.7)], "add up to 1.4"),
    ],
)
def test_bad_strata_are_refused(strata, message):
    with pytest.raises(PolicyError, match=message):
        Stratified(POLICIES["bayes"], strata)


def test_bad_constants_are_refused_even_for_strata_without_members():
    with pytest.raises(PolicyError, match="no constant"):
        Stratified(POLICIES["bayes"], []).start(POOL, 4, {"nonesuch": 1.0})

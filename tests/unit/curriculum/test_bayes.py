"""Grid-Bayes as a policy: hand-worked counters, a slow reference of one environment, what becomes of broken ones."""

import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest

from escalade_server.curriculum import belief
from escalade_server.curriculum.policies import bayes
from escalade_server.curriculum.types import BatchQuery, ClosedGroup, PoolEntry

NODES = [-2.8569700138728056, -1.3556261799742659, 0.0, 1.3556261799742659, 2.8569700138728056]
WEIGHTS = [0.011257411327720690, 0.2220759220056126, 8 / 15, 0.2220759220056126, 0.011257411327720690]
GRID = [-8 + 0.75 * i for i in range(62)]


def pool(count, top=20):
    return [PoolEntry(top_level=top) for _ in range(count)]


def group(environment, level, right, cursor=0, scored=8, rollouts=8):
    return ClosedGroup(cursor, environment, level, right, scored, rollouts)


class Reference:
    """The specification of one environment's belief, state by state in plain Python."""

    def __init__(self):
        bell = [math.exp(-((m - 8) ** 2) / 128) for m in GRID]
        self.prior = {
            (m, w, f): 0.92 * b / sum(bell) / 4 * (0.12 if f else 0.88)
            for m, b in zip(GRID, bell, strict=True)
            for w in (0.6, 1.2, 2.4, 4.8)
            for f in (0.0, 0.3)
        } | {"broken": 0.05, "trivial": 0.03}
        self.posterior = dict(self.prior)
        self.surprise = self.information = self.visits = 0

    def success(self, state, level, z):
        if state == "broken":
            return 0.004
        if state == "trivial":
            return 0.985
        m, w, f = state
        q = 1 / (1 + math.exp(-((m - level) / w + 0.5 * z)))
        return min(0.985, max(0.004, f + (0.985 - f) * q))

    def utility(self, state, level):
        if isinstance(state, str):
            return 0.0
        m, w, f = state
        total = 0.0
        for z, weight in zip(NODES, WEIGHTS, strict=True):
            q = 1 / (1 + math.exp(-((m - level) / w + 0.5 * z)))
            total += weight * 4 * (0.985 - f) * q * (1 - q)
        return total

    def value(self, level):
        return sum(p * self.utility(s, level) for s, p in self.posterior.items())

    def observe(self, level, right, scored):
        nodes = list(zip(NODES, WEIGHTS, strict=True))
        mean = sum(p * sum(w * self.success(s, level, z) for z, w in nodes) for s, p in self.posterior.items())
        information = self.value(level) / 4
        if self.visits and information > 0.05:
            self.surprise += right / scored - mean
            self.information += information
        product = {}
        for s, p in self.posterior.items():
            ps = [(self.success(s, level, z), w) for z, w in nodes]
            chance = sum(w * x**right * (1 - x) ** (scored - right) for x, w in ps)
            product[s] = p * (0.99 * chance + 0.01 * (right == 0))
        total = sum(product.values())
        self.posterior = {s: p / total for s, p in product.items()}
        self.visits += 1
        self.move(lambda w: 0.05 * w, 0.15)

    def move(self, shift, variance):
        after = {s: (p if isinstance(s, str) else 0.0) for s, p in self.posterior.items()}
        hop = variance / 0.5625 / 2
        for s, p in self.posterior.items():
            if isinstance(s, str):
                continue
            m, w, f = s
            cells = shift(w) / 0.75
            whole = math.floor(cells)
            at = GRID.index(m)
            for step, share in ((whole, 1 - (cells - whole)), (whole + 1, cells - whole)):
                stop = min(61, max(0, at + step))
                for further, chance in ((-1, hop), (0, 1 - 2 * hop), (1, hop)):
                    end = min(61, max(0, stop + further))
                    after[GRID[end], w, f] += p * share * chance
        self.posterior = after

    def tick(self):
        g = max(-0.08, min(0.08, 0.2 * self.surprise / (self.information + 5)))
        self.surprise = self.information = 0
        self.move(lambda w: g * w, 0.06)
        self.posterior = {s: 0.995 * p + 0.005 * self.prior[s] for s, p in self.posterior.items()}

    def vector(self):
        regular = [self.posterior[m, w, f] for w in (0.6, 1.2, 2.4, 4.8) for f in (0.0, 0.3) for m in GRID]
        return np.array([*regular, self.posterior["broken"], self.posterior["trivial"]])


def test_a_belief_follows_the_specification_state_by_state():
    state, reference = bayes.start(pool(1), 1, {}), Reference()
    assert state.rows[0] == pytest.approx(reference.vector())
    rng = random.Random(5)
    for cursor in range(12):
        if cursor % 4 == 3:
            state = bayes.tick(state)
            reference.tick()
        proposals, state = bayes.propose(state, BatchQuery(cursor, 1, 8), rng)
        level, right, scored = proposals[0].level, rng.choice([0, 3, 5, 8]), rng.choice([8, 8, 5])
        values = [reference.value(d) for d in range(21)]
        assert values[level] == pytest.approx(max(values), rel=1e-9)
        right = min(right, scored)
        state = bayes.observe(state, [group(0, level, right, cursor, scored)])
        reference.observe(level, right, scored)
        assert state.rows[0] == pytest.approx(reference.vector(), rel=1e-7, abs=1e-15)
        assert (state.surprise, state.information) == pytest.approx((reference.surprise, reference.information))


def test_the_visited_speak_for_the_unvisited():
    state = bayes.start(pool(3), 2, {})
    state = bayes.observe(state, [group(0, 5, 8), group(1, 5, 4)])
    state = bayes.tick(state)
    mine = belief.prior(8.0, 8.0, 0.05, 0.03, 0.12)
    expected = (20 * mine + state.rows[0] + state.rows[1]) / 22
    assert state.rows[2] == pytest.approx(expected)
    later = bayes.extend(state, [PoolEntry(7)])
    assert later.rows[3] is later.unvisited
    assert later.level[3] <= 7


def test_the_first_group_of_an_environment_says_nothing_about_drift():
    state = bayes.observe(bayes.start(pool(1), 1, {}), [group(0, 8, 8)])
    assert (state.surprise, state.information) == (0.0, 0.0)
    state = bayes.observe(state, [group(0, 12, 8, cursor=1)])
    assert state.surprise > 0
    assert state.information > 0.05


@pytest.mark.parametrize(
    ("surprise", "information", "expected"), [(1.0, 5.0, 0.02), (3.0, 1.0, 0.08), (-9.0, 0.0, -0.08)]
)
def test_a_tick_shifts_by_the_pool_s_surprise_within_bounds(surprise, information, expected):
    state = bayes.observe(bayes.start(pool(1), 1, {"leak": 0.0, "tick_variance": 0.0}), [group(0, 8, 4)])
    after = bayes.tick(replace(state, surprise=surprise, information=information))
    assert (after.surprise, after.information) == (0.0, 0.0)
    moved = after.rows[0][: belief.REGULAR].reshape(belief.SHAPE)
    before = state.rows[0][: belief.REGULAR].reshape(belief.SHAPE)
    for width, old, new in zip(belief.WIDTHS, before.sum(axis=1), moved.sum(axis=1), strict=True):
        shift = (new @ belief.HALF_WAY - old @ belief.HALF_WAY) / old.sum()
        assert shift == pytest.approx(expected * width, abs=0.01)


def test_wear_counts_variance_and_a_constant_per_group():
    state = bayes.observe(bayes.start(pool(1), 1, {}), [group(0, 8, 4), group(0, 8, 2, cursor=1)])
    assert state.wear[0] == pytest.approx(1.15 + 0.75 + 0.15)
    assert state.visits[0] == 2


def test_the_origin_is_noted_at_the_third_visit_after_its_transition():
    state = bayes.start(pool(1), 1, {})
    for cursor in range(2):
        state = bayes.observe(state, [group(0, 8, 4, cursor)])
        assert math.isnan(state.origin[0])
    state = bayes.observe(state, [group(0, 8, 4, 2)])
    assert state.origin[0] == state.centre[0] == belief.half_way(state.rows[0])


def test_progress_compares_an_environment_with_the_pool():
    state = replace(
        bayes.start(pool(3), 1, {}),
        visits=np.array([4, 4, 2]),
        origin=np.array([8.0, 8.0, np.nan]),
        centre=np.array([10.0, 8.0, 9.0]),
    )
    # rates .5 and 0, mean .25; shrunk (4 * .25 + 4 * .5) / 8 = .375 and .125
    assert bayes.progress(state) == pytest.approx([1.25, 0.75, 1.0])
    steep = replace(state, centre=np.array([40.0, 8.0, 9.0]))
    assert bayes.progress(steep) == pytest.approx([3.0, 0.3, 1.0])


def test_a_group_with_few_scored_rollouts_moves_nothing_but_closes():
    _, state = bayes.propose(bayes.start(pool(1), 1, {}), BatchQuery(0, 1, 8), random.Random(1))
    after = bayes.observe(state, [group(0, 8, 3, scored=3)])
    assert after.ledger == {}
    assert after == replace(state, ledger={})


def test_the_transition_comes_once_per_batch_after_all_its_groups():
    state = bayes.start(pool(1), 2, {})
    proposals, state = bayes.propose(state, BatchQuery(0, 2, 8), random.Random(1))
    level = proposals[0].level
    once = bayes.observe(state, [group(0, level, 5)])
    evidence = belief.likelihood(29, 0.5, 0.01, level, 5, 8)
    assert once.rows[0] == pytest.approx(belief.update(state.rows[0], evidence))
    twice = bayes.observe(once, [group(0, level, 5)])
    own = belief.transition(0.05, 0.15)
    assert twice.rows[0] == pytest.approx(belief.drift(belief.update(once.rows[0], evidence), own))


def test_groups_one_by_one_or_together_give_the_same_bits():
    rng = random.Random(2)
    proposals, state = bayes.propose(bayes.start(pool(5), 9, {}), BatchQuery(0, 9, 8), rng)
    groups = [group(p.environment, p.level, rng.randint(0, 8)) for p in proposals]
    together = bayes.observe(state, groups)
    apart = state
    for one in groups:
        apart = bayes.observe(apart, [one])
    assert json.dumps(bayes.dump(together)) == json.dumps(bayes.dump(apart))


def test_large_pools_have_no_duplicates_even_with_refills():
    state = bayes.start(pool(40), 8, {})
    rng = random.Random(1)
    everything = []
    for _ in range(4):
        proposals, state = bayes.propose(state, BatchQuery(0, 8, 8), rng)
        everything += [p.environment for p in proposals]
    assert len(set(everything)) == 32


def test_refills_of_a_batch_that_is_no_longer_the_newest_repeat_nobody():
    state = bayes.start(pool(40), 8, {})
    rng = random.Random(1)
    held = {cursor: [] for cursor in range(3)}
    for cursor in (0, 1, 0, 2, 1, 0):
        proposals, state = bayes.propose(state, BatchQuery(cursor, 8, 8), rng)
        held[cursor] += [p.environment for p in proposals]
        state = bayes.load(json.loads(json.dumps(bayes.dump(state))))
    assert [len(set(drawn)) for drawn in held.values()] == [24, 16, 8]
    assert sum(bayes.view(state, one).active for one in range(40)) == 8


def test_states_of_versions_that_remembered_one_batch_load():
    state = bayes.start(pool(4), 2, {})
    proposals, state = bayes.propose(state, BatchQuery(3, 2, 8), random.Random(1))
    earlier = bayes.dump(state) | {"batch": [3, [p.environment for p in proposals]]}
    assert bayes.load(earlier).batches.environments == state.batches.environments
    assert bayes.load(earlier | {"batch": [None, []]}).batches.environments == ()
    constants = {name: value for name, value in earlier["constants"].items() if name != "rehearsal"}
    assert bayes.load(earlier | {"constants": constants}) == bayes.load(earlier)


def test_rehearsal_gives_a_share_of_the_groups_an_easier_level():
    state = bayes.start(pool(2000), 1000, {"rehearsal": 0.25, "prior_mean": 12.0})
    proposals, _ = bayes.propose(state, BatchQuery(0, 1000, 8), random.Random(1))
    best = int(state.level[0])
    easier = [p.level for p in proposals if p.level != best]
    assert len(easier) / 1000 == pytest.approx(0.25, abs=0.05)
    assert set(easier) == set(range(best))
    lowest = bayes.start(pool(4, top=0), 4, {"rehearsal": 1.0})
    assert {p.level for p in bayes.propose(lowest, BatchQuery(0, 4, 8), random.Random(1))[0]} == {0}


def test_small_pools_repeat_environments_at_a_cost():
    proposals, _ = bayes.propose(bayes.start(pool(3), 6, {}), BatchQuery(0, 6, 8), random.Random(1))
    assert len(proposals) == 6
    assert {p.environment for p in proposals} == {0, 1, 2}
    # with a forbidding price copies come only when everybody else has one
    proposals, _ = bayes.propose(bayes.start(pool(7), 6, {"copy_cost": 100}), BatchQuery(0, 6, 8), random.Random(1))
    assert len({p.environment for p in proposals}) == 6


def test_broken_and_trivial_environments_get_a_fraction_of_their_share():
    count, broken, trivial = 60, {0, 1, 2}, {3, 4, 5}
    state = bayes.start(pool(count), 12, {})
    world, rng = random.Random(3), random.Random(4)
    served = dict.fromkeys(range(count), 0)
    for cursor in range(60):
        if cursor % 10 == 0:
            state = bayes.tick(state)
        proposals, state = bayes.propose(state, BatchQuery(cursor, 12, 8), rng)
        groups = []
        for p in proposals:
            served[p.environment] += 1
            chance = 1 / (1 + math.exp((p.level - 9) / 2))
            chance = 0.0 if p.environment in broken else 1.0 if p.environment in trivial else chance
            groups.append(group(p.environment, p.level, sum(world.random() < chance for _ in range(8)), cursor))
        state = bayes.observe(state, groups)
    fair = 60 * 12 / count
    assert max(served[e] for e in broken | trivial) < fair / 2


@pytest.mark.parametrize(("right", "visits"), [(0, 3), (8, 4)])
def test_always_wrong_and_always_right_environments_are_flagged_within_a_few_visits(right, visits):
    state = bayes.start(pool(1, top=22), 1, {})
    for cursor in range(visits):
        assert not bayes.view(state, 0).details["suspect"]
        (proposal,), state = bayes.propose(state, BatchQuery(cursor, 1, 8), random.Random(1))
        state = bayes.observe(state, [group(0, proposal.level, right, cursor)])
    assert bayes.view(state, 0).details["suspect"]


def test_the_level_climbs_with_the_learner():
    state = bayes.start(pool(1, top=29), 1, {})
    rng = random.Random(1)
    levels = []
    for cursor in range(40):
        if cursor % 10 == 0:
            state = bayes.tick(state)
        (proposal,), state = bayes.propose(state, BatchQuery(cursor, 1, 8), rng)
        levels.append(proposal.level)
        middle = 5 + 0.4 * cursor
        right = round(8 / (1 + math.exp(proposal.level - middle)))
        state = bayes.observe(state, [group(0, proposal.level, right, cursor)])
    assert all(abs(level - (5 + 0.4 * cursor)) <= 3 for cursor, level in enumerate(levels) if cursor >= 5)


def test_ladders_longer_than_the_grid_are_served_to_their_top():
    state = bayes.start([PoolEntry(100)], 1, {})
    rng = random.Random(1)
    for cursor in range(15):
        if cursor % 10 == 0:
            state = bayes.tick(state)
        (proposal,), state = bayes.propose(state, BatchQuery(cursor, 1, 8), rng)
        state = bayes.observe(state, [group(0, proposal.level, 8 if proposal.level < 80 else 0, cursor)])
    assert 70 <= proposal.level <= 90
    assert 70 <= bayes.view(state, 0).details["half_way_level"] <= 90

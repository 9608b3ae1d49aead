"""Simulations: determined, fair between contenders, and summed up right."""

from dataclasses import replace

import numpy as np
import pytest

from escalade_server.curriculum import learner
from escalade_server.curriculum.policies import POLICIES
from escalade_server.curriculum.simulate import (
    HEADERS,
    Contender,
    Result,
    markdown,
    mean_series,
    simulate,
    steps_to,
    summarise,
)
from escalade_server.curriculum.types import PolicyError

SMALL = replace(learner.BASE, name="small", pool=300, skills=5, groups=16)


def contender(name):
    return Contender(name, POLICIES[name])


def result(label, seed, score, informative=0.5):
    steps = len(score)
    flat = np.full(steps, informative)
    return Result(label, "base", seed, 0.1, np.array(score), flat, flat, flat, flat, flat, flat, np.arange(steps) + 1.0)


def test_a_contender_fares_the_same_alone_and_in_company():
    alone = simulate([contender("bayes")], SMALL, [3], 15)
    company = simulate([contender("scaler"), contender("bayes")], SMALL, [2, 3], 15)
    (same,) = [r for r in company if (r.label, r.seed) == ("bayes", 3)]
    assert same.score.tobytes() == alone[0].score.tobytes()
    assert same.informative.tobytes() == alone[0].informative.tobytes()


def test_all_contenders_of_a_seed_start_from_the_same_world():
    results = simulate([contender("uniform"), contender("fixed")], SMALL, [1, 2], 2)
    assert results[0].start_score == results[1].start_score != results[2].start_score


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_policy_runs_and_reports_shares(name):
    (one,) = simulate([contender(name)], SMALL, [0], 12)
    for series in (one.score, one.unseen, one.informative, one.accuracy, one.broken, one.trivial):
        assert len(series) == 12
        assert series.min() >= 0
        assert series.max() <= 1
    assert (np.diff(one.covered) >= 0).all()
    assert one.covered[0] <= 16


def test_the_default_leaves_more_groups_informative_than_the_paper_s_and_both_than_none():
    results = simulate([contender(name) for name in ("bayes", "scaler", "uniform")], SMALL, [0, 1], 120)
    bayes, scaler, uniform = summarise(results)
    assert bayes.informative > scaler.informative > uniform.informative
    assert bayes.score > uniform.score
    assert bayes.broken < uniform.broken / 2


def test_progress_is_reported_step_by_step():
    steps = []
    simulate([contender("uniform")], SMALL, [7], 3, lambda *step: steps.append(step))
    assert steps == [("uniform", 7, 1), ("uniform", 7, 2), ("uniform", 7, 3)]


class Recorder:
    """Uniform, and a note of which batch was proposed or observed when."""

    name, constants = "recorder", {}

    def __init__(self):
        self.notes = []

    def __getattr__(self, name):
        return getattr(POLICIES["uniform"], name)

    def propose(self, state, query, rng):
        self.notes.append(("propose", query.cursor))
        return POLICIES["uniform"].propose(state, query, rng)

    def observe(self, state, groups):
        self.notes.append(("observe", groups[0].cursor))
        return POLICIES["uniform"].observe(state, groups)


def test_outcomes_come_as_many_batches_late_as_the_variant_says():
    prompt, late = Recorder(), Recorder()
    simulate([Contender("x", prompt)], SMALL, [0], 2)
    assert prompt.notes == [("propose", 0), ("observe", 0), ("propose", 1), ("observe", 1)]
    simulate([Contender("x", late)], replace(SMALL, lag=2), [0], 4)
    assert late.notes == [
        ("propose", 0), ("propose", 1), ("propose", 2), ("observe", 0), ("propose", 3), ("observe", 1),
    ]  # fmt: skip


def test_bad_requests_are_refused():
    with pytest.raises(PolicyError, match="distinct"):
        simulate([contender("uniform"), contender("uniform")], SMALL, [0], 1)
    with pytest.raises(PolicyError, match="at least 1"):
        simulate([contender("uniform")], SMALL, [0], 0)


def test_steps_to_a_score_count_from_one():
    one = result("x", 0, [0.2, 0.3, 0.4])
    assert (steps_to(one, 0.2), steps_to(one, 0.35), steps_to(one, 0.5)) == (1, 3, None)


def test_the_reference_is_met_seed_by_seed():
    results = [
        result("paper", 0, [0.2, 0.3, 0.4]),
        result("quick", 0, [0.3, 0.4, 0.5], informative=0.75),
        result("paper", 1, [0.1, 0.2, 0.6]),
        result("quick", 1, [0.2, 0.3, 0.7], informative=0.25),
        result("half", 0, [0.5, 0.5, 0.5]),
        result("half", 1, [0.5, 0.5, 0.5]),
    ]
    paper, quick, half = summarise(results, "paper")
    assert paper.steps_to_score == 3.0
    # 2 and 3 steps: mean 2.5, standard error sqrt(.5) / sqrt(2)
    assert (quick.steps_to_score, quick.steps_error) == (2.5, pytest.approx(0.5))
    assert half.steps_to_score is None
    assert (quick.informative, quick.score, quick.covered) == (0.5, pytest.approx(0.6), 3.0)
    assert summarise(results)[0].steps_to_score is None


def test_the_table_has_a_row_per_contender():
    lines = markdown(summarise([result("paper", 0, [0.2, 0.4])], "paper")).splitlines()
    assert len(lines) == 3
    assert lines[0] == "| " + " | ".join(HEADERS) + " |"
    assert lines[2] == "| paper | 0.500 | 0.4000 | 0.500 | 2 | 50.00 / 50.00 | 2 |"


def test_series_are_averaged_over_seeds_and_a_trailing_window():
    results = [result("x", 0, [0.0, 1.0, 2.0]), result("x", 1, [2.0, 3.0, 4.0])]
    assert mean_series(results, "x", "score") == pytest.approx([1.0, 2.0, 3.0])
    assert mean_series(results, "x", "score", window=2) == pytest.approx([1.0, 1.5, 2.5])

"""Checkpoints, restores, forks, documents, and what a run did over time, for both clients."""

from datetime import UTC, datetime

import pytest
from fake_api import Fault

import escalade
from escalade.types import CurriculumSettings, Stratum


@pytest.fixture
async def run(call):
    return (await call("create_run", "qwen", groups=2)).run


async def test_a_curriculum_may_be_a_dictionary_and_has_strata(call, api):
    strata = [{"tag": "dp", "share": 0.5}, {"answer_type": "number", "weight": 2.0}]
    await call("create_run", "a", curriculum={"policy": "bayes", "strata": strata}, pool={"tags": ["dp"]})
    assert api.requests[-1].body == {
        "name": "a", "curriculum": {"policy": "bayes", "strata": strata}, "pool": {"tags": ["dp"]},
    }  # fmt: skip
    await call("create_run", "b", curriculum=CurriculumSettings(strata=[Stratum(tag="dp", share=0.5)]))
    assert api.requests[-1].body["curriculum"] == {"strata": [{"tag": "dp", "share": 0.5}]}
    with pytest.raises(escalade.InvalidRequest, match=r"`curriculum.*strata.*share`"):
        await call("create_run", "c", curriculum={"strata": [{"tag": "dp", "share": 2.0}]})


async def test_a_checkpoint_is_made_once_and_listed(call, api, run):
    first = await call("checkpoint", run, "step-10", step=10)
    assert (first.label, first.step) == ("step-10", 10)
    assert await call("checkpoint", run, "step-10", 10) == first
    await call("checkpoint", run, "bare")
    assert api.requests[-1].body == {"label": "bare"}
    await call("checkpoint", run, "third")
    assert [one.label for one in await call("checkpoints", run)] == ["step-10", "bare", "third"]
    with pytest.raises(escalade.Conflict, match="already names step 10"):
        await call("checkpoint", run, "step-10", step=11)


async def test_a_restore_whose_answer_was_lost_is_done_once(call, api, run):
    await call("checkpoint", run, "step-10", step=10)
    api.fail_next(Fault(drop=True, after=True))
    restored = await call("restore", run, "step-10")
    assert (restored.generation, restored.step, restored.reopened) == (1, 10, [3])
    assert [(one.environment, one.reason) for one in restored.dropped] == [("sort-it", "quarantined")]
    assert (await call("run", run)).generation == 1
    assert (await call("restore", run, "step-10")).generation == 2
    with pytest.raises(escalade.NotFound) as caught:
        await call("restore", run, "never")
    assert caught.value.code == "checkpoint_not_found"


async def test_a_fork_says_only_what_it_changes_and_is_made_once(call, api, run):
    api.fail_next(Fault(drop=True, after=True))
    made = await call("fork", run, "branch", "step-10", constants={"step": 0.5}, seed=7)
    assert (made.run.name, made.run.seed, made.run.groups) == ("branch", 7, 2)
    assert made.run.curriculum.constants == {"step": 0.5}
    assert api.requests[-1].body == {
        "name": "branch", "label": "step-10", "constants": {"step": 0.5}, "seed": 7,
    }  # fmt: skip
    assert len(api.runs) == 2
    await call("fork", run, "plain")
    assert api.requests[-1].body == {"name": "plain"}
    with pytest.raises(escalade.InvalidRequest, match="groups"):
        await call("fork", run, "bad", groups=0)


async def test_a_document_goes_back_exactly_as_it_came(call, api, run):
    document = await call("export_run", run)
    api.fail_next(Fault(drop=True, after=True))
    made = await call("import_run", document)
    assert api.requests[-1].body == {
        "format": "escalade-run/1",
        "settings": {"name": "qwen", "seed": 0},
        "pool": [{"environment": "knapsack", "version": document.pool[0]["version"], "top_level": 2}],
        # Nulls, every bit of a float, and integers beyond 64 bits.
        "state": {"accuracy": None, "level": 0.1 + 0.2, "digits": 2**80},
    }
    assert made.run.run != run
    assert [one.environment for one in made.dropped] == ["tree-walk"]
    assert len(api.runs) == 2


async def test_refills_are_numbered_and_safe_to_repeat(call, api, run):
    refill = await call("refill", run, 4, 2, groups=1, rollouts=3)
    assert [(group.group, group.rollouts) for group in refill.groups] == [("4.0r2", 3)]
    assert (api.requests[-1].method, api.requests[-1].path) == ("PUT", "/v1/runs/run_0/batches/4/refills/2")
    assert await call("refill", run, 4, 2, groups=1, rollouts=3) == refill
    sent = len(api.requests)
    with pytest.raises(escalade.InvalidRequest, match="`refill` counts from 1"):
        await call("refill", run, 4, 0)
    with pytest.raises(escalade.InvalidRequest, match="`cursor`"):
        await call("close_batch", run, -1)
    assert len(api.requests) == sent


async def test_a_batch_is_closed_early_once(call, run):
    assert await call("close_batch", run, 3) == ["3.0", "3.1"]
    assert await call("close_batch", run, 3) == []


async def test_a_deadline_moves_to_a_time_with_its_zone(call, api, run):
    until = datetime(2026, 1, 1, 12, tzinfo=UTC)
    moved = await call("extend", run, 3, "3.0", until)
    assert (moved.group, moved.deadline) == ("3.0", until)
    assert (api.requests[-1].method, api.requests[-1].path) == ("PATCH", "/v1/runs/run_0/batches/3/groups/3.0")
    with pytest.raises(escalade.InvalidRequest, match="`deadline`"):
        await call("extend", run, 3, "3.0", until.replace(tzinfo=None))


async def test_the_active_set_comes_page_by_page(call, run):
    members = await call("active_set", run)
    assert [(one.environment, one.active) for one in members] == [
        ("edit-distance", True), ("knapsack", True), ("sort-it", False), ("tree-walk", False),
    ]  # fmt: skip
    assert members[2].reason == "mastered"


async def test_metrics_are_whole_and_begin_where_wanted(call, api, run):
    found = await call("metrics", run)
    assert [step.cursor for step in found.steps] == [0, 1, 2, 3, 4]
    assert (found.open_groups, found.oldest_lease_s, found.suspects[0].environment) == (0, 12.0, "sort-it")
    assert found.next_page is None
    assert [request.query for request in api.requests[-3:]] == [{}, {"page": "2"}, {"page": "4"}]
    assert [step.cursor for step in (await call("metrics", run, after=3, limit=1)).steps] == [3, 4]
    assert [request.query for request in api.requests[-2:]] == [
        {"after": "3", "limit": "1"}, {"after": "3", "limit": "1", "page": "4"},
    ]  # fmt: skip


@pytest.mark.parametrize(("method", "arguments"), [("restore", ["a"]), ("fork", ["a"]), ("import_run", [])])
async def test_what_must_happen_once_carries_an_idempotency_key(call, api, run, method, arguments):
    await call("checkpoint", run, "a")
    if method == "import_run":
        await call(method, await call("export_run", run))
    else:
        await call(method, run, *arguments)
    assert len(api.requests[-1].headers["idempotency-key"]) == 36

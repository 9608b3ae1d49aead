"""Checkpoints and restores: nothing is lost, and the same cursors give the same batches."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import httpx
import pytest
from run_calls import batch, controllers, report

from escalade.types import BatchRequest
from escalade_server.api.services import Services
from escalade_server.errors import LevelUnavailable, RunNotFound
from escalade_server.instances.buffer import Buffer, Source
from escalade_server.runs import batches
from escalade_server.runs.state import plan_replacement
from escalade_server.storage import runs
from escalade_server.storage.events import KEPT_SNAPSHOTS, latest_snapshot


def content(issued: dict[str, Any]) -> list[Any]:
    return [(group["group"], group["instance"], group["level"]) for group in issued["groups"]]


async def test_after_a_restore_the_same_cursors_give_the_same_batches(
    trainer: httpx.AsyncClient, start_run: Any
) -> None:
    run = (await start_run())["run"]
    for cursor in range(2):
        await report(trainer, run, await batch(trainer, run, cursor))
    made = await trainer.post(f"/v1/runs/{run}/checkpoints", json={"label": "two", "step": 2})
    assert made.status_code == 201
    assert (await trainer.post(f"/v1/runs/{run}/checkpoints", json={"label": "two", "step": 2})).json() == made.json()
    other = await trainer.post(f"/v1/runs/{run}/checkpoints", json={"label": "two", "step": 9})
    assert other.json()["code"] == "checkpoint_conflict"
    before = await controllers(trainer, run)
    first = []
    for cursor in range(2, 5):
        first.append(await batch(trainer, run, cursor))
        await report(trainer, run, first[-1])
    after = await controllers(trainer, run)
    restored = (await trainer.post(f"/v1/runs/{run}/restore", json={"label": "two"})).json()
    assert (restored["generation"], restored["step"], restored["dropped"]) == (1, 2, [])
    assert await controllers(trainer, run) == before
    second = []
    for cursor in range(2, 5):
        second.append(await batch(trainer, run, cursor))
        done = await report(trainer, run, second[-1])
        assert not any(outcome["repeat"] for outcome in done["outcomes"]), "a new generation has attempts of its own"
    assert [content(one) for one in second] == [content(one) for one in first]
    assert await controllers(trainer, run) == after
    assert content(await batch(trainer, run, 0)), "what came before the checkpoint is still there"
    again = (await trainer.post(f"/v1/runs/{run}/restore", json={"label": "two"})).json()
    assert again["generation"] == 2
    assert content(await batch(trainer, run, 2)) == content(first[0])
    unknown = await trainer.post(f"/v1/runs/{run}/restore", json={"label": "three"})
    assert unknown.json()["code"] == "checkpoint_not_found"


async def test_a_checkpoint_whose_snapshot_is_gone_is_restored_all_the_same(
    services: Services, trainer: httpx.AsyncClient, start_run: Any
) -> None:
    run = (await start_run())["run"]
    await report(trainer, run, await batch(trainer, run, 0))
    before = await controllers(trainer, run)
    made = []
    for number in range(KEPT_SNAPSHOTS + 2):
        made.append((await trainer.post(f"/v1/runs/{run}/checkpoints", json={"label": f"after {number}"})).json())
        await report(trainer, run, await batch(trainer, run, 1 + number))
    async with services.database.read() as session:
        assert await latest_snapshot(session, run, made[0]["sequence"]) is None
        assert await latest_snapshot(session, run, made[-1]["sequence"]) is not None
    services.journal.forget(run)
    restored = await trainer.post(f"/v1/runs/{run}/restore", json={"label": "after 0"})
    assert restored.status_code == 200, restored.text
    assert await controllers(trainer, run) == before


async def test_groups_open_at_the_checkpoint_are_open_again(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run())["run"]
    issued = await batch(trainer, run, 0)
    half = issued | {"groups": issued["groups"][:2]}
    await report(trainer, run, half)
    await report(trainer, run, issued | {"groups": issued["groups"][2:3]}, rollouts=1)
    await trainer.post(f"/v1/runs/{run}/checkpoints", json={"label": "middle"})
    finished = await report(trainer, run, issued)
    assert sorted(finished["closed"]) == ["0.2", "0.3"]
    restored = (await trainer.post(f"/v1/runs/{run}/restore", json={"label": "middle"})).json()
    assert restored["reopened"] == [0]
    assert content(await batch(trainer, run, 0)) == content(issued)
    again = await report(trainer, run, issued)
    assert [outcome["repeat"] for outcome in again["outcomes"]] == [True] * 4 + [True, False] + [False] * 2
    assert sorted(again["closed"]) == ["0.2", "0.3"]


async def mark(client: httpx.AsyncClient, run: str, label: str) -> None:
    made = await client.post(f"/v1/runs/{run}/checkpoints", json={"label": label})
    assert made.status_code == 201, made.text


async def restore(client: httpx.AsyncClient, run: str, label: str) -> dict[str, Any]:
    reply = await client.post(f"/v1/runs/{run}/restore", json={"label": label})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def test_a_batch_that_stays_open_is_reopened_by_every_restore(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run())["run"]
    issued = await batch(trainer, run, 0)
    await report(trainer, run, issued | {"groups": issued["groups"][:1]})
    for label in "abc":
        await mark(trainer, run, label)
        assert (await restore(trainer, run, label))["reopened"] == [0]
        assert content(await batch(trainer, run, 0)) == content(issued)
    done = await report(trainer, run, issued)
    assert [outcome["repeat"] for outcome in done["outcomes"]] == [True] * 2 + [False] * 6
    assert sorted(done["closed"]) == ["0.1", "0.2", "0.3"]


async def test_a_batch_finished_since_the_first_restore_stays_finished(
    trainer: httpx.AsyncClient, start_run: Any
) -> None:
    run = (await start_run())["run"]
    await report(trainer, run, await batch(trainer, run, 0))
    issued = await batch(trainer, run, 1)
    await mark(trainer, run, "a")
    assert (await restore(trainer, run, "a"))["reopened"] == [1]
    await report(trainer, run, issued)
    later = await batch(trainer, run, 2)
    await mark(trainer, run, "b")
    learned = await controllers(trainer, run)
    for _ in range(2):
        assert (await restore(trainer, run, "b"))["reopened"] == [2]
        again = await report(trainer, run, issued)
        assert all(outcome["repeat"] for outcome in again["outcomes"])
        assert again["closed"] == []
        assert await controllers(trainer, run) == learned
    assert sorted((await report(trainer, run, later))["closed"]) == ["2.0", "2.1", "2.2", "2.3"]
    assert (await restore(trainer, run, "a"))["reopened"] == [1], "of an earlier checkpoint it is open again"
    assert sorted((await report(trainer, run, issued))["closed"]) == ["1.0", "1.1", "1.2", "1.3"]


class Barren(Buffer):
    """Makes no instance, and says so only when it is told to."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def draw(self, source: Source, ordinals: Sequence[int]) -> NoReturn:
        self.asked.set()
        await self.may_answer.wait()
        raise LevelUnavailable(f"{source.stream} has none")


async def test_a_batch_that_a_restore_has_undone_is_not_mended(
    services: Services, trainer: httpx.AsyncClient, start_run: Any
) -> None:
    run = (await start_run())["run"]
    await mark(trainer, run, "start")
    async with services.database.read() as session:
        row = await runs.get(session, run)
    assert row is not None
    barren = Barren()
    desk = replace(services.desk, buffer=barren)
    asking = asyncio.create_task(batches.issue(desk, run=row, cursor=0, request=BatchRequest()))
    await asyncio.wait_for(barren.asked.wait(), 60)
    await restore(trainer, run, "start")
    barren.may_answer.set()
    with pytest.raises(RunNotFound):
        await asyncio.wait_for(asking, 60)
    log = (await trainer.get(f"/v1/runs/{run}/events")).json()["items"]
    assert [event["kind"] for event in log] == ["created", "checkpoint", "batch", "restored"]
    assert len((await batch(trainer, run, 0))["groups"]) == 4


async def test_a_log_with_a_replacement_for_a_batch_that_was_undone_can_be_looked_at(
    services: Services, trainer: httpx.AsyncClient, start_run: Any
) -> None:
    run = (await start_run())["run"]
    async with services.journal.writing(run) as writer:
        size = {"cursor": 0, "rollouts": 2, "attempt": writer.state.sequence}
        planned, _ = plan_replacement(writer.state, groups=1, **size)
        proposals = [group.document() for group in planned]
        await writer.record("replaced", size | {"refill": 0, "positions": [0], "proposals": proposals})
    assert (await trainer.get(f"/v1/runs/{run}/metrics")).json()["steps"] == []
    assert (await trainer.get(f"/v1/runs/{run}/active-set")).status_code == 200
    await report(trainer, run, await batch(trainer, run, 0))
    [step] = (await trainer.get(f"/v1/runs/{run}/metrics")).json()["steps"]
    assert (step["groups"], step["closed"]) == (4, 4)


async def test_a_restore_is_made_once_per_idempotency_key(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run())["run"]
    await trainer.post(f"/v1/runs/{run}/checkpoints", json={"label": "start"})
    headers = {"Idempotency-Key": "restore once"}
    replies = [
        (await trainer.post(f"/v1/runs/{run}/restore", json={"label": "start"}, headers=headers)).json()
        for _ in range(2)
    ]
    assert replies[0] == replies[1]
    assert (await trainer.get(f"/v1/runs/{run}")).json()["generation"] == 1


async def test_an_environment_quarantined_since_is_told_as_dropped(
    api: httpx.AsyncClient, trainer: httpx.AsyncClient, start_run: Any, imported: list[str]
) -> None:
    run = (await start_run(groups=5))["run"]
    await batch(trainer, run, 0)
    await trainer.post(f"/v1/runs/{run}/checkpoints", json={"label": "start"})
    await api.post(f"/v1/environments/{imported[0]}/status", json={"status": "quarantined", "reason": "odd"})
    restored = (await trainer.post(f"/v1/runs/{run}/restore", json={"label": "start"})).json()
    assert [(one["environment"], one["reason"]) for one in restored["dropped"]] == [(imported[0], "quarantined")]
    assert restored["kept"] == 4
    await api.post(f"/v1/environments/{imported[0]}/status", json={"status": "unverified", "reason": "fine"})
    restored = (await trainer.post(f"/v1/runs/{run}/restore", json={"label": "start"})).json()
    assert (restored["kept"], restored["dropped"]) == (5, [])


async def test_a_refill_adds_groups_once(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run())["run"]
    early = await trainer.put(f"/v1/runs/{run}/batches/0/refills/1", json={"groups": 2})
    assert (early.status_code, early.json()["code"]) == (404, "batch_not_found")
    issued = await batch(trainer, run, 0)
    first = (await trainer.put(f"/v1/runs/{run}/batches/0/refills/1", json={"groups": 2})).json()
    assert [group["group"] for group in first["groups"]] == ["0.4", "0.5"]
    assert (await trainer.put(f"/v1/runs/{run}/batches/0/refills/1", json={"groups": 2})).json() == first
    second = (await trainer.put(f"/v1/runs/{run}/batches/0/refills/2", json={"groups": 1})).json()
    assert [group["group"] for group in second["groups"]] == ["0.6"]
    other = await trainer.put(f"/v1/runs/{run}/batches/0/refills/2", json={"groups": 3})
    assert other.json()["code"] == "batch_conflict"
    instances = [group["instance"] for part in (issued, first, second) for group in part["groups"]]
    assert len(set(instances)) == 7
    done = await report(trainer, run, first)
    assert sorted(done["closed"]) == ["0.4", "0.5"]


async def test_a_batch_is_closed_early_once(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run())["run"]
    issued = await batch(trainer, run, 0)
    await report(trainer, run, issued | {"groups": issued["groups"][:1]})
    closed = (await trainer.post(f"/v1/runs/{run}/batches/0/close")).json()["closed"]
    assert closed == ["0.1", "0.2", "0.3"]
    assert (await trainer.post(f"/v1/runs/{run}/batches/0/close")).json()["closed"] == []
    late = await report(trainer, run, issued | {"groups": issued["groups"][1:2]})
    assert all(outcome["late"] for outcome in late["outcomes"])
    unknown = await trainer.post(f"/v1/runs/{run}/batches/7/close")
    assert unknown.json()["code"] == "batch_not_found"


async def test_a_deadline_is_moved_while_the_group_is_open(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run())["run"]
    await batch(trainer, run, 0)
    url = f"/v1/runs/{run}/batches/0/groups/0.1"
    later = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    moved = await trainer.patch(url, json={"deadline": later})
    assert moved.status_code == 200, moved.text
    issued = await batch(trainer, run, 0)
    assert datetime.fromisoformat(issued["groups"][1]["deadline"]) == datetime.fromisoformat(later)
    past = await trainer.patch(url, json={"deadline": "2020-01-01T00:00:00Z"})
    assert (past.status_code, past.json()["code"]) == (422, "invalid_request")
    naive = await trainer.patch(url, json={"deadline": "2090-01-01T00:00:00"})
    assert "`deadline`" in naive.json()["detail"]
    await trainer.post(f"/v1/runs/{run}/batches/0/close")
    shut = await trainer.patch(url, json={"deadline": later})
    assert (shut.status_code, shut.json()["code"]) == (409, "group_closed")
    unknown = await trainer.patch(f"/v1/runs/{run}/batches/0/groups/0.9", json={"deadline": later})
    assert unknown.json()["code"] == "group_not_found"


async def test_the_curriculum_can_be_looked_at_over_time(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run())["run"]
    for cursor in range(3):
        await report(trainer, run, await batch(trainer, run, cursor))
    await batch(trainer, run, 3)
    found = (await trainer.get(f"/v1/runs/{run}/metrics")).json()
    assert [step["cursor"] for step in found["steps"]] == [0, 1, 2, 3]
    assert [step["informative"] for step in found["steps"]] == [1.0, 1.0, 1.0, None]
    assert [step["accuracy"] for step in found["steps"]] == [0.5, 0.5, 0.5, None]
    assert found["open_groups"] == 4
    assert found["oldest_lease_s"] >= 0
    table = (await trainer.get(f"/v1/runs/{run}/metrics", params={"format": "csv"})).text.splitlines()
    assert table[0].startswith("cursor,groups,closed,informative")
    assert len(table) == 5
    active = (await trainer.get(f"/v1/runs/{run}/active-set")).json()["items"]
    assert sum(one["active"] for one in active) >= 4
    await trainer.post(f"/v1/runs/{run}/checkpoints", json={"label": "x"})
    await report(trainer, run, await batch(trainer, run, 4))
    await trainer.post(f"/v1/runs/{run}/restore", json={"label": "x"})
    undone = (await trainer.get(f"/v1/runs/{run}/metrics")).json()
    assert [step["cursor"] for step in undone["steps"]] == [0, 1, 2, 3], "what was undone is left out"


async def test_an_environment_that_nobody_can_solve_is_flagged_with_its_evidence(
    trainer: httpx.AsyncClient, start_run: Any, imported: list[str]
) -> None:
    run = (await start_run(groups=len(imported), rollouts=8, curriculum={"policy": "bayes"}))["run"]
    hopeless = imported[0]
    for cursor in range(8):
        issued = await batch(trainer, run, cursor)
        attempts = [
            {
                "group": group["group"],
                "rollout": rollout,
                "score": 0.0 if group["environment"] == hopeless else float(rollout % 2),
            }
            for group in issued["groups"]
            for rollout in range(8)
        ]
        sent = await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": attempts})
        assert sent.status_code == 200, sent.text
    [suspect] = (await trainer.get(f"/v1/runs/{run}/metrics")).json()["suspects"]
    assert suspect["environment"] == hopeless
    assert "may be broken" in suspect["reason"]
    assert suspect["groups"]
    assert all((group["right"], group["scored"]) == (0, 8) for group in suspect["groups"])
    members = (await trainer.get(f"/v1/runs/{run}/active-set")).json()["items"]
    assert {one["environment"] for one in members} == set(imported)
    for one in members:
        assert one["because"], one
        assert one["entered"] is not None, one
        assert one["active"] == (one["left"] is None), one


async def test_strata_get_their_share(trainer: httpx.AsyncClient, start_run: Any) -> None:
    strata = [{"answer_type": "string", "share": 0.5}]
    run = (await start_run(groups=8, curriculum={"policy": "uniform", "strata": strata}))["run"]
    for cursor in range(2):
        issued = await batch(trainer, run, cursor)
        types = [group["answer_type"] for group in issued["groups"]]
        assert types.count("string") == 4
        await report(trainer, run, issued)
    refused = await trainer.post("/v1/runs", json={"name": "x", "curriculum": {"strata": [{"share": 0.5}]}})
    assert refused.json()["code"] == "curriculum_invalid"

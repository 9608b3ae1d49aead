"""The main job: a run's batches and attempts, idempotent as the API promises."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import func, select

from escalade_server.api.services import Services
from escalade_server.storage.tables import Stream

Run = dict[str, Any]


def answers(batch: dict[str, Any], rollouts: int = 2, text: str = "so it is \\boxed{0}") -> list[dict[str, Any]]:
    return [
        {"group": group["group"], "rollout": rollout, "completion": text}
        for group in batch["groups"]
        for rollout in range(rollouts)
    ]


async def test_the_same_cursor_returns_the_same_batch(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = await start_run()
    first = await trainer.put(f"/v1/runs/{run['run']}/batches/3", json={})
    again = await trainer.put(f"/v1/runs/{run['run']}/batches/3", json={"groups": 4})
    assert first.status_code == 200, first.text
    assert first.json() == again.json()
    assert [group["group"] for group in first.json()["groups"]] == ["3.0", "3.1", "3.2", "3.3"]


async def test_eight_callers_at_once_get_the_same_batch(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = await start_run(groups=6)
    url = f"/v1/runs/{run['run']}/batches/0"
    replies = await asyncio.gather(*(trainer.put(url, json={}) for _ in range(8)))
    assert {reply.status_code for reply in replies} == {200}
    assert all(reply.json() == replies[0].json() for reply in replies)
    events = (await trainer.get(f"/v1/runs/{run['run']}/events")).json()["items"]
    assert [event["kind"] for event in events].count("batch") == 1


async def test_a_cursor_with_a_different_body_is_a_conflict(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = await start_run()
    await trainer.put(f"/v1/runs/{run['run']}/batches/0", json={"groups": 3})
    other = await trainer.put(f"/v1/runs/{run['run']}/batches/0", json={"groups": 5})
    assert other.status_code == 409
    assert other.json()["code"] == "batch_conflict"
    assert other.headers["content-type"] == "application/problem+json"


async def test_no_two_groups_are_the_same_instance(trainer: httpx.AsyncClient, start_run: Any, imported: Any) -> None:
    run = await start_run(groups=4, pool={"environments": imported[:2]})
    seen: list[str] = []
    for cursor in range(4):
        batch = (await trainer.put(f"/v1/runs/{run['run']}/batches/{cursor}", json={})).json()
        seen += [group["instance"] for group in batch["groups"]]
    assert len(seen) == len(set(seen))


async def test_two_runs_with_one_seed_get_the_same_first_batch(trainer: httpx.AsyncClient, start_run: Any) -> None:
    one, other = await start_run(seed=5), await start_run(seed=5)
    batches = [(await trainer.put(f"/v1/runs/{run['run']}/batches/0", json={})).json() for run in (one, other)]
    assert [group["instance"] for group in batches[0]["groups"]] == [g["instance"] for g in batches[1]["groups"]]


async def test_a_repeated_report_changes_nothing(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = await start_run()
    url = f"/v1/runs/{run['run']}"
    batch = (await trainer.put(f"{url}/batches/0", json={})).json()
    first = (await trainer.post(f"{url}/attempts", json={"attempts": answers(batch)})).json()
    log = (await trainer.get(f"{url}/events")).json()
    again = (await trainer.post(f"{url}/attempts", json={"attempts": answers(batch)})).json()
    assert [outcome["repeat"] for outcome in first["outcomes"]] == [False] * 8
    assert [outcome["repeat"] for outcome in again["outcomes"]] == [True] * 8
    for before, after in zip(first["outcomes"], again["outcomes"], strict=True):
        assert {**before, "repeat": True} == after
    assert sorted(first["closed"]) == ["0.0", "0.1", "0.2", "0.3"]
    assert again["closed"] == []
    assert (await trainer.get(f"{url}/events")).json() == log


async def test_a_different_answer_for_a_rollout_is_a_conflict(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = await start_run()
    url = f"/v1/runs/{run['run']}"
    await trainer.put(f"{url}/batches/0", json={})
    report = {"group": "0.0", "rollout": 0, "completion": "\\boxed{1}"}
    await trainer.post(f"{url}/attempts", json={"attempts": [report]})
    other = {"group": "0.1", "rollout": 0, "completion": "\\boxed{1}"}
    changed = report | {"completion": "\\boxed{2}"}
    refused = await trainer.post(f"{url}/attempts", json={"attempts": [other, changed]})
    assert refused.status_code == 409
    assert refused.json()["code"] == "attempt_conflict"
    later = await trainer.post(f"{url}/attempts", json={"attempts": [other]})
    assert later.json()["outcomes"][0]["repeat"] is False, "nothing of the refused request was stored"


async def test_a_report_for_somebody_elses_group_is_not_found(
    api: httpx.AsyncClient, trainer: httpx.AsyncClient, start_run: Any
) -> None:
    run = await start_run()
    url = f"/v1/runs/{run['run']}"
    await trainer.put(f"{url}/batches/0", json={})
    for group in ("1.0", "0.99", "x", "00.0", "0.0.0", "-1.0", "9" * 30 + ".0"):
        report = {"group": group, "rollout": 0, "completion": "\\boxed{1}"}
        refused = await trainer.post(f"{url}/attempts", json={"attempts": [report]})
        assert (refused.status_code, refused.json()["code"]) == (404, "group_not_found"), group
    report = {"group": "0.0", "rollout": 2, "completion": "\\boxed{1}"}
    refused = await trainer.post(f"{url}/attempts", json={"attempts": [report]})
    assert refused.json()["code"] == "rollout_out_of_range"


async def test_a_train_key_sees_its_own_runs_alone(
    services: Any, api: httpx.AsyncClient, trainer: httpx.AsyncClient, start_run: Any, other_trainer: httpx.AsyncClient
) -> None:
    run = await start_run()
    url = f"/v1/runs/{run['run']}"
    for reply in (
        await other_trainer.get(url),
        await other_trainer.put(f"{url}/batches/0", json={}),
        await other_trainer.post(
            f"{url}/attempts", json={"attempts": [{"group": "0.0", "rollout": 0, "completion": ""}]}
        ),
        await other_trainer.delete(url),
    ):
        assert (reply.status_code, reply.json()["code"]) == (404, "run_not_found")
    assert (await other_trainer.get("/v1/runs")).json()["items"] == []
    assert [item["run"] for item in (await trainer.get("/v1/runs")).json()["items"]] == [run["run"]]
    assert (await api.get(url)).status_code == 200


async def test_right_answers_raise_the_level_and_wrong_ones_do_not(api: httpx.AsyncClient, imported: Any) -> None:
    body = {"name": "x", "groups": 4, "rollouts": 2, "curriculum": {"policy": "scaler"}, "reveal_answers": True}
    run = (await api.post("/v1/runs", json=body)).json()
    url = f"/v1/runs/{run['run']}"
    levels = []
    for cursor in range(4):
        batch = (await api.put(f"{url}/batches/{cursor}", json={})).json()
        levels.append(sum(group["level"] for group in batch["groups"]))
        reports = [
            {"group": group["group"], "rollout": rollout, "completion": f"\\boxed{{{group['answer'].strip()}}}"}
            for group in batch["groups"]
            for rollout in range(2)
        ]
        outcomes = (await api.post(f"{url}/attempts", json={"attempts": reports})).json()["outcomes"]
        assert [outcome["accuracy"] for outcome in outcomes] == [1] * 8, outcomes
    assert levels == sorted(levels)
    assert levels[-1] > levels[0] == 0
    controllers = (await api.get(f"{url}/controllers")).json()["items"]
    assert {controller["environment"] for controller in controllers} == set(imported)
    assert max(controller["level"] for controller in controllers) == 4


async def test_a_score_of_the_trainers_own_is_stored(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = await start_run(success_threshold=0.5)
    url = f"/v1/runs/{run['run']}"
    await trainer.put(f"{url}/batches/0", json={})
    reports = [{"group": "0.0", "rollout": index, "score": score} for index, score in enumerate((0.6, 0.4))]
    outcomes = (await trainer.post(f"{url}/attempts", json={"attempts": reports})).json()["outcomes"]
    assert [(one["score"], one["accuracy"], one["verdict"]) for one in outcomes] == [
        (0.6, 1, "reported"),
        (0.4, 0, "reported"),
    ]


async def test_ground_truth_stays_hidden(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = await start_run()
    url = f"/v1/runs/{run['run']}"
    batch = (await trainer.put(f"{url}/batches/0", json={})).json()
    assert all(group["answer"] is None for group in batch["groups"])
    refused = await trainer.post("/v1/runs", json={"name": "x", "reveal_answers": True})
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


async def test_an_idempotency_key_makes_one_run(trainer: httpx.AsyncClient, imported: Any) -> None:
    body, headers = {"name": "once"}, {"Idempotency-Key": "abc"}
    replies = await asyncio.gather(*(trainer.post("/v1/runs", json=body, headers=headers) for _ in range(8)))
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["run"] for reply in replies}) == 1
    other = await trainer.post("/v1/runs", json={"name": "twice"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert len((await trainer.get("/v1/runs")).json()["items"]) == 1


async def test_a_deleted_run_is_gone(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = await start_run()
    assert (await trainer.delete(f"/v1/runs/{run['run']}")).status_code == 204
    gone = await trainer.put(f"/v1/runs/{run['run']}/batches/0", json={})
    assert (gone.status_code, gone.json()["code"]) == (404, "run_not_found")


async def test_as_many_draws_lie_ready_as_the_last_batch_took(
    trainer: httpx.AsyncClient, start_run: Any, imported: Any, services: Services
) -> None:
    fixed = {"policy": "fixed", "constants": {"share": 0.0}}
    run = await start_run(groups=40, curriculum=fixed, pool={"environments": imported[:1]})
    batch = (await trainer.put(f"/v1/runs/{run['run']}/batches/0", json={})).json()
    assert {group["level"] for group in batch["groups"]} == {0}
    await services.buffer.idle()
    async with services.database.read() as session:
        most = await session.scalar(select(func.max(Stream.draws)))
    assert most >= 80

"""Groups close once, by completion or by deadline; what comes late is kept and moves nothing."""

import json
from pathlib import Path
from typing import Any

import httpx
from run_calls import controllers

from escalade_server.api.services import Services
from escalade_server.runs.state import RunState, dump, fold
from escalade_server.storage import events as event_queries
from escalade_server.storage import runs as run_queries

ARCHIVE = Path(__file__).resolve().parents[1] / "fixtures" / "scaler-small.json"
PAST_S = 1e-6
"""A deadline that has passed by the next request."""


async def log(client: httpx.AsyncClient, run: str, kind: str) -> list[dict[str, Any]]:
    events = (await client.get(f"/v1/runs/{run}/events", params={"limit": 1000})).json()["items"]
    assert [event["sequence"] for event in events] == list(range(len(events))), "no gaps"
    return [event["payload"] for event in events if event["kind"] == kind]


async def test_what_never_came_expires_and_is_no_failure(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run(deadline_s=PAST_S, rollouts=4))["run"]
    await trainer.put(f"/v1/runs/{run}/batches/0", json={})
    before = await controllers(trainer, run)
    await trainer.put(f"/v1/runs/{run}/batches/1", json={})
    closed = await log(trainer, run, "closed")
    assert [group["group"] for group in closed] == ["0.0", "0.1", "0.2", "0.3"]
    assert all((one["reason"], one["expired"], one["scored"]) == ("deadline", 4, 0) for one in closed)
    after = await controllers(trainer, run)
    assert [(one["level"], one["visits"]) for one in after] == [(one["level"], one["visits"]) for one in before]


async def test_a_late_report_is_scored_and_stored_and_moves_nothing(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run(deadline_s=PAST_S))["run"]
    batch = (await trainer.put(f"/v1/runs/{run}/batches/0", json={})).json()
    reports = [{"group": group["group"], "rollout": 0, "completion": "\\boxed{0}"} for group in batch["groups"]]
    first = (await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports})).json()
    assert all(one["late"] and one["outcome"] == "scored" for one in first["outcomes"])
    assert first["closed"] == []
    again = (await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports})).json()
    assert all(one["late"] and one["repeat"] for one in again["outcomes"])
    assert all(one["scored"] == 0 for one in await log(trainer, run, "closed"))


async def test_a_straggler_does_not_hold_the_next_batch(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run(rollouts=2))["run"]
    batch = (await trainer.put(f"/v1/runs/{run}/batches/0", json={})).json()
    reports = [
        {"group": group["group"], "rollout": rollout, "completion": "\\boxed{0}"}
        for group in batch["groups"]
        for rollout in range(2)
    ]
    done = (await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports[:-1]})).json()
    assert done["closed"] == ["0.0", "0.1", "0.2"]
    assert (await trainer.put(f"/v1/runs/{run}/batches/1", json={})).status_code == 200
    last = (await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports[-1:]})).json()
    assert last["closed"] == ["0.3"]


async def test_replaying_the_log_gives_the_live_state(
    services: Services, trainer: httpx.AsyncClient, start_run: Any
) -> None:
    for policy in ("scaler", "bayes"):
        run = (await start_run(groups=3, curriculum={"policy": policy}))["run"]
        for cursor in range(6):
            batch = (await trainer.put(f"/v1/runs/{run}/batches/{cursor}", json={})).json()
            reports = [
                {"group": group["group"], "rollout": rollout, "score": float((cursor + index + rollout) % 2)}
                for index, group in enumerate(batch["groups"])
                for rollout in range(2)
            ]
            await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports[: 6 - cursor % 2]})
        async with services.database.read() as session:
            row = await run_queries.get(session, run)
            assert row is not None
            live = await services.journal.state(session, row)
            replayed: RunState | None = None
            for event in await event_queries.since(session, run, 0):
                replayed = fold(replayed, event.kind, event.payload)
            services.journal.forget(run)
            restarted = await services.journal.state(session, row)
        assert replayed is not None
        assert dump(replayed) == dump(live) == dump(restarted)


async def test_a_quarantined_environment_leaves_at_the_next_batch(
    api: httpx.AsyncClient, trainer: httpx.AsyncClient, start_run: Any, imported: list[str]
) -> None:
    run = (await start_run(groups=5))["run"]
    first = (await trainer.put(f"/v1/runs/{run}/batches/0", json={})).json()
    assert imported[0] in {group["environment"] for group in first["groups"]}
    reply = await api.post(f"/v1/environments/{imported[0]}/status", json={"status": "quarantined", "reason": "odd"})
    assert reply.json()["status"] == "quarantined"
    second = (await trainer.put(f"/v1/runs/{run}/batches/1", json={})).json()
    assert imported[0] not in {group["environment"] for group in second["groups"]}
    assert [one["reason"] for one in await log(trainer, run, "retired")] == ["quarantined"]
    assert (await trainer.put(f"/v1/runs/{run}/batches/0", json={})).json() == first, "what was issued stays"


async def test_numbers_beyond_what_an_engine_stores_are_refused_on_every_engine(trainer, start_run) -> None:
    run = (await start_run(groups=1))["run"]
    await trainer.put(f"/v1/runs/{run}/batches/0", json={})
    attempts = f"/v1/runs/{run}/attempts"
    for field in ("policy_step", "completion_tokens"):
        one = {"group": "0.0", "rollout": 0, "completion": "x", field: 2**31}
        reply = await trainer.post(attempts, json={"attempts": [one]})
        assert reply.status_code == 422, reply.text
        assert field in reply.json()["detail"]
        reply = await trainer.post(attempts, json={"attempts": [one | {field: 2**31 - 1}]})
        assert reply.status_code == 200, reply.text
    far = {"group": "99999999999999999.0", "rollout": 0, "completion": "x"}
    assert (await trainer.post(attempts, json={"attempts": [far]})).status_code == 404
    reply = await trainer.post(f"/v1/runs/{run}/checkpoints", json={"label": "a", "step": 2**31})
    assert reply.status_code == 422
    assert (await trainer.get(f"/v1/runs/{run}/events?after={2**31}")).status_code == 422
    assert (await trainer.get(f"/v1/runs/{run}/checkpoints?page=99999999999999")).status_code == 422


async def test_a_deadline_further_off_than_a_week_is_refused(trainer, start_run) -> None:
    run = (await start_run(groups=1))["run"]
    await trainer.put(f"/v1/runs/{run}/batches/0", json={})
    path = f"/v1/runs/{run}/batches/0/groups/0.0"
    for deadline in ("9999-12-31T23:59:59-23:00", "9999-12-31T23:59:59Z"):
        reply = await trainer.patch(path, json={"deadline": deadline})
        assert reply.status_code == 422, reply.text
        assert "7 days" in reply.json()["detail"]


async def test_a_changed_environment_is_in_the_pool_once_after_restores_and_in_forks(
    api: httpx.AsyncClient, trainer: httpx.AsyncClient, start_run: Any
) -> None:
    async def bring(**changes: str) -> list[str]:
        archive = json.loads(ARCHIVE.read_text())
        archive[next(iter(archive))] |= changes
        body = {"format": "scaler", "filename": ARCHIVE.name, "content": json.dumps(archive)}
        found: list[str] = (await api.post("/v1/imports", json=body)).json()["result"]["updated"]
        return found

    async def serves_each_once(run: str, cursor: int) -> None:
        batch = (await trainer.put(f"/v1/runs/{run}/batches/{cursor}", json={"groups": 15})).json()
        assert len({group["instance"] for group in batch["groups"]}) == 15
        assert (await trainer.get(f"/v1/runs/{run}")).json()["pool_size"] == 5
        live = [one["environment"] for one in await controllers(trainer, run) if one["retired"] is None]
        assert len(live) == len(set(live)) == 5

    run = (await start_run(groups=5))["run"]
    await serves_each_once(run, 0)
    await trainer.post(f"/v1/runs/{run}/checkpoints", json={"label": "start"})
    original = json.loads(ARCHIVE.read_text())
    statement = next(iter(original.values()))["logic_description"]
    for text in (f"{statement} (mended)", statement, f"{statement} (mended again)"):
        assert len(await bring(logic_description=text)) == 1
        for _ in range(2):
            restored = (await trainer.post(f"/v1/runs/{run}/restore", json={"label": "start"})).json()
            assert restored["kept"] == 5
            await serves_each_once(run, 1)
        fork = (await trainer.post(f"/v1/runs/{run}/forks", json={"name": "branch"})).json()["run"]
        assert fork["pool_size"] == 5
        await serves_each_once(fork["run"], 0)


async def test_the_metrics_count_how_rollouts_ended(
    services: Services, trainer: httpx.AsyncClient, api: httpx.AsyncClient, start_run: Any
) -> None:
    run = (await start_run(rollouts=2, deadline_s=PAST_S))["run"]
    batch = (await trainer.put(f"/v1/runs/{run}/batches/0", json={})).json()
    reports = [{"group": group["group"], "rollout": 0, "completion": "\\boxed{0}"} for group in batch["groups"][:3]]
    await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports})
    again = await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports})
    assert all(one["repeat"] for one in again.json()["outcomes"])
    figures = (await api.get("/metrics")).text.splitlines()
    assert 'escalade_outcomes_total{outcome="scored"} 3.0' in figures
    assert 'escalade_outcomes_total{outcome="error"} 0.0' in figures
    assert 'escalade_outcomes_total{outcome="expired"} 8.0' in figures, "a late report does not take it back"
    slots = (await services.sandbox.health()).slots
    assert {"escalade_sandbox_ready 1.0", f"escalade_sandbox_slots {slots:.1f}"} <= set(figures)


async def test_the_metrics_name_routes_by_their_whole_path(api: httpx.AsyncClient) -> None:
    for path in ("/v1/environments", "/v1/environments/nothing", "/healthz", "/nowhere"):
        await api.get(path)
    figures = (await api.get("/metrics")).text
    for route, status in (
        ("/v1/environments", 200), ("/v1/environments/{name}", 404), ("/healthz", 200), ("none", 404),
    ):  # fmt: skip
        assert f'escalade_request_seconds_count{{route="{route}",status="{status}"}} 1.0' in figures, figures

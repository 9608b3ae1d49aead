"""Forks and documents: another run goes on with the curriculum, and with nothing that is not its own."""

import copy
from typing import Any

import httpx
from run_calls import batch, controllers, report

from escalade_server.curriculum.policies import POLICIES


async def test_a_fork_goes_on_from_the_checkpoint_with_other_constants(
    trainer: httpx.AsyncClient, start_run: Any
) -> None:
    run = (await start_run(curriculum={"policy": "bayes"}))["run"]
    for cursor in range(3):
        await report(trainer, run, await batch(trainer, run, cursor))
    await trainer.post(f"/v1/runs/{run}/checkpoints", json={"label": "three"})
    here = await controllers(trainer, run)
    await report(trainer, run, await batch(trainer, run, 3))
    made = await trainer.post(
        f"/v1/runs/{run}/forks",
        json={"name": "branch", "label": "three", "constants": {"exploration": 0.5}, "rollouts": 3},
    )
    assert made.status_code == 201, made.text
    forked = made.json()["run"]
    assert (forked["name"], forked["rollouts"], forked["pool_size"]) == ("branch", 3, 5)
    there = await controllers(trainer, forked["run"])
    assert [(one["level"], one["visits"]) for one in there] == [(one["level"], one["visits"]) for one in here]
    issued = await batch(trainer, forked["run"], 0)
    assert all(group["rollouts"] == 3 for group in issued["groups"])
    wrong = await trainer.post(f"/v1/runs/{run}/forks", json={"name": "x", "constants": {"nonsense": 1}})
    assert wrong.json()["code"] == "curriculum_invalid"


async def test_a_run_goes_out_and_comes_in_as_a_document(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run())["run"]
    for cursor in range(2):
        await report(trainer, run, await batch(trainer, run, cursor))
    document = (await trainer.get(f"/v1/runs/{run}/export")).json()
    document["pool"][1]["environment"] = "elsewhere"
    made = await trainer.post("/v1/runs/import", json=document)
    assert made.status_code == 201, made.text
    assert [one["reason"] for one in made.json()["dropped"]] == ["not on this server"]
    imported = made.json()["run"]["run"]
    kept = {one["environment"]: one for one in await controllers(trainer, imported)}
    for one in await controllers(trainer, run):
        if one["environment"] in kept:
            assert kept[one["environment"]]["level"] == one["level"]
    assert len(kept) == 4
    assert len((await batch(trainer, imported, 0))["groups"]) == 4
    damaged = await trainer.post("/v1/runs/import", json=document | {"state": {"policy": "scaler"}})
    assert (damaged.status_code, damaged.json()["code"]) == (422, "invalid_request")
    foreign = await trainer.post("/v1/runs/import", json=document | {"format": "other/9"})
    assert "`format`" in foreign.json()["detail"]


async def test_a_fork_learns_from_the_batch_that_was_out_where_it_began(
    trainer: httpx.AsyncClient, start_run: Any, imported: list[str]
) -> None:
    for policy in ("scaler", "staircase", "adarft"):
        run = (await start_run(groups=10, curriculum={"policy": policy}))["run"]
        await report(trainer, run, await batch(trainer, run, 0))
        issued = await batch(trainer, run, 1)
        early = {group["environment"]: group for group in issued["groups"]}
        await report(trainer, run, issued | {"groups": list(early.values())})
        made = await trainer.post(f"/v1/runs/{run}/forks", json={"name": "branch"})
        fork = made.json()["run"]["run"]
        for one in (run, fork):
            await report(trainer, one, await batch(trainer, one, 1))
        found, expected = await controllers(trainer, fork), await controllers(trainer, run)
        assert [one["level"] for one in found] == [one["level"] for one in expected], policy
        if policy != "adarft":
            assert [one["visits"] for one in found] == [one["visits"] for one in expected], policy
        curriculum = (await trainer.get(f"/v1/runs/{fork}/export")).json()["state"]["curriculum"]
        assert curriculum["ledger"] == []


async def test_members_retired_where_a_fork_begins_are_retired_in_it(
    api: httpx.AsyncClient, trainer: httpx.AsyncClient, start_run: Any, imported: list[str]
) -> None:
    strata = [{"answer_type": "string", "share": 0.5}]
    started = [
        (await start_run(curriculum={"policy": policy, "strata": chosen}))["run"]
        for policy in sorted(POLICIES)
        for chosen in ([], strata)
    ]
    await api.post(f"/v1/environments/{imported[0]}/status", json={"status": "quarantined", "reason": "odd"})
    for run in started:
        await batch(trainer, run, 0)
        made = (await trainer.post(f"/v1/runs/{run}/forks", json={"name": "branch"})).json()
        assert (made["run"]["pool_size"], made["dropped"]) == (4, [])
        fork = made["run"]["run"]
        retired = {one["environment"]: one["retired"] for one in await controllers(trainer, fork)}
        assert retired == dict.fromkeys(imported[1:]) | {imported[0]: "retired in the run that this one continues"}
        assert len((await batch(trainer, fork, 0))["groups"]) == 4
        events = (await trainer.get(f"/v1/runs/{fork}/events")).json()["items"]
        assert [event["kind"] for event in events] == ["created", "adopted", "batch"], "it is not retired again"


async def test_a_deadline_that_was_changed_goes_with_a_fork(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run(deadline_s=5000))["run"]
    await trainer.patch(f"/v1/runs/{run}", json={"deadline_s": 77})
    document = (await trainer.get(f"/v1/runs/{run}/export")).json()
    assert document["settings"]["deadline_s"] == 77
    made = await trainer.post(f"/v1/runs/{run}/forks", json={"name": "branch"})
    assert made.json()["run"]["deadline_s"] == 77
    other = await trainer.post(f"/v1/runs/{run}/forks", json={"name": "branch", "deadline_s": 9})
    assert other.json()["run"]["deadline_s"] == 9


async def test_a_damaged_pool_is_refused(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run = (await start_run())["run"]
    document = (await trainer.get(f"/v1/runs/{run}/export")).json()
    for name in ("environment", "version", "top_level", "tags"):
        for value in (None, 5.5, {}):
            damaged = copy.deepcopy(document)
            damaged["pool"][1][name] = value
            if value == {}:
                del damaged["pool"][1][name]
            refused = await trainer.post("/v1/runs/import", json=damaged)
            assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), (name, value)
            assert "`pool` is damaged" in refused.json()["detail"]

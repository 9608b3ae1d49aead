"""Reports of trainers that do not know their rollouts' indices: the server gives them out, each report one."""

import asyncio
from typing import Any

import httpx

Report = dict[str, Any]


def named(name: str, completion: str = "\\boxed{0}", group: str = "0.0") -> Report:
    return {"group": group, "report_id": name, "completion": completion}


async def begin(trainer: httpx.AsyncClient, start_run: Any, **settings: Any) -> str:
    url = f"/v1/runs/{(await start_run(**settings))['run']}"
    await trainer.put(f"{url}/batches/0", json={})
    return url


async def send(trainer: httpx.AsyncClient, url: str, *reports: Report) -> httpx.Response:
    return await trainer.post(f"{url}/attempts", json={"attempts": reports})


async def test_the_lowest_free_rollouts_are_given_out_in_order(trainer: httpx.AsyncClient, start_run: Any) -> None:
    url = await begin(trainer, start_run, rollouts=4)
    known = {"group": "0.0", "rollout": 1, "completion": "\\boxed{0}"}
    got = (await send(trainer, url, named("a"), known, named("b"), named("a", group="0.1"))).json()
    assert [one["rollout"] for one in got["outcomes"]] == [0, 1, 2, 0]
    assert got["closed"] == []
    last = (await send(trainer, url, named("c"))).json()
    assert [one["rollout"] for one in last["outcomes"]] == [3]
    assert last["closed"] == ["0.0"]


async def test_equal_completions_are_rollouts_of_their_own_and_retries_are_not(
    trainer: httpx.AsyncClient, start_run: Any
) -> None:
    url = await begin(trainer, start_run, rollouts=3)
    first = (await send(trainer, url, named("a"), named("b"))).json()["outcomes"]
    again = (await send(trainer, url, named("b"), named("a"), named("b"))).json()["outcomes"]
    assert [one["rollout"] for one in first] == [0, 1]
    assert [(one["rollout"], one["repeat"]) for one in again] == [(1, True), (0, True), (1, True)]
    assert (await send(trainer, url, named("c"))).json()["closed"] == ["0.0"]


async def test_callers_at_once_get_different_rollouts(trainer: httpx.AsyncClient, start_run: Any) -> None:
    url = await begin(trainer, start_run, rollouts=8)
    # Each report twice, as when an answer was lost, and all of them with the same completion.
    replies = await asyncio.gather(*(send(trainer, url, named(f"r{index % 8}")) for index in range(16)))
    assert {reply.status_code for reply in replies} == {200}, [reply.text for reply in replies]
    given: dict[int, set[int]] = {}
    for index, reply in enumerate(replies):
        given.setdefault(index % 8, set()).add(reply.json()["outcomes"][0]["rollout"])
    assert all(len(rollouts) == 1 for rollouts in given.values()), given
    assert {rollout for rollouts in given.values() for rollout in rollouts} == set(range(8))
    assert [reply.json()["closed"] for reply in replies].count(["0.0"]) == 1


async def test_the_same_report_with_another_answer_is_a_conflict(trainer: httpx.AsyncClient, start_run: Any) -> None:
    url = await begin(trainer, start_run)
    await send(trainer, url, named("a"))
    for reports in ([named("a", "\\boxed{7}")], [named("b"), named("b", "\\boxed{7}")]):
        refused = await send(trainer, url, *reports)
        assert (refused.status_code, refused.json()["code"]) == (409, "attempt_conflict")


async def test_a_report_too_many_is_refused_whole(trainer: httpx.AsyncClient, start_run: Any) -> None:
    url = await begin(trainer, start_run, rollouts=2)
    await send(trainer, url, named("a"))
    refused = await send(trainer, url, named("b", group="0.1"), named("b"), named("c"))
    assert (refused.status_code, refused.json()["code"]) == (409, "group_full")
    stored = (await send(trainer, url, named("b"), named("b", group="0.1"))).json()["outcomes"]
    assert [one["repeat"] for one in stored] == [False, False], "nothing of the refused request was stored"


async def test_a_late_report_gets_its_rollout_and_moves_nothing(trainer: httpx.AsyncClient, start_run: Any) -> None:
    url = await begin(trainer, start_run, rollouts=2)
    await send(trainer, url, named("a"))
    await trainer.post(f"{url}/batches/0/close")
    late = (await send(trainer, url, named("b"))).json()
    assert [(one["rollout"], one["late"], one["outcome"]) for one in late["outcomes"]] == [(1, True, "scored")]
    assert late["closed"] == []


async def test_a_report_has_an_index_or_a_name(trainer: httpx.AsyncClient, start_run: Any) -> None:
    url = await begin(trainer, start_run)
    for report in ({"group": "0.0", "completion": ""}, named("a") | {"rollout": 0}, named("")):
        refused = await send(trainer, url, report)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), report
        assert "report_id" in refused.json()["detail"]

"""Instances: served at the difficulty asked for, the same bytes every time, and scored without being stored."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from escalade_sandbox.types import Job, JobResult, Sandbox, Status
from escalade_server.api.services import Services
from escalade_server.instances import buffer

NAME = "901-a-lamps-in-the-corridor"


async def serve(api: httpx.AsyncClient, name: str = NAME, **body: Any) -> dict[str, Any]:
    reply = await api.post(f"/v1/environments/{name}/instances", json=body)
    assert reply.status_code == 200, reply.text
    served: dict[str, Any] = reply.json()
    return served


async def test_the_same_request_gives_the_same_bytes(api: httpx.AsyncClient, imported: Any) -> None:
    one = await serve(api, level=2, count=4, seed=17)
    again = await serve(api, level=2, count=4, seed=17)
    assert one == again
    assert len({instance["instance"] for instance in one["instances"]}) == 4


async def test_the_bytes_are_those_of_every_other_machine(api: httpx.AsyncClient, imported: Any) -> None:
    """Pinned: a change here makes other instances of the same versions, and must raise RENDERER or TOOLCHAIN."""
    served = []
    for name in imported:
        served += (await serve(api, name=name, level=3, count=2, seed=17))["instances"]
    digest = hashlib.sha256(json.dumps(served, sort_keys=True).encode()).hexdigest()
    assert digest == "824026b87f5cf2018d7f316ca001e05d40bb01e5128d073385a7703f88e92db2"


async def test_more_instances_begin_with_the_fewer(api: httpx.AsyncClient, imported: Any) -> None:
    few = (await serve(api, level=4, count=2))["instances"]
    many = (await serve(api, level=4, count=40))["instances"]
    assert many[:2] == few


async def test_the_parameters_of_a_level_name_the_same_instances(api: httpx.AsyncClient, imported: Any) -> None:
    ladder = (await api.get(f"/v1/environments/{NAME}")).json()["ladder"]
    by_level = await serve(api, level=3, count=2)
    by_parameters = await serve(api, parameters=ladder[3]["parameters"], count=2)
    assert by_level == by_parameters


async def test_the_splits_share_nothing(api: httpx.AsyncClient, imported: Any) -> None:
    train = await serve(api, level=5, count=20, split="train")
    evaluation = await serve(api, level=5, count=20, split="evaluation")
    identities = [{instance["instance"] for instance in one["instances"]} for one in (train, evaluation)]
    assert identities[0].isdisjoint(identities[1])


async def test_any_number_of_instances_costs_three_jobs(
    services: Services, api: httpx.AsyncClient, imported: Any
) -> None:
    """One for the generator and one per reference."""
    seen: list[int] = []
    inner = services.sandbox.run

    async def counting(job: Any) -> Any:
        seen.append(len(job.inputs))
        return await inner(job)

    services.sandbox.run = counting  # type: ignore[method-assign]
    try:
        await serve(api, level=5, count=60, seed=99)
    finally:
        del services.sandbox.run
    assert len(seen) == 3
    assert seen[0] == 60


async def test_the_prompt_shows_the_statement_and_the_input_and_how_to_answer(
    api: httpx.AsyncClient, imported: Any
) -> None:
    for name in imported:
        detail = (await api.get(f"/v1/environments/{name}")).json()
        instance = (await serve(api, name=name, level=1))["instances"][0]
        (message,) = instance["messages"]
        assert message["role"] == "user"
        assert message["content"].startswith(detail["statement"].strip())
        assert "\nInput:\n" in message["content"]
        assert "\\boxed{" in message["content"]
        assert instance["answer"] is None


async def test_scores_are_of_the_instance_and_store_nothing(api: httpx.AsyncClient, imported: Any) -> None:
    instances = (await serve(api, level=1, count=2))["instances"]
    items = [{"instance": instance["instance"], "completion": "\\boxed{-5}"} for instance in instances]
    items.append({"instance": instances[0]["instance"], "completion": "I do not know."})
    scored = (await api.post("/v1/scores", json={"items": items})).json()["outcomes"]
    assert [one["verdict"] for one in scored] == ["wrong", "wrong", "no_answer"]
    assert [one["score"] for one in scored] == [0, 0, 0]
    unknown = await api.post("/v1/scores", json={"items": [{"instance": "ins_none", "completion": ""}]})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "instance_not_found")


async def test_bad_requests_name_the_field_and_the_remedy(api: httpx.AsyncClient, imported: Any) -> None:
    url = f"/v1/environments/{NAME}/instances"
    expected: list[tuple[dict[str, Any], int, str, str]] = [
        ({"level": 999}, 422, "level_out_of_range", "`level` must be from 0 to"),
        ({"level": -1}, 422, "invalid_request", "`level`"),
        ({"level": 0, "count": 0}, 422, "invalid_request", "`count`"),
        ({"level": 0, "count": 10_000}, 422, "invalid_request", "`count`"),
        ({"level": 0, "surprise": 1}, 422, "invalid_request", "`surprise`"),
        ({}, 422, "invalid_request", "exactly one of `level` and `parameters`"),
        ({"parameters": {"zz": 3}}, 422, "level_out_of_range", "`parameters."),
        ({"level": 0, "version": "0" * 64}, 404, "version_not_found", "`version`"),
    ]
    for body, status, code, words in expected:
        reply = await api.post(url, json=body)
        assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
        assert words in reply.json()["detail"]
        assert reply.json()["request_id"] == reply.headers["x-request-id"]
    unknown = await api.post("/v1/environments/nothing/instances", json={"level": 0})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "environment_not_found")


async def test_long_completions_and_bodies_are_refused_by_size(api: httpx.AsyncClient, imported: Any) -> None:
    instance = (await serve(api, level=1))["instances"][0]["instance"]
    long = await api.post("/v1/scores", json={"items": [{"instance": instance, "completion": "x" * 5_000_000}]})
    assert (long.status_code, long.json()["code"]) == (422, "invalid_request")
    assert "`items.0.completion`" in long.json()["detail"]
    assert len(long.text) < 1_000
    huge = await api.post("/v1/scores", content=b"x" * (9 << 20))
    assert (huge.status_code, huge.json()["code"]) == (413, "body_too_large")
    assert "ESCALADE_MAX_BODY_BYTES" in huge.json()["detail"]
    malformed = await api.post("/v1/scores", content=b"{", headers={"Content-Type": "application/json"})
    assert (malformed.status_code, malformed.json()["code"]) == (400, "malformed_body")


async def test_the_compact_prompt_is_the_name_and_the_inputs_values(api: httpx.AsyncClient, imported: Any) -> None:
    full = (await serve(api, level=2, count=3, seed=4))["instances"]
    compact = (await serve(api, level=2, count=3, seed=4, template="compact"))["instances"]
    for long, short in zip(full, compact, strict=True):
        name, *values = short["messages"][0]["content"].split("\n")
        assert name == NAME
        listed = long["messages"][0]["content"].partition("Input:\n")[2].partition("\n\n")[0].split("\n")
        shown = [json.loads(line.partition(" = ")[2]) for line in listed]
        assert values == [v if isinstance(v, str) else json.dumps(v, separators=(",", ":")) for v in shown]
        assert long == short | {"messages": long["messages"]}, "the template changes the prompt alone"


async def test_ground_truths_are_shown_to_an_admin_who_asks_and_to_nobody_else(
    api: httpx.AsyncClient, trainer: httpx.AsyncClient, imported: Any
) -> None:
    plain = (await serve(api, level=1, count=2))["instances"]
    assert [one["answer"] for one in plain] == [None, None]
    shown = (await serve(api, level=1, count=2, reveal_answers=True))["instances"]
    items = [{"instance": one["instance"], "completion": f"\\boxed{{{one['answer']}}}"} for one in shown]
    scored = (await api.post("/v1/scores", json={"items": items})).json()["outcomes"]
    assert [one["score"] for one in scored] == [1.0, 1.0]
    refused = await trainer.post(f"/v1/environments/{NAME}/instances", json={"level": 1, "reveal_answers": True})
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


async def test_a_run_may_choose_the_compact_prompt(trainer: httpx.AsyncClient, imported: Any) -> None:
    body = {"name": "small", "groups": 3, "rollouts": 2, "template": "compact"}
    run = (await trainer.post("/v1/runs", json=body)).json()
    assert run["template"] == "compact"
    batch = (await trainer.put(f"/v1/runs/{run['run']}/batches/0", json={})).json()
    for group in batch["groups"]:
        content = group["messages"][0]["content"]
        assert content.startswith(group["environment"] + "\n")
        assert "boxed" not in content


async def test_a_level_that_failed_while_the_machine_was_overloaded_comes_back(
    services: Services, api: httpx.AsyncClient, imported: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    overloaded = True
    jobs = 0

    async def run(job: Job) -> JobResult:
        nonlocal jobs
        jobs += 1
        done = await sandbox.run(job)
        if not overloaded or job.program.function is not None:
            return done
        late = tuple(replace(one, status=Status.TIME_LIMIT, stdout=b"") for one in done.results)
        return replace(done, results=late)

    monkeypatch.setattr(services.buffer, "_sandbox", type("Overloaded", (), {"run": staticmethod(run)})())
    body = {"level": 2, "count": 4, "seed": 17}
    refused = await api.post(f"/v1/environments/{NAME}/instances", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "level_unavailable"), refused.text
    overloaded, spent = False, jobs
    assert (await api.post(f"/v1/environments/{NAME}/instances", json=body)).status_code == 409
    assert jobs == spent
    monkeypatch.setattr(buffer, "AGAIN_S", 0.0)
    assert len((await serve(api, **body))["instances"]) == 4

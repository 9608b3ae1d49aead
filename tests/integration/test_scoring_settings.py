"""How answers are scored, as a run or a request chooses it: through the API, stored, and apart from accuracy."""

from typing import Any

import httpx
from sqlalchemy import update

from escalade_server.api.services import Services
from escalade_server.storage import instances, tables

SHORT = {"length_penalty": {"free_tokens": 100, "most_tokens": 200, "weight": 0.5}}


async def truth_of(services: Services, instance: str) -> str:
    async with services.database.read() as session:
        return (await instances.shown(session, [instance]))[instance].truth or ""


async def begun(trainer: httpx.AsyncClient, start_run: Any, scoring: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    run = await start_run(groups=1, rollouts=2, scoring=scoring)
    return run["run"], (await trainer.put(f"/v1/runs/{run['run']}/batches/0", json={})).json()["groups"][0]


async def report(trainer: httpx.AsyncClient, run: str, *attempts: dict[str, Any]) -> list[dict[str, Any]]:
    body = {"attempts": [{"group": "0.0", "rollout": index} | one for index, one in enumerate(attempts)]}
    reply = await trainer.post(f"/v1/runs/{run}/attempts", json=body)
    assert reply.status_code == 200, reply.text
    outcomes: list[dict[str, Any]] = reply.json()["outcomes"]
    return outcomes


async def test_a_run_shows_its_scoring_and_keeps_hints_with_the_attempts(
    services: Services, trainer: httpx.AsyncClient, start_run: Any
) -> None:
    run, group = await begun(trainer, start_run, {"feedback": True, "extraction": {"answer_tag": False}})
    shown = (await trainer.get(f"/v1/runs/{run}")).json()["scoring"]
    assert (shown["feedback"], shown["extraction"]["answer_tag"], shown["shaping"]) == (True, False, "binary")
    truth = (await truth_of(services, group["instance"])).strip()
    attempts = [{"completion": f"so <answer>{truth}</answer>"}, {"completion": f"so \\boxed{{{truth}}}"}]
    first = await report(trainer, run, *attempts)
    assert [one["verdict"] for one in first] == ["no_answer", "accepted"]
    assert first[0]["feedback"] == "no answer found; give it in \\boxed{...}"
    assert (first[1]["feedback"], first[1]["position"]) == (None, len("so \\boxed{"))
    again = await report(trainer, run, *attempts)
    assert [{**one, "repeat": False} for one in again] == first


async def test_the_curriculum_reads_accuracy_whatever_the_score(
    services: Services, trainer: httpx.AsyncClient, start_run: Any
) -> None:
    run, group = await begun(trainer, start_run, {"format_bonus": 0.3} | SHORT)
    truth = (await truth_of(services, group["instance"])).strip()
    right = {"completion": f"\\boxed{{{truth}}}", "completion_tokens": 150}
    wrong = {"completion": f"\\boxed{{-{truth}1}}", "completion_tokens": 50}
    outcomes = await report(trainer, run, right, wrong)
    assert [(one["accuracy"], one["score"]) for one in outcomes] == [(1, 0.75), (0, 0.3)]
    closed = (await trainer.get(f"/v1/runs/{run}/events")).json()["items"][-1]["payload"]
    assert (closed["right"], closed["scored"]) == (1, 2)


async def test_a_length_penalty_needs_lengths(trainer: httpx.AsyncClient, start_run: Any) -> None:
    run, group = await begun(trainer, start_run, SHORT)
    attempts = [{"group": "0.0", "rollout": 0, "completion": "\\boxed{1}"}]
    refused = await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": attempts})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert "attempts.0.completion_tokens" in refused.json()["detail"]
    body = {"items": [{"instance": group["instance"], "completion": "\\boxed{1}"}], "scoring": SHORT}
    refused = await trainer.post("/v1/scores", json=body)
    assert "items.0.completion_tokens" in refused.json()["detail"]
    # A score that the trainer brings is taken as it is.
    assert (await report(trainer, run, {"score": 0.5}))[0]["score"] == 0.5


async def test_one_request_can_be_scored_in_several_ways(
    services: Services, trainer: httpx.AsyncClient, start_run: Any
) -> None:
    _, group = await begun(trainer, start_run, {})
    truth = (await truth_of(services, group["instance"])).strip()
    completion = f"<think>\\boxed{{{truth}}}\nFinal answer: {truth}"
    for extraction, verdict, form in (
        ({}, "no_answer", None),
        ({"think": False}, "accepted", "boxed"),
        ({"think": False, "boxed": False, "final_line": True}, "accepted", "final_line"),
    ):
        items = [{"instance": group["instance"], "completion": completion}]
        scoring = {"extraction": extraction}
        scored = (await trainer.post("/v1/scores", json={"items": items, "scoring": scoring})).json()["outcomes"][0]
        assert (scored["verdict"], scored["format"]) == (verdict, form)


async def test_a_run_from_before_there_were_settings_is_scored_as_ever(
    services: Services, trainer: httpx.AsyncClient, start_run: Any
) -> None:
    run, group = await begun(trainer, start_run, {})
    async with services.database.write() as session:
        row = await session.get(tables.Run, run)
        assert row is not None
        old = {name: value for name, value in row.settings.items() if name != "scoring"}
        await session.execute(update(tables.Run).where(tables.Run.id == run).values(settings=old))
    truth = (await truth_of(services, group["instance"])).strip()
    assert (await report(trainer, run, {"completion": f"\\boxed{{{truth}}}"}))[0]["score"] == 1.0
    assert (await trainer.get(f"/v1/runs/{run}")).json()["scoring"]["shaping"] == "binary"

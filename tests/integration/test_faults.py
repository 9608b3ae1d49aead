"""When our own infrastructure fails, it is told as such: no environment is blamed, and nothing is half-written."""

from dataclasses import replace
from typing import Any

import httpx
from sqlalchemy import text

from escalade_sandbox.types import Job, JobResult, Result, SandboxUnavailable, Status
from escalade_server.api.services import Services


class Broken:
    """Puts another behaviour in place of the sandbox's for a while."""

    def __init__(self, services: Services, behave: Any) -> None:
        self.sandbox, self.behave = services.sandbox, behave

    def __enter__(self) -> None:
        self.sandbox.run = self.behave  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        del self.sandbox.run


async def fails(job: Job) -> JobResult:
    return JobResult(tuple(Result(Status.NONZERO_EXIT, stderr=b"no space left") for _ in job.inputs))


async def gone(job: Job) -> JobResult:
    raise SandboxUnavailable("the engine does not answer")


async def test_a_broken_sandbox_is_not_blamed_on_the_environments(
    services: Services, trainer: httpx.AsyncClient, start_run: Any
) -> None:
    run = (await start_run())["run"]
    url = f"/v1/runs/{run}/batches/0"
    for behave in (fails, gone):
        with Broken(services, behave):
            reply = await trainer.put(url, json={})
            await services.buffer.idle()
        assert (reply.status_code, reply.json()["code"]) == (503, "sandbox_unavailable"), reply.text
        assert int(reply.headers["retry-after"]) > 0
    issued = await trainer.put(url, json={})
    assert issued.status_code == 200, "the same request goes on where it stood"
    events = (await trainer.get(f"/v1/runs/{run}/events")).json()["items"]
    assert [event["kind"] for event in events] == ["created", "batch"]


async def test_an_environment_that_gives_nothing_is_replaced_and_retired(
    services: Services, trainer: httpx.AsyncClient, start_run: Any, imported: list[str]
) -> None:
    inner = services.sandbox.run
    barren = (await trainer.get(f"/v1/environments/{imported[0]}")).json()["version"]

    async def selective(job: Job) -> JobResult:
        done = await inner(job)
        if job.domain != barren:
            return done
        return replace(done, results=tuple(Result(Status.TIME_LIMIT) for _ in job.inputs))

    run = (await start_run(groups=5, curriculum={"policy": "scaler"}))["run"]
    with Broken(services, selective):
        issued = await trainer.put(f"/v1/runs/{run}/batches/0", json={})
        await services.buffer.idle()
    assert issued.status_code == 200, issued.text
    assert imported[0] not in {group["environment"] for group in issued.json()["groups"]}
    assert len(issued.json()["groups"]) == 5
    events = (await trainer.get(f"/v1/runs/{run}/events")).json()["items"]
    retired = [event["payload"] for event in events if event["kind"] == "retired"]
    assert [one["name"] for one in retired] == [imported[0]]
    assert "64 seeds" in retired[0]["reason"]


async def test_readiness_tells_the_truth(services: Services, trainer: httpx.AsyncClient) -> None:
    well = await trainer.get("/readyz")
    assert (well.status_code, well.json()) == (200, {"ready": True, "database": "ok", "sandbox": "ok"})
    async with services.database.write() as session:
        await session.execute(text("update alembic_version set version_num = 'older'"))
    behind = await trainer.get("/readyz")
    assert (behind.status_code, behind.json()["ready"], behind.json()["database"]) == (503, False, "database_behind")

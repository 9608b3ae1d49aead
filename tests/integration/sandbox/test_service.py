"""The service's face: keys, errors, backpressure, hanging up."""

import asyncio

import httpx
import pytest

from escalade_sandbox.messages import job_json
from escalade_sandbox.service import create_app
from escalade_sandbox.types import Input, InvalidJob, Job, JobResult, Program, SandboxBusy, UnknownLanguage

KEY = "a-key-for-the-service-tests"
JOB = job_json(Job(Program("python", "print(1)"), [Input(b"in")]))


@pytest.fixture
async def sandbox(scripted):
    return scripted()


@pytest.fixture
async def client(sandbox):
    transport = httpx.ASGITransport(create_app(sandbox, KEY, most_body_bytes=10_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as opened:
        yield opened


@pytest.fixture
def headers():
    return {"Authorization": f"Bearer {KEY}"}


async def test_a_job_with_the_key_is_run(client, headers):
    response = await client.post("/v1/jobs", json=JOB, headers=headers)
    assert response.status_code == 200
    assert response.json()["results"][0]["stdout"] == "in"


@pytest.mark.parametrize("value", [None, "Bearer wrong", KEY, "Bearer ", "Bearer \xe9"])
async def test_no_job_is_run_without_the_key(client, sandbox, value):
    headers = {} if value is None else {"Authorization": value.encode("latin-1")}
    response = await client.post("/v1/jobs", json=JOB, headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert sandbox.jobs == []


async def test_a_malformed_job_names_the_field(client, headers):
    response = await client.post("/v1/jobs", json=JOB | {"inputs": [{"stdin": 5}]}, headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_job")
    assert response.json()["detail"].startswith("inputs.0.stdin")
    assert response.headers["content-type"] == "application/problem+json"
    response = await client.post("/v1/jobs", content=b"{", headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_job")


async def test_a_body_that_is_too_large_is_refused(client, headers, sandbox):
    response = await client.post("/v1/jobs", content=b" " * 10_001, headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert sandbox.jobs == []


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SandboxBusy("full", 7.0), 503, "busy"),
        (UnknownLanguage("no language"), 422, "unknown_language"),
        (InvalidJob("collect: bad"), 422, "invalid_job"),
    ],
    ids=["busy", "language", "job"],
)
async def test_what_the_sandbox_refuses_has_a_code(client, headers, sandbox, error, status, code):
    async def refuse(job: Job) -> JobResult:
        raise error

    sandbox.answer = refuse
    response = await client.post("/v1/jobs", json=JOB, headers=headers)
    assert (response.status_code, response.json()["code"], response.json()["detail"]) == (status, code, str(error))
    assert response.headers.get("retry-after") == ("7" if code == "busy" else None)


async def test_a_fault_of_the_sandbox_is_never_a_verdict(client, headers, sandbox, unavailable):
    sandbox.answer = unavailable
    response = await client.post("/v1/jobs", json=JOB, headers=headers)
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert int(response.headers["retry-after"]) > 0


async def test_readiness_tells_the_truth(client, sandbox):
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["slots"], ready.json()["free_slots"]) == (200, 2, 2)
    sandbox.ready = False
    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/healthz")).json() == {"alive": True}


async def test_readiness_tells_whoever_sends_a_key_whether_it_is_right(client, headers):
    assert (await client.get("/readyz", headers=headers)).status_code == 200
    wrong = await client.get("/readyz", headers={"Authorization": "Bearer wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "unauthorized")


async def test_a_caller_that_hangs_up_frees_its_slot(sandbox, headers):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def forever(job: Job) -> JobResult:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError("unreachable")

    sandbox.answer = forever
    app = create_app(sandbox, KEY)
    body = httpx.Request("POST", "http://service", json=JOB).content
    pieces = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, object]:
        if pieces:
            return pieces.pop()
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        return

    scope = {
        "type": "http", "method": "POST", "path": "/v1/jobs", "query_string": b"", "http_version": "1.1",
        "headers": [(b"authorization", headers["Authorization"].encode()), (b"content-type", b"application/json")],
    }  # fmt: skip
    async with asyncio.timeout(10):
        await app(scope, receive, send)
    assert ended.is_set()


async def test_the_description_of_the_api_shows_the_job_and_the_errors(client):
    operation = (await client.get("/openapi.json")).json()["paths"]["/v1/jobs"]["post"]
    assert "program" in operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert {"401", "413", "422", "503"} <= set(operation["responses"])

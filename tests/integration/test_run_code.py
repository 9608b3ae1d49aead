"""SandboxFusion's protocol, with requests in the shapes that its clients send."""

import asyncio
import base64
import json
from contextlib import nullcontext
from typing import Any

import httpx
import pytest

from escalade_sandbox.process import ProcessSandbox
from escalade_server.api.app import create_app
from escalade_server.api.services import Services


@pytest.fixture
async def client(client_with: Any) -> httpx.AsyncClient:
    opened: httpx.AsyncClient = await client_with("execute")
    return opened


async def run(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    reply = await client.post("/run_code", json=body)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


async def test_a_python_program_as_verl_sends_it(client: httpx.AsyncClient) -> None:
    answer = await run(
        client,
        code="print(sum(map(int, input().split())))",
        stdin="2 40",
        compile_timeout=10,
        run_timeout=10,
        memory_limit_MB=1024,
        language="python",
        files={},
        fetch_files=[],
        surprise="clients send extras",
    )
    assert answer["status"] == "Success"
    assert answer["compile_result"] is None
    ran = answer["run_result"]
    assert (ran["status"], ran["return_code"], ran["stdout"], ran["stderr"]) == ("Finished", 0, "42\n", "")
    assert ran["execution_time"] > 0


async def test_a_cpp_program_is_compiled_and_run(client: httpx.AsyncClient) -> None:
    code = "#include <iostream>\nint main() { long a, b; std::cin >> a >> b; std::cout << a * b; }"
    answer = await run(client, code=code, stdin="6 7", language="cpp")
    assert answer["status"] == "Success"
    assert (answer["compile_result"]["status"], answer["compile_result"]["return_code"]) == ("Finished", 0)
    assert answer["run_result"]["stdout"] == "42"
    broken = await run(client, code="int main() { return x; }", language="cpp")
    assert broken["status"] == "Failed"
    assert broken["compile_result"]["return_code"] == 1
    assert "error" in broken["compile_result"]["stderr"]
    assert broken["run_result"] is None


async def test_failures_are_told_apart(client: httpx.AsyncClient) -> None:
    crash = await run(client, code="import sys; print('so far'); sys.exit(3)", language="python")
    assert (crash["status"], crash["run_result"]["return_code"]) == ("Failed", 3)
    assert crash["run_result"]["stdout"] == "so far\n"
    raised = await run(client, code="1 / 0", language="python")
    assert "ZeroDivisionError" in raised["run_result"]["stderr"]
    slow = await run(client, code="while True: pass", language="python", run_timeout=0.5)
    assert (slow["status"], slow["run_result"]["status"]) == ("Failed", "TimeLimitExceeded")
    assert slow["run_result"]["return_code"] is None


async def test_files_go_in_and_come_out(client: httpx.AsyncClient) -> None:
    answer = await run(
        client,
        code="open('out.txt', 'w').write(open('in.txt').read().upper())",
        language="python",
        files={"in.txt": base64.b64encode(b"hello").decode()},
        fetch_files=["out.txt"],
    )
    assert base64.b64decode(answer["files"]["out.txt"]) == b"HELLO"


async def test_the_key_may_be_the_password_in_the_url(services: Services, client_with: Any) -> None:
    keyed, anonymous = await client_with("execute"), await client_with()
    secret = keyed.headers["authorization"].removeprefix("Bearer ")
    body = {"code": "print(1)", "language": "python"}
    assert (await anonymous.post("/run_code", json=body)).status_code == 401
    assert (await anonymous.post("/run_code", json=body, auth=("any", secret))).json()["status"] == "Success"
    assert (await anonymous.post("/run_code", json=body, auth=("any", "wrong"))).status_code == 401
    trainer = await client_with("train")
    assert (await trainer.post("/run_code", json=body)).json()["code"] == "scope_missing"


async def test_bad_requests_name_the_field(client: httpx.AsyncClient) -> None:
    for changes, field in (
        ({"language": "cobol"}, "`language`"),
        ({"run_timeout": 0}, "`run_timeout`"),
        ({"files": {"a": "!!"}}, "`files`"),
    ):
        reply = await client.post("/run_code", json={"code": "", "language": "python"} | changes)
        assert reply.status_code == 422
        assert field in reply.json()["detail"]


async def test_a_caller_that_gives_up_frees_its_slot(services: Services, client: httpx.AsyncClient) -> None:
    assert isinstance(services.sandbox, ProcessSandbox)
    pool = services.sandbox.pool
    app = create_app(lambda: nullcontext(services), max_body_bytes=8 << 20)
    body = {"code": "import time; time.sleep(60)", "language": "python", "run_timeout": 60}
    pieces = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
    sent: list[Any] = []

    async def receive() -> Any:
        if pieces:
            return pieces.pop()
        while pool.free_slots == pool.slots:  # noqa: ASYNC110 - a thread of the pool ends the wait
            await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    key = client.headers["authorization"].encode()
    scope = {
        "type": "http", "method": "POST", "path": "/run_code", "query_string": b"", "http_version": "1.1",
        "headers": [(b"authorization", key), (b"content-type", b"application/json")],
    }  # fmt: skip
    async with asyncio.timeout(20):
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)
    assert pool.free_slots == pool.slots
    assert sent[0]["status"] == 499


async def test_a_binary_larger_than_the_limit_of_program_mode_is_refused(client: httpx.AsyncClient) -> None:
    code = "int data[17 << 20] = {1};\nint main() { return data[0] - 1; }"
    answer = await run(client, code=code, language="cpp")
    assert (answer["status"], answer["run_result"]) == ("Failed", None)

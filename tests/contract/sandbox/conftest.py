"""Every backend, started once."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from docker.errors import DockerException

from escalade_sandbox.docker import DockerSandbox
from escalade_sandbox.engine import open_client
from escalade_sandbox.http import HttpSandbox
from escalade_sandbox.process import ProcessSandbox
from escalade_sandbox.service import create_app
from escalade_sandbox.types import Input, Sandbox, SandboxUnavailable

KEY = "a-key-for-the-conformance-suite"


def engine_reason(runtime: str | None = None) -> str | None:
    """Why there is no engine, or not with that runtime, if so."""
    try:
        client = open_client(timeout_s=5)
    except DockerException as error:
        return f"no Docker engine: {error}"
    runtimes = client.info().get("Runtimes", {})
    client.close()
    return None if runtime is None or runtime in runtimes else f"the engine has no runtime {runtime}"


@asynccontextmanager
async def started(sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    await sandbox.start()
    try:
        yield sandbox
    finally:
        await sandbox.close()


@asynccontextmanager
async def served() -> AsyncIterator[Sandbox]:
    """A client of a real service on a real port."""
    app = create_app(ProcessSandbox(acknowledged=True, slots=2), KEY)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=10))
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    # The listener takes connections from the start; the first question waits for the app.
    client = HttpSandbox([f"http://127.0.0.1:{listener.getsockname()[1]}"], KEY)
    async with asyncio.timeout(60):
        while not (await ready(client)):
            assert not serving.done()
    try:
        yield client
    finally:
        await client.close()
        server.should_exit = True
        await serving
        listener.close()


async def ready(client: HttpSandbox) -> bool:
    try:
        await client.start()
    except SandboxUnavailable:
        return False
    return True


DOCKER = [pytest.param(name, marks=pytest.mark.docker) for name in ("docker", "runsc")]


@pytest.fixture(scope="session", params=["process", *DOCKER, "http"])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    if request.param == "http":
        async with served() as opened:
            yield opened
        return
    if request.param == "process":
        local: Sandbox = ProcessSandbox(acknowledged=True, slots=2)
    else:
        runtime = "runsc" if request.param == "runsc" else None
        if reason := engine_reason(runtime):
            pytest.skip(reason)
        local = DockerSandbox(slots=2, runtime=runtime)
    async with started(local) as opened:
        yield opened


@pytest.fixture(scope="session")
def call():
    """Makes the input of a function."""

    def make(*arguments: object, seed: int = 0) -> Input:
        return Input(json.dumps({"arguments": arguments, "seed": seed}).encode())

    return make

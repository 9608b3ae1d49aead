"""Every backend, started once."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from escalade_sandbox.docker import DockerSandbox
from escalade_sandbox.http import HttpSandbox
from escalade_sandbox.image import build_image
from escalade_sandbox.process import ProcessSandbox
from escalade_sandbox.service import create_app
from escalade_sandbox.types import Input, Sandbox, SandboxUnavailable

KEY = "a-key-for-the-conformance-suite"


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


class RemappedSandbox(DockerSandbox):
    """A sandbox on an engine whose containers have users of their own."""

    def __init__(self, url: str) -> None:
        super().__init__(slots=2)
        self.url = url

    async def start(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", self.url)
            await super().start()
        assert "userns" in str(self.launcher.client.info()["SecurityOptions"])


def in_user_namespace(start_engine: Callable[..., Any]) -> Sandbox:
    engine = start_engine("--userns-remap=default")
    engine.load(build_image())
    return RemappedSandbox(engine.url)


ENGINE = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("runsc", marks=pytest.mark.gvisor)]
USERNS = pytest.param("userns", marks=[pytest.mark.dockerd, pytest.mark.long])


@pytest.fixture(scope="session", params=["process", *ENGINE, "http", USERNS])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    if request.param == "http":
        async with served() as opened:
            yield opened
        return
    if request.param == "process":
        local: Sandbox = ProcessSandbox(acknowledged=True, slots=2)
    elif request.param == "userns":
        local = in_user_namespace(request.getfixturevalue("start_second_engine"))
    else:
        local = DockerSandbox(slots=2, runtime="runsc" if request.param == "runsc" else None)
    async with started(local) as opened:
        yield opened


@pytest.fixture(scope="session")
def call():
    """Makes the input of a function."""

    def make(*arguments: object, seed: int = 0) -> Input:
        return Input(json.dumps({"arguments": arguments, "seed": seed}).encode())

    return make

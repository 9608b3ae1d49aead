"""Every backend, started once."""

import json
from collections.abc import AsyncIterator

import docker
import pytest
from docker.errors import DockerException

from escalade_sandbox.docker import DockerSandbox
from escalade_sandbox.process import ProcessSandbox
from escalade_sandbox.types import Input, Sandbox


def engine_reason() -> str | None:
    """Why there is no engine, if there is none."""
    try:
        client = docker.from_env(timeout=5)
    except DockerException as error:
        return f"no Docker engine: {error}"
    client.close()
    return None


@pytest.fixture(scope="session", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    if request.param == "docker":
        if reason := engine_reason():
            pytest.skip(reason)
        opened: Sandbox = DockerSandbox(slots=2)
    else:
        opened = ProcessSandbox(acknowledged=True, slots=2)
    await opened.start()
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def call():
    """Makes the input of a function."""

    def make(*arguments: object, seed: int = 0) -> Input:
        return Input(json.dumps({"arguments": arguments, "seed": seed}).encode())

    return make

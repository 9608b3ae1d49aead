"""Services without sockets, and a pool of real containers."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import docker
import httpx
import pytest
from docker.errors import DockerException

from escalade_sandbox.docker import POOL_LABEL, DockerSandbox
from escalade_sandbox.engine import open_client
from escalade_sandbox.types import Health, Input, Job, JobResult, Program, Result, SandboxUnavailable, Status


class ScriptedSandbox:
    """A sandbox whose answers the test decides; the service cannot tell it from another."""

    def __init__(self, slots: int = 2) -> None:
        self.slots = slots
        self.jobs: list[Job] = []
        self.ready = True
        self.answer: Callable[[Job], Awaitable[JobResult]] = self.succeed

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return

    async def succeed(self, job: Job) -> JobResult:
        return JobResult(tuple(Result(Status.OK, one.stdin) for one in job.inputs))

    async def run(self, job: Job) -> JobResult:
        self.jobs.append(job)
        return await self.answer(job)

    async def health(self) -> Health:
        return Health(self.ready, "scripted", "as the test says", self.slots, self.slots if self.ready else 0)


class Hosts(httpx.AsyncBaseTransport):
    """Carries requests to apps in this process by host name; other hosts refuse the connection."""

    def __init__(self, **apps: object) -> None:
        self.transports = {name: httpx.ASGITransport(app) for name, app in apps.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host not in self.transports:
            raise httpx.ConnectError("refused", request=request)
        return await self.transports[request.url.host].handle_async_request(request)


@pytest.fixture
def scripted() -> type[ScriptedSandbox]:
    return ScriptedSandbox


@pytest.fixture
def hosts() -> type[Hosts]:
    return Hosts


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    try:
        client = open_client(timeout_s=30)
        client.ping()
    except DockerException as error:
        pytest.skip(f"no Docker engine: {error}")
    return client


@pytest.fixture(scope="session")
async def containers(engine: docker.DockerClient) -> AsyncIterator[DockerSandbox]:
    """One pool for all attacks, so that each must leave it fit for the next."""
    sandbox = DockerSandbox(slots=2)
    await sandbox.start()
    yield sandbox
    await sandbox.close()


@pytest.fixture
async def open_docker(engine: docker.DockerClient) -> AsyncIterator[Callable[..., Awaitable[DockerSandbox]]]:
    """Opens sandboxes that are closed after the test."""
    async with AsyncExitStack() as stack:

        async def opened(**options: object) -> DockerSandbox:
            sandbox = DockerSandbox(**options)
            stack.push_async_callback(sandbox.close)
            await sandbox.start()
            return sandbox

        yield opened


@pytest.fixture
def own_containers(engine: docker.DockerClient) -> Callable[[DockerSandbox], set[str]]:
    """Lists the containers that a sandbox has now."""

    def listing(sandbox: DockerSandbox) -> set[str]:
        found = engine.api.containers(all=True, filters={"label": f"{POOL_LABEL}={sandbox.launcher.pool_id}"})
        return {container["Id"] for container in found}

    return listing


@pytest.fixture
def fresh() -> Callable[[str], Job]:
    """A C++ job that no cache knows."""

    def make(source: str, stdin: bytes = b"") -> Job:
        return Job(Program("cpp", f"{source}\n// {secrets.token_hex(8)}"), [Input(stdin)])

    return make


@pytest.fixture
def unavailable() -> Callable[[Job], Awaitable[JobResult]]:
    async def fail(job: Job) -> JobResult:
        raise SandboxUnavailable("the engine is gone")

    return fail

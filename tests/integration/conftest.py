"""The whole server in this process, on a fresh database of each engine, with real programs run by the process sandbox.

Guarantee: nothing is faked but the network: requests reach the application through its ASGI interface. `server` and
`client` are there for tests that want a process and real sockets.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
import serving
from ports import free_port

from escalade import Client
from escalade_sandbox.process import ProcessSandbox
from escalade_sandbox.types import Sandbox
from escalade_server.api.app import create_app
from escalade_server.api.services import Services, open_services
from escalade_server.settings import Settings
from escalade_server.storage import credentials

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "scaler-small.json"


@pytest.fixture(scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """One process sandbox for all tests: what it compiles stays compiled."""
    opened = ProcessSandbox(acknowledged=True)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def running(url: str, sandbox: Sandbox, **settings: Any) -> AsyncIterator[Services]:
    services = open_services(Settings(database_url=url, **settings), sandbox)
    try:
        yield services
    finally:
        await services.close()


@pytest.fixture
async def services(database_url: str, sandbox: Sandbox) -> AsyncIterator[Services]:
    async with running(database_url, sandbox) as opened:
        yield opened


async def secret_of(services: Services, *scopes: str) -> str:
    async with services.database.write() as session:
        _, secret = await credentials.create(session, name="test", scopes=scopes)
    return secret


@asynccontextmanager
async def client_of(services: Services, secret: str | None) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(lambda: nullcontext(services), max_body_bytes=8 << 20)
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://escalade", headers=headers, timeout=120) as client,
    ):
        yield client


@pytest.fixture
async def api(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """The API with an admin key, on a server without environments."""
    async with client_of(services, await secret_of(services, "admin")) as client:
        yield client


@pytest.fixture
async def server_with(
    database_url: str, sandbox: Sandbox
) -> AsyncIterator[Callable[..., Awaitable[tuple[Services, httpx.AsyncClient]]]]:
    """Starts a server with settings of the test's own: it, and its API with an admin key."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> tuple[Services, httpx.AsyncClient]:
            opened = await stack.enter_async_context(running(database_url, sandbox, **settings))
            secret = await secret_of(opened, "admin")
            return opened, await stack.enter_async_context(client_of(opened, secret))

        yield start


@pytest.fixture
async def trainer(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """The API with a key of the scope `train`."""
    async with client_of(services, await secret_of(services, "train")) as client:
        yield client


@pytest.fixture
async def other_trainer(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """Another trainer's key."""
    async with client_of(services, await secret_of(services, "train")) as client:
        yield client


@pytest.fixture
async def client_with(services: Services) -> AsyncIterator[Callable[..., Awaitable[httpx.AsyncClient]]]:
    """Makes clients with a key of given scopes; without any, a client without a key."""
    async with AsyncExitStack() as stack:

        async def make(*scopes: str) -> httpx.AsyncClient:
            secret = await secret_of(services, *scopes) if scopes else None
            return await stack.enter_async_context(client_of(services, secret))

        yield make


@pytest.fixture
async def imported(api: httpx.AsyncClient) -> list[str]:
    """The small archive, imported; the names of its environments."""
    body = {"format": "scaler", "filename": FIXTURE.name, "content": FIXTURE.read_text()}
    job = await api.post("/v1/imports", json=body)
    assert job.status_code == 201, job.text
    assert job.json()["result"]["refused"] == []
    return sorted(job.json()["result"]["created"])


Starter = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def start_run(trainer: httpx.AsyncClient, imported: list[str]) -> Starter:
    """Starts a run of the trainer's over the small archive."""

    async def start(**changes: Any) -> dict[str, Any]:
        body = {"name": "test", "groups": 4, "rollouts": 2, "seed": 7, "curriculum": {"policy": "scaler"}} | changes
        made = await trainer.post("/v1/runs", json=body)
        assert made.status_code == 201, made.text
        run: dict[str, Any] = json.loads(made.text)
        return run

    return start


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Server]:
    """The real server as a process, for all tests of a file."""
    with serving.started(tmp_path_factory.mktemp("server"), free_port(), ESCALADE_SANDBOX="process") as started:
        yield started


@pytest.fixture
def client(server: serving.Server) -> Iterator[Client]:
    """A client of it, with the admin key."""
    with Client(server.url, (server.data / "admin.key").read_text().strip()) as opened:
        yield opened

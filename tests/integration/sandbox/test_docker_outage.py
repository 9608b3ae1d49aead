"""The engine goes away in mid-job and comes back: no verdict is made up, and the pool recovers by itself."""

import asyncio
from contextlib import suppress

import pytest
from docker.errors import APIError

from escalade_sandbox.pool import PoolSettings
from escalade_sandbox.types import Input, Job, JobResult, Limits, Program, SandboxUnavailable, Status

pytestmark = pytest.mark.docker
HELLO = Job(Program("python", "print('hello')"), [Input()])
LONG = Job(Program("python", "import time; time.sleep(30)"), [Input()], Limits(wall_s=60))


class Engine:
    """Stands between a client and the real engine, and can be switched off."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.server: asyncio.Server | None = None
        self.open: set[asyncio.StreamWriter] = set()

    async def switch_on(self) -> None:
        self.server = await asyncio.start_unix_server(self._forward, self.path)

    async def switch_off(self) -> None:
        assert self.server is not None
        self.server.close()
        for writer in list(self.open):
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_unix_connection("/var/run/docker.sock")
        self.open |= {writer, there_writer}

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError, OSError):
                while data := await source.read(1 << 16):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer))
        self.open -= {writer, there_writer}


@pytest.fixture
async def gate(engine, tmp_path, monkeypatch):
    path = str(tmp_path / "engine.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    standing = Engine(path)
    await standing.switch_on()
    yield standing
    await standing.switch_off()


async def test_an_engine_that_dies_in_mid_job_loses_no_job_silently_and_the_pool_recovers(
    gate, engine, open_docker, own_containers
):
    sandbox = await open_docker(settings=PoolSettings(slots=2, queue_limit=100))
    assert (await sandbox.run(HELLO)).results[0].stdout == b"hello\n"
    running = [asyncio.create_task(sandbox.run(LONG)) for _ in range(2)]
    waiting = [asyncio.create_task(sandbox.run(HELLO)) for _ in range(20)]
    async with asyncio.timeout(60):
        while len(sandbox.pool.busy_containers) < 2:  # noqa: ASYNC110 - containers start outside this process
            await asyncio.sleep(0.05)
    await gate.switch_off()
    for container in own_containers(sandbox):
        with suppress(APIError):  # one that was only created cannot be killed
            engine.api.kill(container)
    outcomes = await asyncio.gather(*running, *waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {SandboxUnavailable, JobResult}
    assert all(isinstance(outcome, SandboxUnavailable) for outcome in outcomes[:2])
    right = [outcome.results[0].status for outcome in outcomes if isinstance(outcome, JobResult)]
    assert set(right) <= {Status.OK}
    health = await sandbox.health()
    assert not health.ready
    assert "engine" in health.detail
    await gate.switch_on()
    assert (await sandbox.run(HELLO)).results[0].stdout == b"hello\n"
    assert (await sandbox.health()).ready

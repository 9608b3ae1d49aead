"""The engine itself is killed in mid-job and started again: no job is lost silently, and nothing is left of any."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from escalade_sandbox.docker import DockerSandbox
from escalade_sandbox.engine import open_client
from escalade_sandbox.image import build_image
from escalade_sandbox.pool import PoolSettings
from escalade_sandbox.types import Input, Job, JobResult, Limits, Program, SandboxUnavailable

pytestmark = [pytest.mark.dockerd, pytest.mark.long]
HELLO = Job(Program("python", "print('hello')"), [Input()])
DELAYS_S = (0.1, 0.4, 1.0)
"""How long after jobs were sent the engine is killed: while containers start, and while jobs run."""


def numbered(n: int) -> Job:
    """Every third takes long enough to be met in the middle."""
    source = f"import time\ntime.sleep({1.5 if n % 3 == 0 else 0})\nprint({n})"
    return Job(Program("python", source), [Input()], Limits(wall_s=30))


@pytest.fixture(scope="module")
def engine(start_second_engine) -> Iterator[Any]:
    started = start_second_engine()
    started.load(build_image())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", started.url)
        yield started


def processes_in(containers: set[str]) -> list[str]:
    """Processes of this machine in one of the containers."""
    found = []
    for process in os.listdir("/proc"):
        with suppress(OSError):
            group = Path(f"/proc/{process}/cgroup").read_text()
            found += [f"{process} in {one}" for one in containers if one in group]
    return found


@pytest.mark.parametrize("transport", ["socket", "stream"])
async def test_a_killed_engine_loses_no_job_silently_and_leaves_nothing(engine, transport, own_containers_of):
    # Each container serves three jobs, so that some are being made or removed at any moment.
    sandbox = DockerSandbox(transport=transport, settings=PoolSettings(slots=2, jobs_per_worker=3))
    await sandbox.start()
    seen: set[str] = set()
    try:
        for delay_s in DELAYS_S:
            assert (await sandbox.run(HELLO)).results[0].stdout == b"hello\n"
            assert (await sandbox.health()).ready
            running = [asyncio.create_task(sandbox.run(numbered(n))) for n in range(18)]
            await asyncio.sleep(delay_s)
            seen |= own_containers_of(sandbox)
            await asyncio.to_thread(engine.kill)
            health = await sandbox.health()
            assert not health.ready
            assert "engine" in health.detail
            running += [asyncio.create_task(sandbox.run(numbered(n))) for n in range(18, 24)]
            await asyncio.sleep(delay_s)
            await asyncio.to_thread(engine.start)
            async with asyncio.timeout(120):
                outcomes = await asyncio.gather(*running, return_exceptions=True)
            for n, outcome in enumerate(outcomes):
                if isinstance(outcome, JobResult):
                    assert outcome.results[0].stdout == b"%d\n" % n, outcome
                else:
                    assert isinstance(outcome, SandboxUnavailable), repr(outcome)
            assert (await sandbox.run(HELLO)).results[0].stdout == b"hello\n"
            assert (await sandbox.health()).ready
            seen |= own_containers_of(sandbox)
    finally:
        await sandbox.close()
    assert len(seen) > len(DELAYS_S)
    async with asyncio.timeout(60):
        # Removal takes a moment longer than the engine's answer.
        while own_containers_of(sandbox) or processes_in(seen):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.fixture
def own_containers_of(engine):
    """Lists the containers that a sandbox has on the second engine now."""
    clients = []

    def listing(sandbox: DockerSandbox) -> set[str]:
        client = open_client(timeout_s=30)
        clients.append(client)
        found = client.api.containers(all=True, filters={"label": f"escalade.sandbox.pool={sandbox.launcher.pool_id}"})
        return {container["Id"] for container in found}

    yield listing
    for client in clients:
        client.close()

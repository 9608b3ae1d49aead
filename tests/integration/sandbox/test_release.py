"""Nothing stays open, however a start, a job or a stop is broken off: no socket, no process, no container."""

import asyncio
import gc
import os
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from escalade_sandbox.docker import POOL_LABEL, DockerSandbox
from escalade_sandbox.http import HttpSandbox
from escalade_sandbox.pool import Pool, PoolSettings
from escalade_sandbox.process import ProcessLauncher, ProcessSandbox
from escalade_sandbox.types import Input, Job, Limits, Program, SandboxUnavailable, Trust

DELAYS_S = (0.0, 0.001, 0.01, 0.05, 0.2)
"""When to break off: before, while and after sockets, processes and threads come to be."""


@dataclass
class Holdings:
    """What this process holds."""

    sockets: set[str]
    children: set[str]


def holdings() -> Holdings:
    sockets = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:"):
            sockets.add(target)
    return Holdings(sockets, set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


@pytest.fixture
async def balanced() -> AsyncIterator[None]:
    """The test leaves as many sockets and children as it found, and needs no collector for it."""
    gc.collect()
    before = holdings()
    gc.disable()
    try:
        yield
        after = holdings()
        assert after.sockets <= before.sockets
        assert after.children <= before.children
    finally:
        gc.enable()


@pytest.mark.parametrize("executable", ["/absent/python", "nul\0byte", "/bin/false"])
def test_an_agent_that_does_not_start_leaves_nothing(balanced, monkeypatch, executable):
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises((SandboxUnavailable, ValueError)):
        ProcessLauncher().launch(Trust.TRUSTED)


@pytest.mark.parametrize("delay_s", DELAYS_S)
async def test_a_start_that_is_given_up_leaves_nothing_and_can_be_repeated(balanced, delay_s):
    sandbox = ProcessSandbox(acknowledged=True, slots=1)
    starting = asyncio.create_task(sandbox.start())
    await asyncio.sleep(delay_s)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await sandbox.start()
    assert (await sandbox.run(Job(Program("python", "print(1)"), [Input()]))).results[0].stdout == b"1\n"
    await sandbox.close()


@pytest.mark.parametrize("delay_s", DELAYS_S)
async def test_a_job_that_is_given_up_leaves_nothing(balanced, delay_s):
    sandbox = ProcessSandbox(acknowledged=True, slots=2)
    await sandbox.start()
    sleeper = Job(Program("python", "import time; time.sleep(60)"), [Input()], Limits(wall_s=60))
    # A burst, so that some meet a worker that is only starting.
    running = [asyncio.create_task(sandbox.run(sleeper)) for _ in range(4)]
    await asyncio.sleep(delay_s)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await sandbox.close()


async def test_a_stop_that_waits_for_nobody_leaves_nothing(balanced):
    pool = Pool(ProcessLauncher(), PoolSettings(slots=1, drain_s=0.0))
    await pool.start()
    ended = asyncio.Event()

    async def hold() -> None:
        async with pool.lend(Trust.TRUSTED, "") as loan:
            ended.set()
            await loan.call(lambda: loan.worker.ping(60))
            await asyncio.sleep(0.2)

    holding = asyncio.create_task(hold())
    await ended.wait()
    await pool.close()
    await asyncio.gather(holding, return_exceptions=True)
    assert not pool.busy_containers


async def test_a_start_without_a_service_leaves_nothing(balanced):
    sandbox = HttpSandbox(["http://127.0.0.1:9"], "k" * 16)
    with pytest.raises(SandboxUnavailable):
        await sandbox.start()
    # It takes the connection and never says a word.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        deaf = HttpSandbox([f"http://127.0.0.1:{listener.getsockname()[1]}"], "k" * 16)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(deaf.start(), 0.2)


@pytest.mark.docker
@pytest.mark.parametrize("transport", ["socket", "stream"])
@pytest.mark.parametrize("delay_s", [0.05, 0.5, 1.0])
async def test_containers_of_a_start_that_is_given_up_are_removed(engine, transport, delay_s):
    sandbox = DockerSandbox(slots=1, transport=transport)
    before = holdings()
    starting = asyncio.create_task(sandbox.start())
    await asyncio.sleep(delay_s)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await sandbox.close()
    assert holdings().sockets <= before.sockets
    label = f"{POOL_LABEL}={sandbox.launcher.pool_id}"
    async with asyncio.timeout(60):
        # Removal by the engine takes a moment longer than its answer.
        while await asyncio.to_thread(engine.api.containers, all=True, filters={"label": label}):  # noqa: ASYNC110
            await asyncio.sleep(0.1)

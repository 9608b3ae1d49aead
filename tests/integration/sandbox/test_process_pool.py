"""The process backend around its jobs: it says what it is, and cleans up after itself."""

import asyncio
import logging
import os
import tempfile
import threading
import tracemalloc

import pytest

from escalade_sandbox.local import LocalSandbox
from escalade_sandbox.pool import PoolSettings
from escalade_sandbox.process import ProcessLauncher, ProcessSandbox
from escalade_sandbox.types import Input, Job, Limits, Program, SandboxUnavailable, Status


async def test_it_refuses_to_start_unless_told_that_nothing_is_isolated():
    with pytest.raises(SandboxUnavailable, match="does not isolate"):
        await ProcessSandbox(acknowledged=False).start()


async def test_it_warns_at_every_start(caplog):
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            sandbox = ProcessSandbox(acknowledged=True, slots=1)
            await sandbox.start()
            await sandbox.close()
        assert "NOT isolated" in caplog.text


async def test_a_job_that_is_given_up_leaves_no_process_and_no_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    sandbox = ProcessSandbox(acknowledged=True, slots=1)
    await sandbox.start()
    beacon = tmp_path / "pid"
    source = f"import os, time\nopen({str(beacon)!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)"
    running = asyncio.create_task(
        sandbox.run(Job(Program("python", source), [Input()], Limits(wall_s=300))),
    )
    async with asyncio.timeout(30):
        while not beacon.exists() or not beacon.read_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await sandbox.close()
    assert beacon.read_text() not in os.listdir("/proc")
    assert os.listdir(tmp_path) == ["pid"]


async def test_a_killed_agent_means_one_retry():
    sandbox = ProcessSandbox(acknowledged=True, slots=1)
    await sandbox.start()
    source = (
        "import os, signal, sys\n"
        "agent = int(open(f'/proc/{os.getppid()}/stat').read().rpartition(')')[2].split()[1])\n"
        "if not os.path.exists(sys.argv[1]):\n"
        "    open(sys.argv[1], 'w').close()\n"
        "    os.kill(agent, signal.SIGKILL)\n"
        "print('second time')"
    )
    with tempfile.TemporaryDirectory() as folder:
        job = Job(Program("python", source), [Input(arguments=(f"{folder}/tried",))])
        result = (await sandbox.run(job)).results[0]
    await sandbox.close()
    assert (result.status, result.stdout) == (Status.OK, b"second time\n")


async def test_a_large_program_is_held_once_on_its_way_from_the_compiler(tmp_path):
    sandbox = ProcessSandbox(acknowledged=True, slots=1, cache_folder=tmp_path)
    await sandbox.start()
    source = '#include <cstdio>\nint data[8 << 20] = {7};\nint main() { printf("%d", data[0]); }'
    tracemalloc.start()
    try:
        result = await sandbox.run(Job(Program("cpp", source), [Input()]))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        await sandbox.close()
    assert result.results[0].stdout == b"7"
    assert peak_bytes < 48 << 20


class HangingLauncher(ProcessLauncher):
    """Where an engine would not answer."""

    def __init__(self) -> None:
        self.checks = 0
        self.released = threading.Event()

    def check(self) -> str:
        self.checks += 1
        assert self.released.wait(60)
        return "again"


async def test_health_checks_that_hang_share_one_thread_and_hold_no_job_up(monkeypatch):
    monkeypatch.setattr("escalade_sandbox.local.HEALTH_S", 0.2)
    launcher = HangingLauncher()
    sandbox = LocalSandbox(launcher, PoolSettings(slots=1))
    await sandbox.start()
    try:
        for _ in range(2):
            answers = await asyncio.gather(*(sandbox.health() for _ in range(10)))
            assert not any(health.ready for health in answers)
        assert launcher.checks == 1
        async with asyncio.timeout(20):
            await sandbox.run(Job(Program("python", ""), [Input()]))
        launcher.released.set()
        async with asyncio.timeout(20):
            while not (await sandbox.health()).ready:  # noqa: ASYNC110 - it is asked anew
                await asyncio.sleep(0.02)
    finally:
        launcher.released.set()
        await sandbox.close()

"""The docker backend around its jobs: recycling, orphans, dead containers, clear refusals."""

import asyncio
import json
import shutil
import sys
from dataclasses import replace

import pytest

from escalade_sandbox.docker import LABEL, OWNER_LABEL, POOL_LABEL, DockerSandbox
from escalade_sandbox.pool import PoolSettings
from escalade_sandbox.types import Input, Job, Limits, Program, SandboxBusy, SandboxUnavailable, Status, Trust

pytestmark = pytest.mark.docker
HELLO = Job(Program("python", "print('hello')"), [Input()])
WHERE = Job(Program("python", "print(open('/proc/self/mountinfo').readline())"), [Input()])
"""Prints what differs from container to container."""
WAIT = Job(
    Program("python", "import sys\nsys.stdout.write('x' * 100)\nsys.stdout.flush()\nimport time\ntime.sleep(3)"),
    [Input()],
    trust=Trust.CANDIDATE,
)


async def poll_until(condition, timeout_s=60):
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for is outside this process
            await asyncio.sleep(0.05)


async def test_a_container_is_replaced_after_its_share_of_jobs(open_docker, own_containers):
    sandbox = await open_docker(settings=PoolSettings(slots=1, spares=0, jobs_per_worker=2))
    seen = set()
    for _ in range(5):
        assert (await sandbox.run(HELLO)).results[0].stdout == b"hello\n"
        seen |= own_containers(sandbox)
    assert len(seen) >= 3


async def test_an_old_container_is_replaced(open_docker):
    sandbox = await open_docker(settings=PoolSettings(slots=1, spares=0, age_s=0.0))
    assert len({(await sandbox.run(WHERE)).results[0].stdout for _ in range(3)}) == 3


async def test_the_two_trusts_never_share_a_container(open_docker):
    sandbox = await open_docker(slots=1)
    identities = {}
    for trust in Trust:
        job = replace(WHERE, trust=trust)
        identities[trust] = {(await sandbox.run(job)).results[0].stdout for _ in range(3)}
    assert not identities[Trust.TRUSTED] & identities[Trust.CANDIDATE]


async def test_closing_leaves_no_container_and_no_folder(engine, own_containers):
    sandbox = DockerSandbox(slots=1)
    await sandbox.start()
    await sandbox.run(HELLO)
    pool_id, folder = sandbox.launcher.pool_id, sandbox.launcher.shared_folder
    assert folder.is_dir()
    await sandbox.close()
    await sandbox.close()
    assert engine.api.containers(all=True, filters={"label": f"{POOL_LABEL}={pool_id}"}) == []
    assert not folder.exists()
    with pytest.raises(SandboxUnavailable, match="closed"):
        await sandbox.run(HELLO)


async def test_closing_waits_for_the_job_under_way(engine):
    sandbox = DockerSandbox(slots=1)
    await sandbox.start()
    running = asyncio.create_task(sandbox.run(WAIT))
    await poll_until(lambda: sandbox.pool.busy_containers)
    await sandbox.close()
    assert (await running).results[0].status is Status.OK


async def test_a_container_killed_in_mid_job_means_one_retry(open_docker, engine, own_containers):
    sandbox = await open_docker(settings=PoolSettings(slots=1, spares=0))
    running = asyncio.create_task(sandbox.run(WAIT))
    await poll_until(lambda: sandbox.pool.busy_containers)
    (victim,) = sandbox.pool.busy_containers
    engine.api.kill(victim)
    result = await running
    assert (result.results[0].status, result.results[0].stdout) == (Status.OK, b"x" * 100)
    assert victim not in own_containers(sandbox)


async def test_what_kills_its_container_twice_is_unavailable(open_docker, engine):
    sandbox = await open_docker(settings=PoolSettings(slots=1, spares=0))
    running = asyncio.create_task(sandbox.run(WAIT))
    killed: set[str] = set()
    while len(killed) < 2:
        await poll_until(lambda: sandbox.pool.busy_containers - killed)
        (victim,) = sandbox.pool.busy_containers - killed
        engine.api.kill(victim)
        killed.add(victim)
    with pytest.raises(SandboxUnavailable):
        await running
    assert (await sandbox.run(HELLO)).results[0].stdout == b"hello\n"


async def test_orphans_are_removed_at_start_and_others_are_not(open_docker, engine):
    running = await open_docker(slots=1)
    labels = {LABEL: "candidate", OWNER_LABEL: "another-boot pid:[1] 1 1"}
    orphan = engine.api.create_container(running.launcher.image, ["true"], labels=labels)["Id"]
    assert (await running.run(HELLO)).results[0].stdout == b"hello\n"
    second = await open_docker(slots=1)
    left = {container["Id"] for container in engine.api.containers(all=True, filters={"label": LABEL})}
    assert orphan not in left
    assert (await running.run(HELLO)).results[0].stdout == b"hello\n"
    assert (await second.run(HELLO)).results[0].stdout == b"hello\n"


async def test_a_service_that_is_killed_leaves_no_container_behind(engine, open_docker):
    """The agents notice that nobody is there any more; what was made but not yet started goes at the next start."""
    script = (
        "import asyncio, sys\n"
        "from escalade_sandbox.docker import DockerSandbox\n"
        "async def main():\n"
        "    sandbox = DockerSandbox(slots=1)\n"
        "    await sandbox.start()\n"
        "    print(sandbox.launcher.pool_id, sandbox.launcher.shared_folder, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        pool_id, folder = (await child.stdout.readline()).decode().split()
    filters = {"label": f"{POOL_LABEL}={pool_id}"}
    assert engine.api.containers(filters=filters)
    child.kill()
    await child.wait()
    await poll_until(lambda: not engine.api.containers(filters=filters))
    await open_docker(slots=1)
    assert not engine.api.containers(all=True, filters=filters)
    shutil.rmtree(folder)


async def test_a_full_queue_is_busy_at_once(open_docker):
    sandbox = await open_docker(settings=PoolSettings(slots=1, spares=0, queue_limit=1))
    running = [asyncio.create_task(sandbox.run(WAIT)) for _ in range(2)]
    await poll_until(lambda: sandbox.pool.waiting == 1)
    with pytest.raises(SandboxBusy) as caught:
        await sandbox.run(HELLO)
    assert caught.value.retry_after_s >= 1
    assert [(await one).results[0].status for one in running] == [Status.OK] * 2


async def test_an_absent_image_or_runtime_is_named_with_a_remedy(engine):
    with pytest.raises(SandboxUnavailable, match="escalade sandbox build"):
        await DockerSandbox(image="no-such-image:at-all").start()
    with pytest.raises(SandboxUnavailable, match="no-such-runtime"):
        await DockerSandbox(runtime="no-such-runtime").start()


async def test_an_absent_engine_is_named_with_a_remedy(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    sandbox = DockerSandbox()
    with pytest.raises(SandboxUnavailable, match="DOCKER_HOST"):
        await sandbox.start()
    assert not (await sandbox.health()).ready


async def test_without_a_shared_socket_everything_goes_through_the_attach_stream(open_docker, fresh):
    sandbox = await open_docker(slots=1, transport="stream")
    job = fresh("#include <bits/stdc++.h>\nint main() { std::string s; std::cin >> s; std::cout << s; }", b"abc")
    assert (await sandbox.run(job)).results[0].stdout == b"abc"
    big = Job(Program("python", "print(input() * 2, end='')"), [Input(b"x" * (1 << 20))])
    assert len((await sandbox.run(big)).results[0].stdout) == 2 << 20
    call = Input(json.dumps({"arguments": [3], "seed": 1}).encode())
    result = await sandbox.run(Job(Program("python", "def f(n): return n + 1", function="f"), [call] * 5))
    assert [one.stdout for one in result.results] == [b"4"] * 5


async def test_the_precompiled_header_is_used(containers):
    """The compiler opens it; were the flags to differ it would silently read the headers instead."""
    source = (
        "import subprocess\n"
        "open('a.cpp', 'w').write('#include <bits/stdc++.h>\\nint main() {}')\n"
        "flags = ['-std=gnu++17', '-O2', '-DONLINE_JUDGE', '-pipe']\n"
        "done = subprocess.run(['g++', *flags, '-H', '-fsyntax-only', 'a.cpp'], capture_output=True, text=True)\n"
        "print(done.stderr.splitlines()[0])"
    )
    job = Job(Program("python", source), [Input()], limits=Limits(memory_bytes=1 << 30))
    assert (await containers.run(job)).results[0].stdout.startswith(b"! ")

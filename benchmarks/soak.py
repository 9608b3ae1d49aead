"""Many mixed jobs through one pool, and a count of everything: `python -m benchmarks.soak --jobs 10000`.

Guarantee: exits with 1 if a job got a wrong answer, or if containers, processes, descriptors, temporary files or memory
of the service grew with the number of jobs.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from escalade_sandbox.docker import POOL_LABEL, DockerSandbox
from escalade_sandbox.pool import PoolSettings
from escalade_sandbox.types import Input, Job, JobResult, Limits, Program, Status, Trust

MIB = 1 << 20
SHORT = Limits(cpu_s=0.5, wall_s=1, memory_bytes=64 * MIB, output_bytes=MIB)
PATIENT = Limits(cpu_s=10, wall_s=60, memory_bytes=64 * MIB, output_bytes=MIB)
"""Where another limit than time is to be met, however busy the machine."""
SQUARE = "#include <iostream>\nint main() { long long n; std::cin >> n; std::cout << n * n; }"
GROWTH_BYTES = 48 * MIB
"""What the service may hold more after than before: its caches fill."""


@dataclass(frozen=True)
class Kind:
    """One sort of job, and what must come of it."""

    weight: int
    make: Callable[[int], Job]
    right: Callable[[int, JobResult], bool]


def _python(source: str, limits: Limits = SHORT, **options: object) -> Callable[[int], Job]:
    return lambda n: Job(
        Program("python", source), [Input(str(n).encode())], limits, owner=f"run-{n % 7}", **options,
    )  # fmt: skip


def _call(n: int) -> Input:
    return Input(json.dumps({"arguments": [n], "seed": n}).encode())


def _status(*wanted: Status) -> Callable[[int, JobResult], bool]:
    return lambda n, result: all(one.status in wanted for one in result.results)


KINDS = {
    "python": Kind(
        30, _python("n = int(input())\nprint(n * n)"), lambda n, result: int(result.results[0].stdout) == n * n
    ),
    "cpp": Kind(
        30,
        lambda n: Job(Program("cpp", SQUARE), [Input(str(n + k).encode()) for k in range(8)], owner=f"run-{n % 7}"),
        lambda n, result: [int(one.stdout) for one in result.results] == [(n + k) ** 2 for k in range(8)],
    ),
    "generator": Kind(
        20,
        lambda n: Job(
            Program("python", "def f(n): return n * n", function="f"), [_call(n + k) for k in range(16)],
            trust=Trust.TRUSTED,
        ),
        lambda n, result: [int(one.stdout) for one in result.results] == [(n + k) ** 2 for k in range(16)],
    ),
    "files": Kind(
        5, _python("open('out', 'w').write(input())\nimport os\nos.makedirs('a/b')", collect=("out",)),
        lambda n, result: result.results[0].files["out"] == str(n).encode(),
    ),
    "new program": Kind(
        1, lambda n: Job(Program("cpp", f"#include <cstdio>\nint main() {{ printf(\"{n}\"); }}"), [Input()]),
        lambda n, result: int(result.results[0].stdout) == n,
    ),
    "crash": Kind(5, _python("raise SystemExit(3)"), _status(Status.NONZERO_EXIT)),
    "big output": Kind(3, _python("print('x' * 500_000)"), _status(Status.OK)),
    "flood": Kind(2, _python("while True: print('x' * 65536)"), _status(Status.OUTPUT_LIMIT, Status.TIME_LIMIT)),
    "memory": Kind(1, _python("x = []\nwhile True: x.append(b'x' * (1 << 20))", PATIENT), _status(Status.MEMORY_LIMIT)),
    "daemon": Kind(
        2, _python("import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)"), _status(Status.OK)
    ),
    "spin": Kind(1, _python("while True: pass"), _status(Status.TIME_LIMIT)),
}  # fmt: skip


@dataclass(frozen=True)
class Census:
    """Everything that could leak."""

    containers: int
    descriptors: int
    """But for the compile cache's, which is bounded."""
    threads: int
    children: int
    temporary: int
    resident_bytes: int


def _target(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""


def take_census(sandbox: DockerSandbox) -> Census:
    """Count."""
    gc.collect()
    api = sandbox.launcher.client.api
    status = Path("/proc/self/status").read_text().split()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    shared = sandbox.launcher.shared_folder
    return Census(
        containers=len(api.containers(all=True, filters={"label": f"{POOL_LABEL}={sandbox.launcher.pool_id}"})),
        descriptors=sum("memfd:program" not in _target(fd) for fd in os.listdir("/proc/self/fd")),
        threads=int(status[status.index("Threads:") + 1]),
        children=len(children),
        temporary=len(list(shared.iterdir())) if shared else 0,
        resident_bytes=int(status[status.index("VmRSS:") + 1]) * 1024,
    )


async def soak(sandbox: DockerSandbox, jobs: int, seed: int) -> Counter[str]:
    """Run the jobs, a few at a time, and count the wrong answers by kind."""
    chance = random.Random(seed)
    wrong: Counter[str] = Counter()
    names = chance.choices(list(KINDS), [kind.weight for kind in KINDS.values()], k=jobs)
    line = iter(enumerate(names))

    async def work() -> None:
        for n, name in line:
            result = await sandbox.run(KINDS[name].make(n))
            try:
                right = KINDS[name].right(n, result)
            except (ValueError, KeyError):
                right = False
            if not right:
                wrong[name] += 1
                print(f"job {n} ({name}): {[(one.status, one.stderr[-200:]) for one in result.results][:2]}")
            if n % 500 == 499:
                print(f"{n + 1} jobs", flush=True)

    await asyncio.gather(*(work() for _ in range(6)))
    return wrong


async def main() -> int:
    """Soak and compare; 0 if nothing leaked and every answer was right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sandbox = DockerSandbox(settings=PoolSettings(slots=arguments.slots, jobs_per_worker=200))
    await sandbox.start()
    try:
        # Until caches, threads and connections are as many as they get.
        wrong = await soak(sandbox, max(50, arguments.jobs // 10), arguments.seed + 1)
        before = take_census(sandbox)
        started_s = time.monotonic()
        wrong += await soak(sandbox, arguments.jobs, arguments.seed)
        took_s = time.monotonic() - started_s
        after = take_census(sandbox)
        pool_id, api = sandbox.launcher.pool_id, sandbox.launcher.client.api
        folder = sandbox.launcher.shared_folder
        owned = {"label": f"{POOL_LABEL}={pool_id}"}
        most_containers = 2 * (arguments.slots + 1)
    finally:
        await sandbox.close()
    left = len(api.containers(all=True, filters=owned))
    api.close()
    print(f"{arguments.jobs} jobs in {took_s:.0f} s, {arguments.jobs / took_s:.1f}/s\nbefore {before}\nafter  {after}")
    complaints = [f"{count} wrong answers of kind {name}" for name, count in wrong.items()]
    complaints += [
        text
        for text, bad in {
            f"{after.containers} containers, more than {most_containers}": after.containers > most_containers,
            "descriptors grew": after.descriptors > before.descriptors + 2 * most_containers,
            "threads grew": after.threads > before.threads + most_containers,
            "children were left": after.children > before.children,
            "sockets' folders were left": after.temporary > most_containers,
            "memory grew": after.resident_bytes > before.resident_bytes + GROWTH_BYTES,
            f"{left} containers were left after closing": left > 0,
            f"{folder} was left": str(folder.name if folder else "") in os.listdir(tempfile.gettempdir()),
        }.items()
        if bad
    ]
    for complaint in complaints:
        print(f"LEAK: {complaint}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

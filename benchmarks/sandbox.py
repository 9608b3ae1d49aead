"""The sandbox against doing without one: `python -m benchmarks.sandbox`.

Guarantee: baseline and sandbox are measured in turns in the same run, and medians are compared, so that a busy machine
slows both alike. Needs a Docker engine, and g++ and python3 on the host for the baselines. What whole instances cost is
`benchmarks/instances.py`'s to say.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import docker

from escalade_sandbox.docker import CAPABILITIES, POOL_LABEL, DockerSandbox
from escalade_sandbox.image import default_image
from escalade_sandbox.types import Input, Job, JobResult, Program, Status, Trust

BATCH = 64
SUM = "#include <bits/stdc++.h>\nint main() { long long a, b; std::cin >> a >> b; std::cout << a + b << '\\n'; }"
TYPICAL = """
#include <bits/stdc++.h>
using namespace std;
int main() {
    int n; cin >> n;
    map<string, vector<int>> groups; set<pair<int, int>> order; priority_queue<long long> heap;
    for (int i = 0; i < n; i++) { string s; cin >> s; groups[s].push_back(i); order.insert({(int)s.size(), i}); }
    for (auto &[name, members] : groups) { sort(members.rbegin(), members.rend()); heap.push(members[0]); }
    long long total = 0;
    while (!heap.empty()) { total = total * 31 + heap.top(); heap.pop(); }
    cout << total << ' ' << order.begin()->second << endl;
}
"""
GENERATOR = """
import random
import string
def generate_testcase(parameters):
    n = parameters["n"]
    words = ["".join(random.choice(string.ascii_lowercase) for _ in range(random.randint(1, 5))) for _ in range(n)]
    return f"{n}\\n{' '.join(words)}\\n", {"n": n, "words": words}
"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    baseline: str
    ours: str
    ratio: float
    wanted: str
    met: bool


def call(seed: int, n: int = 10) -> Input:
    """The input of a generator."""
    return Input(json.dumps({"arguments": [{"n": n}], "seed": seed}).encode())


class Host:
    """The same work without a sandbox."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.binary = str(folder / "sum")
        (folder / "sum.cpp").write_text(SUM)
        (folder / "in").write_text("1 2")
        self.run(["g++", "-O2", "-static", "-o", self.binary, str(folder / "sum.cpp")])
        self.python = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin") or sys.executable

    def run(self, command: list[str], stdin: bytes = b"") -> bytes:
        """Start a program and wait for it."""
        return subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=120).stdout

    def spawn(self) -> None:
        """Bare fork + exec of a compiled program, its input a file, its output read."""
        read, write = os.pipe()
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, str(self.folder / "in"), os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, write, 1),
        ]
        pid = os.posix_spawn(self.binary, [self.binary], {}, file_actions=actions)
        os.close(write)
        assert os.read(read, 100) == b"3\n"
        os.waitpid(pid, 0)
        os.close(read)

    def start_python(self) -> None:
        """Start an interpreter that does nothing."""
        pid = os.posix_spawn(self.python, [self.python, "-c", "pass"], {})
        os.waitpid(pid, 0)

    def compile_and_run(self, source: str) -> None:
        """Compile as most judges do, and run once."""
        path = self.folder / "cold.cpp"
        path.write_text(source)
        self.run(["g++", "-std=gnu++17", "-O2", "-o", str(self.folder / "cold"), str(path)])
        self.run([str(self.folder / "cold")], b"2 ab c")


def timed_ms(work: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    started_s = time.perf_counter()
    work()
    return (time.perf_counter() - started_s) * 1e3


async def timed_async_ms(work: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds of one awaited call."""
    started_s = time.perf_counter()
    await work()
    return (time.perf_counter() - started_s) * 1e3


async def run_right(sandbox: DockerSandbox, job: Job) -> JobResult:
    """Run a job that must succeed."""
    result = await sandbox.run(job)
    wrong = [one for one in result.results if one.status is not Status.OK]
    assert not wrong, wrong[0]
    return result


async def single_cpp(sandbox: DockerSandbox, host: Host, rounds: int) -> Row:
    """One warm C++ input."""
    job = Job(Program("cpp", SUM), [Input(b"1 2")])
    await run_right(sandbox, job)
    bare, ours = [], []
    for _ in range(rounds * 5):
        bare.append(await asyncio.to_thread(timed_ms, host.spawn))
        ours.append(await timed_async_ms(lambda: run_right(sandbox, job)))
    baseline, mine = statistics.median(bare), statistics.median(ours)
    ratio = mine / baseline
    return Row(
        "one warm C++ input, single job", f"{baseline:.2f} ms fork + exec", f"{mine:.2f} ms", ratio, "<= 8x", ratio <= 8
    )


async def batched_cpp(sandbox: DockerSandbox, host: Host, rounds: int) -> Row:
    """Batches of C++ inputs on two slots."""
    job = Job(Program("cpp", SUM), [Input(b"1 2")] * BATCH)
    bare, ours = [], []
    with ThreadPoolExecutor(2) as threads:

        def spawn_batches() -> None:
            for done in [threads.submit(lambda: [host.spawn() for _ in range(BATCH)]) for _ in range(2)]:
                done.result()

        for _ in range(rounds):
            bare.append(2e3 * BATCH / await asyncio.to_thread(timed_ms, spawn_batches))
            took_ms = await timed_async_ms(lambda: asyncio.gather(run_right(sandbox, job), run_right(sandbox, job)))
            ours.append(2e3 * BATCH / took_ms)
    baseline, mine = statistics.median(bare), statistics.median(ours)
    ratio = mine / baseline
    return Row(
        f"C++ inputs in batches of {BATCH}, two slots", f"{baseline:.0f}/s fork + exec, 2 threads", f"{mine:.0f}/s",
        ratio, ">= 0.33x", ratio >= 1 / 3,
    )  # fmt: skip


async def generators(sandbox: DockerSandbox, host: Host, rounds: int) -> list[Row]:
    """A Python generator, batched and alone."""
    program = Program("python", GENERATOR, function="generate_testcase")
    batch = Job(program, [call(seed) for seed in range(BATCH)], trust=Trust.TRUSTED)
    alone = Job(program, [call(1)], trust=Trust.TRUSTED)
    await run_right(sandbox, batch)
    bare, batched, single = [], [], []
    for _ in range(rounds * 2):
        bare.append(await asyncio.to_thread(timed_ms, host.start_python))
        batched.append(await timed_async_ms(lambda: run_right(sandbox, batch)) / BATCH)
        bare.append(await asyncio.to_thread(timed_ms, host.start_python))
        single.append(await timed_async_ms(lambda: run_right(sandbox, alone)))
    baseline = statistics.median(bare)
    each, one = statistics.median(batched), statistics.median(single)
    return [
        Row(
            f"Python generator, per input in batches of {BATCH} seeds", f"{baseline:.2f} ms python3 -c pass",
            f"{each:.2f} ms", baseline / each, ">= 10x", baseline / each >= 10,
        ),
        Row(
            "Python generator, single job", f"{baseline:.2f} ms python3 -c pass", f"{one:.2f} ms", baseline / one,
            ">= 1x", baseline / one >= 1,
        ),
    ]  # fmt: skip


async def cold_cpp(sandbox: DockerSandbox, host: Host, rounds: int) -> Row:
    """Compile and run a program that nobody has seen."""
    bare, ours = [], []
    for number in range(max(3, rounds // 3)):
        source = f"{TYPICAL}// {number} {time.time_ns()}"
        bare.append(await asyncio.to_thread(timed_ms, lambda source=source: host.compile_and_run(source)))
        job = Job(Program("cpp", source), [Input(b"2 ab c")])
        ours.append(await timed_async_ms(lambda job=job: run_right(sandbox, job)))
    baseline, mine = statistics.median(bare), statistics.median(ours)
    return Row(
        "cold C++ solution, compile + run", f"{baseline:.0f} ms g++ -O2 on the host", f"{mine:.0f} ms", baseline / mine,
        ">= 2x", baseline / mine >= 2,
    )  # fmt: skip


def idle_memory(sandbox: DockerSandbox, client: docker.DockerClient) -> Row:
    """What a warm container holds while nothing runs."""
    filters = {"label": f"{POOL_LABEL}={sandbox.launcher.pool_id}"}
    held = []
    for container in client.api.containers(filters=filters):
        figures = client.api.stats(container["Id"], stream=False)["memory_stats"]
        details = figures["stats"]
        cache = details.get("total_inactive_file", details.get("inactive_file", 0))
        held.append((figures["usage"] - cache) / 1e6)
    mine = statistics.median(held)
    return Row("idle memory per slot", "", f"{mine:.1f} MB", mine, "< 40 MB", mine < 40)


async def main() -> int:
    """Measure and print the table; 0 if every figure is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="repetitions of each measurement")
    rounds = parser.parse_args().rounds
    client = docker.from_env()
    sandbox = DockerSandbox(slots=2)
    await sandbox.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            host = Host(Path(folder))
            rows = [
                await single_cpp(sandbox, host, rounds),
                await batched_cpp(sandbox, host, rounds),
                *await generators(sandbox, host, rounds),
                await cold_cpp(sandbox, host, rounds),
                idle_memory(sandbox, client),
            ]
    finally:
        await sandbox.close()
        client.close()
    print(f"cores {os.cpu_count()}, load {os.getloadavg()[0]:.1f}, {default_image()}, capabilities {len(CAPABILITIES)}")
    print("| what | without | sandbox | ratio | wanted | met |\n|---|---|---|---|---|---|")
    for row in rows:
        met = "yes" if row.met else "NO"
        print(f"| {row.what} | {row.baseline} | {row.ours} | {row.ratio:.3g} | {row.wanted} | {met} |")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

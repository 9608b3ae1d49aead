"""Instances per second, warm, against one `docker run` per program.

Subject: the eight environments of SCALER-8 in batches of 64, as the server makes them: generator, two agreeing
references, in warm containers. Baseline: for one instance, a fresh hardened container for the generator and one for
each of two references, the C++ ones compiled beforehand (which favours the baseline). Rounds of the two alternate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence

from _figures import Figure, Target, median, note, report
from _servers import SCALER_8

from escalade_sandbox.docker import DockerSandbox
from escalade_sandbox.image import build_image
from escalade_sandbox.settings import default_cache_folder
from escalade_server.instances.generation import Made, make
from escalade_server.problems.definition import Entry, version_of
from escalade_server.problems.formats.scaler import parse_scaler

BATCH = 64
LEVEL = 3
RUN_S = 120
HARDENED = (
    "--rm", "--interactive", "--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
    "--memory=512m", "--pids-limit=64", "--user=20000:20000", "--tmpfs=/tmp:rw,exec,nosuid,nodev,size=64m",
)  # fmt: skip
GENERATE = """
import json, random
asked = json.loads(input())
random.seed(asked["seed"])
space = {{"__name__": "generator"}}
exec(compile({source!r}, "generator.py", "exec"), space)
print(space["generate_testcase"](asked["parameters"])[0])
"""


def contained(image: str, command: Sequence[str], stdin: bytes) -> bytes:
    """Standard output of a program in a container of its own.

    Raises:
        RuntimeError: It failed.
    """
    done = subprocess.run(
        ["docker", "run", *HARDENED, image, *command], input=stdin, capture_output=True, timeout=RUN_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"docker run: exit {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout


def compiled(image: str, source: str) -> bytes:
    """A C++ program, compiled."""
    script = "cat > /tmp/a.cpp && g++ -O2 -std=gnu++17 -static -o /tmp/a /tmp/a.cpp && cat /tmp/a"
    return contained(image, ["sh", "-c", script], source.encode())


def baseline(image: str, entry: Entry, binaries: Sequence[bytes], seed: int) -> float:
    """Seconds to make one instance with a container per program."""
    definition = entry.definition
    script = GENERATE.format(source=definition.generator.source)
    asked = json.dumps({"parameters": definition.ladder[LEVEL], "seed": seed}).encode() + b"\n"
    begun = time.perf_counter()
    text = contained(image, ["python3", "-c", script], asked)
    for binary in binaries:
        # The program travels on standard input before its own input: no folder need be shared with the engine.
        run = f"head -c {len(binary)} > /tmp/a && chmod +x /tmp/a && exec /tmp/a"
        if not contained(image, ["sh", "-c", run], binary + text).strip():
            raise RuntimeError(f"{entry.slug}: a reference gave nothing")
    return time.perf_counter() - begun


async def subject(sandbox: DockerSandbox, entries: Sequence[Entry], first_seed: int) -> tuple[float, int]:
    """Seconds for a batch of each environment, all asked for at once as a server does, and how many were made."""
    begun = time.perf_counter()
    batches = await asyncio.gather(
        *(
            make(
                sandbox,
                version=version_of(entry.definition),
                definition=entry.definition,
                parameters=entry.definition.ladder[LEVEL],
                seeds=range(first_seed, first_seed + BATCH),
            )
            for entry in entries
        )
    )
    return time.perf_counter() - begun, sum(isinstance(made, Made) for batch in batches for made in batch)


async def measure(rounds: int) -> list[Figure]:
    """Alternate both."""
    if not SCALER_8.is_file():
        sys.exit(f"error: {SCALER_8} is not there; this benchmark needs the eight environments of SCALER-8")
    entries, refused = parse_scaler(SCALER_8.read_text())
    if refused:
        raise RuntimeError(f"refused: {refused}")
    image = await asyncio.to_thread(build_image)
    sandbox = DockerSandbox(cache_folder=default_cache_folder())
    await sandbox.start()
    try:
        note(f"{len(entries)} environments; the first round compiles and warms up")
        await subject(sandbox, entries, 1)
        simple = next(entry for entry in entries if entry.slug.startswith("1195-b"))
        sources = [one.source for one in simple.definition.references if one.language == "cpp"][:2]
        binaries = [await asyncio.to_thread(compiled, image, source) for source in sources]
        ours, theirs, made = [], [], 0
        for number in range(rounds):
            took_s, count = await subject(sandbox, entries, 1_000 + number * BATCH)
            ours.append(count / took_s)
            made += count
            alone_s = await asyncio.to_thread(baseline, image, simple, binaries, number)
            theirs.append(1 / alone_s)
            note(f"round {number}: {ours[-1]:.0f} instances/s, {theirs[-1]:.3f} with a container per program")
    finally:
        await sandbox.close()
    asked = rounds * len(entries) * BATCH
    return [
        Figure(
            "instances",
            median(ours),
            "inst/s",
            median(theirs),
            "a docker run per program",
            Target("ratio", "at least", 250),
        ),
        Figure("instances-made", made, "inst", asked, "asked for"),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    report(asyncio.run(measure(options.rounds)))


if __name__ == "__main__":
    main()

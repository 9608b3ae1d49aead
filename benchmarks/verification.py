"""Seconds for a full verification, warm, against one `docker run` per program run.

Subject: the eight environments of SCALER-8, verified one after the other with every check and all draws, their programs
compiled beforehand. Baseline: as many program runs in a fresh hardened container each, spread over the cores; that
would take the better part of an hour, so it is a sample's median times the number of runs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence

from _figures import Figure, Target, median, note, report
from _servers import SCALER_8
from instances import contained

from escalade.types import VerificationReport
from escalade_sandbox.docker import DockerSandbox
from escalade_sandbox.image import build_image
from escalade_sandbox.settings import default_cache_folder
from escalade_server.problems.definition import Entry, version_of
from escalade_server.problems.formats.scaler import parse_scaler
from escalade_server.settings import Thresholds
from escalade_server.synthesis.verification import verify

EMPTY = ["python3", "-c", "pass"]
WARM = Thresholds(level_draws=1, breadth_draws=2, depth_draws=1, depth_draws_at_most=1)


async def timed(sandbox: DockerSandbox, entry: Entry, thresholds: Thresholds) -> tuple[float, VerificationReport]:
    """Seconds for one verification, and its report."""
    begun = time.perf_counter()
    version = version_of(entry.definition)
    done = await verify(sandbox, definition=entry.definition, version=version, thresholds=thresholds)
    return time.perf_counter() - begun, done.report


def container_s(image: str) -> float:
    """Seconds for a program that does nothing, in a container of its own."""
    begun = time.perf_counter()
    contained(image, EMPTY, b"")
    return time.perf_counter() - begun


async def measure(rounds: int, samples: int) -> list[Figure]:
    """Every environment in every round, a few containers between them."""
    if not SCALER_8.is_file():
        sys.exit(f"error: {SCALER_8} is not there; this benchmark needs the eight environments of SCALER-8")
    entries, refused = parse_scaler(SCALER_8.read_text())
    if refused:
        raise RuntimeError(f"refused: {refused}")
    image = await asyncio.to_thread(build_image)
    sandbox = DockerSandbox(cache_folder=default_cache_folder())
    await sandbox.start()
    try:
        note("compiling and warming up")
        for entry in entries:
            await timed(sandbox, entry, WARM)
        took_s: list[float] = []
        processor_s: list[float] = []
        alone_s: list[float] = []
        verdicts = []
        for number in range(rounds):
            for entry in entries:
                elapsed_s, found = await timed(sandbox, entry, Thresholds())
                took_s.append(elapsed_s)
                processor_s.append(found.cpu_s)
                verdicts.append(found.verdict)
                each_s = [await asyncio.to_thread(container_s, image) for _ in range(samples)]
                alone_s.append(median(each_s) * found.runs / (os.cpu_count() or 1))
                note(
                    f"round {number}: {entry.slug}: {found.verdict}, {elapsed_s:.1f} s, {found.cpu_s:.1f} s of CPU, "
                    f"{found.runs} runs; {alone_s[-1]:.0f} s with a container per run"
                )
    finally:
        await sandbox.close()
    containers = "a docker run per program run (extrapolated)"
    return [
        Figure("verification", median(took_s), "s", median(alone_s), containers, Target("value", "at most", 5)),
        Figure("verification-cpu", median(processor_s), "s", median(took_s), "elapsed time"),
        Figure("verified", verdicts.count("verified"), "env", 7 * rounds, "those that are sound"),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--samples", type=int, default=3, help="containers started after each verification")
    options = parser.parse_args(arguments)
    report(asyncio.run(measure(options.rounds, options.samples)))


if __name__ == "__main__":
    main()

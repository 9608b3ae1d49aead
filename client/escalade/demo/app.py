"""`python -m escalade.demo`: options, the order of things, and how it ends.

Guarantee: whatever happens, the server is shut down; a failure is one line on stderr and exit status 1.
"""

from __future__ import annotations

import argparse
import logging
import random
import secrets
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from escalade import Client, ConnectionFailed, CurriculumSettings, EscaladeError
from escalade.demo import learner, screen, server
from escalade.demo.climb import Step, climb, first_levels, totals
from escalade.demo.server import Backend, DemoError, Server
from escalade.demo.settings import default_archive, default_data
from escalade.settings import DEFAULT_URL
from escalade.types import Run

LOG = "server.log"
CALL_S = 300.0
"""The first batch waits for every program in it to be compiled."""
DEADLINE_S = 600.0


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    steps: int
    groups: int
    rollouts: int
    data: Path
    archive: Path | None
    sandbox: Backend | None
    policy: str | None
    seed: int
    keep: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit status."""
    options = parse(arguments)
    # The SDK logs its retries; here the outcome alone matters.
    logging.getLogger("escalade").addHandler(logging.NullHandler())
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        show(options, screen.open_console())
    except DemoError as error:
        screen.fail(screen.open_console(stderr=True), str(error))
    except EscaladeError as error:
        log = options.data / LOG
        screen.fail(screen.open_console(stderr=True), f"{error.detail} ({error.code}; the server's log: {log})")
    except KeyboardInterrupt:
        screen.fail(screen.open_console(stderr=True), "stopped; the server is shut down")
        return 128 + signal.SIGINT
    else:
        return 0
    return 1


def parse(arguments: Sequence[str] | None) -> Options:
    """Read the command line; a usage error exits with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m escalade.demo",
        description="Start a server and let a simulated learner climb its environments.",
    )
    parser.add_argument("--steps", type=_count(100_000), default=60, help="steps of the learner (default: 60)")
    parser.add_argument("--groups", type=_count(1_024), default=12, help="groups per step (default: 12)")
    parser.add_argument("--rollouts", type=_count(64), default=8, help="answers per group (default: 8)")
    parser.add_argument("--data", type=Path, default=default_data(), help="server's data folder (default: %(default)s)")
    parser.add_argument("--archive", type=Path, default=None, help="archive in the SCALER format to import")
    parser.add_argument("--sandbox", choices=("docker", "process"), help="default: docker if an engine answers")
    parser.add_argument("--policy", help="curriculum policy (default: the server's)")
    parser.add_argument("--seed", type=_seed, help="seed of run and learner (default: a fresh one)")
    parser.add_argument("--keep", action="store_true", help="leave the server running until Ctrl-C")
    found = parser.parse_args(arguments)
    return Options(
        steps=found.steps,
        groups=found.groups,
        rollouts=found.rollouts,
        data=found.data.expanduser().absolute(),
        archive=found.archive,
        sandbox=found.sandbox,
        policy=found.policy,
        seed=secrets.randbelow(2**31) if found.seed is None else found.seed,
        keep=found.keep,
    )


def show(options: Options, console: Console) -> None:
    """Start the server, climb, tell what came of it.

    Raises:
        DemoError: The server does not start or ends too early, or the archive cannot be read.
        EscaladeError: A call failed.
    """
    start_s = time.monotonic()
    backend = choose_backend(options.sandbox, console)
    log = options.data / LOG
    with server.running(options.data, backend, log=log) as started:
        with (
            Client(started.url, "unknown", retries=0, timeout_s=10.0) as visitor,
            screen.waiting(console, f"Starting the server ({backend} sandbox)") as watch,
        ):
            waited_s = server.wait_until_ready(started, visitor, watch=watch)
        screen.say(console, f"The server is ready at {started.url} after {waited_s:.1f} s (log: {log})")
        with Client(started.url, started.key(), retries=2, timeout_s=CALL_S, deadline_s=DEADLINE_S) as client:
            try:
                _main_job(client, options, console)
            except ConnectionFailed:
                server.require_alive(started)
                raise
        elapsed_s = time.monotonic() - start_s
        if options.keep:
            _keep(started, console, elapsed_s)
            return
    command = server.start_command(options.data, backend)
    screen.say(console, f"{elapsed_s:.1f} s in all; the server is shut down. Start it on the same data with")
    screen.say(console, f"  {command}")
    screen.say(console, f"and read the API's documentation at {DEFAULT_URL}/docs")


def choose_backend(asked: Backend | None, console: Console) -> Backend:
    """The sandbox asked for, else Docker where an engine answers, else plain processes, which is said."""
    if asked is not None:
        return asked
    fault = server.engine_fault()
    if fault is None:
        return "docker"
    screen.say(console, f"No Docker engine answers ({fault}): programs run as plain processes, without isolation.")
    return "process"


def import_archive(client: Client, given: Path | None, console: Console) -> None:
    """Import the archive named, or the one beside the checkout if it is there.

    Raises:
        DemoError: It cannot be read, or the import failed.
        EscaladeError: A call failed.
    """
    archive = given or default_archive()
    if archive is None:
        return
    if given is None and not archive.is_file():
        screen.say(console, f"{archive} is not there: the climb has the built-in environments alone")
        return
    try:
        text = archive.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DemoError(f"{archive} cannot be read: {error}; check --archive") from error
    job = client.import_archive("scaler", text, archive.name)
    if job.status != "succeeded" or job.result is None:
        raise DemoError(f"the import of {archive.name} {job.status}: {job.error or 'no reason given'}")
    counts = ", ".join(f"{len(job.result.get(name, []))} {name}" for name in ("created", "updated", "unchanged"))
    screen.say(console, f"Imported {archive.name}: {counts}")
    for refused in job.result.get("refused", []):
        screen.say(console, f"  refused {refused['entry']}: {refused['field']}: {refused['reason']}")


def _main_job(client: Client, options: Options, console: Console) -> None:
    import_archive(client, options.archive, console)
    types = {environment.name: environment.answer_type for environment in client.environments()}
    curriculum = CurriculumSettings(policy=options.policy) if options.policy else CurriculumSettings()
    run = client.create_run(
        f"demo {options.seed}",
        curriculum=curriculum,
        groups=options.groups,
        rollouts=options.rollouts,
        seed=options.seed,
        reveal_answers=True,
    )
    screen.say(
        console,
        f"{run.run}: policy {run.curriculum.policy}, {run.pool_size} of {len(types)} environments, "
        f"{options.steps} steps of {run.groups} groups with {run.rollouts} answers each, seed {run.seed}",
    )
    start_s = time.monotonic()
    steps = _climb(client, run, options, console)
    elapsed_s = time.monotonic() - start_s
    console.print()
    console.print(screen.results(client.controllers(run.run), first_levels(steps), types))
    console.print()
    _tell_totals(steps, elapsed_s, console)


def _climb(client: Client, run: Run, options: Options, console: Console) -> list[Step]:
    rng = random.Random(options.seed)
    tops = {controller.environment: controller.top_level for controller in client.controllers(run.run)}
    pupil = learner.begin(tops, rng)
    steps: list[Step] = []
    with screen.climbing(console, options.steps) as tell:
        for step in climb(client, run.run, tops=tops, learner=pupil, steps=options.steps, rng=rng):
            steps.append(step)
            tell(steps)
    return steps


def _tell_totals(steps: Sequence[Step], elapsed_s: float, console: Console) -> None:
    total = totals(steps)
    first, last = _ends(steps)
    screen.say(
        console,
        f"{len(steps)} steps in {elapsed_s:.1f} s: {total.groups} groups, {total.attempts} answers scored from their "
        f"text; the server took {total.server_ms:.0f} ms per step (p50)",
    )
    screen.say(
        console, f"Mean difficulty: {first:.2f} of the ladders in the first tenth of the steps, {last:.2f} in the last"
    )
    if total.errors:
        screen.say(console, f"{total.errors} answers could not be scored; the log says why")
    if total.surprises:
        names = ", ".join(f"{name} {count}" for name, count in sorted(total.surprises.items()))
        screen.say(console, f"Scored otherwise than the learner meant: {names}")


def _ends(steps: Sequence[Step]) -> tuple[float, float]:
    tenth = max(1, len(steps) // 10)
    first, last = steps[:tenth], steps[-tenth:]
    return sum(step.difficulty for step in first) / tenth, sum(step.difficulty for step in last) / tenth


def _keep(started: Server, console: Console, elapsed_s: float) -> None:
    screen.say(console, f"{elapsed_s:.1f} s in all; the server stays at {started.url} until Ctrl-C")
    screen.say(console, f"The API's documentation: {started.url}/docs; the admin key: {started.data / 'admin.key'}")
    try:
        started.process.wait()
    except KeyboardInterrupt:
        screen.say(console, "The server is shut down")
        return
    server.require_alive(started)


def _count(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not from 1 to {most}")
        return value

    return read


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{value} is not from 0 to 2^63 - 1")
    return value

"""`make demo-train`: a small model learns from rewards, in about ten minutes on two cores.

Starts a server of its own, teaches a new model the lowest levels of some built-in environments by worked examples,
then trains it with GRPO on a run whose difficulty follows it, and measures it before and after on instances of the
evaluation split, at the levels of the warm-up and above.

Guarantee: what is printed is what the server judged; every step is in `metrics.jsonl`, every measurement in
`levels.jsonl`. Whatever happens, the server is shut down.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from escalade import Client, EscaladeError
from escalade.demo import screen, server
from escalade.demo.app import choose_backend
from escalade.demo.server import Backend, DemoError, Server
from escalade.demo.settings import default_data
from escalade.trainer.assess import Cell, accuracy, assess, questions
from escalade.trainer.config import TrainConfig
from escalade.trainer.policies import Policy, Sampling
from escalade.trainer.train import train
from escalade.types import Instance

ENVIRONMENTS = ("bead-count", "missing-tile", "most-votes", "twin-tiles")
"""Simple enough for a model of a quarter of a million weights: one word to read, one letter or number to answer.

Their answers keep their shape from level to level, so that a model that knows the lowest levels is now and then right
on the next ones; without that no reward could teach it more.
"""
WARM_LEVELS = (0, 1)
TEST_LEVELS = tuple(range(15))
TEST_SEED = 1_000
SAMPLING = Sampling(max_tokens=6, temperature=1.0)
CALL_S = 300.0


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    steps: int
    warmup_steps: int
    examples: int
    count: int
    seed: int
    threads: int
    policy: str
    data: Path
    sandbox: Backend | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit status."""
    options = parse(arguments)
    logging.getLogger("escalade").addHandler(logging.NullHandler())
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        show(options, screen.open_console())
    except (DemoError, EscaladeError) as error:
        screen.fail(screen.open_console(stderr=True), f"{error} (the server's log: {options.data / 'server.log'})")
        return 1
    except KeyboardInterrupt:
        screen.fail(screen.open_console(stderr=True), "stopped; the server is shut down")
        return 128 + signal.SIGINT
    return 0


def parse(arguments: Sequence[str] | None) -> Options:
    """Read the command line; a usage error exits with 2."""
    folder = default_data().with_name("demo-train")
    parser = argparse.ArgumentParser(prog="python -m escalade.trainer.demo", description="Train a small model.")
    parser.add_argument("--steps", type=int, default=300, help="steps of GRPO (default: 300)")
    parser.add_argument("--warmup-steps", type=int, default=1_000, help="steps on worked examples (default: 1000)")
    parser.add_argument("--examples", type=int, default=512, help="worked examples per level (default: 512)")
    parser.add_argument("--count", type=int, default=16, help="test instances per level (default: 16)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of the model; the server has the others (default: 1)"
    )
    parser.add_argument("--policy", default="bayes", help="curriculum (default: bayes)")
    parser.add_argument("--data", type=Path, default=folder, help="server's data folder (default: %(default)s)")
    parser.add_argument("--sandbox", choices=("docker", "process"), help="default: docker if an engine answers")
    found = parser.parse_args(arguments)
    return Options(**{**vars(found), "data": found.data.expanduser().absolute()})


def show(options: Options, console: Console) -> None:
    """Start the server, train, tell what came of it.

    Raises:
        DemoError: The server does not start or ends too early.
        EscaladeError: A call failed, or the training cannot go on.
    """
    backend = choose_backend(options.sandbox, console)
    with server.running(options.data, backend, log=options.data / "server.log") as started:
        _wait(started, backend, console)
        with Client(started.url, started.key(), retries=8, timeout_s=CALL_S) as client:
            learn(options, client, console)


def learn(options: Options, client: Client, console: Console) -> None:
    """Warm up, measure, train, measure again."""
    start_s = time.monotonic()
    out = options.data / "training"
    shutil.rmtree(out, ignore_errors=True)
    asked = questions(
        client,
        dict.fromkeys(ENVIRONMENTS, TEST_LEVELS),
        count=options.count,
        seed=TEST_SEED,
        template="compact",
    )
    measured: list[list[Cell]] = []

    def look(step: int, policy: Policy) -> None:
        if step in (0, options.steps):
            screen.say(console, f"measuring on {len(asked)} instances that no training draws")
            measured.append(_measure(policy, client, asked, out, step))

    train(configure(options, out), client, console, look=look)
    before, after = measured
    steps = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    tenth = max(1, len(steps) // 10)
    for name in ("accuracy", "informative", "level"):
        shown = screen.sparkline(_scaled([step[name] for step in steps]), 60)
        first, last = (sum(step[name] for step in part) / tenth for part in (steps[:tenth], steps[-tenth:]))
        screen.say(console, f"{name:<12} {first:5.2f} -> {last:5.2f}  {shown}")
    newest = max(client.runs(), key=lambda run: run.created_at)
    for controller in client.controllers(newest.run):
        where = f"level {controller.level:4.1f} of {controller.top_level}, {controller.visits} visits"
        screen.say(console, f"controller of {controller.environment:<14} {where}")
    screen.say(console, "accuracy on the evaluation split, by level, before -> after")
    for level in TEST_LEVELS:
        was, now = (accuracy(cell for cell in cells if cell.level == level) for cells in (before, after))
        mark = "warmed up" if level in WARM_LEVELS else "never shown in the warm-up"
        screen.say(console, f"  level {level}  {was:.3f} -> {now:.3f}  ({mark})")
    was, now = (accuracy(cell for cell in cells if cell.level in WARM_LEVELS) for cells in (before, after))
    screen.say(console, f"levels of the warm-up: {was:.3f} -> {now:.3f}")
    was, now = (accuracy(cell for cell in cells if cell.level not in WARM_LEVELS) for cells in (before, after))
    screen.say(console, f"levels above the warm-up: {was:.3f} -> {now:.3f}")
    was, now = accuracy(before), accuracy(after)
    screen.say(console, f"all levels: {was:.3f} -> {now:.3f}, in {time.monotonic() - start_s:.0f} s; figures: {out}")


def configure(options: Options, out: Path) -> TrainConfig:
    """The training as `escalade train` would read it."""
    return TrainConfig.model_validate(
        {
            "name": f"demo-train {options.seed}", "out": out, "steps": options.steps, "seed": options.seed,
            "threads": options.threads, "device": "cpu",
            "run": {
                "groups": 16, "rollouts": 16, "template": "compact", "curriculum": {"policy": options.policy},
                "pool": {"environments": list(ENVIRONMENTS)},
            },
            "model": {"layers": 2, "heads": 3, "width": 96},
            "sampling": asdict(SAMPLING),
            "optimiser": {"learning_rate": 5e-4},
            "warmup": {
                "levels": list(WARM_LEVELS), "examples": options.examples,
                "steps": options.warmup_steps, "stretch": 1.5,
            },
            "checkpoint": {"every": options.steps},
        }
    )  # fmt: skip


def _measure(policy: Policy, client: Client, asked: Sequence[Instance], out: Path, step: int) -> list[Cell]:
    cells = assess(policy, client, asked, rollouts=4, sampling=SAMPLING, seed=TEST_SEED)
    with (out / "levels.jsonl").open("a", encoding="utf-8") as file:
        for cell in cells:
            file.write(json.dumps({"step": step, **asdict(cell)}) + "\n")
    return cells


def _scaled(values: Sequence[float]) -> list[float]:
    """Values between 0 and 1, for a line of bars."""
    highest = max(1.0, *values)
    return [value / highest for value in values]


def _wait(started: Server, backend: Backend, console: Console) -> None:
    with (
        Client(started.url, "unknown", retries=0, timeout_s=10.0) as visitor,
        screen.waiting(console, f"Starting the server ({backend} sandbox)") as watch,
    ):
        waited_s = server.wait_until_ready(started, visitor, watch=watch)
    screen.say(console, f"The server is ready at {started.url} after {waited_s:.1f} s")


if __name__ == "__main__":
    sys.exit(main())

"""Does adapting the difficulty help a real learner?

The same small model, warmed up once, is trained by GRPO under each curriculum for the same number of rollouts, three
seeds each.

    python benchmarks/training_experiment.py run      # every run that has no result yet; stop and start it at will
    python benchmarks/training_experiment.py plot     # docs/training-*.png, and the table for docs/training.md

Measured on instances of the evaluation split, before, between and after: the levels of the warm-up, levels above it,
and environments that the training never draws from (the warm-up has shown their lowest levels, so that the model can
read them). Needs the extras `trainer`, `server`, `sandbox`, and for plots `plots`.

Guarantee: a result is written when its run is complete, whole; a stopped experiment goes on with the next run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from _figures import note
from _servers import ROOT, serving
from rich.console import Console

from escalade import Client
from escalade.trainer import saving
from escalade.trainer.assess import Cell, accuracy, assess, questions
from escalade.trainer.config import TrainConfig, WarmupSettings
from escalade.trainer.model import ModelConfig
from escalade.trainer.policies import Policy, Sampling, SmallPolicy
from escalade.trainer.train import train
from escalade.trainer.warmup import fetch, warm_up
from escalade.types import Instance

TRAINED = ("bead-count", "missing-tile", "most-votes", "twin-tiles")
HELD_OUT = ("next-in-line", "roll-call")
WARM_LEVELS = (0, 1)
TEST_LEVELS = tuple(range(15))
ARMS: Mapping[str, Mapping[str, Any]] = {
    "adaptive": {"policy": "bayes"},
    "fixed-easy": {"policy": "fixed", "constants": {"share": 0.1}},
    "fixed-middle": {"policy": "fixed", "constants": {"share": 0.3}},
    "rehearsal": {"policy": "bayes", "constants": {"rehearsal": 0.3}},
    "uniform": {"policy": "uniform"},
}
MODEL = ModelConfig(layers=2, heads=3, width=96, words=tuple(sorted((*TRAINED, *HELD_OUT))))
WARMUP = WarmupSettings(levels=list(WARM_LEVELS), examples=1_024, steps=2_400, batch=64, stretch=1.5)
SAMPLING = Sampling(max_tokens=6, temperature=1.0)
TEST_SEED = 1_000
LOOKS = 3
"""Measurements of one run after its start."""


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    out: Path
    steps: int
    seeds: tuple[int, ...]
    arms: tuple[str, ...]
    threads: int
    learning_rate: float
    count: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("run", "plot"))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "training-experiment")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--count", type=int, default=16, help="test instances per level")
    parser.add_argument("--plots", type=Path, default=ROOT / "docs")
    found = parser.parse_args(arguments)
    options = Options(
        found.out, found.steps, tuple(range(1, found.seeds + 1)), tuple(found.arms.split(",")), found.threads,
        found.learning_rate, found.count,
    )  # fmt: skip
    if found.what == "plot":
        from _training_plots import plot

        plot(options.out, found.plots, TRAINED, HELD_OUT, WARM_LEVELS)
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    with served() as client:
        run(options, client)
    return 0


@contextmanager
def served() -> Iterator[Client]:
    """A server on a fresh database; our own catalogue's programs run as plain processes."""
    with (
        serving("sqlite", ESCALADE_SANDBOX="process") as server,
        Client(server.url, server.key, timeout_s=600.0, deadline_s=3_600.0) as client,
    ):
        yield client


def run(options: Options, client: Client) -> None:
    """Warm up once, then do every run that has no result."""
    warm = options.out / "warmup"
    if not (warm / "model.pt").exists():
        warm_up_once(client, warm)
    asked = questions(
        client,
        dict.fromkeys((*TRAINED, *HELD_OUT), TEST_LEVELS),
        count=options.count,
        seed=TEST_SEED,
        template="compact",
    )
    # Seed by seed, so that an experiment that is cut short has compared all arms.
    for seed in options.seeds:
        for arm in options.arms:
            path = options.out / f"{arm}-{seed}.json"
            if path.exists():
                note(f"{path.name} is there")
                continue
            one_run(options, client, arm, seed, warm, asked, path)


def warm_up_once(client: Client, folder: Path) -> None:
    """Teach a new model the lowest levels."""
    note("warm-up: fetching examples")
    examples = fetch(
        client, (*TRAINED, *HELD_OUT), levels=WARM_LEVELS, count=WARMUP.examples, seed=0, template="compact"
    )
    policy = SmallPolicy(MODEL, device=torch.device("cpu"), seed=0)
    start_s = time.monotonic()

    def told(step: int, loss: float) -> None:
        if (step + 1) % 200 == 0:
            note(f"warm-up {step + 1}/{WARMUP.steps}  loss {loss:.3f}  {time.monotonic() - start_s:.0f} s")

    warm_up(policy, examples, WARMUP, seed=0, told=told)
    saving.save_model(folder, policy)


def one_run(
    options: Options, client: Client, arm: str, seed: int, warm: Path, asked: Sequence[Instance], path: Path
) -> None:
    """Train under one curriculum, and write what came of it."""
    out = options.out / "runs" / f"{arm}-{seed}-{int(time.time())}"
    config = TrainConfig.model_validate(
        {
            "name": f"{arm} {seed}", "out": out, "steps": options.steps, "seed": seed, "threads": options.threads,
            "run": {
                "groups": 16, "rollouts": 16, "template": "compact", "curriculum": ARMS[arm],
                "pool": {"environments": list(TRAINED)},
            },
            "model": {"start": warm},
            "sampling": asdict(SAMPLING),
            "optimiser": {"learning_rate": options.learning_rate},
            "checkpoint": {"every": options.steps},
        }
    )  # fmt: skip
    start_s, measuring_s = time.monotonic(), 0.0
    looks: list[dict[str, Any]] = []

    def look(step: int, policy: Policy) -> None:
        nonlocal measuring_s
        if step % max(1, options.steps // LOOKS) and step != options.steps:
            return
        before_s = time.monotonic()
        cells = assess(policy, client, asked, rollouts=2, sampling=SAMPLING, seed=TEST_SEED)
        measuring_s += time.monotonic() - before_s
        looks.append({"step": step, "cells": [asdict(cell) for cell in cells]})
        parts = "  ".join(f"{name} {value:.3f}" for name, value in summary(cells).items())
        note(f"{arm} {seed}  step {step}/{options.steps}  {parts}  {time.monotonic() - start_s:.0f} s")

    train(config, client, Console(stderr=True, quiet=True), look=look)
    elapsed_s = time.monotonic() - start_s
    steps = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    document = {
        "arm": arm, "seed": seed, "curriculum": ARMS[arm], "options": {**asdict(options), "out": str(options.out.name)},
        "looks": looks, "steps": steps, "training_s": elapsed_s - measuring_s, "measuring_s": measuring_s,
        "load": os.getloadavg(),
    }  # fmt: skip
    part = path.with_suffix(".part")
    part.write_text(json.dumps(document))
    part.replace(path)


def summary(cells: Sequence[Cell]) -> dict[str, float]:
    """Accuracy of the parts that the experiment tells apart."""
    return {
        "warmed levels": accuracy(c for c in cells if c.environment in TRAINED and c.level in WARM_LEVELS),
        "higher levels": accuracy(c for c in cells if c.environment in TRAINED and c.level not in WARM_LEVELS),
        "held-out": accuracy(c for c in cells if c.environment in HELD_OUT),
        "all levels": accuracy(c for c in cells if c.environment in TRAINED),
    }


if __name__ == "__main__":
    sys.exit(main())

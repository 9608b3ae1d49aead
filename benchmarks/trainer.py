"""What a training step costs beyond the model: small model, CPU, local server.

The model's part is the time spent sampling and updating; the rest of a step's wall time is the trainer's and the
server's. Measured with the sizes that `escalade train` has by default, with and without the overlap (`lag` 1 and 0),
and with a model of less than half as many weights, whose steps are as short as the server's own work for them. Each
over the same steps in a run of its own, after a warm-up that makes answers worth training on. What the model loses to
the server's own use of the cores is in the model's part.

    python benchmarks/trainer.py --steps 40
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from _figures import Figure, Target, median, note, report
from _servers import serving
from rich.console import Console

from escalade import Client
from escalade.trainer.config import TrainConfig
from escalade.trainer.train import train

ENVIRONMENTS = ["coin-row", "drum-patterns", "odd-bells", "ticket-queue"]
SKIPPED = 5
"""Steps at the start, in which the server compiles programs and fills its store of instances."""
MODELS: dict[str, dict[str, int]] = {"default": {}, "smaller": {"layers": 3, "heads": 3, "width": 96}}
CASES = [("default", 1), ("default", 0), ("smaller", 1)]
"""Models and lags; the first is held against the target."""


def measure(client: Client, out: Path, *, case: int, steps: int, threads: int) -> tuple[float, float]:
    """Median wall time of a step and of the model's part in it, in seconds.

    Each has a seed of its own: runs of one seed share instances, so that the second would find them made.
    """
    model, lag = CASES[case]
    config = TrainConfig.model_validate(
        {
            "name": f"benchmark {case}", "out": out, "steps": steps, "seed": 1 + case, "threads": threads,
            "run": {
                "groups": 32, "rollouts": 8, "template": "compact", "pool": {"environments": ENVIRONMENTS},
                "curriculum": {"policy": "fixed", "constants": {"share": 0.1}},
            },
            "model": MODELS[model],
            "grpo": {"lag": lag},
            "warmup": {"levels": [0, 1], "examples": 64, "steps": 100},
            "checkpoint": {"every": steps},
        }
    )  # fmt: skip
    train(config, client, Console(quiet=True))
    # The last line is of an update alone, since nothing is left to sample then.
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()][SKIPPED:-1]
    whole = median([line["step_s"] for line in lines])
    return whole, median([line["sample_s"] + line["update_s"] for line in lines])


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    figures = []
    with (
        tempfile.TemporaryDirectory(prefix="escalade-bench-") as folder,
        serving("sqlite") as server,
        Client(server.url, server.key, timeout_s=600.0) as client,
    ):
        for case, (model, lag) in enumerate(CASES):
            note(f"training {options.steps} steps of the {model} model with lag {lag}")
            whole, part = measure(
                client, Path(folder) / str(case), case=case, steps=options.steps, threads=options.threads
            )
            target = Target("ratio", "at most", 1.1) if case == 0 else None
            figures.append(Figure(f"trainer_step_{model}_lag_{lag}", whole, "s", part, "the model's part", target))
    report(figures)


if __name__ == "__main__":
    main()

"""What a training step costs beyond the model: small model, CPU, local server.

The model's part is the time spent sampling and updating; the rest of a step's wall time is the trainer's and the
server's. Measured with and without the overlap (`lag` 1 and 0), over the same steps in one run of each, after a warm-up
that makes answers worth training on. What the model loses to the server's own use of the cores is in the model's part.

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


def measure(client: Client, out: Path, *, lag: int, steps: int, threads: int) -> tuple[float, float]:
    """Median wall time of a step and of the model's part in it, in seconds.

    Each has a seed of its own: runs of one seed share instances, so that the second would find them made.
    """
    config = TrainConfig.model_validate(
        {
            "name": f"benchmark, lag {lag}", "out": out, "steps": steps, "seed": 1 + lag, "threads": threads,
            "run": {
                "groups": 32, "rollouts": 8, "template": "compact", "pool": {"environments": ENVIRONMENTS},
                "curriculum": {"policy": "fixed", "constants": {"share": 0.1}},
            },
            "model": {"layers": 3, "heads": 3, "width": 96},
            "sampling": {"max_tokens": 24},
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
        for lag in (1, 0):
            note(f"training {options.steps} steps with lag {lag}")
            whole, model = measure(
                client, Path(folder) / f"lag-{lag}", lag=lag, steps=options.steps, threads=options.threads
            )
            target = Target("ratio", "at most", 1.1) if lag else None
            figures.append(Figure(f"trainer_step_lag_{lag}", whole, "s", model, "the model's part", target))
    report(figures)


if __name__ == "__main__":
    main()

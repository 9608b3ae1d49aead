"""A run whose rollouts an inference endpoint writes: sample, report, and let the curriculum follow; nothing is trained.

For trying a curriculum on a served model, finding the levels where it is right half of the time, or gathering attempts.

Guarantee: every batch is written and reported before the next is asked for, so that the run's log depends on nothing
but what the model wrote. A rollout that the server could not score is left out of the figures, never a 0.
"""

from __future__ import annotations

import time

from rich.console import Console

from escalade import Client
from escalade.trainer.config import EndpointModel, TrainConfig, TrainingFailed
from escalade.trainer.desk import Desk, Written, patiently
from escalade.trainer.endpoint import EndpointWriter
from escalade.trainer.metrics import Metrics
from escalade.trainer.policies import Sampling
from escalade.trainer.train import create_run
from escalade.types import Batch

SEEDS_PER_STEP = 1_009
"""Distance between two steps' seeds at the endpoint."""


def drive(config: TrainConfig, model: EndpointModel, client: Client, console: Console, *, key: str | None) -> str:
    """Drive a new run for as many steps as configured; the run's identity.

    Args:
        config: Its run, steps, seed, sampling and folder; what is said of training is not looked at.
        model: The endpoint.
        client: The server.
        console: Where to tell how it goes.
        key: The endpoint's key, if it wants one.

    Raises:
        TrainingFailed: `out` holds figures already, or the server was away for too long.
        EndpointFailed: The endpoint refused, or was away for too long.
        EscaladeError: The server refused a call.
    """
    start_s = time.monotonic()
    config.out.mkdir(parents=True, exist_ok=True)
    if (config.out / "metrics.jsonl").exists():
        raise TrainingFailed(f"{config.out} holds the figures of another run: choose another `out`")

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    run = patiently(lambda: create_run(config, client), config.patience_s, say)
    say(f"{run.run}: {run.curriculum.policy}, {run.pool_size} environments, {run.groups} groups of {run.rollouts}")
    sampling = Sampling(config.sampling.max_tokens, config.sampling.temperature)
    with (
        EndpointWriter(
            model.url, model.name, key=key, timeout_s=model.timeout_s, patience_s=config.patience_s
        ) as writer,
        Metrics(config.out, steps=config.steps, first=0, tensorboard=config.tensorboard, console=console,
                description="driving") as metrics,
        Desk(client, run.run, patience_s=config.patience_s, say=metrics.say) as desk,
    ):  # fmt: skip
        for step in range(config.steps):
            step_s = time.monotonic()
            batch = desk.batch(step).result()
            sample_s = time.monotonic()
            texts = writer.write(
                [group.messages for group in batch.groups],
                rollouts=batch.groups[0].rollouts,
                sampling=sampling,
                seed=config.seed + step * SEEDS_PER_STEP,
            )
            report_s = time.monotonic()
            written = Written(
                groups=tuple(group.group for group in batch.groups),
                texts=tuple(tuple(some) for some in texts),
                tokens=tuple((None,) * len(some) for some in texts),
                policy_step=0,
            )
            figures = figures_of(batch, desk.report(written).result())
            done_s = time.monotonic()
            figures |= {"sample_s": report_s - sample_s, "step_s": done_s - step_s, "elapsed_s": done_s - start_s}
            metrics.step(step, figures)
    say(f"drove {config.steps} steps in {time.monotonic() - start_s:.0f} s: {config.out}")
    return run.run


def figures_of(batch: Batch, rewards: list[list[float | None]]) -> dict[str, float]:
    """What a batch's rewards say."""
    known = [[reward for reward in row if reward is not None] for row in rewards]
    everything = [reward for row in known for reward in row]
    return {
        "accuracy": sum(everything) / len(everything) if everything else 0.0,
        "informative": sum(len(set(row)) > 1 for row in known) / len(known),
        "level": sum(group.level for group in batch.groups) / len(batch.groups),
        "environments": float(len({group.environment for group in batch.groups})),
        "unscored": float(sum(map(len, rewards)) - len(everything)),
    }

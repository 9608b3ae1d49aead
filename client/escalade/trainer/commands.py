"""`escalade train` and `escalade evaluate`.

Guarantee: without torch the commands are left out and named as missing; torch itself is imported when they run.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from escalade.cli import output
from escalade.cli.app import open_client


def register(app: typer.Typer) -> None:
    """Add `train` and `evaluate`.

    Raises:
        ImportError: Something that the extra brings is not installed.
    """
    for name in ("torch", "yaml"):
        if find_spec(name) is None:
            raise ImportError(f"no module named {name}", name=name)
    from escalade.trainer.evaluate import evaluate

    app.command("train")(train)
    app.command("evaluate")(evaluate)


def train(
    ctx: typer.Context,
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="Configuration, TOML or YAML.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in `out`.")] = False,
    endpoint_key: Annotated[
        str | None, typer.Option(envvar="ESCALADE_ENDPOINT_KEY", help="The endpoint's key, if it wants one.")
    ] = None,
) -> None:
    """Train a model with GRPO on a run of the server; an endpoint's model drives the run and is not trained."""
    from escalade.trainer.config import EndpointModel, TrainingFailed, read_config

    settings = read_config(config)
    client = open_client(ctx)
    if isinstance(settings.model, EndpointModel):
        if resume:
            raise TrainingFailed("`--resume`: a run that an endpoint drives keeps nothing to go on from")
        from escalade.trainer.drive import drive

        drive(settings, settings.model, client, output.stdout(), key=endpoint_key)
        return
    from escalade.trainer.train import train as train_model

    train_model(settings, client, output.stdout(), resume=resume)

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
) -> None:
    """Train a model with GRPO on a run of the server."""
    from escalade.trainer.config import read_config

    settings = read_config(config)
    client = open_client(ctx)
    from escalade.trainer.train import train as train_model

    train_model(settings, client, output.stdout(), resume=resume)

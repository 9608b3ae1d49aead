"""`escalade evaluate`: how good a model is, environment by environment and level by level.

Guarantee: the instances are of the evaluation split, whose seeds no run ever draws, and are the same for the same
environment versions, `--instances` and `--seed`; nothing on the server changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from escalade.cli import output
from escalade.cli.app import open_client
from escalade.errors import EscaladeError, InvalidRequest
from escalade.exports.export import SERVED
from escalade.trainer.evaluation import Figures, figures, grouped
from escalade.trainer.tallies import Tally
from escalade.types import Template

if TYPE_CHECKING:
    from escalade import Client
    from escalade.trainer.policies import Writer

JSON_FILE, PNG_FILE = "evaluation.json", "evaluation.png"


def evaluate(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Option(
            metavar="KIND:WHERE", help="small:FOLDER, hf:NAME, or endpoint:URL (OpenAI-compatible, with --name)."
        ),
    ],
    name: Annotated[str | None, typer.Option(metavar="MODEL", help="The model's name at the endpoint.")] = None,
    endpoint_key: Annotated[
        str | None, typer.Option(envvar="ESCALADE_ENDPOINT_KEY", help="The endpoint's key, if it wants one.")
    ] = None,
    environments: Annotated[
        str | None, typer.Option(metavar="NAME,NAME", help="Only these. [default: every one that is served]")
    ] = None,
    levels: Annotated[
        str | None, typer.Option(metavar="0-4,9", help="Only these levels, where a ladder has them. [default: all]")
    ] = None,
    instances: Annotated[int, typer.Option(min=1, max=1_024, help="Instances per environment and level.")] = 8,
    rollouts: Annotated[int, typer.Option(min=1, max=1_024, help="Completions per instance.")] = 4,
    k: Annotated[str, typer.Option(metavar="K,K", help="For which k to tell pass@k.")] = "1,4",
    seed: Annotated[int, typer.Option(min=0, help="Which held-out instances, and the sampling's chance.")] = 0,
    temperature: Annotated[float, typer.Option(min=0.0, max=10.0)] = 1.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest completion.")] = 2_048,
    template: Annotated[Template, typer.Option(help="Prompts: full, or compact for the small model.")] = "full",
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help=f"Write {JSON_FILE} here, and {PNG_FILE} with matplotlib.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Evaluate a model on held-out instances."""
    ks = sorted(set(numbers(k, "--k")))
    if ks[0] < 1 or ks[-1] > rollouts:
        raise InvalidRequest(f"`--k`: from 1 to the number of --rollouts, {rollouts}")
    client = open_client(ctx)
    wanted = places(client, environments, levels)
    from escalade.trainer.assess import ask, questions
    from escalade.trainer.policies import Sampling

    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EscaladeError(f"`--out`: {out} cannot be a folder: {error}", code="not_written") from None
    writer = open_writer(model, name, endpoint_key)
    asked = questions(client, wanted, count=instances, seed=seed, template=template, say=output.note)
    with output.stderr().status(f"answering {len(asked)} instances") as status:
        tallies = ask(
            writer,
            client,
            asked,
            rollouts=rollouts,
            sampling=Sampling(max_tokens=max_tokens, temperature=temperature),
            seed=seed,
            told=lambda answered: status.update(f"answered {answered} of {len(asked)} instances"),
            say=output.note,
        )
    report = document(model, tallies, ks)
    if as_json:
        output.print_plain(report)
    else:
        _print(tallies, ks)
    if out is not None:
        (out / JSON_FILE).write_text(json.dumps(report, indent=2) + "\n")
        _draw(out / PNG_FILE, tallies)


def numbers(text: str, option: str) -> list[int]:
    """The numbers of `0-4,9`.

    Raises:
        InvalidRequest: It is not of that form.
    """
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(first + last) > 12:
            raise InvalidRequest(f"`{option}`: {text!r} is not a list of numbers and ranges such as 0-4,9")
        found += range(int(first), int(last if dash else first) + 1)
    if not found:
        raise InvalidRequest(f"`{option}`: {text!r} names no number")
    return found


def places(client: Client, environments: str | None, levels: str | None) -> dict[str, list[int]]:
    """Which levels of which environments to ask for.

    Raises:
        InvalidRequest: An environment is not on the server, or no ladder has one of the levels.
    """
    served = {one.name: one.levels for one in client.environments() if one.status in SERVED}
    names = list(served) if environments is None else [part.strip() for part in environments.split(",")]
    for one in names:
        if one not in served:
            raise InvalidRequest(f"`--environments`: {one!r} is not served here; see `escalade environments`")
    chosen = None if levels is None else set(numbers(levels, "--levels"))
    found = {one: [level for level in range(served[one]) if chosen is None or level in chosen] for one in names}
    if not any(found.values()):
        raise InvalidRequest("`--levels`: no ladder of these environments has one of them")
    return {one: some for one, some in found.items() if some}


def open_writer(model: str, name: str | None, key: str | None) -> Writer:
    """The model to ask.

    Raises:
        InvalidRequest: The words do not name one.
        EscaladeError: It cannot be loaded.
    """
    kind, _, where = model.partition(":")
    if not where or kind not in ("small", "hf", "endpoint"):
        raise InvalidRequest(f"`--model`: {model!r} is none of small:FOLDER, hf:NAME and endpoint:URL")
    if kind == "endpoint":
        from escalade.trainer.endpoint import EndpointWriter

        if name is None:
            raise InvalidRequest("`--name`: an endpoint needs the model's name")
        return EndpointWriter(where, name, key=key)
    from escalade.trainer.train import choose_device

    if kind == "hf":
        from escalade.trainer.hf import HFPolicy

        return HFPolicy.load(where, device=choose_device("auto"), dtype="float32")
    from escalade.trainer.saving import load_small

    return load_small(Path(where), choose_device("auto"))


def document(model: str, tallies: Sequence[Tally], ks: Sequence[int]) -> dict[str, Any]:
    """Everything as JSON values."""
    cells = grouped(tallies, lambda one: (one.environment, one.level), ks)
    by_name = grouped(tallies, lambda one: one.environment, ks)
    by_level = grouped(tallies, lambda one: one.level, ks)
    return {
        "model": model,
        "all": figures(tallies, ks).document(),
        "environments": {name: found.document() for name, found in by_name.items()},
        "levels": {str(level): found.document() for level, found in by_level.items()},
        "cells": [{"environment": name, "level": level, **found.document()} for (name, level), found in cells.items()],
    }


def _print(tallies: Sequence[Tally], ks: Sequence[int]) -> None:
    headers = ("", "INSTANCES", "ACCURACY", "95%", *(f"PASS@{k}" for k in ks))
    rows = [_row(name, found) for name, found in grouped(tallies, lambda one: one.environment, ks).items()]
    by_level: Mapping[int, Figures] = grouped(tallies, lambda one: one.level, ks)
    rows += [_row(f"level {level}", found) for level, found in by_level.items()]
    output.table(headers, [*rows, _row("all", figures(tallies, ks))])


def _row(name: str, found: Figures) -> tuple[output.Cell, ...]:
    interval = "-" if found.low is None or found.high is None else f"{found.low:.2f} to {found.high:.2f}"
    return name, found.instances, found.accuracy, interval, *found.pass_at.values()


def _draw(path: Path, tallies: Sequence[Tally]) -> None:
    """A heat map of accuracy by environment and level."""
    try:
        from matplotlib import pyplot
    except ImportError:
        output.note(f"{path.name} needs matplotlib: run `pip install 'escalade[plots]'`")
        return
    cells = grouped(tallies, lambda one: (one.environment, one.level), ())
    names = sorted({name for name, _ in cells})
    top = max(level for _, level in cells)
    shares = [
        [cells[name, level].accuracy if (name, level) in cells else None for level in range(top + 1)] for name in names
    ]
    figure, axes = pyplot.subplots(figsize=(3 + 0.35 * (top + 1), 1.5 + 0.28 * len(names)), layout="constrained")
    try:
        grid = [[float("nan") if share is None else share for share in row] for row in shares]
        picture = axes.imshow(grid, vmin=0, vmax=1, aspect="auto", cmap="viridis")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("level")
        figure.colorbar(picture, label="accuracy")
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise EscaladeError(f"{path} cannot be written: {error}", code="not_written") from None
    finally:
        pyplot.close(figure)

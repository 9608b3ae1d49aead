"""`escalade export`: a dataset for those who train offline.

Guarantee: what the manifest calls the command makes the same rows again, and holds no key.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from escalade.cli import output
from escalade.cli.app import CommandError, open_client
from escalade.exports import ExportFailed, Request, Shape
from escalade.exports import export as write
from escalade.types import MAX_INSTANCES, AnswerType, Template

DEFAULTS = Request()


def export(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write: a name in .jsonl or .parquet.")],
    shape: Annotated[
        Shape, typer.Option(help="Of a row: TRL's prompt as text or as messages, verl's, or OpenAI's messages.")
    ] = DEFAULTS.shape,
    environment: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this environment; repeat for more.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Only environments with this tag.")] = None,
    answer_type: Annotated[AnswerType | None, typer.Option(help="Only environments of this answer type.")] = None,
    source: Annotated[str | None, typer.Option(help="Only environments from this source, such as scaler.")] = None,
    levels: Annotated[
        str, typer.Option(metavar="LEVELS", help="Such as 0-3, or 2,5, or 4- (to the top).")
    ] = DEFAULTS.levels,
    count: Annotated[int, typer.Option(min=1, max=MAX_INSTANCES, help="Instances of each level.")] = DEFAULTS.count,
    seed: Annotated[int, typer.Option(min=0, help="Other seeds give other instances.")] = DEFAULTS.seed,
    split: Annotated[
        Literal["train", "evaluation"], typer.Option(help="Seeds to draw from; the two share none.")
    ] = DEFAULTS.split,
    template: Annotated[
        Template, typer.Option(help="Write prompts in full, or compact for models too small to read.")
    ] = DEFAULTS.template,
    answers: Annotated[
        bool | None,
        typer.Option("--answers/--no-answers", help="With the ground truths; default where the key may see them."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of this name.")] = False,
) -> None:
    """Write instances to a file, with a manifest beside it."""
    request = Request(
        shape=shape, environments=tuple(environment or ()), tag=tag, answer_type=answer_type, source=source,
        levels=levels, count=count, seed=seed, split=split, template=template, answers=answers,
    )  # fmt: skip
    console = output.stderr()
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task("exporting", total=None)
            made = write(
                open_client(ctx), file, request,
                command=command_of(file, request), overwrite=overwrite,
                told=lambda seen, total: progress.update(task, completed=seen, total=total),
            )  # fmt: skip
    except ExportFailed as error:
        raise CommandError(str(error)) from None
    if not made.answers and answers is None:
        output.note("without answers: they need an admin key")
    repeats = sum(level.repeats for one in made.environments for level in one.levels)
    if repeats:
        output.note(f"{repeats} repeated prompts left out: some levels have fewer than {count} instances")
    output.say(f"{file}: {made.rows} rows of {len(made.environments)} environments ({', '.join(made.licences)})")


def command_of(file: Path, request: Request) -> str:
    """The command that makes these rows again."""
    words = ["escalade", "export", file.name, "--shape", request.shape]
    for name in request.environments:
        words += ["--environment", name]
    for option, value in (("tag", request.tag), ("answer-type", request.answer_type), ("source", request.source)):
        words += [f"--{option}", value] if value is not None else []
    words += ["--levels", request.levels, "--count", str(request.count), "--seed", str(request.seed)]
    words += ["--split", request.split, "--template", request.template]
    if request.answers is not None:
        words.append("--answers" if request.answers else "--no-answers")
    return shlex.join(words)

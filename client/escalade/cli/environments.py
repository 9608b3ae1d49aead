"""`escalade environments` and `escalade instances`.

Guarantee: what is printed is what the server serves; nothing is changed there.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from escalade.cli import output
from escalade.cli.app import open_client
from escalade.cli.options import Json, integers
from escalade.types import AnswerType, EnvironmentStatus


class ListByDefault(TyperGroup):
    """Takes `escalade environments --tag dp` for `escalade environments list --tag dp`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in `list` where no subcommand is named."""
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=ListByDefault, help="Show the environments that the server has.", rich_markup_mode=None)


@app.command("list")
def list_environments(
    ctx: typer.Context,
    status: Annotated[EnvironmentStatus | None, typer.Option(help="Only this status.")] = None,
    answer_type: Annotated[AnswerType | None, typer.Option(help="Only this answer type.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    source: Annotated[str | None, typer.Option(help="Only those from this source, such as scaler.")] = None,
    as_json: Json = False,
) -> None:
    """List environments (the default)."""
    client = open_client(ctx)
    found = list(client.environments(status=status, answer_type=answer_type, tag=tag, source=source))
    if as_json:
        output.print_json(found)
        return
    if not found:
        filtered = any((status, answer_type, tag, source))
        output.note("no environment passes these filters" if filtered else "the server has no environments yet")
        return
    output.table(
        ("NAME", "ANSWER", "LEVELS", "STATUS", "SOURCE", "TAGS"),
        [(one.name, one.answer_type, one.levels, one.status, one.source, ", ".join(one.tags)) for one in found],
    )


@app.command("show")
def show(
    ctx: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", help="Its slug.")], as_json: Json = False
) -> None:
    """Show one environment: its statement and its ladder."""
    one = open_client(ctx).environment(name)
    if as_json:
        output.print_json(one)
        return
    status = one.status + (f" ({one.status_reason})" if one.status_reason else "")
    facts = {
        "name": one.name,
        "source": f"{one.source_name} ({one.source})",
        "licence": one.licence or "not stated",
        "status": status,
        "answer": one.answer_type,
        "references": str(one.references),
        "version": one.version,
        "versions": str(len(one.versions)),
        "tags": ", ".join(one.tags) or "none",
    }
    for label, value in facts.items():
        output.say(f"{label + ':':<12}{value}")
    output.say(f"\n{one.statement.strip()}\n")
    names = sorted({name for rung in one.ladder for name in rung.parameters})
    output.table(
        ("LEVEL", *names), [(rung.level, *(rung.parameters.get(name) for name in names)) for rung in one.ladder]
    )


def instances(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The environment's slug.")],
    level: Annotated[int | None, typer.Option(help="Rung of its ladder; 0 where nothing is given.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", metavar="NAME=N", help="Scale parameter, in place of --level.")
    ] = None,
    count: Annotated[int, typer.Option(help="How many.")] = 1,
    seed: Annotated[int, typer.Option(help="Other seeds give other instances.")] = 0,
    as_json: Json = False,
) -> None:
    """Print instances of an environment at a level."""
    parameters = integers(parameter)
    if level is None and parameters is None:
        level = 0
    made = open_client(ctx).instances(name, level=level, parameters=parameters, count=count, seed=seed)
    if as_json:
        output.print_json(made.instances)
        return
    for one in made.instances:
        where = f"level {one.level}" if one.level is not None else "off the ladder"
        scale = ", ".join(f"{key}={value}" for key, value in sorted(one.parameters.items()))
        output.say(f"== {one.instance}  {one.environment}  {where}  {scale}")
        for message in one.messages:
            output.say(f"[{message.role}]\n{message.content.strip()}\n")

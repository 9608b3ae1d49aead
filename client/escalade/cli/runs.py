"""`escalade run`: look at runs, make them and end them; `histories` and `watch` add the rest.

Guarantee: nothing is deleted without a yes.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from escalade._fields import RunFields
from escalade.cli import output
from escalade.cli.app import CommandError, open_client
from escalade.cli.options import Json, RunId, reals, strata
from escalade.types import (
    Controller,
    CurriculumSettings,
    Mode,
    PoolFilter,
    Run,
    Template,
)

app = typer.Typer(help="Runs: one for each training run of a trainer.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_runs(ctx: typer.Context, as_json: Json = False) -> None:
    """List runs."""
    found = list(open_client(ctx).runs())
    if as_json:
        output.print_json(found)
    elif not found:
        output.note("no runs yet: make one with `escalade run create NAME`")
    else:
        output.table(
            ("RUN", "NAME", "POLICY", "GROUPS", "ROLLOUTS", "POOL", "CURSOR", "CREATED"),
            [
                (one.run, one.name, one.curriculum.policy, one.groups, one.rollouts, one.pool_size, one.last_cursor,
                 f"{one.created_at:%Y-%m-%d %H:%M}")
                for one in found
            ],
        )  # fmt: skip


@app.command("show")
def show(ctx: typer.Context, run: RunId, as_json: Json = False) -> None:
    """Show a run's settings and where it stands."""
    show_run(open_client(ctx).run(run), as_json)


@app.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="For people.")],
    policy: Annotated[str | None, typer.Option(help="Curriculum policy, such as scaler.")] = None,
    constant: Annotated[
        list[str] | None, typer.Option(metavar="NAME=X", help="Constant of the policy to change from its default.")
    ] = None,
    stratum: Annotated[
        list[str] | None,
        typer.Option(metavar="tag=TAG,share=X", help="Part of the pool with its quota or `weight`; repeat for more."),
    ] = None,
    environment: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Draw from this environment; repeat for more.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Draw from those with this tag; repeat for more.")
    ] = None,
    answer_type: Annotated[list[str] | None, typer.Option(metavar="TYPE", help="Draw from this answer type.")] = None,
    source: Annotated[list[str] | None, typer.Option(metavar="SOURCE", help="Draw from this source.")] = None,
    status: Annotated[list[str] | None, typer.Option(metavar="STATUS", help="Draw from this status.")] = None,
    groups: Annotated[int | None, typer.Option(help="Groups per batch.")] = None,
    rollouts: Annotated[int | None, typer.Option(help="Rollouts per group.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all that the run draws.")] = None,
    deadline_s: Annotated[float | None, typer.Option(help="Seconds until a group closes by itself.")] = None,
    success_threshold: Annotated[float | None, typer.Option(help="A reported score counts as right from here.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="Ask for the answer or for a program.")] = None,
    template: Annotated[
        Template | None, typer.Option(help="Write prompts in full, or compact for models too small to read.")
    ] = None,
    reveal_answers: Annotated[
        bool, typer.Option("--reveal-answers", help="Show ground truths in its batches; needs an admin key.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start a run."""
    fields: RunFields = {}
    curriculum = {"policy": policy, "constants": reals(constant), "strata": strata(stratum)}
    pool = {
        "environments": environment, "tags": tag, "answer_types": answer_type, "sources": source, "statuses": status,
    }  # fmt: skip
    try:
        if any(curriculum.values()):
            fields["curriculum"] = CurriculumSettings.model_validate(
                {key: value for key, value in curriculum.items() if value}
            )
        if any(pool.values()):
            fields["pool"] = PoolFilter.model_validate({key: value for key, value in pool.items() if value})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise typer.BadParameter(f"{str(first['input'])[:80]!r}: {first['msg']}") from None
    if groups is not None:
        fields["groups"] = groups
    if rollouts is not None:
        fields["rollouts"] = rollouts
    if seed is not None:
        fields["seed"] = seed
    if deadline_s is not None:
        fields["deadline_s"] = deadline_s
    if success_threshold is not None:
        fields["success_threshold"] = success_threshold
    if mode is not None:
        fields["mode"] = mode
    if template is not None:
        fields["template"] = template
    if reveal_answers:
        fields["reveal_answers"] = True
    show_run(open_client(ctx).create_run(name, **fields), as_json)


@app.command("delete")
def delete(
    ctx: typer.Context,
    run: RunId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a run: nobody can use or see it any more. What it recorded stays in the database."""
    client = open_client(ctx)
    found = client.run(run)
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError(f"deleting {run} cannot be undone: say --yes to do it")
        typer.confirm(f"Delete {found.run} ({output.clean(found.name)})?", abort=True)
    client.delete_run(run)
    output.say(f"deleted {run}")


@app.command("controllers")
def controllers(ctx: typer.Context, run: RunId, as_json: Json = False) -> None:
    """Show the difficulty of each environment of a run."""
    found = list(open_client(ctx).controllers(run))
    if as_json:
        output.print_json(found)
    else:
        output.table(CONTROLLER_HEADERS, map(_controller_row, _ordered(found)))


@app.command("events")
def events(
    ctx: typer.Context,
    run: RunId,
    kind: Annotated[str | None, typer.Option(help="Only this kind.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only from this sequence number on.")] = 0,
    last: Annotated[int | None, typer.Option(min=1, help="Only so many, the newest.")] = None,
    as_json: Json = False,
) -> None:
    """Show a run's log, oldest first."""
    wanted = (event for event in open_client(ctx).events(run, after=after) if kind is None or event.kind == kind)
    found = list(deque(wanted, maxlen=last))
    if as_json:
        output.print_json(found)
    else:
        output.table(
            ("SEQUENCE", "TIME", "KIND", "PAYLOAD"),
            [
                (event.sequence, f"{event.created_at:%H:%M:%S}", event.kind, ", ".join(
                    f"{name}={value}" for name, value in event.payload.items()
                ))
                for event in found
            ],
        )  # fmt: skip


CONTROLLER_HEADERS = ("ENVIRONMENT", "ACTIVE", "LEVEL", "TOP", "ACCURACY", "VISITS")


def _controller_row(one: Controller) -> tuple[output.Cell, ...]:
    active = "yes" if one.active else (one.retired or "no")
    return one.environment, active, one.level, one.top_level, one.accuracy, one.visits


def _ordered(found: Iterable[Controller]) -> list[Controller]:
    return sorted(found, key=lambda one: (not one.active, one.environment))


def show_run(run: Run, as_json: bool) -> None:
    """Print a run's settings and where it stands."""
    if as_json:
        output.print_json(run)
        return
    for name, value in run.model_dump(mode="json").items():
        if name == "curriculum":
            constants = "".join(f" {key}={setting:g}" for key, setting in value["constants"].items())
            value = value["policy"] + constants + "".join(f" [{_stratum(one)}]" for one in value["strata"])
        output.say(f"{name + ':':<20}{'-' if value is None else value}")


def _stratum(fields: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in fields.items() if value is not None)

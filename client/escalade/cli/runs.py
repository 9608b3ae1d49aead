"""`escalade run`: look at runs, make them, end them, and watch their difficulty move.

Guarantee: nothing is deleted without a yes.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Group
from rich.live import Live
from rich.text import Text

from escalade import Client
from escalade._requests import RunFields
from escalade.cli import output
from escalade.cli.app import CommandError, open_client
from escalade.cli.options import Json, reals
from escalade.types import (
    Controller,
    CurriculumSettings,
    Mode,
    PoolFilter,
    Run,
)

app = typer.Typer(help="Runs: one for each training run of a trainer.", no_args_is_help=True, rich_markup_mode=None)
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, run_...")]


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
    _show(open_client(ctx).run(run), as_json)


@app.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="For people.")],
    policy: Annotated[str | None, typer.Option(help="Curriculum policy, such as scaler.")] = None,
    constant: Annotated[
        list[str] | None, typer.Option(metavar="NAME=X", help="Constant of the policy to change from its default.")
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
    reveal_answers: Annotated[
        bool, typer.Option("--reveal-answers", help="Show ground truths in its batches; needs an admin key.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start a run."""
    fields: RunFields = {}
    constants = reals(constant)
    if policy is not None or constants:
        fields["curriculum"] = CurriculumSettings.model_validate(
            {"constants": constants} | ({"policy": policy} if policy is not None else {})
        )
    pool = {
        "environments": environment, "tags": tag, "answer_types": answer_type, "sources": source, "statuses": status,
    }  # fmt: skip
    if any(pool.values()):
        try:
            fields["pool"] = PoolFilter.model_validate({key: value for key, value in pool.items() if value})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise typer.BadParameter(f"{first['input']!r}: {first['msg']}") from None
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
    if reveal_answers:
        fields["reveal_answers"] = True
    _show(open_client(ctx).create_run(name, **fields), as_json)


@app.command("delete")
def delete(
    ctx: typer.Context,
    run: RunId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a run with its batches, attempts and events."""
    client = open_client(ctx)
    found = client.run(run)
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError(f"deleting {run} cannot be undone: say --yes to do it")
        typer.confirm(f"Delete {found.run} ({output.clean(found.name)}) and all that it recorded?", abort=True)
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


@app.command("watch")
def watch(
    ctx: typer.Context,
    run: RunId,
    interval_s: Annotated[float, typer.Option("--interval", min=0.1, help="Seconds between looks.")] = 2.0,
    updates: Annotated[int | None, typer.Option(min=1, help="Stop after so many looks.")] = None,
) -> None:
    """Watch the difficulty of a run move, until Ctrl-C."""
    # A watcher outlives a restart of the server.
    client = open_client(ctx, retries=8)
    try:
        if output.stdout().is_terminal:
            _watch_live(client, run, interval_s, updates)
        else:
            _watch_lines(client, run, interval_s, updates)
    except KeyboardInterrupt:
        return


def _watch_live(client: Client, run: str, interval_s: float, updates: int | None) -> None:
    with Live(console=output.stdout(), auto_refresh=False, vertical_overflow="ellipsis") as live:
        looks = 0
        while True:
            found, difficulty = client.run(run), list(client.controllers(run))
            active = [one for one in difficulty if one.active]
            title = f"{found.name}  {found.run}  cursor {output.shown(found.last_cursor)}  active {len(active)}"
            shown = output.build_table(CONTROLLER_HEADERS, map(_controller_row, _ordered(active)))
            live.update(Group(Text(output.clean(f"{title} of {len(difficulty)}"), style="bold"), shown), refresh=True)
            looks += 1
            if looks == updates:
                return
            time.sleep(interval_s)


def _watch_lines(client: Client, run: str, interval_s: float, updates: int | None) -> None:
    """Print a controller's line when it has changed."""
    before: dict[str, Controller] = {}
    print("\t".join(("CURSOR", *CONTROLLER_HEADERS)), flush=True)
    looks = 0
    while True:
        cursor = client.run(run).last_cursor
        for one in _ordered(client.controllers(run)):
            if one.active and before.get(one.environment) != one:
                print("\t".join(output.shown(cell) for cell in (cursor, *_controller_row(one))), flush=True)
            before[one.environment] = one
        looks += 1
        if looks == updates:
            return
        time.sleep(interval_s)


CONTROLLER_HEADERS = ("ENVIRONMENT", "ACTIVE", "LEVEL", "TOP", "ACCURACY", "VISITS")


def _controller_row(one: Controller) -> tuple[output.Cell, ...]:
    active = "yes" if one.active else (one.retired or "no")
    return one.environment, active, one.level, one.top_level, one.accuracy, one.visits


def _ordered(found: Iterable[Controller]) -> list[Controller]:
    return sorted(found, key=lambda one: (not one.active, one.environment))


def _show(run: Run, as_json: bool) -> None:
    if as_json:
        output.print_json(run)
        return
    for name, value in run.model_dump(mode="json").items():
        if name == "curriculum":
            constants = "".join(f" {key}={setting:g}" for key, setting in value["constants"].items())
            value = value["policy"] + constants
        output.say(f"{name + ':':<20}{'-' if value is None else value}")

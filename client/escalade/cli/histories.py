"""`escalade run`: checkpoints and going back to them, branches, documents, and a run over time.

Guarantee: what is written to a file or printed as JSON is what the server said, whole; nothing here deletes anything.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from escalade._fields import ForkFields
from escalade.cli import output
from escalade.cli.app import CommandError, open_client
from escalade.cli.options import Csv, Json, RunId, one_form, reals
from escalade.cli.runs import show_run
from escalade.types import ActiveMember, Checkpoint, Dropped, Fork, RunDocument, StepMetrics

app = typer.Typer(rich_markup_mode=None)
Label = Annotated[str, typer.Argument(metavar="LABEL", help="The checkpoint's label.")]
Cursor = Annotated[int, typer.Argument(metavar="CURSOR", min=0, help="The trainer's step number.")]

STEP_FIELDS = tuple(name for name in StepMetrics.model_fields if name != "tags")
MEMBER_FIELDS = tuple(ActiveMember.model_fields)
STEP_HEADERS = (
    "CURSOR", "GROUPS", "CLOSED", "INFORM.", "WRONG", "RIGHT", "ACC.", "LEVEL", "ERROR", "EXPIRED", "SEEN",
)  # fmt: skip
"""Short enough for eighty columns: informative share, groups all wrong and all right, accuracy, coverage."""


@app.command("checkpoint")
def checkpoint(
    ctx: typer.Context,
    run: RunId,
    label: Label,
    step: Annotated[int | None, typer.Option(min=0, help="The trainer's step number.")] = None,
    as_json: Json = False,
) -> None:
    """Name the run's state, to go back to it or branch from it."""
    made = open_client(ctx).checkpoint(run, label, step)
    if as_json:
        output.print_json(made)
    else:
        output.say(f"{made.label} holds {made.sequence} events of {run}")


@app.command("checkpoints")
def checkpoints(ctx: typer.Context, run: RunId, as_json: Json = False) -> None:
    """List a run's checkpoints."""
    found: list[Checkpoint] = list(open_client(ctx).checkpoints(run))
    if as_json:
        output.print_json(found)
    elif not found:
        output.note(f"no checkpoints yet: make one with `escalade run checkpoint {run} LABEL`")
    else:
        output.table(
            ("LABEL", "STEP", "GENERATION", "EVENTS", "CREATED"),
            [
                (one.label, one.step, one.generation, one.sequence, f"{one.created_at:%Y-%m-%d %H:%M:%S}")
                for one in found
            ],
        )


@app.command("restore")
def restore(ctx: typer.Context, run: RunId, label: Label, as_json: Json = False) -> None:
    """Go back to a checkpoint: the batches after it come again, as they were."""
    done = open_client(ctx).restore(run, label)
    if as_json:
        output.print_json(done)
        return
    step = "" if done.step is None else f" (step {done.step})"
    output.say(f"{run} is back at {done.label}{step}, in generation {done.generation}")
    output.say(f"{done.kept} environments go on; batches open again: {', '.join(map(str, done.reopened)) or 'none'}")
    _name_dropped(done.dropped)


@app.command("fork")
def fork(
    ctx: typer.Context,
    run: RunId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the new run, for people.")],
    label: Annotated[str | None, typer.Option(help="Checkpoint to branch from; default where the run stands.")] = None,
    constant: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=X", help="Constant of the policy; those given replace all that the run had."),
    ] = None,
    groups: Annotated[int | None, typer.Option(help="Groups per batch.")] = None,
    rollouts: Annotated[int | None, typer.Option(help="Rollouts per group.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all that the new run draws.")] = None,
    deadline_s: Annotated[float | None, typer.Option(help="Seconds until a group closes by itself.")] = None,
    as_json: Json = False,
) -> None:
    """Branch a new run from this one's curriculum; this one goes on as it was."""
    changes: ForkFields = {}
    if constant:
        changes["constants"] = reals(constant)
    if groups is not None:
        changes["groups"] = groups
    if rollouts is not None:
        changes["rollouts"] = rollouts
    if seed is not None:
        changes["seed"] = seed
    if deadline_s is not None:
        changes["deadline_s"] = deadline_s
    _show_fork(open_client(ctx).fork(run, name, label, **changes), as_json)


@app.command("export")
def export(
    ctx: typer.Context,
    run: RunId,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it here instead of to stdout.")] = None,
) -> None:
    """Write a run's settings, pool and curriculum as one JSON document."""
    text = open_client(ctx).export_run(run).model_dump_json() + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}; check the path") from None
    output.note(f"wrote {out}")


@app.command("import")
def import_run(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote; - is stdin.")],
    as_json: Json = False,
) -> None:
    """Start a run from a document that `export` wrote, here or on another server."""
    document = read_document(file)
    _show_fork(open_client(ctx).import_run(document), as_json)


@app.command("close")
def close(ctx: typer.Context, run: RunId, cursor: Cursor, as_json: Json = False) -> None:
    """End a batch early: rollouts that have not come expire."""
    closed = open_client(ctx).close_batch(run, cursor)
    if as_json:
        output.print_plain({"closed": closed})
    elif closed:
        output.say(f"closed {len(closed)}: {', '.join(closed)}")
    else:
        output.note(f"batch {cursor} had no open group")


@app.command("active-set")
def active_set(ctx: typer.Context, run: RunId, as_json: Json = False, as_csv: Csv = False) -> None:
    """Show which environments the run draws from, since when, and why others left."""
    one_form(as_json, as_csv)
    found = list(open_client(ctx).active_set(run))
    if as_json:
        output.print_json(found)
    elif as_csv:
        output.print_csv(MEMBER_FIELDS, _fields(found, MEMBER_FIELDS))
    else:
        output.table(
            ("ENVIRONMENT", "ACTIVE", "LEVEL", "ENTERED", "LEFT", "REASON"),
            [
                (
                    one.environment,
                    "yes" if one.active else "no",
                    one.level,
                    one.entered,
                    one.left,
                    one.reason or one.because,
                )
                for one in found
            ],
        )


@app.command("metrics")
def metrics(
    ctx: typer.Context,
    run: RunId,
    after: Annotated[int, typer.Option(min=0, help="Only from this cursor on.")] = 0,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show a run over time, batch by batch."""
    one_form(as_json, as_csv)
    found = open_client(ctx).metrics(run, after=after)
    if as_json:
        output.print_json(found)
        return
    if as_csv:
        output.print_csv(STEP_FIELDS, _fields(found.steps, STEP_FIELDS))
        return
    output.table(STEP_HEADERS, map(step_cells, found.steps))
    if found.open_groups:
        lease = "" if found.oldest_lease_s is None else f", the oldest for {found.oldest_lease_s:.0f} s"
        output.note(f"open groups: {found.open_groups}{lease}")
    if found.suspects:
        output.note("broken or trivial, as it seems:")
    for suspect in found.suspects:
        last = ", ".join(f"{one.right} of {one.scored} at level {one.level}" for one in suspect.groups[-3:])
        output.note(f"  {suspect.environment}: {suspect.reason}; last groups: {last}")


def step_cells(step: StepMetrics) -> tuple[output.Cell, ...]:
    """One batch as a row under `STEP_HEADERS`."""
    return (
        step.cursor, step.groups, step.closed, step.informative, step.all_wrong, step.all_right, step.accuracy,
        step.level, step.errors, step.expired, step.coverage,
    )  # fmt: skip


def read_document(file: Path) -> RunDocument:
    """Read a run's document from a file, or from stdin where it is `-`.

    Raises:
        CommandError: It cannot be read, or is no such document.
    """
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return RunDocument.model_validate_json(content)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}; check the path") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"`{where}`: {first['msg']}" if where else first["msg"]
        raise CommandError(
            f"{file} is no document of `escalade run export` ({reason}); is it the right file?"
        ) from None


def _fields(models: Sequence[ActiveMember] | Sequence[StepMetrics], names: Sequence[str]) -> list[list[object]]:
    return [[getattr(model, name) for name in names] for model in models]


def _show_fork(made: Fork, as_json: bool) -> None:
    if as_json:
        output.print_json(made)
        return
    show_run(made.run, False)
    _name_dropped(made.dropped)


def _name_dropped(dropped: Sequence[Dropped]) -> None:
    for one in dropped:
        output.note(f"{one.environment} does not go on: {one.reason}")

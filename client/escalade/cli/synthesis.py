"""`escalade synthesize`: problems become verified environments, watched to the end.

Guarantee: the table is the server's funnel; the exit status is 1 if the job did not succeed or nothing was verified.
Ctrl-C leaves the job running on the server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from escalade import Client
from escalade.cli import output
from escalade.cli.app import CommandError, open_client
from escalade.cli.imports import send
from escalade.cli.options import Json, reals
from escalade.types import Funnel, ImportFormat, Job


def synthesize(
    ctx: typer.Context,
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="PATH|NAME...", help="What to import first, or names on the server.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every problem and environment not verified yet.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also what was verified or rejected before.")] = False,
    format: Annotated[ImportFormat, typer.Option(help="Format of the paths.")] = "auto",
    repairs: Annotated[int | None, typer.Option(min=0, help="Repairs of a refused generator by the LLM.")] = None,
    threshold: Annotated[
        list[str] | None, typer.Option("--threshold", metavar="NAME=X", help="Verification threshold.")
    ] = None,
    resume: Annotated[str | None, typer.Option(metavar="JOB", help="Go on with a job that failed.")] = None,
    as_json: Json = False,
) -> None:
    """Make environments of problems and verify them."""
    client = open_client(ctx, retries=8)
    if resume is not None:
        job = client.resume_job(resume)
    else:
        names, imports = _sorted_out(client, targets or [], format)
        if not (names or imports or everything):
            raise CommandError("say what: a path, names on the server, or --all")
        limits = reals(threshold) or None
        job = client.synthesize(
            names=names, imports=imports, everything=everything, again=again, repairs=repairs, thresholds=limits
        )
    job = _watched(client, job)
    funnel = Funnel.model_validate(job.result["funnel"]) if job.result else None
    if as_json:
        output.print_json(job)
    elif funnel is not None:
        _print(funnel)
    if job.status != "succeeded":
        raise CommandError(f"{job.job} {job.status}: {job.error or 'run it again with --resume'}")
    if funnel is None or not funnel.verified:
        raise typer.Exit(1)


def _sorted_out(client: Client, targets: list[str], format: ImportFormat) -> tuple[list[str], list[str]]:
    """Names on the server, and the jobs that imported the paths."""
    names: list[str] = []
    imports: list[str] = []
    for target in targets:
        path = Path(target)
        if path.exists():
            imports += send(client, format, path).jobs
        elif path.suffix or "/" in target:
            raise CommandError(f"{target} is not there; check the path")
        else:
            names.append(target)
    return names, imports


def _watched(client: Client, job: Job) -> Job:
    console = output.stderr()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(job.job, total=job.total)
        for event in client.job_events(job.job):
            if event.job is not None:
                job = event.job
                doing = ", ".join(f"{name}: {text}" for name, text in sorted(job.activity.items()))
                progress.update(task, completed=job.done, description=output.clean(doing or job.status)[:80])
            else:
                progress.update(task, completed=event.sequence)
    return job


def _print(funnel: Funnel) -> None:
    rows = [(one.stage, one.entered, one.stopped, one.passed) for one in funnel.stages]
    output.table(("STAGE", "ENTERED", "STOPPED", "PASSED"), rows)
    stopped = [(one.name, stage.stage, one.outcome, one.reason) for stage in funnel.stages for one in stage.examples]
    if stopped:
        output.say("")
        output.table(("NAME", "STOPPED AT", "OUTCOME", "REASON"), stopped)
    output.say(f"\n{funnel.verified} verified")

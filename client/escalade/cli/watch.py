"""`escalade run watch`: a run's curriculum as it goes.

Guarantee: on a terminal one screen that is drawn anew at each look; elsewhere a line for each batch whose figures have
changed since the look before, so that nothing is printed twice.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from escalade import Client
from escalade.cli import output
from escalade.cli.app import open_client
from escalade.cli.histories import STEP_HEADERS, step_cells
from escalade.cli.options import RunId
from escalade.types import ActiveMember, Run, RunMetrics, StepMetrics

app = typer.Typer(rich_markup_mode=None)

WINDOW = 40
"""Batches looked at, the newest."""
SHOWN_STEPS, SHOWN_MEMBERS, SHOWN_TAGS, SHOWN_SUSPECTS = 8, 8, 8, 6
BARS = "▁▂▃▄▅▆▇█"
LINE_HEADERS = (*STEP_HEADERS, "OPEN", "LEASE S", "TAGS", "ENTERED", "LEFT")


@dataclass(frozen=True)
class Look:
    """What a run is like at one moment."""

    run: Run
    metrics: RunMetrics
    """Of the newest `WINDOW` batches."""
    active: int
    """Size of the active set."""
    entered: tuple[ActiveMember, ...]
    """Who is in, the newest first; without those that were in from the start."""
    left: tuple[ActiveMember, ...]
    """Who left last, the latest first."""


@app.command("watch")
def watch(
    ctx: typer.Context,
    run: RunId,
    interval_s: Annotated[float, typer.Option("--interval", min=0.1, help="Seconds between looks.")] = 2.0,
    updates: Annotated[int | None, typer.Option(min=1, help="Stop after so many looks.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each batch that changed.")] = False,
) -> None:
    """Watch a run's curriculum, until Ctrl-C."""
    # A watcher outlives a restart of the server.
    looks = _looks(open_client(ctx, retries=8), run, interval_s, updates)
    console = output.stdout()
    try:
        if console.is_terminal and not as_json:
            _draw(looks, console)
        else:
            _print_lines(looks, as_json)
    except KeyboardInterrupt:
        return


def take_look(client: Client, run: str) -> Look:
    """Ask the server once how a run stands."""
    found = client.run(run)
    first = max(0, (found.last_cursor or 0) - WINDOW + 1)
    metrics = client.metrics(run, after=first)
    active: list[ActiveMember] = []
    left: list[ActiveMember] = []
    for member in client.active_set(run, limit=500):
        if member.active:
            active.append(member)
        elif member.left is not None:
            left.append(member)
        # They come in this order, so that the thousands that left long ago need not be fetched.
        if len(left) == SHOWN_MEMBERS:
            break
    arrived = [member for member in active if member.entered is not None]
    arrived.sort(key=lambda member: (-(member.entered or 0), member.environment))
    return Look(found, metrics, len(active), tuple(arrived), tuple(left))


def screen(look: Look, *, bars: bool = True) -> RenderableType:
    """Lay out what a person watches."""
    steps = look.metrics.steps
    parts: list[RenderableType] = [Text(output.clean(line), style=style) for line, style in _headlines(look)]
    if bars and any(step.informative is not None for step in steps):
        parts.append(_trends(steps))
    if steps:
        means = ("mean", *_means(steps))
        rows = [*map(step_cells, steps[-SHOWN_STEPS:]), means]
        parts += [Text(), output.build_table(STEP_HEADERS, rows)]
        parts += [Text(), _side_by_side(_tags(steps), _arrivals(look), _departures(look))]
    else:
        parts.append(Text("no batch yet", style="dim"))
    return Group(*parts)


def line_cells(look: Look, step: StepMetrics) -> tuple[output.Cell, ...]:
    """One batch as a row under `LINE_HEADERS`."""
    lease_s = look.metrics.oldest_lease_s
    return (
        *step_cells(step),
        look.metrics.open_groups,
        None if lease_s is None else round(lease_s),
        ", ".join(f"{tag} {groups}" for tag, groups in _most(step.tags)) or None,
        ", ".join(one.environment for one in look.entered if one.entered == step.cursor) or None,
        ", ".join(one.environment for one in look.left if one.left == step.cursor) or None,
    )


def _looks(client: Client, run: str, interval_s: float, updates: int | None) -> Iterator[Look]:
    taken = 0
    while True:
        yield take_look(client, run)
        taken += 1
        if taken == updates:
            return
        time.sleep(interval_s)


def _draw(looks: Iterable[Look], console: Console) -> None:
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        for look in looks:
            live.update(screen(look, bars=not console.options.ascii_only), refresh=True)


def _print_lines(looks: Iterable[Look], as_json: bool) -> None:
    before: dict[int, StepMetrics] = {}
    if not as_json:
        print("\t".join(LINE_HEADERS), flush=True)
    for look in looks:
        for step in look.metrics.steps:
            if before.get(step.cursor) != step:
                print(_as_json(look, step) if as_json else _as_line(look, step), flush=True)
        # What has fallen out of the window does not come again, but for a restore, and then it is news.
        before = {step.cursor: step for step in look.metrics.steps}


def _as_line(look: Look, step: StepMetrics) -> str:
    return "\t".join(" ".join(output.shown(cell).split()) for cell in line_cells(look, step))


def _as_json(look: Look, step: StepMetrics) -> str:
    return json.dumps(
        {
            "run": look.run.run,
            "generation": look.run.generation,
            **step.model_dump(mode="json"),
            "open_groups": look.metrics.open_groups,
            "oldest_lease_s": look.metrics.oldest_lease_s,
            "suspects": [one.environment for one in look.metrics.suspects],
            "entered": [one.environment for one in look.entered if one.entered == step.cursor],
            "left": [one.environment for one in look.left if one.left == step.cursor],
        }
    )


def _headlines(look: Look) -> Iterator[tuple[str, str]]:
    run, metrics = look.run, look.metrics
    yield (
        f"{run.name}  {run.run}  {run.curriculum.policy}  cursor {output.shown(run.last_cursor)}  "
        f"generation {run.generation}",
        "bold",
    )
    covered = metrics.steps[-1].coverage if metrics.steps else 0
    lease = "" if metrics.oldest_lease_s is None else f", the oldest for {metrics.oldest_lease_s:.0f} s"
    yield f"active {look.active} of {run.pool_size}  seen {covered}  open groups {metrics.open_groups}{lease}", ""
    if metrics.suspects:
        more = len(metrics.suspects) - SHOWN_SUSPECTS
        names = ", ".join(one.environment for one in metrics.suspects[:SHOWN_SUSPECTS])
        yield f"broken or trivial, as it seems: {names}" + (f" and {more} more" if more > 0 else ""), "yellow"


def _trends(steps: Sequence[StepMetrics]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for label, values in (
        ("informative", [step.informative for step in steps]),
        ("accuracy", [step.accuracy for step in steps]),
        ("level / top", [step.relative_level for step in steps]),
    ):
        grid.add_row(label, Text(trend(values), style="cyan"), output.shown(_mean(values)))
    return grid


def trend(shares: Sequence[float | None]) -> str:
    """Draw shares from 0 to 1, one character each; a blank where there is none."""
    return "".join(" " if share is None else BARS[min(int(share * len(BARS)), len(BARS) - 1)] for share in shares)


def _means(steps: Sequence[StepMetrics]) -> list[output.Cell]:
    """The mean row: shares and levels averaged, the rest left out."""
    means: dict[str, output.Cell] = {
        "INFORM.": _mean([step.informative for step in steps]),
        "ACC.": _mean([step.accuracy for step in steps]),
        "LEVEL": _mean([step.level for step in steps]),
        "WRONG": _mean([float(step.all_wrong) for step in steps if step.closed]),
        "RIGHT": _mean([float(step.all_right) for step in steps if step.closed]),
    }
    return [means.get(header) for header in STEP_HEADERS[1:]]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _most(tags: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(tags.items(), key=lambda pair: (-pair[1], pair[0]))[:SHOWN_TAGS]


def _tags(steps: Sequence[StepMetrics]) -> Table:
    counts: Counter[str] = Counter()
    for step in steps:
        counts.update(step.tags)
    groups = sum(step.groups for step in steps)
    rows = [(tag, count, f"{count / groups:.0%}") for tag, count in _most(counts)]
    return output.build_table(("TAG", "GROUPS", "OF ALL"), rows)


def _arrivals(look: Look) -> Table:
    rows = [(one.environment, one.entered, one.level) for one in look.entered[:SHOWN_MEMBERS]]
    return output.build_table(("ENTERED", "AT", "LEVEL"), rows)


def _departures(look: Look) -> Table:
    return output.build_table(("LEFT", "AT", "WHY"), [(one.environment, one.left, one.reason) for one in look.left])


def _side_by_side(*tables: Table) -> Table:
    grid = Table.grid(padding=(0, 4))
    grid.add_row(*(table for table in tables if table.row_count))
    return grid

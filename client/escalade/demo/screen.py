"""What the demo shows: live on a terminal, as plain lines elsewhere.

Guarantee: off a terminal nothing is drawn over and no line is waited for; text that comes from outside is never read
as markup.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from escalade.cli.output import clean
from escalade.demo.climb import Step
from escalade.types import Controller

PLAIN_WIDTH = 120
PLAIN_LINES = 12
"""About how many lines a whole climb is off a terminal."""
PLAIN_EVERY_S = 10.0
"""How often a wait says that it goes on, off a terminal."""
REFRESH_HZ = 8
_BARS = "▁▂▃▄▅▆▇█"


def open_console(*, stderr: bool = False) -> Console:
    """A console for the demo; wide enough for the table where there is no terminal to fit."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


def say(console: Console, text: str) -> None:
    """Print one line as it is."""
    console.print(Text(clean(text)), soft_wrap=True)


def fail(console: Console, text: str) -> None:
    """Print an error as one line."""
    console.print(Text.assemble(("error: ", "bold red"), " ".join(clean(text).split())), soft_wrap=True)


@contextmanager
def waiting(console: Console, what: str) -> Iterator[Callable[[float, str], None]]:
    """Show that something takes its time; the function is told the seconds waited and a word on where it stands."""
    if console.is_terminal:
        with console.status(Text(what)) as status:
            yield lambda waited_s, word: status.update(Text(clean(f"{what} ({waited_s:.0f} s)  {word}"[:200])))
        return
    said_s = 0.0

    def tell(waited_s: float, word: str) -> None:
        nonlocal said_s
        if waited_s - said_s >= PLAIN_EVERY_S:
            said_s = waited_s
            say(console, f"{what} ({waited_s:.0f} s)  {word}"[:200])

    yield tell


@contextmanager
def climbing(console: Console, total: int) -> Iterator[Callable[[Sequence[Step]], None]]:
    """Show a climb of so many steps; the function is told all steps taken so far after each."""
    start_s = time.monotonic()
    if console.is_terminal:
        with Live(_picture(console, [], total, 0.0), console=console, refresh_per_second=REFRESH_HZ) as live:
            yield lambda steps: live.update(_picture(console, steps, total, time.monotonic() - start_s))
        return
    every = max(1, total // PLAIN_LINES)

    def tell(steps: Sequence[Step]) -> None:
        if len(steps) % every == 0 or len(steps) in (1, total):
            say(console, line(steps, total))

    yield tell


def line(steps: Sequence[Step], total: int) -> str:
    """The last step in one line."""
    last = steps[-1]
    return (
        f"step {len(steps):>{len(str(total))}}/{total}  difficulty {last.difficulty:.2f}  accuracy {last.accuracy:.2f}"
        f"  informative {last.informative:.2f}  environments {last.environments}"
        f"  server {last.batch_ms + last.report_ms:.0f} ms"
    )


def sparkline(values: Sequence[float], width: int) -> str:
    """Values between 0 and 1 as a line of bars, at most so wide; several share a bar where there are too many."""
    count = min(len(values), max(1, width))
    cuts = [index * len(values) // count for index in range(count + 1)] if count else []
    means = [sum(values[start:end]) / (end - start) for start, end in pairwise(cuts)]
    return "".join(_BARS[min(len(_BARS) - 1, max(0, int(mean * len(_BARS))))] for mean in means)


def results(controllers: Iterable[Controller], first_levels: Mapping[str, int], types: Mapping[str, str]) -> Table:
    """One row per environment."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("ENVIRONMENT", overflow="fold")
    table.add_column("ANSWER")
    for heading in ("VISITS", "FROM", "TO", "TOP", "ACCURACY"):
        table.add_column(heading, justify="right")
    table.add_column("STATUS", overflow="fold")
    for one in controllers:
        first = first_levels.get(one.environment)
        table.add_row(
            Text(clean(one.environment)),
            types.get(one.environment, "-"),
            str(one.visits),
            "-" if first is None else str(first),
            "-" if first is None else f"{one.level:.1f}",
            str(one.top_level),
            "-" if one.accuracy is None else f"{one.accuracy:.2f}",
            Text(clean(_status(one))),
        )
    return table


def _status(controller: Controller) -> str:
    if controller.retired is not None:
        return f"retired: {controller.retired}"
    if controller.active:
        return "active"
    left = controller.state.get("left_because")
    return f"waiting (left: {left})" if left else "waiting"


def _picture(console: Console, steps: Sequence[Step], total: int, elapsed_s: float) -> Group:
    """The whole climb at a glance."""
    width = max(10, min(60, console.width - 32))
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Text(f"step {len(steps)}/{total}", style="bold"),
        ProgressBar(total=total, completed=len(steps), width=width),
        Text(f"{elapsed_s:.0f} s"),
    )
    if not steps:
        return Group(head, Text("compiling the first environments' programs and making their instances", style="dim"))
    last = steps[-1]
    body = Table.grid(padding=(0, 2))
    curves = (
        ("difficulty", "cyan", [step.difficulty for step in steps]),
        ("accuracy", "green", [step.accuracy for step in steps]),
        ("informative groups", "magenta", [step.informative for step in steps]),
    )
    for label, colour, values in curves:
        body.add_row(Text(label), Text(f"{values[-1]:.2f}", style=colour), Text(sparkline(values, width), style=colour))
    body.add_row(Text("environments"), Text(str(last.environments)), Text(""))
    server = f"batch {last.batch_ms:.0f} ms, report {last.report_ms:.0f} ms"
    body.add_row(Text("server"), Text(""), Text(server, style="dim"))
    return Group(head, body)

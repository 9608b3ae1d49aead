"""How commands print: tables for people, plain lines for pipes, JSON for programs, one line for an error.

Guarantee: text from the server is shown as it is, never read as markup or as terminal control codes; results go to
stdout and everything else to stderr.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

Cell = str | int | float | None


def stdout() -> Console:
    """Make a console for results. Made anew each time, so that it follows a redirected stream."""
    return Console(highlight=False)


def stderr() -> Console:
    """Make a console for progress and errors."""
    return Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Print one result line, or a block of text, as it is."""
    stdout().print(Text(clean(text)), soft_wrap=True)


def note(text: str) -> None:
    """Print a line that is not a result."""
    stderr().print(Text(clean(text)), soft_wrap=True)


def fail(text: str) -> None:
    """Print an error as one line."""
    line = Text("error: ", style="bold red")
    line.append(" ".join(clean(text).split()), style="default")
    stderr().print(line, soft_wrap=True)


def table(headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print rows under headers: a table on a terminal, else tab-separated lines."""
    console = stdout()
    if console.is_terminal:
        console.print(build_table(headers, rows))
        return
    for row in (headers, *rows):
        print("\t".join(" ".join(shown(cell).split()) for cell in row))


def build_table(headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
    """Lay out rows under headers; columns of numbers are set to the right."""
    cells = [list(row) for row in rows]
    built = Table(box=None, header_style="bold", pad_edge=False)
    for index, header in enumerate(headers):
        numeric = any(isinstance(row[index], int | float) for row in cells)
        built.add_column(Text(header), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        built.add_row(*(Text(shown(cell)) for cell in row))
    return built


def print_json(value: BaseModel | Sequence[BaseModel]) -> None:
    """Print a model, or a list of models, as JSON."""
    if isinstance(value, BaseModel):
        print_plain(value.model_dump(mode="json"))
    else:
        print_plain([one.model_dump(mode="json") for one in value])


def print_plain(value: object) -> None:
    """Print what JSON can say, as JSON."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    print()


def print_csv(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headers as CSV; None is an empty field."""
    written = csv.writer(sys.stdout, lineterminator="\n")
    written.writerow(headers)
    written.writerows(rows)


def shown(cell: Cell) -> str:
    """Spell out a cell."""
    if cell is None:
        return "-"
    return f"{cell:.2f}" if isinstance(cell, float) else clean(str(cell))


def clean(text: str) -> str:
    """Replace what a terminal could take for a command."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)

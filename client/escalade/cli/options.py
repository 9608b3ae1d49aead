"""Options that several commands share.

Guarantee: a value of the wrong shape is a usage error that shows the right one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import ValidationError

from escalade.types import Stratum

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of text.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, run_...")]


def one_form(as_json: bool, as_csv: bool) -> None:
    """Refuse two forms of output at once."""
    if as_json and as_csv:
        raise typer.BadParameter("give one of --json and --csv, not both")


def integers(pairs: Sequence[str] | None) -> dict[str, int] | None:
    """Read `NAME=INTEGER` pairs; None where there are none."""
    if not pairs:
        return None
    values = {}
    for name, text in map(_pair, pairs):
        try:
            values[name] = int(text)
        except ValueError:
            raise typer.BadParameter(f"{name}={text}: the value must be an integer, as in n=12") from None
    return values


def reals(pairs: Sequence[str] | None) -> dict[str, float]:
    """Read `NAME=NUMBER` pairs."""
    values = {}
    for name, text in map(_pair, pairs or ()):
        try:
            values[name] = float(text)
        except ValueError:
            values[name] = math.nan
        if not math.isfinite(values[name]):
            raise typer.BadParameter(f"{name}={text}: the value must be a number, as in step=0.5")
    return values


def strata(texts: Sequence[str] | None) -> list[Stratum]:
    """Read `tag=TAG,share=X` and the like."""
    found = []
    for text in texts or ():
        try:
            found.append(Stratum.model_validate(dict(map(_pair, text.split(",")))))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise typer.BadParameter(
                f"{text}: `{where}`: {first['msg']}; it is written as tag=dp,share=0.5 or answer_type=number,weight=2"
            ) from None
    return found


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise typer.BadParameter(f"{text!r} is not of the form NAME=VALUE")
    return name, value

"""The catalogue that comes with the server."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from escalade_server.problems.definition import Entry
from escalade_server.problems.formats.package import parse_packages

CATALOGUE = Path(__file__).resolve().parents[1] / "catalogue"


@cache
def load_catalogue() -> tuple[Entry, ...]:
    """The built-in problems.

    Raises:
        RuntimeError: One of them is malformed: the installation is broken.
    """
    entries, refusals = parse_packages(CATALOGUE, source="catalogue")
    if refusals:
        raise RuntimeError(f"built-in problem {refusals[0].entry}: {refusals[0].field}: {refusals[0].reason}")
    return tuple(entries)

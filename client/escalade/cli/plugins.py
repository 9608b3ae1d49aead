"""Finding the subcommands that the installed parts of Escalade bring.

Guarantee: a part whose extra is not installed is left out silently and is named by `load_parts`; one that imports what
its extra brings as late as when a command runs has `lacking` name the extra. The command line always works with what is
there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from traceback import walk_tb

import typer

GROUP = "escalade.commands"
OUR_PACKAGES = ("escalade", "escalade_server", "escalade_sandbox")
EXTRAS = {"escalade": "cli", "escalade.trainer": "trainer", "escalade_server": "server", "escalade_sandbox": "sandbox"}
"""The extra that brings what the modules of a package import."""
_OWN = "escalade.cli.commands:register"

Register = Callable[[typer.Typer], None]


@dataclass(frozen=True)
class Missing:
    """A part whose subcommands cannot be used."""

    part: str
    reason: str
    """What is missing and what to do, in one line."""


def load_parts(app: typer.Typer) -> tuple[Missing, ...]:
    """Add the subcommands of every part that can be loaded, and name the others."""
    targets = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    # Ours first, also when the package runs from a source tree that was never installed.
    ordered = {"client": _OWN} | dict(sorted(targets.items()))
    missing: list[Missing] = []
    for part, target in ordered.items():
        try:
            # A part may import what its extra brings as late as in `register`.
            _load(target)(app)
        except ImportError as error:
            missing.append(Missing(part, _reason(part, error)))
    return tuple(missing)


def missing_parts() -> tuple[Missing, ...]:
    """Name the parts whose subcommands cannot be used, for `escalade doctor`."""
    return load_parts(typer.Typer())


def lacking(error: ModuleNotFoundError) -> str | None:
    """Say which extra a command needs that ended so; None if what it could not import is no extra's."""
    if error.name is None or error.name.partition(".")[0] in OUR_PACKAGES:
        return None
    extra = None
    # The innermost of our modules is the one that wanted it.
    for frame, _ in walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__"))
        fitting = [package for package in EXTRAS if f"{name}.".startswith(f"{package}.")]
        extra = EXTRAS[max(fitting, key=len)] if fitting else extra
    return None if extra is None else f"this command needs {error.name}: run `pip install 'escalade[{extra}]'`"


def _load(target: str) -> Register:
    module, _, name = target.partition(":")
    try:
        register: Register = getattr(import_module(module), name)
    except AttributeError as error:
        # The parts are not of one version.
        raise ImportError(str(error)) from error
    return register


def _reason(part: str, error: ImportError) -> str:
    if error.name is None or error.name.partition(".")[0] in OUR_PACKAGES:
        return f"cannot be loaded: {error}; install this version of escalade again"
    return f"needs {error.name}: run `pip install 'escalade[{part}]'`"

"""What the commands share: settings and errors that a person can act on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

from escalade_sandbox.types import SandboxError
from escalade_server.errors import EscaladeError

if TYPE_CHECKING:
    from escalade_server.settings import Settings

Returned = TypeVar("Returned")


def fail(message: str) -> NoReturn:
    """End the command with one line that says what is wrong and what to do."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)


def load_settings(**changes: Any) -> Settings:
    """The settings of the environment, with those given on the command line."""
    from pydantic import ValidationError

    from escalade_server.settings import Settings

    try:
        settings = Settings(**{name: value for name, value in changes.items() if value is not None})
        if not settings.embedded:
            from escalade_server.storage.sessions import require_address

            require_address(settings.database)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        # A fault between two settings has no place, and names them itself.
        name = f"ESCALADE_{'_'.join(map(str, first['loc'])).upper()}: " if first["loc"] else ""
        fail(f"{name}{first['msg']}")
    except ValueError as error:
        fail(str(error))
    return settings


def make_folder(path: Path) -> None:
    """Make the data folder where it is missing.

    Raises:
        EscaladeError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EscaladeError(f"the data folder {path} cannot be made ({error.strerror}): set ESCALADE_DATA.") from None


def run(work: Coroutine[Any, Any, Returned]) -> Returned:
    """Run a command's work; its expected errors end it with one line."""
    try:
        return asyncio.run(work)
    except EscaladeError as error:
        fail(error.detail)
    except SandboxError as error:
        fail(str(error))

"""The root of the command line: global options, and errors that a person can act on.

Guarantee: a failure of the server, the network or the command itself is one line on stderr and exit status 1; a usage
error exits with 2.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from escalade import Client, errors
from escalade._base import package_version
from escalade.cli import output
from escalade.cli.plugins import lacking, load_parts
from escalade.settings import ADMIN_KEY_FILE, data_folder, is_loopback, resolve_endpoint


class CommandError(Exception):
    """A command cannot go on; its text says why and what to do."""


@dataclass(frozen=True)
class Session:
    """What the global options say."""

    url: str | None = None
    key: str | None = field(default=None, repr=False)


class RootGroup(TyperGroup):
    """Turns failures into one line and exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except errors.EscaladeError as error:
            output.fail(explain(error, ctx.obj or Session()))
        except CommandError as error:
            output.fail(str(error))
        except ModuleNotFoundError as error:
            if (words := lacking(error)) is None:
                raise
            output.fail(words)
        raise typer.Exit(1)


def build_app() -> typer.Typer:
    """Assemble the command line from the parts that are installed."""
    app = typer.Typer(
        cls=RootGroup,
        name="escalade",
        help="Verifiable programming environments with controllable difficulty.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        # Help texts are plain: square brackets in them are not markup.
        rich_markup_mode=None,
    )
    epilog = "\n\n".join(f"Not here: `{missing.part}` {missing.reason}" for missing in load_parts(app))
    app.callback(epilog=epilog or None)(_global_options)
    return app


def open_client(ctx: typer.Context, *, retries: int = 2) -> Client:
    """Open a client as the global options say; it is closed with the command.

    Few retries by default: a person who waits wants to know.
    """
    session = ctx.find_root().obj
    client = Client(session.url, session.key, retries=retries, timeout_s=120.0)
    ctx.call_on_close(client.close)
    return client


def explain(error: errors.EscaladeError, session: Session) -> str:
    """Say in one line what went wrong and what to do."""
    if isinstance(error, errors.InvalidRequest) and error.code in ("invalid_url", "invalid_key"):
        return error.detail
    endpoint = resolve_endpoint(session.url, session.key)
    if isinstance(error, errors.ConnectionFailed):
        if is_loopback(endpoint.url):
            remedy = "start the server with `escalade serve`, or give its address with --url or ESCALADE_URL"
        else:
            remedy = "check that it runs and that the address (--url, ESCALADE_URL) is right"
        return f"no connection to {endpoint.url}: {remedy}"
    if isinstance(error, errors.AuthenticationError):
        if endpoint.key is None:
            where = f", or run as the user whose {data_folder() / ADMIN_KEY_FILE} it is" if endpoint.loopback else ""
            return f"{endpoint.url} wants a key: give one with --key or ESCALADE_KEY{where}"
        return f"{endpoint.url} refused the key ({endpoint.key_source}): {error.detail}"
    if isinstance(error, errors.ServerError) and error.request_id is not None:
        return f"{error.detail} ({error.code}; look for request {error.request_id} in the server's log)"
    return f"{error.detail} ({error.code})"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"escalade {package_version()}")
        raise typer.Exit


def _global_options(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Option(help="Server address; default ESCALADE_URL or 127.0.0.1:8700.")] = None,
    key: Annotated[
        str | None,
        typer.Option(help="API key; default ESCALADE_KEY or, on this machine, the admin key file."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    # The SDK logs its retries as warnings; here the outcome alone matters.
    logging.getLogger("escalade").addHandler(logging.NullHandler())
    ctx.obj = Session(url, key)

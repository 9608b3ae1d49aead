"""The server's subcommands of `escalade`: serve, migrate, key, doctor, simulate.

Importing this is cheap; each command imports what it needs when it runs.
"""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the server's subcommands."""
    from escalade_server.commands import database, doctor, keys, serve, simulate

    app.command("serve")(serve.serve)
    app.command("migrate")(database.migrate)
    app.add_typer(keys.app, name="key")
    app.command("doctor")(doctor.doctor)
    app.command("simulate")(simulate.simulate)

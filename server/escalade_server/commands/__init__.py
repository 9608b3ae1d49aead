"""The server's subcommands of `escalade`: serve, migrate, key, doctor, simulate, new, check.

Importing this is cheap; each command imports what it needs when it runs.
"""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the server's subcommands."""
    from escalade_server.commands import authoring, database, doctor, keys, serve, simulate

    app.command("serve")(serve.serve)
    app.command("migrate")(database.migrate)
    app.add_typer(keys.app, name="key")
    app.command("doctor")(doctor.doctor)
    app.command("simulate")(simulate.simulate)
    app.command("new")(authoring.new)
    app.command("check")(authoring.check)

"""The subcommands that come with the SDK: they need a server, and nothing else on this machine.

Guarantee: `register` adds `import`, `synthesize`, `environments`, `instances`, `export` and `run` to the command line.
"""

from __future__ import annotations

import typer

from escalade.cli import environments, export, histories, imports, runs, synthesis, watch

# Without a name their commands join those of `run`; here, since `register` may be called more than once.
runs.app.add_typer(histories.app)
runs.app.add_typer(watch.app)


def register(app: typer.Typer) -> None:
    """Add the client's subcommands."""
    app.command("import")(imports.import_archive)
    app.command("synthesize")(synthesis.synthesize)
    app.add_typer(environments.app, name="environments")
    app.command("instances")(environments.instances)
    app.command("export")(export.export)
    app.add_typer(runs.app, name="run")

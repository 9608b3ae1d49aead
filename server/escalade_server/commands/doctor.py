"""`escalade doctor`: what works here, and what to do about the rest."""

from __future__ import annotations

import asyncio

import typer

from escalade_server.commands.running import load_settings


def doctor() -> None:
    """Look at the data folder, database, migrations, sandbox and keys. Exits 1 if something does not work."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from escalade_server.commands.examination import examine

    findings = asyncio.run(examine(load_settings()))
    table = Table(box=None, show_header=False)
    for finding in findings:
        mark = "[green]ok[/]" if finding.good else "[red]fails[/]"
        table.add_row(mark, finding.subject, Text(finding.words))
    Console().print(table)
    raise typer.Exit(0 if all(finding.good for finding in findings) else 1)

"""`escalade new` and `escalade check`: the author's loop, without a server.

Guarantee: `new` never writes over anything; `check` runs programs only in the sandbox that the settings name, stores
nothing, and ends with exit 0 only for a package that verifies.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from escalade_server.commands.running import fail, load_settings, run

if TYPE_CHECKING:
    from rich.console import RenderableType

    from escalade.types import VerificationReport
    from escalade_server.problems.definition import Entry
    from escalade_server.problems.problem import FixedTest
    from escalade_server.settings import Settings

SKELETON = Path(__file__).resolve().parents[1] / "skeleton"


def new(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to make; its name becomes the slug.")],
) -> None:
    """Write a small working package to start from: a Kattis package with an `environment.yaml`."""
    from escalade_server.problems.definition import slug_of

    name = folder.absolute().name
    if slug_of(name) != name:
        fail(f"{name!r} cannot be a slug: use lower-case letters, digits and hyphens, for example {slug_of(name)!r}")
    if folder.exists():
        fail(f"{folder} is there already; name a folder that is not")
    try:
        shutil.copytree(SKELETON, folder, ignore=shutil.ignore_patterns("__pycache__"))
    except OSError as error:
        fail(f"{folder} cannot be written: {error.strerror or error}")
    typer.echo(f"wrote {folder}; change it piece by piece, and try it with: escalade check {folder}")


def check(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A package: a folder with `environment.yaml`.")],
    sandbox: Annotated[
        str | None, typer.Option(metavar="NAME", help="docker, http or process; the settings' by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
) -> None:
    """Verify one package here and now, and say what is wrong with it."""
    from escalade_server.problems.formats.package import PackageError, parse_package

    settings = load_settings(sandbox=sandbox)
    if not folder.is_dir():
        fail(f"{folder} is not a folder; `escalade new {folder}` makes one")
    try:
        entry = parse_package(folder, source="local")
    except PackageError as error:
        fail(f"{error.entry}: {error.field}: {error.reason}")
    report = run(_verify(settings, entry, _tests_of(folder), quiet=as_json))
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        _print(entry, report)
    if report.verdict != "verified":
        raise typer.Exit(1)


def _tests_of(folder: Path) -> list[FixedTest]:
    """The package's tests that have an answer."""
    from escalade_server.problems.problem import FixedTest

    tests = []
    for given in sorted(folder.glob("data/*/*.in")):
        answer = given.with_suffix(".ans")
        if answer.is_file():
            kind = "sample" if given.parent.name == "sample" else "secret"
            name = f"{given.parent.name}/{given.stem}"
            tests.append(FixedTest(name=name, input=_text(given), output=_text(answer), kind=kind))
    return tests


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        fail(f"{path} is not UTF-8 text")


async def _verify(settings: Settings, entry: Entry, tests: list[FixedTest], *, quiet: bool) -> VerificationReport:
    from rich.console import Console

    from escalade_server.commands.opening import sandbox_of
    from escalade_server.problems.definition import version_of
    from escalade_server.synthesis.verification import verify

    sandbox = sandbox_of(settings)
    console = Console(stderr=True, quiet=quiet)
    try:
        with console.status("starting the sandbox") as status:
            await sandbox.start()
            done = await verify(
                sandbox,
                definition=entry.definition,
                version=version_of(entry.definition),
                thresholds=settings.verification,
                tests=tests,
                on_progress=status.update,
            )
    finally:
        await sandbox.close()
    return done.report


def _print(entry: Entry, report: VerificationReport) -> None:
    from rich.console import Console
    from rich.text import Text

    from escalade_server.synthesis.reports import failed, summary

    console = Console(highlight=False)
    if report.levels:
        console.print(_levels(report))
    for one in report.solutions:
        if one.standing != "agrees":
            console.print(Text(f"{one.name}: {one.standing.replace('_', ' ')}: {one.detail}", style="yellow"))
    console.print(Text(summary(report)), soft_wrap=True)
    style = "bold red" if failed(report) or report.verdict != "verified" else "bold green"
    console.print(Text(f"{entry.slug}: {report.verdict} in {report.cpu_s:.1f} s of sandbox time", style=style))


def _levels(report: VerificationReport) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("LEVEL", "SOLVED", "INPUT", "PROMPT", "DISTINCT", "MODAL", "GUESS", "MS"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in report.levels:
        table.add_row(
            str(row.level),
            f"{row.solved}/{row.draws}",
            f"{row.input_chars:.0f}",
            str(row.prompt_chars),
            f"{row.distinct_estimate:.0f}",
            f"{row.modal_share:.0%}",
            f"{row.guessability:.0%}",
            f"{row.solve_ms:.0f}",
            "" if row.dropped is None else f"not served: {row.dropped}",
        )
    return table

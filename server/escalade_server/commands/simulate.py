"""`escalade simulate`: curriculum policies side by side on the learner model.

Guarantee: the figures are determined by the arguments; a bad argument is told before the first step, not after the
last.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from escalade_server.commands.running import fail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from escalade_server.curriculum.learner import Variant
    from escalade_server.curriculum.simulate import Contender, Result, Summary

JSON_FILE, PNG_FILE = "simulation.json", "simulation.png"
SMOOTHED_STEPS = 25
"""Window of the informative share in the drawing; single batches are noisy."""
SERIES = ("informative", "score", "unseen", "accuracy", "level", "covered", "broken", "trivial")
DEFAULT_POLICIES = "bayes,scaler,uniform"


def simulate(
    policies: Annotated[
        str, typer.Option(metavar="NAME,NAME", help="Policies, each as NAME or NAME:CONSTANT=X:..., or all.")
    ] = DEFAULT_POLICIES,
    variant: Annotated[
        str, typer.Option(metavar="NAME", help="Kind of learner and pool; a wrong name lists them.")
    ] = "base",
    environments: Annotated[int | None, typer.Option(min=1, help="Size of the pool. [default: the variant's]")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Batches per policy and seed.")] = 300,
    seeds: Annotated[int, typer.Option(min=1, help="How many worlds, from seed 0 on.")] = 3,
    groups: Annotated[int | None, typer.Option(min=1, help="Groups per batch. [default: the variant's]")] = None,
    rollouts: Annotated[int | None, typer.Option(min=2, help="Rollouts per group. [default: the variant's]")] = None,
    reference: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose last score the others are to reach. [default: scaler, else the last]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help=f"Write {JSON_FILE} here, and {PNG_FILE} where matplotlib is installed."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Compare curriculum policies on a model of a learner, without a server and without a GPU."""
    from dataclasses import replace

    from escalade_server.curriculum import learner
    from escalade_server.curriculum.simulate import summarise
    from escalade_server.curriculum.types import PolicyError

    try:
        contenders = read_contenders(policies)
        kind = learner.variant(variant)
        kind = replace(
            kind, pool=environments or kind.pool, groups=groups or kind.groups, rollouts=rollouts or kind.rollouts
        )
        target = reference_of(reference, contenders)
        if out is not None:
            _make_folder(out)
        results = _simulate(contenders, kind, seeds, steps)
    except PolicyError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("stopped before the end: nothing was written; fewer --seeds or --steps take less time")
    summaries = summarise(results, target)
    document = as_document(kind, steps, target, results, summaries)
    if as_json:
        _print_json(document)
    else:
        _print_table(summaries, f"{kind.name}: {kind.pool} environments, {seeds} seeds, {steps} steps")
    if out is not None:
        _write(out, document, results)


def read_contenders(text: str) -> list[Contender]:
    """Read `bayes,scaler:step=0.5`.

    Raises:
        PolicyError: There is no such policy, a constant is no number or is refused, or one is named twice.
    """
    from escalade_server.curriculum.policies import POLICIES, policy
    from escalade_server.curriculum.simulate import Contender
    from escalade_server.curriculum.types import PolicyError, PoolEntry

    found: list[Contender] = []
    for label in POLICIES if text == "all" else filter(None, map(str.strip, text.split(","))):
        name, *settings = label.split(":")
        constants: dict[str, float] = {}
        for setting in settings:
            constant, _, value = setting.partition("=")
            try:
                constants[constant] = float(value)
            except ValueError:
                raise PolicyError(f"{label}: {setting!r} is not of the form CONSTANT=NUMBER") from None
        one = Contender(label, policy(name), constants)
        # So that a bad constant shows before the long part.
        one.policy.start([PoolEntry(1)], 1, constants)
        if label in (other.label for other in found):
            raise PolicyError(f"{label} is named twice")
        found.append(one)
    if not found:
        raise PolicyError(f"--policies names none; choose of: {', '.join(POLICIES)}")
    return found


def reference_of(label: str | None, contenders: Sequence[Contender]) -> str:
    """The contender whose last score the others are to reach: `scaler`, the paper's, or else the last.

    Raises:
        PolicyError: It is none of those that run.
    """
    from escalade_server.curriculum.types import PolicyError

    labels = [contender.label for contender in contenders]
    if label is None:
        return "scaler" if "scaler" in labels else labels[-1]
    if label not in labels:
        raise PolicyError(f"--reference {label!r} is none of the policies that run: {', '.join(labels)}")
    return label


def as_document(
    kind: Variant, steps: int, reference: str, results: Sequence[Result], summaries: Sequence[Summary]
) -> dict[str, Any]:
    """All that was found, as JSON can say it; series run over steps and are means over seeds."""
    from dataclasses import asdict

    from escalade_server.curriculum.simulate import mean_series

    return {
        "variant": asdict(kind),
        "steps": steps,
        "seeds": sorted({result.seed for result in results}),
        "reference": reference,
        "start_score": sum(result.start_score for result in results) / len(results),
        "policies": [
            asdict(summary) | {"series": {name: mean_series(results, summary.label, name).tolist() for name in SERIES}}
            for summary in summaries
        ],
    }


def _simulate(contenders: Sequence[Contender], kind: Variant, seeds: int, steps: int) -> list[Result]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from escalade_server.curriculum.simulate import simulate as run_all

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(contenders) * seeds * steps)

        def advance(label: str, seed: int, step: int) -> None:
            progress.update(task, advance=1, description=f"{label}, seed {seed}")

        return run_all(contenders, kind, range(seeds), steps, advance)


def _print_table(summaries: Sequence[Summary], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from escalade_server.curriculum.simulate import HEADERS, cells

    console = Console(highlight=False)
    if not console.is_terminal:
        typer.echo("\t".join(HEADERS))
        for summary in summaries:
            typer.echo("\t".join(cells(summary)))
        return
    table = Table(title=title, box=None, header_style="bold", pad_edge=False)
    for place, header in enumerate(HEADERS):
        table.add_column(Text(header), justify="right" if place else "left")
    for summary in summaries:
        table.add_row(*map(Text, cells(summary)))
    console.print(table)


def _print_json(document: Mapping[str, Any]) -> None:
    import json

    typer.echo(json.dumps(document, indent=2))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"--out {folder} cannot be made: {error.strerror}; choose another folder")


def _write(folder: Path, document: Mapping[str, Any], results: Sequence[Result]) -> None:
    import json
    from importlib.util import find_spec

    try:
        (folder / JSON_FILE).write_text(json.dumps(document) + "\n", encoding="utf-8")
        typer.echo(f"wrote {folder / JSON_FILE}", err=True)
        if find_spec("matplotlib") is None:
            typer.echo(f"no {PNG_FILE}: to draw it, `pip install matplotlib`", err=True)
            return
        draw(results, folder / PNG_FILE)
        typer.echo(f"wrote {folder / PNG_FILE}", err=True)
    except OSError as error:
        fail(f"--out {folder} cannot be written: {error.strerror}; choose another folder")


def draw(results: Sequence[Result], path: Path) -> None:
    """Write a PNG of the informative share and the pool test over steps."""
    from importlib import import_module

    from escalade_server.curriculum.simulate import mean_series

    # Found when it runs: it is no dependency. A figure by itself draws without a screen.
    figure = import_module("matplotlib.figure").Figure(figsize=(12, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    window = min(SMOOTHED_STEPS, len(results[0].score))
    for label in dict.fromkeys(result.label for result in results):
        left.plot(mean_series(results, label, "informative", window), label=label, linewidth=1.2)
        right.plot(mean_series(results, label, "score"), label=label, linewidth=1.2)
    left.set(title="Informative groups", xlabel="step", ylabel=f"share, mean of {window} steps", ylim=(0, 1))
    right.set(title="Pool test", xlabel="step", ylabel="mean success")
    right.legend(fontsize=8)
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)

"""Draws what `training_experiment.py` measured: PNGs, and a table in Markdown on standard output.

Guarantee: nothing is smoothed away or left out: every run is a thin line, its arm's mean a thick one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

COLOURS = {
    "adaptive": "#0b6e4f",
    "rehearsal": "#e0a030",
    "fixed-easy": "#c8553d",
    "fixed-middle": "#8d6a9f",
    "uniform": "#3d5a80",
}
WINDOW = 10
"""Steps that a point of a training curve is the mean of."""

CURVES = {
    "level": "mean level of a batch",
    "informative": "informative groups",
    "accuracy": "accuracy in training",
}

Document = dict[str, Any]


def plot(out: Path, folder: Path, trained: Sequence[str], held_out: Sequence[str], warm: Sequence[int]) -> None:
    """Draw every result in `out` into `folder`, and print the table.

    Raises:
        SystemExit: There is no result.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    results = [json.loads(path.read_text()) for path in sorted(out.glob("*-*.json"))]
    if not results:
        raise SystemExit(f"error: {out} holds no result: run `python benchmarks/training_experiment.py run` first")
    arms = [arm for arm in COLOURS if any(one["arm"] == arm for one in results)]
    parts: dict[str, Callable[[dict[str, Any]], bool]] = {
        "warmed-up levels": lambda cell: cell["environment"] in trained and cell["level"] in warm,
        "higher levels": lambda cell: cell["environment"] in trained and cell["level"] not in warm,
        "held-out environments": lambda cell: cell["environment"] in held_out,
    }
    figure, axes = pyplot.subplots(2, 3, figsize=(13, 7.5), constrained_layout=True)
    for axis, (title, chosen) in zip(axes[0], parts.items(), strict=True):
        for arm in arms:
            curves = [_looks(one, chosen) for one in results if one["arm"] == arm]
            _lines(axis, arm, curves)
        axis.set(title=f"test accuracy: {title}", xlabel="step")
    for axis, (name, title) in zip(axes[1], CURVES.items(), strict=True):
        for arm in arms:
            _lines(axis, arm, [_steps(one, name) for one in results if one["arm"] == arm])
        axis.set(title=title, xlabel="step")
    for axis in axes.flat:
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes[0][0].legend(frameon=False)
    figure.savefig(folder / "training.png", dpi=80)
    pyplot.close(figure)
    _heat_maps(pyplot, results, arms, trained, folder / "training-levels.png")
    _table(results, arms, parts)


def _looks(result: Document, chosen: Callable[[dict[str, Any]], bool]) -> list[tuple[int, float]]:
    return [(look["step"], _accuracy([cell for cell in look["cells"] if chosen(cell)])) for look in result["looks"]]


def _steps(result: Document, name: str) -> list[tuple[int, float]]:
    steps = result["steps"]
    return [
        (steps[first]["step"] + WINDOW // 2, fmean(step[name] for step in steps[first : first + WINDOW]))
        for first in range(0, len(steps) - WINDOW + 1, WINDOW)
    ]


def _accuracy(cells: Sequence[dict[str, Any]]) -> float:
    return fmean(cell["right"] / cell["scored"] for cell in cells if cell["scored"])


def _lines(axis: Any, arm: str, curves: Sequence[Sequence[tuple[int, float]]]) -> None:
    for curve in curves:
        axis.plot(*zip(*curve, strict=True), color=COLOURS[arm], linewidth=0.7, alpha=0.5)
    shortest = min(len(curve) for curve in curves)
    mean = [(curves[0][i][0], fmean(curve[i][1] for curve in curves)) for i in range(shortest)]
    axis.plot(*zip(*mean, strict=True), color=COLOURS[arm], linewidth=2.2, label=f"{arm} (seeds: {len(curves)})")


def _heat_maps(pyplot: Any, results: Sequence[Document], arms: Sequence[str], trained: Sequence[str], to: Path) -> None:
    """Accuracy by environment and level: before, and after under each arm."""
    maps = {"before": [results[0]["looks"][0]]}
    maps |= {arm: [one["looks"][-1] for one in results if one["arm"] == arm] for arm in arms}
    figure, axes = pyplot.subplots(
        1, len(maps), figsize=(3.1 * len(maps) + 1, 3.6), sharey=True, constrained_layout=True
    )
    for axis, (title, looks) in zip(axes, maps.items(), strict=True):
        levels = sorted({cell["level"] for cell in looks[0]["cells"]})
        rows = [
            [
                _accuracy(
                    [c for look in looks for c in look["cells"] if (c["environment"], c["level"]) == (name, level)]
                )
                for level in levels
            ]
            for name in trained
        ]
        image = axis.imshow(rows, vmin=0, vmax=1, aspect="auto", cmap="viridis")
        axis.set(title=title, xlabel="level", xticks=levels[::2], yticks=range(len(trained)), yticklabels=trained)
    figure.colorbar(image, ax=axes, label="accuracy")
    figure.savefig(to, dpi=110)
    pyplot.close(figure)


def _table(
    results: Sequence[Document], arms: Sequence[str], parts: dict[str, Callable[[dict[str, Any]], bool]]
) -> None:
    print("| | seeds | " + " | ".join(parts) + " | informative groups | mean level at the end |")
    print("|---|---|" + "---|" * (len(parts) + 2))
    before = [
        f"{_accuracy([c for c in results[0]['looks'][0]['cells'] if chosen(c)]):.3f}" for chosen in parts.values()
    ]
    print(f"| before | | {' | '.join(before)} | | |")
    for arm in arms:
        mine = [one for one in results if one["arm"] == arm]
        cells = [_spread([_looks(one, chosen)[-1][1] for one in mine]) for chosen in parts.values()]
        cells.append(_spread([fmean(step["informative"] for step in one["steps"]) for one in mine]))
        cells.append(_spread([fmean(step["level"] for step in one["steps"][-WINDOW:]) for one in mine]))
        print(f"| {arm} | {len(mine)} | {' | '.join(cells)} |")


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")

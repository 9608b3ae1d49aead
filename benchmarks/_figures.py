"""Figures: measured, compared with a baseline of the same run, and printed for people and for programs.

Guarantee: a figure never stands alone; its line holds the baseline it was measured beside, and whether its target was
met. The last lines of a benchmark read `figure NAME VALUE UNIT BASELINE RATIO TARGET ok|missed`.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is held against."""

    of: Literal["value", "ratio"]
    bound: Literal["at most", "at least"]
    limit: float

    def met(self, value: float, ratio: float) -> bool:
        """Whether it is reached."""
        found = value if self.of == "value" else ratio
        return found <= self.limit if self.bound == "at most" else found >= self.limit

    def text(self, unit: str) -> str:
        """One word, such as `<=30ms` or `>=100x`."""
        sign = "<=" if self.bound == "at most" else ">="
        return f"{sign}{self.limit:g}{unit if self.of == 'value' else 'x'}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value."""

    name: str
    value: float
    unit: str
    baseline: float
    """In the same unit, from the same run."""
    baseline_of: str
    """What the baseline is, for people."""
    target: Target | None = None

    @property
    def ratio(self) -> float:
        """Value over baseline."""
        return self.value / self.baseline if self.baseline else float("inf")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def median(values: Sequence[float]) -> float:
    """The middle value."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def note(text: str) -> None:
    """Say on standard error what is going on."""
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    """One line on where this ran: figures mean little without the load beside them."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, load {load}, {platform.machine()}, Python {platform.python_version()}"


def report(figures: Sequence[Figure]) -> None:
    """Print the table, then one machine-readable line per figure."""
    print(machine())
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        target = "" if figure.target is None else f"  target {figure.target.text(' ' + figure.unit)}"
        print(
            f"  {figure.name:<{width}}  {figure.value:>10.4g} {figure.unit:<8} "
            f"{figure.baseline_of}: {figure.baseline:.4g} {figure.unit}; ratio {figure.ratio:.3g}{target}"
        )
    for figure in figures:
        if figure.target is None:
            target, verdict = "-", "ok"
        else:
            target = figure.target.text(figure.unit)
            verdict = "ok" if figure.target.met(figure.value, figure.ratio) else "missed"
        print(
            f"figure {figure.name} {figure.value:.5g} {figure.unit} {figure.baseline:.5g} {figure.ratio:.4g} "
            f"{target} {verdict}"
        )
    sys.stdout.flush()

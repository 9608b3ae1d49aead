"""Where a training's figures go: a JSONL file, TensorBoard where it is wanted, and the terminal.

Guarantee: one line per step, written out before the next begins; a resumed training drops the lines of the steps that
it does again, so that a file holds each step once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from escalade.cli.output import clean
from escalade.trainer.config import TrainingFailed

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Figures = Mapping[str, float | int | str | None]
PLAIN_LINES = 40
"""About how many lines a whole training is where there is no terminal."""
SHOWN = ("accuracy", "informative", "level", "loss")


class Metrics:
    """A training's figures."""

    def __init__(
        self, out: Path, *, steps: int, first: int, tensorboard: bool, console: Console, description: str = "training"
    ) -> None:
        self._console, self._steps = console, steps
        self._every = max(1, steps // PLAIN_LINES)
        path = out / "metrics.jsonl"
        kept = [line for line in _lines(path) if json.loads(line)["step"] < first]
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")
        self._board = _board(out, first) if tensorboard else None
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task(description, total=steps, completed=first, figures="")
        self._progress.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._file.close()
        if self._board is not None:
            self._board.close()

    def step(self, step: int, figures: Figures) -> None:
        """Take down a step."""
        self._file.write(json.dumps({"step": step, **figures}) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in figures.items():
                if isinstance(value, int | float):
                    self._board.add_scalar(name, value, step)
        shown = "  ".join(f"{name} {figures[name]:.2f}" for name in SHOWN if isinstance(figures.get(name), int | float))
        self._progress.update(self._task, completed=step + 1, figures=shown)
        if not self._console.is_terminal and (step % self._every == 0 or step + 1 == self._steps):
            self.say(f"step {step + 1}/{self._steps}  {shown}")

    def say(self, text: str) -> None:
        """Tell something that is no step's figure."""
        self._console.print(Text(clean(text)), soft_wrap=True)


def _lines(path: Path) -> list[str]:
    """The whole lines of a file; a line that a crash cut short is left out."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [line for line in text.split("\n")[:-1] if line.strip()]


def _board(out: Path, first: int) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise TrainingFailed("`tensorboard` is not installed: run `pip install tensorboard`, or turn it off") from None
    return SummaryWriter(str(out / "tensorboard"), purge_step=first)

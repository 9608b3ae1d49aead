"""What became of each instance that a model was asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tally:
    """One instance."""

    environment: str
    level: int
    instance: str
    right: int
    scored: int
    """Completions that the server judged; the others failed for no fault of the model's."""

"""Checkpoints, restores, forks, and runs as documents."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from escalade.types.base import Count, Name, Request, Response
from escalade.types.runs import Run


class CheckpointRequest(Request):
    """Name the state of a run, when the trainer saves its weights."""

    label: Name = Field(min_length=1, max_length=200)
    step: Count | None = None
    """The trainer's step number."""


class Checkpoint(Response):
    """A named position in a run's log."""

    label: str
    step: int | None = None
    generation: int
    sequence: int
    """How many events it holds."""
    created_at: datetime


class RestoreRequest(Request):
    """Go back to a checkpoint."""

    label: Name = Field(min_length=1, max_length=200)


class Dropped(Response):
    """An environment whose controller does not go on."""

    environment: str
    version: str
    reason: str


class Restoration(Response):
    """What a restore did."""

    label: str
    step: int | None = None
    generation: int
    """The new generation of the run."""
    reopened: list[int]
    """Cursors of the batches that were open at the checkpoint; their groups are open again."""
    kept: int
    """Environments whose controllers go on."""
    dropped: list[Dropped]


class ForkRequest(Request):
    """Branch a new run from another's curriculum."""

    name: str = Field(min_length=1, max_length=200)
    label: str | None = Field(default=None, max_length=200)
    """Checkpoint to branch from; None is where the run stands."""
    constants: dict[str, float] | None = None
    """The policy's constants in the new run; None keeps them."""
    groups: int | None = Field(default=None, ge=1, le=1_024)
    rollouts: int | None = Field(default=None, ge=1, le=1_024)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    deadline_s: float | None = Field(default=None, gt=0, le=7 * 86_400)


class Fork(Response):
    """A new run, begun from another's curriculum."""

    run: Run
    dropped: list[Dropped]


class RunDocument(Request):
    """A run's settings, pool and curriculum, to be kept or taken to another server.

    Example:
        >>> from escalade import Client, RunDocument
        >>> with Client() as client:
        ...     run = client.create_run("moves", groups=1, pool={"environments": ["toll-road"]})
        ...     text = client.export_run(run.run).model_dump_json()
        ...     moved = client.import_run(RunDocument.model_validate_json(text))
        ...     print(moved.run.name, moved.run.run != run.run)
        moves True
    """

    format: str
    settings: dict[str, Any]
    pool: list[dict[str, Any]] = Field(min_length=1)
    state: dict[str, Any]

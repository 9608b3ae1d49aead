"""Work that may outlast its request: imports and syntheses."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Base64Bytes, Field, model_validator

from escalade.types.base import Request, Response

JobStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ImportFormat = Literal["auto", "scaler", "codecontests", "kattis", "polygon", "library-checker", "escalade"]
"""`auto` recognises every format; a folder or an archive may mix them."""
SynthesisOutcome = Literal["verified", "rejected", "needs_llm", "unsuited", "skipped", "error"]
"""`rejected`: verification refuses it; `needs_llm`: its source lacks what only an LLM could add; `unsuited`: no
environment can be made of it; `skipped`: a person took it out of service, or it changed meanwhile; `error`:
our own fault."""


class ImportRequest(Request):
    """An archive of problems; give exactly one of `content` and `archive`."""

    format: ImportFormat = "auto"
    filename: str = Field(default="archive", max_length=255)
    """Its name; the ending tells what it is: .zip, .tar, .tar.gz, .json, .jsonl, .parquet."""
    content: str | None = None
    """The text of an archive that is text."""
    archive: Base64Bytes | None = None
    """The bytes of any archive, in base64."""
    dry_run: bool = False
    """Parse and report, store nothing."""

    @model_validator(mode="after")
    def _one_content(self) -> ImportRequest:
        if (self.content is None) == (self.archive is None):
            raise ValueError("give exactly one of `content` and `archive`")
        return self


class RefusedEntry(Response):
    """One entry that did not go in."""

    entry: str
    """Its name in the archive."""
    field: str
    """Path of the field at fault."""
    reason: str


class Job(Response):
    """Work that may outlast its request."""

    job: str
    kind: str
    """`import FORMAT` or `synthesis`."""
    status: JobStatus
    done: int = Field(default=0, ge=0)
    total: int | None = None
    activity: dict[str, str] = {}
    """What is under way: problems by name, and what is done with each."""
    result: dict[str, Any] | None = None
    """For imports: `created`, `updated`, `unchanged` (lists of environments), `problems` (the same three lists, of
    problems that wait for synthesis) and `refused` (list of entry, field, reason). For syntheses: `funnel`."""
    error: str | None = None
    created_at: datetime
    finished_at: datetime | None = None


class SynthesisRequest(Request):
    """Which problems become environments, and which environments are verified; give `names`, `imports` or `all`."""

    names: list[str] = Field(default=[], max_length=100_000)
    """Problems and environments by name."""
    imports: list[str] = Field(default=[], max_length=1_000)
    """Import jobs: everything that they brought and that is not verified yet."""
    all: bool = False
    """Every problem without an environment, and every environment that is `unverified`."""
    again: bool = False
    """With `imports` or `all`: also what was verified, rejected or given up before."""
    sources: list[str] = Field(default=[], max_length=100)
    """Of what `all` finds, only these sources."""
    tags: list[str] = Field(default=[], max_length=100)
    """Of what `all` finds, only what has one of these tags."""
    repairs: int | None = Field(default=None, ge=0, le=20)
    """How many times a refused generator goes back to the LLM; None is the server's setting."""
    thresholds: dict[str, float] = {}
    """Thresholds of verification that differ from the server's, by the names of docs/verification.md."""

    @model_validator(mode="after")
    def _something(self) -> SynthesisRequest:
        if not (self.names or self.imports or self.all):
            raise ValueError("say what: give `names`, `imports` or `all`")
        return self


class SynthesisItem(Response):
    """One problem or environment of a synthesis."""

    name: str
    source: str
    sequence: int | None = None
    """Its place in the order of finishing, from 1; None while it waits."""
    outcome: SynthesisOutcome | None = None
    stage: str | None = None
    """The stage of the funnel at which it stopped; `verified` if at none."""
    reason: str | None = None
    environment: str | None = None
    """The environment that it became or is."""
    repairs: int = Field(default=0, ge=0)
    """How many times its generator went back to the LLM."""


class StoppedProblem(Response):
    """Why one problem went no further."""

    name: str
    outcome: Literal["refused", "rejected", "needs_llm", "unsuited", "skipped", "error"]
    reason: str


class FunnelStage(Response):
    """One stage of a synthesis; what passes one enters the next."""

    stage: str
    entered: int = Field(ge=0)
    stopped: int = Field(ge=0)
    passed: int = Field(ge=0)
    examples: list[StoppedProblem] = []
    """The first of those that stopped here; `/v1/jobs/{job}/items` lists all."""


class Funnel(Response):
    """How many problems came how far."""

    stages: list[FunnelStage]
    verified: int = Field(ge=0)
    outcomes: dict[str, int]
    """How many there are of each outcome."""


class JobEvent(Response):
    """One event of a job's stream."""

    event: Literal["item", "progress", "end"]
    sequence: int | None = None
    """Of `item`: its number, from which a reader that lost the connection goes on."""
    item: SynthesisItem | None = None
    job: Job | None = None

"""The tables.

Guarantee: every rule that retries and concurrent callers lean on is a constraint here, not a check in code. The schema
itself is made by `migrations/` alone; a test proves that the two agree.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Put the zone back."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


Document = JSON()
"""PostgreSQL's `json`, not `jsonb`: it keeps the order of keys, which prompts are rendered in."""
Identity = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: Document, list[str]: Document}


class ApiKey(Base):
    """A key's hash and what it may do."""

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of a 256-bit random secret, hexadecimal."""
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class IdempotentResponse(Base):
    """What a creating POST answered, so that its retry gets the same."""

    __tablename__ = "idempotent_response"

    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id"), primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    body: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]


class Job(Base):
    """Work that may outlast its request."""

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id"))
    kind: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(20))
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    request: Mapped[dict[str, Any] | None]
    """What was asked, as validated; None for work that its request did at once."""
    activity: Mapped[dict[str, Any] | None]
    """What is under way, by name."""
    lease_by: Mapped[str | None] = mapped_column(String(40))
    """The worker that does it; only while `lease_until` lies ahead."""
    lease_until: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Problem(Base):
    """One problem that no environment came with, under its slug."""

    __tablename__ = "problem"
    __table_args__ = (UniqueConstraint("source", "source_name"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    slug: Mapped[str] = mapped_column(String(120), unique=True)
    source: Mapped[str] = mapped_column(String(40))
    source_name: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    licence: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str]]
    missing: Mapped[list[str]]
    hash: Mapped[str] = mapped_column(String(64))
    """Content hash of the document."""
    document: Mapped[dict[str, Any]]
    """The normalised problem."""
    outcome: Mapped[str | None] = mapped_column(String(20))
    """Of the last synthesis of this content."""
    reason: Mapped[str | None] = mapped_column(Text)
    environment: Mapped[str | None] = mapped_column(String(120))
    """Slug of the environment that it became."""
    created_at: Mapped[datetime]


class SynthesisItem(Base):
    """One problem or environment of a synthesis; what is finished is never done again."""

    __tablename__ = "synthesis_item"
    __table_args__ = (Index("ix_synthesis_item_sequence", "job_id", "sequence"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(40))
    problem_id: Mapped[str | None] = mapped_column(ForeignKey("problem.id"))
    environment_id: Mapped[str | None] = mapped_column(ForeignKey("environment.id"))
    sequence: Mapped[int | None]
    """Place in the order of finishing, from 1; None while it waits."""
    outcome: Mapped[str | None] = mapped_column(String(20))
    stage: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str | None] = mapped_column(Text)
    environment: Mapped[str | None] = mapped_column(String(120))
    repairs: Mapped[int]


class Environment(Base):
    """One environment under its slug, with the facts that lists show of its current version."""

    __tablename__ = "environment"
    __table_args__ = (UniqueConstraint("source", "source_name"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    slug: Mapped[str] = mapped_column(String(120), unique=True)
    source: Mapped[str] = mapped_column(String(40))
    source_name: Mapped[str] = mapped_column(Text)
    licence: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str]]
    status: Mapped[str] = mapped_column(String(20), index=True)
    status_reason: Mapped[str | None] = mapped_column(Text)
    status_by: Mapped[str | None] = mapped_column(String(40))
    version_id: Mapped[str] = mapped_column(String(40))
    """The current version; its row comes after this one, so there is no foreign key."""
    version: Mapped[str] = mapped_column(String(64))
    imported: Mapped[str] = mapped_column(String(64))
    """Content hash of what its source last gave; verification may serve less of it."""
    answer_type: Mapped[str] = mapped_column(String(20))
    levels: Mapped[int]
    created_at: Mapped[datetime]


class EnvironmentVersion(Base):
    """One immutable definition of an environment."""

    __tablename__ = "environment_version"
    __table_args__ = (UniqueConstraint("environment_id", "hash"), UniqueConstraint("environment_id", "number"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    environment_id: Mapped[str] = mapped_column(ForeignKey("environment.id"))
    hash: Mapped[str] = mapped_column(String(64), index=True)
    number: Mapped[int]
    """1 for the first version of its environment."""
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Verification(Base):
    """One report on one version of an environment."""

    __tablename__ = "verification"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    environment_id: Mapped[str] = mapped_column(ForeignKey("environment.id"), index=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    version: Mapped[str] = mapped_column(String(64))
    """Content hash of the definition that was verified."""
    served_version: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(20))
    report: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Instance(Base):
    """A cached point of the pure function (version, parameters, seed) -> input and ground truth."""

    __tablename__ = "instance"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version_id: Mapped[str] = mapped_column(ForeignKey("environment_version.id"), index=True)
    level: Mapped[int | None]
    parameters: Mapped[dict[str, Any]]
    seed: Mapped[int] = mapped_column(BigInteger)
    unavailable: Mapped[str | None] = mapped_column(Text)
    """Why there is none: the generator hung or failed, or the references disagreed."""
    input: Mapped[str | None] = mapped_column(Text)
    input_hash: Mapped[str | None] = mapped_column(String(64))
    description: Mapped[dict[str, Any] | None]
    """The generator's structured description of the input."""
    truth: Mapped[str | None] = mapped_column(Text)
    """The references' agreed output."""
    created_at: Mapped[datetime]


class Stream(Base):
    """How far one seed stream (version, parameters, split, seed) has been drawn from."""

    __tablename__ = "stream"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    version_id: Mapped[str] = mapped_column(ForeignKey("environment_version.id"))
    next_index: Mapped[int]
    """Index of the first seed not looked at yet."""
    draws: Mapped[int]
    """Instances drawn so far."""
    repeats: Mapped[int]
    """Seeds in a row that gave an input drawn before."""
    failures: Mapped[int]
    """Seeds in a row that were unavailable."""
    exhausted: Mapped[bool]
    """No further distinct input is expected; from here on inputs repeat."""


class ProgramLimits(Base):
    """What programs may use at one assignment of a version: measured once, so that all of them meet the same."""

    __tablename__ = "program_limits"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Hash of version and scale parameters."""
    version_id: Mapped[str] = mapped_column(ForeignKey("environment_version.id"))
    limits: Mapped[dict[str, Any]]
    """`cpu_s` by language, `memory_bytes`, and what the references were `measured` to use."""
    created_at: Mapped[datetime]


class Draw(Base):
    """The instance that a stream's n-th draw is."""

    __tablename__ = "draw"

    stream_id: Mapped[str] = mapped_column(ForeignKey("stream.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"))


class Run(Base):
    """One training run. Its curriculum is the fold of its events; `sequence` counts them."""

    __tablename__ = "run"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    settings: Mapped[dict[str, Any]]
    """The run's request, as validated."""
    deadline_s: Mapped[float] = mapped_column(Float)
    generation: Mapped[int]
    sequence: Mapped[int]
    """Events so far; the next one's number."""
    batches: Mapped[int]
    """Batches issued so far in this generation."""
    last_cursor: Mapped[int | None]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class Generation(Base):
    """One line of a run's history. A restore begins a new one, at a checkpoint of another."""

    __tablename__ = "generation"

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    parent: Mapped[int | None]
    """The generation whose checkpoint was restored; None for the first."""
    bound: Mapped[int | None]
    """Of the parent's history, what was issued before this sequence number is this one's too."""
    created_at: Mapped[datetime]


class Checkpoint(Base):
    """A named position in a run's log."""

    __tablename__ = "checkpoint"
    __table_args__ = (UniqueConstraint("run_id", "generation", "label"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    """How many events it holds."""
    generation: Mapped[int]
    label: Mapped[str] = mapped_column(String(200))
    step: Mapped[int | None]
    """The trainer's step number."""
    created_at: Mapped[datetime]


class RunEnvironment(Base):
    """One environment version of a run's pool; `position` is its index in the curriculum."""

    __tablename__ = "run_environment"

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    environment_id: Mapped[str] = mapped_column(ForeignKey("environment.id"))
    version_id: Mapped[str] = mapped_column(ForeignKey("environment_version.id"))
    top_level: Mapped[int]
    """Highest level of the version's ladder."""
    retired: Mapped[str | None] = mapped_column(Text)
    """Why it is no longer proposed."""
    retired_sequence: Mapped[int | None]
    """Number of the event that retired it."""


class Batch(Base):
    """One batch: named by its cursor, once."""

    __tablename__ = "batch"

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True)
    cursor: Mapped[int] = mapped_column(primary_key=True)
    refill: Mapped[int] = mapped_column(primary_key=True)
    """0 for the batch itself, k for its k-th refill."""
    sequence: Mapped[int]
    """Number of the event that issued it."""
    groups: Mapped[int]
    rollouts: Mapped[int]
    ready: Mapped[bool]
    """Whether every group has its instance, and so a deadline."""
    created_at: Mapped[datetime]


class BatchGroup(Base):
    """One group of a batch."""

    __tablename__ = "batch_group"
    __table_args__ = (
        UniqueConstraint("run_id", "generation", "cursor", "position"),
        Index("ix_batch_group_open", "run_id", "generation", "closed_at", "deadline"),
    )

    id: Mapped[int] = mapped_column(Identity, primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"))
    generation: Mapped[int]
    cursor: Mapped[int]
    refill: Mapped[int]
    position: Mapped[int]
    """Place in the batch, those of its refills counted on."""
    sequence: Mapped[int]
    """Number of the event that issued it."""
    environment: Mapped[int]
    """Position in the run's pool."""
    level: Mapped[int]
    ordinal: Mapped[int]
    """Which draw of the (run, environment, level) stream."""
    instance_id: Mapped[str | None] = mapped_column(ForeignKey("instance.id"))
    rollouts: Mapped[int]
    deadline: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    close_reason: Mapped[str | None] = mapped_column(String(20))
    """`complete`, `deadline` or `request`."""
    closed_sequence: Mapped[int | None]
    """Number of the event that closed it."""


class Attempt(Base):
    """One rollout's report and its outcome. Never purged."""

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("group_id", "rollout"),
        Index(
            "uq_attempt_group_id_report_id",
            "group_id",
            "report_id",
            unique=True,
            # Most trainers know their rollouts' indices, and their reports need no place in here.
            sqlite_where=text("report_id IS NOT NULL"),
            postgresql_where=text("report_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity, primary_key=True, autoincrement=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("batch_group.id"))
    rollout: Mapped[int]
    report_id: Mapped[str | None] = mapped_column(String(80))
    """What its trainer calls it, where that does not know the index."""
    content_hash: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(10))
    score: Mapped[float | None] = mapped_column(Float)
    accuracy: Mapped[int | None]
    verdict: Mapped[str | None] = mapped_column(String(20))
    extracted: Mapped[str | None] = mapped_column(Text)
    format: Mapped[str | None] = mapped_column(String(20))
    position: Mapped[int | None]
    detail: Mapped[str | None] = mapped_column(Text)
    feedback: Mapped[str | None] = mapped_column(Text)
    completion_tokens: Mapped[int | None]
    policy_step: Mapped[int | None]
    late: Mapped[bool]
    sequence: Mapped[int]
    """How many events the run's log had when it came."""
    reported_at: Mapped[datetime]


class Event(Base):
    """One row of a run's append-only log; sequence numbers have no gaps."""

    __tablename__ = "event"

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    generation: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20))
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Snapshot(Base):
    """A curriculum state at a position of the event log; only to speed replay up."""

    __tablename__ = "snapshot"

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    """How many events it holds."""
    state: Mapped[str] = mapped_column(Text)
    """JSON text; not a JSON column, which would not keep every float's bits on every engine."""


class LlmReply(Base):
    """One reply that was paid for, under the hash of its question; never the question itself."""

    __tablename__ = "llm_reply"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of model, messages, schema and attempt, hexadecimal."""
    model: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(String(40))
    payer: Mapped[str] = mapped_column(String(40), index=True)
    """The job whose budget it came from."""
    text: Mapped[str] = mapped_column(Text)
    finish: Mapped[str] = mapped_column(String(40))
    """Why the reply ended, in the endpoint's word: `stop`, `length`."""
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    created_at: Mapped[datetime]

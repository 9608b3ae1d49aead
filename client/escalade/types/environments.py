"""Environments and their instances."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from escalade.types.base import MAX_INSTANCES, Message, Mode, Request, Response, Template
from escalade.types.programs import ProgramSettings, require_full_programs

AnswerType = Literal["number", "bool", "string", "array", "multiset", "matrix", "graph", "permutation", "checked"]
"""`checked` answers are not unique: a checker judges them."""
EnvironmentStatus = Literal["unverified", "verified", "rejected", "quarantined", "withdrawn"]


class AnswerSpec(Response):
    """How an environment's answers are written and compared."""

    type: AnswerType
    absolute_tolerance: float | None = Field(default=None, ge=0)
    """For reals; None with `relative_tolerance` None too means 1e-6, absolute or relative."""
    relative_tolerance: float | None = Field(default=None, ge=0)
    case_sensitive: bool = True
    """For strings and bools."""
    tokens: bool = False
    """Strings compare by their whitespace-separated tokens instead of exactly."""
    true_word: str | None = None
    """How the problem writes true (`YES`, `Alice`); None accepts the usual words."""
    false_word: str | None = None
    directed: bool = False
    """For graphs."""
    weighted: bool = False
    """For graphs."""
    counts: bool = False
    """For graphs without weights: references print the numbers of vertices and edges before the edges, as `4 2`."""


class Level(Response):
    """One rung of the ladder."""

    level: int = Field(ge=0)
    parameters: dict[str, int]
    """Scale-parameter assignment."""


class EnvironmentSummary(Response):
    """One environment in a list."""

    name: str
    """URL slug, unique on this server."""
    source_name: str
    """Name in the source it came from."""
    source: str
    """Format or catalogue it came from, such as `scaler` or `catalogue`."""
    licence: str | None = None
    version: str
    """Content hash of the current version, 64 hexadecimal digits."""
    status: EnvironmentStatus
    status_reason: str | None = None
    status_by: str | None = None
    """Who set the status: a key's identity, or the job that verified it."""
    answer_type: AnswerType
    levels: int = Field(ge=1)
    """Length of the ladder."""
    tags: list[str] = []
    created_at: datetime


class EnvironmentDetail(EnvironmentSummary):
    """One environment, its ladder and its statement; never its oracle or generator."""

    statement: str
    answer: AnswerSpec
    ladder: list[Level]
    references: int = Field(ge=0)
    """How many reference solutions the oracle has."""
    versions: list[str]
    """Content hashes of all versions, oldest first."""


class StatusRequest(Request):
    """Take an environment out of service, or put it back."""

    status: Literal["quarantined", "withdrawn", "unverified"]
    """`unverified` releases it."""
    reason: str = Field(min_length=1, max_length=2_000)


class InstanceRequest(Request):
    """Ask for instances of one environment at a level, or at given scale parameters."""

    level: int | None = Field(default=None, ge=0)
    parameters: dict[str, int] | None = None
    """Scale-parameter assignment, in place of `level`."""
    count: Annotated[int, Field(ge=1, le=MAX_INSTANCES)] = 1
    seed: int = Field(default=0, ge=0, lt=2**63)
    split: Literal["train", "evaluation"] = "train"
    """Seed space; the two never share a seed."""
    version: str | None = None
    """Content hash of the version wanted; None is the current one."""
    mode: Mode = "answer"
    template: Template = "full"
    program: ProgramSettings = ProgramSettings()
    """Where `mode` is `program`: the languages that the prompt allows."""
    reveal_answers: bool = False
    """Show the ground truths; needs an admin key. Program mode has none to show."""

    @model_validator(mode="after")
    def _level_or_parameters(self) -> InstanceRequest:
        if (self.level is None) == (self.parameters is None):
            raise ValueError("give exactly one of `level` and `parameters`")
        return require_full_programs(self)


class Instance(Response):
    """One question to ask a model. The ground truth stays on the server."""

    instance: str
    """Identity, `ins_...`: the same for the same environment version, parameters and seed on every machine."""
    environment: str
    version: str
    level: int | None = None
    """None where it was asked for by parameters that are on no rung."""
    parameters: dict[str, int]
    mode: Mode = "answer"
    answer_type: AnswerType
    messages: list[Message]
    answer: str | None = None
    """The ground truth; only where an admin asked with `reveal_answers`."""


class InstanceList(Response):
    """Instances in the order of their seeds."""

    instances: list[Instance]

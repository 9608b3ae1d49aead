"""Settings and items as plain dictionaries, with their keys checked by type checkers.

Guarantee: nothing here exists at run time but names; the models of `escalade.types` check the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Required, TypedDict

from escalade.types import (
    AnswerType,
    CurriculumSettings,
    EnvironmentStatus,
    ExtractionSettings,
    LengthPenalty,
    Mode,
    PoolFilter,
    ProgramLanguage,
    ProgramSettings,
    ScoringSettings,
    Stratum,
    Template,
)


class StratumFields(TypedDict, total=False):
    """Fields of `escalade.types.Stratum`."""

    tag: str
    answer_type: AnswerType
    share: float
    weight: float


class CurriculumFields(TypedDict, total=False):
    """Fields of `escalade.types.CurriculumSettings`."""

    policy: str
    constants: Mapping[str, float]
    strata: Sequence[Stratum | StratumFields]


class PoolFields(TypedDict, total=False):
    """Fields of `escalade.types.PoolFilter`."""

    environments: Sequence[str]
    tags: Sequence[str]
    answer_types: Sequence[AnswerType]
    sources: Sequence[str]
    statuses: Sequence[EnvironmentStatus]


class ProgramFields(TypedDict, total=False):
    """Fields of `escalade.types.ProgramSettings`."""

    instances: int
    score: Literal["all", "share"]
    feedback: bool
    languages: Sequence[ProgramLanguage]


class ExtractionFields(TypedDict, total=False):
    """Fields of `escalade.types.ExtractionSettings`."""

    think: bool
    boxed: bool
    answer_tag: bool
    final_line: bool
    fenced: bool
    exactly_one: bool


class LengthFields(TypedDict, total=False):
    """Fields of `escalade.types.LengthPenalty`."""

    free_tokens: int
    most_tokens: int
    weight: float


class ScoringFields(TypedDict, total=False):
    """Fields of `escalade.types.ScoringSettings`."""

    extraction: ExtractionSettings | ExtractionFields
    shaping: Literal["binary", "partial"]
    guess_floor: float
    format_bonus: float
    format_penalty: float
    length_penalty: LengthPenalty | LengthFields | None
    feedback: bool


class RunFields(TypedDict, total=False):
    """Settings of a new run; what is left out is the server's default. See `escalade.types.RunRequest`."""

    curriculum: CurriculumSettings | CurriculumFields
    pool: PoolFilter | PoolFields
    groups: int
    rollouts: int
    seed: int
    deadline_s: float
    success_threshold: float
    mode: Mode
    template: Template
    program: ProgramSettings | ProgramFields
    scoring: ScoringSettings | ScoringFields
    reveal_answers: bool


class ForkFields(TypedDict, total=False):
    """What a fork changes; the rest is as in the run that it branches from. See `escalade.types.ForkRequest`."""

    constants: Mapping[str, float]
    groups: int
    rollouts: int
    seed: int
    deadline_s: float


class AttemptFields(TypedDict, total=False):
    """Fields of `escalade.types.AttemptReport`."""

    group: Required[str]
    rollout: int | None
    report_id: str | None
    completion: str | None
    score: float | None
    completion_tokens: int | None
    policy_step: int | None


class ScoreItemFields(TypedDict, total=False):
    """Fields of `escalade.types.ScoreItem`."""

    instance: Required[str]
    completion: Required[str]
    mode: Mode
    completion_tokens: int | None

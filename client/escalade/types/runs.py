"""Runs: their batches, attempts, controllers and events."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field, model_validator

from escalade.types.base import MAX_COMPLETION_CHARS, Count, Message, Mode, Name, Request, Response, Template
from escalade.types.environments import AnswerType, EnvironmentStatus
from escalade.types.programs import ProgramSettings, require_full_programs
from escalade.types.scores import Outcome, Verdict
from escalade.types.scoring import ScoringSettings


class Stratum(Request):
    """A part of the pool and how much of each batch it gets; the first stratum that matches an environment has it.

    Example:
        >>> from escalade import Client, CurriculumSettings, Stratum
        >>> strata = [Stratum(answer_type="array", share=0.25), Stratum(answer_type="number", weight=1.0)]
        >>> with Client() as client:
        ...     run = client.create_run("a quarter", curriculum=CurriculumSettings(strata=strata), groups=4)
        ...     batch = client.batch(run.run, 0)
        ...     print(sum(group.answer_type == "array" for group in batch.groups))
        1
    """

    tag: str | None = Field(default=None, max_length=80)
    answer_type: AnswerType | None = None
    share: float | None = Field(default=None, gt=0, le=1)
    """This share of the groups; give either this or `weight`."""
    weight: float | None = Field(default=None, gt=0)
    """What shares leave is divided in proportion to weight times number of environments."""


class CurriculumSettings(Request):
    """Which policy a run follows, with its constants.

    Example:
        >>> from escalade import Client, CurriculumSettings
        >>> settings = CurriculumSettings(policy="fixed", constants={"share": 0.5})
        >>> with Client() as client:
        ...     run = client.create_run("half", curriculum=settings, groups=1, pool={"environments": ["toll-road"]})
        ...     print(client.batch(run.run, 0).groups[0].level)
        8
    """

    policy: str = Field(default="bayes", max_length=40)
    """`bayes`, `scaler` (the paper's), `staircase`, `rlve`, `adarft`, `learnability`, `fixed` or `uniform`."""
    constants: dict[str, float] = {}
    """Constants to change from their defaults, by name."""
    strata: list[Stratum] = Field(default=[], max_length=64)
    """Quotas and weights by tag and answer type; each stratum has a curriculum of its own."""


class PoolFilter(Request):
    """Which environments a run draws from: those that pass every filter given.

    Example:
        >>> from escalade import Client, PoolFilter
        >>> with Client() as client:
        ...     run = client.create_run("dynamic", pool=PoolFilter(tags=["dp"], statuses=["unverified"]))
        ...     print(run.pool_size > 1)
        True
    """

    environments: list[Name] | None = None
    """Slugs; None is all."""
    tags: list[Name] | None = None
    """At least one of these tags."""
    answer_types: list[AnswerType] | None = None
    sources: list[Name] | None = None
    statuses: list[EnvironmentStatus] = ["verified", "unverified"]


class RunRequest(Request):
    """Start a run."""

    name: Name = Field(min_length=1, max_length=200)
    curriculum: CurriculumSettings = CurriculumSettings()
    pool: PoolFilter = PoolFilter()
    groups: int = Field(default=64, ge=1, le=1_024)
    """Groups per batch, unless a batch asks for another number; also the size of the active set."""
    rollouts: int = Field(default=8, ge=1, le=1_024)
    """Rollouts per group."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    deadline_s: float = Field(default=1800.0, gt=0, le=7 * 86_400)
    """Seconds from a batch's issue to its groups' deadline."""
    success_threshold: float = Field(default=1.0, gt=0, le=1)
    """A score that the trainer brings counts as right at or above this."""
    mode: Mode = "answer"
    template: Template = "full"
    program: ProgramSettings = ProgramSettings()
    """How programs are judged, where `mode` is `program`."""
    scoring: ScoringSettings = ScoringSettings()
    """How answers are read and scored."""
    reveal_answers: bool = False
    """Show ground truths in this run's batches; needs an admin key. Program mode has none to show."""

    @model_validator(mode="after")
    def _full_programs(self) -> RunRequest:
        return require_full_programs(self)


class RunPatch(Request):
    """Change a run's settings."""

    name: Name | None = Field(default=None, min_length=1, max_length=200)
    deadline_s: float | None = Field(default=None, gt=0, le=7 * 86_400)


class Run(Response):
    """A run as it stands."""

    run: str
    name: str
    curriculum: CurriculumSettings
    pool_size: int = Field(ge=0)
    groups: int
    rollouts: int
    seed: int
    deadline_s: float
    success_threshold: float
    mode: Mode = "answer"
    template: Template = "full"
    program: ProgramSettings = ProgramSettings()
    scoring: ScoringSettings = ScoringSettings()
    reveal_answers: bool = False
    generation: int = Field(ge=0)
    last_cursor: int | None = None
    """Highest cursor issued so far."""
    created_at: datetime


class BatchRequest(Request):
    """Ask for the batch of one trainer step."""

    groups: int | None = Field(default=None, ge=1, le=1_024)
    """None is the run's number."""
    rollouts: int | None = Field(default=None, ge=1, le=1_024)
    """None is the run's number."""


class Group(Response):
    """One instance inside a batch, to be answered by `rollouts` rollouts."""

    group: str
    """`CURSOR.INDEX`; unique within the run."""
    instance: str
    environment: str
    version: str
    level: int = Field(ge=0)
    mode: Mode = "answer"
    answer_type: AnswerType
    messages: list[Message]
    rollouts: int
    deadline: datetime
    answer: str | None = None
    """The ground truth; only in a run with `reveal_answers`."""


class Batch(Response):
    """What a trainer works on at one step."""

    run: str
    cursor: int = Field(ge=0)
    groups: list[Group]


class AttemptReport(Request):
    r"""One rollout's answer to one group.

    Example:
        >>> from escalade import AttemptReport, Client
        >>> with Client() as client:
        ...     run = client.create_run("one", groups=1, rollouts=2, pool={"environments": ["toll-road"]})
        ...     group = client.batch(run.run, 0).groups[0]
        ...     results = client.report(run.run, [
        ...         AttemptReport(group=group.group, rollout=0, completion="It is \\boxed{-1}", completion_tokens=7),
        ...         AttemptReport(group=group.group, rollout=1, score=1.0),  # judged by the trainer itself
        ...     ])
        ...     print([outcome.verdict for outcome in results.outcomes], results.closed == [group.group])
        ['wrong', 'reported'] True
    """

    group: str = Field(max_length=40)
    rollout: int | None = Field(default=None, ge=0)
    """Index of the rollout within its group; give either this or `report_id`."""
    report_id: Name | None = Field(default=None, min_length=1, max_length=80)
    """For trainers that do not know the index: a name of this rollout's own, kept through retries. The server takes the
    rollout for the lowest index that its group has free."""
    completion: str | None = Field(default=None, max_length=MAX_COMPLETION_CHARS)
    """The model's whole answer; None when `score` is given."""
    score: float | None = Field(default=None, ge=0, le=1)
    """A score that the trainer computed; None when `completion` is given."""
    completion_tokens: Count | None = None
    """Length of the completion, in tokens; a run with a length penalty needs it."""
    policy_step: Count | None = None
    """The step whose weights wrote the completion."""

    @model_validator(mode="after")
    def _completion_or_score(self) -> AttemptReport:
        if (self.completion is None) == (self.score is None):
            raise ValueError("give exactly one of `completion` and `score`")
        return self

    @model_validator(mode="after")
    def _index_or_name(self) -> AttemptReport:
        if (self.rollout is None) == (self.report_id is None):
            raise ValueError(
                "give `rollout`, or a `report_id` of the rollout's own where its index is not known; not both"
            )
        return self


class AttemptReports(Request):
    """Rollouts to score and store."""

    attempts: list[AttemptReport] = Field(min_length=1, max_length=4_096)


class AttemptOutcome(Response):
    """What became of one rollout."""

    group: str
    rollout: int
    """The index reported, or the one that the server gave it."""
    outcome: Outcome
    score: float | None = Field(default=None, ge=0, le=1)
    accuracy: Literal[0, 1] | None = None
    verdict: Verdict | None = None
    extracted: str | None = None
    format: str | None = None
    position: int | None = Field(default=None, ge=0)
    """Offset of the answer in the completion, in characters."""
    detail: str | None = None
    feedback: str | None = None
    """A hint on the answer's form, in a run that asks for feedback."""
    repeat: bool = False
    """The same report had come before; this is its first outcome."""
    late: bool = False
    """Its group had closed; stored, but no controller moved."""


class AttemptResults(Response):
    """Outcomes in the order of the reports."""

    outcomes: list[AttemptOutcome]
    closed: list[str]
    """Groups that these reports completed."""


class Deadline(Response):
    """A group's deadline."""

    group: str
    deadline: datetime


class DeadlineRequest(Request):
    """Move a group's deadline."""

    deadline: AwareDatetime


class ClosedGroups(Response):
    """Groups that a request closed."""

    closed: list[str]


class ActiveMember(Response):
    """Why an environment is in the active set, or left it."""

    environment: str
    version: str
    active: bool
    level: float
    entered: int | None = None
    """Cursor of the first batch of its last stay."""
    left: int | None = None
    """Cursor of the batch that it was missing from after its last stay; None while it is in."""
    because: str
    """Why the policy serves it, or does not, in words and figures."""
    reason: str | None = None
    """Why it left its slot, or why it is no longer served."""


class StepMetrics(Response):
    """One batch in figures; null where nothing was scored yet."""

    cursor: int
    groups: int
    closed: int
    informative: float | None = Field(default=None, ge=0, le=1)
    """Share of the closed groups that are neither all right nor all wrong."""
    all_wrong: int
    all_right: int
    accuracy: float | None = Field(default=None, ge=0, le=1)
    """Mean over the scored rollouts."""
    level: float
    """Mean level served."""
    relative_level: float
    """Mean of level over top level, 0 to 1."""
    errors: int
    expired: int
    coverage: int
    """Distinct environments served so far."""
    tags: dict[str, int]
    """Groups by tag."""


class GroupTally(Response):
    """One closed group in numbers."""

    cursor: int
    level: int
    right: int
    scored: int


class Suspect(Response):
    """An environment that the curriculum believes to be broken or trivial, for an operator to look at."""

    environment: str
    reason: str
    """What the policy believes, in words and figures."""
    visits: int
    groups: list[GroupTally]
    """Its last closed groups, at most ten, oldest first."""


class RunMetrics(Response):
    """A run over time."""

    steps: list[StepMetrics]
    open_groups: int
    oldest_lease_s: float | None = None
    """Seconds since the oldest batch with an open group was issued."""
    suspects: list[Suspect]
    next_page: str | None = None


class Controller(Response):
    """The difficulty state of one environment in one run."""

    environment: str
    version: str
    active: bool
    """Whether the active set holds it now."""
    level: float = Field(ge=0)
    """The policy's continuous difficulty, in levels."""
    top_level: int = Field(ge=0)
    visits: int = Field(ge=0)
    """Batches that this environment was in and that moved its controller."""
    accuracy: float | None = Field(default=None, ge=0, le=1)
    """Mean accuracy at its last visit."""
    retired: str | None = None
    """Why it is no longer served in this run."""
    state: dict[str, Any] = {}
    """The policy's own variables."""


class Event(Response):
    """One row of a run's append-only log."""

    sequence: int = Field(ge=0)
    kind: str
    generation: int
    created_at: datetime
    payload: dict[str, Any]

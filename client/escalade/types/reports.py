"""What verification found out about one version of an environment.

Only admins see a whole report: its evidence holds inputs, seeds and outputs, and so ground truths.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from escalade.types.base import Response

MAX_EXCERPT_CHARS = 600
"""Longest input or output that evidence quotes."""

ReportVerdict = Literal["verified", "rejected"]
Standing = Literal["agrees", "dissents", "fails_tests", "absent"]
"""`dissents`: it gave another answer than the majority; `fails_tests`: it fails a fixed test; `absent`: it does not
compile, or answers too few of the inputs."""


class Evidence(Response):
    """One example of what a check found."""

    note: str
    """What is to be seen here, in a sentence."""
    subject: str | None = None
    """The solution, validator or test that it is about."""
    parameters: dict[str, int] | None = None
    seed: int | None = None
    input: str | None = None
    """Cut to `MAX_EXCERPT_CHARS` like the two outputs."""
    expected: str | None = None
    got: str | None = None


class Check(Response):
    """One check of a verification."""

    name: str
    """Stable name, such as `determinism`; docs/verification.md lists them."""
    passed: bool
    figure: float | None = None
    """The measured value that decided; None where nothing could be measured."""
    threshold: float | None = None
    """The value it was held against."""
    unit: str = ""
    """Of `figure` and `threshold`, such as `share` or `ms`."""
    figures: dict[str, float] = {}
    """Further values, by name with their unit as suffix."""
    finding: str
    """What came out, in one sentence."""
    evidence: list[Evidence] = []


class LevelReport(Response):
    """One level of the ladder, as its draws showed it."""

    level: int = Field(ge=0)
    """Its number in the ladder that was verified."""
    parameters: dict[str, int]
    draws: int = Field(ge=0)
    """Inputs made."""
    failed_draws: int = Field(ge=0)
    """Draws for which the generator gave no input."""
    solved: int = Field(ge=0)
    """Draws whose answer the oracle agreed on within the limits; those made only to count inputs are not answered."""
    input_chars: float = Field(ge=0)
    """Mean length of an input."""
    prompt_chars: int = Field(ge=0)
    """Longest prompt."""
    prompt_tokens: int | None = None
    """Longest prompt; None without a tokenizer."""
    distinct: int = Field(ge=0)
    """Distinct inputs seen."""
    distinct_estimate: float = Field(ge=0)
    """Distinct inputs there are, estimated from below."""
    modal_share: float = Field(ge=0, le=1)
    """Share of the most frequent answer."""
    guess: str
    """The trivial strategy that was right most often, such as `modal answer`."""
    guessability: float = Field(ge=0, le=1)
    """How often it was right."""
    solve_ms: float = Field(ge=0)
    """Longest CPU time of a reference on one input."""
    dropped: str | None = None
    """Why the level is not served; None where it is."""


class SolutionReport(Response):
    """One solution that was to be part of the oracle."""

    name: str
    language: str
    standing: Standing
    answered: int = Field(ge=0)
    """Generated inputs that it answered."""
    dissents: int = Field(ge=0)
    """Of these, answers that differ from the majority's."""
    detail: str = ""
    """Why it is not in the oracle."""


class VerificationReport(Response):
    """The verdict on one version, with a figure for every check."""

    version: str
    """Content hash of the definition that was verified."""
    served_version: str
    """Content hash of the definition as it should be served: without dropped solutions and levels."""
    verdict: ReportVerdict
    checks: list[Check]
    """In the order in which they ran."""
    skipped: list[str] = []
    """Checks that had nothing to go on, because an earlier one failed."""
    levels: list[LevelReport] = []
    solutions: list[SolutionReport] = []
    dissenters: list[str] = []
    """Names of the solutions that were dropped from the oracle because they gave other answers."""
    dropped_levels: list[int] = []
    cpu_s: float = Field(ge=0)
    """CPU time of all programs in the sandbox."""
    wall_s: float = Field(ge=0)
    """The sum of their elapsed times, which overlap."""
    runs: int = Field(ge=0)
    """Program runs in the sandbox."""

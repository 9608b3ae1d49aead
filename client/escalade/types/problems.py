"""Problems that wait to become environments."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from escalade.types.base import Request, Response
from escalade.types.environments import AnswerType

Missing = Literal["statement", "answer_type", "parameters", "generator", "solutions"]
"""What a problem lacks; metadata and a generator can be made by synthesis, solutions cannot."""


class ProblemText(Request):
    """The statement in one language."""

    language: str = "en"
    markup: Literal["markdown", "tex", "text"] = "markdown"
    text: str = Field(min_length=1)
    """The whole statement."""
    task: str | None = None
    """The task without its input and output format, where they are set apart."""
    output: str | None = None
    """What to print."""


class ProblemSample(Request):
    """One worked example."""

    input: str
    output: str


class ProblemLimits(Request):
    """What a solution may use."""

    time_s: float | None = Field(default=None, gt=0)
    memory_bytes: int | None = Field(default=None, gt=0)


class ProblemParameter(Request):
    """The range of one scale parameter."""

    minimum: int
    maximum: int
    base: float = 1.0
    """Factor from the ladder's common scale to this parameter."""


class ProblemProgram(Request):
    """One program of a problem."""

    name: str
    language: str
    """`cpp` and `python` run; others are kept as text."""
    source: str
    files: dict[str, str] = {}
    """Text files beside the source."""


class ProblemSolutionText(ProblemProgram):
    """A solution and the verdict it is known to get."""

    expected: Literal["accepted", "wrong_answer", "time_limit", "runtime_error", "unknown"] = "accepted"


class ProblemGeneratorText(ProblemProgram):
    """A generator and how it is called."""

    function: str | None = None
    """Python: function(params: dict[str, int]) -> tuple[str, dict]; None: a program that writes to standard output."""
    arguments: list[str] | None = None
    """A program's arguments: `{name}` stands for a scale parameter, `{seed}` for the seed."""
    parameters: dict[str, ProblemParameter] = {}


class ProblemValidatorText(ProblemProgram):
    """A program that reads an input on standard input and says by its exit status whether it is valid."""

    arguments: list[str] = []
    valid_exit: int | None = None
    """None: 0 or 42."""


class ProblemCheckerText(ProblemProgram):
    """A program that judges answers that are not unique."""

    protocol: Literal["testlib", "kattis", "function"]
    arguments: list[str] = []


class ProblemTest(Request):
    """One fixed input."""

    name: str
    input: str
    output: str | None = None


class ProblemRequest(Request):
    """One problem, from a source of your own."""

    name: str = Field(min_length=1, max_length=200)
    """Unique within its source."""
    title: str = Field(min_length=1, max_length=200)
    source: str = Field(default="api", pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)
    licence: str | None = Field(default=None, max_length=200)
    tags: list[str] = Field(default=[], max_length=100)
    statements: list[ProblemText] = Field(min_length=1)
    samples: list[ProblemSample] = []
    limits: ProblemLimits = ProblemLimits()
    parameters: dict[str, ProblemParameter] = {}
    answer_type: AnswerType | None = None
    checker: ProblemCheckerText | None = None
    solutions: list[ProblemSolutionText] = []
    generators: list[ProblemGeneratorText] = []
    validators: list[ProblemValidatorText] = []
    tests: list[ProblemTest] = []


class ProblemSummary(Response):
    """One problem in a list; its solutions never leave the server."""

    name: str
    """Slug, unique among this server's problems."""
    source: str
    source_name: str
    """Its name there."""
    title: str
    licence: str | None = None
    tags: list[str] = []
    missing: list[Missing] = []
    """What it lacks to become an environment."""
    hash: str
    """Content hash, 64 hexadecimal digits."""
    environment: str | None = None
    """The environment that it became."""
    outcome: str | None = None
    """What the last synthesis made of it, an outcome of `SynthesisItem`; None: none has tried."""
    reason: str | None = None
    created_at: datetime

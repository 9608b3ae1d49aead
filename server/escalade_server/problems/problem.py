"""The normalised problem: what every import format is read into, before anything of it is run.

Guarantee: a problem is immutable data and says of itself what it still lacks to become an environment (`missing_of`).
What a source holds but a problem does not is named in its `notes`; nothing is dropped in silence.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from escalade.types.environments import AnswerType
from escalade_server.problems.definition import (
    Checker,
    Entry,
    Frozen,
    Generator,
    Parameter,
    Sample,
    Solution,
    Validator,
)

USABLE_LANGUAGES: Final = frozenset({"cpp", "python"})
"""Languages of programs that the sandbox runs; programs in others are kept as text."""

TestKind = Literal["sample", "secret", "generated"]
Missing = Literal["statement", "answer_type", "parameters", "generator", "solutions"]


class Statement(Frozen):
    """The text of a problem in one language."""

    language: str
    """ISO 639 code, such as `en`."""
    markup: Literal["markdown", "tex", "text"]
    text: str
    """The whole statement."""
    task: str | None = None
    """The task without its input and output format; None where the source does not set them apart."""
    output: str | None = None
    """What to print, in the problem's words; None where the source does not set it apart."""


class Limits(Frozen):
    """What a solution may use; None where the source leaves it to the judge."""

    time_s: float | None = Field(default=None, gt=0)
    memory_bytes: int | None = Field(default=None, gt=0)


class Call(Frozen):
    """One way in which the source calls a generator."""

    arguments: tuple[str, ...] = ()
    """`{seed}` stands for the seed; without it the arguments say everything."""
    count: int = Field(default=1, ge=1)
    """How many inputs the source makes of it, with different seeds."""
    kind: TestKind = "secret"


class ProblemSolution(Solution):
    """A solution, and whether a judge turned it down."""

    rejected: bool = False
    """The source says that it is wrong, though perhaps not in which way (`expected` is then `unknown`)."""


class ProblemGenerator(Generator):
    """A program or function that makes inputs; where a program's `arguments` are None, how to call it is not known."""

    function: str | None = None
    parameters: dict[str, Parameter] = {}
    """Scale parameters that this generator takes, with the ranges that its source is known to use."""
    calls: tuple[Call, ...] = ()


class Comparison(Frozen):
    """How a judge without a checker of its own compares outputs: by whitespace-separated words."""

    case_sensitive: bool = True
    space_sensitive: bool = False
    """Outputs must agree in every byte."""
    absolute_tolerance: float | None = Field(default=None, ge=0)
    """Words that are numbers may differ by this much; None with `relative_tolerance` None means not at all."""
    relative_tolerance: float | None = Field(default=None, ge=0)
    unordered: bool = False
    """The words may come in any order."""


class FixedTest(Frozen):
    """One fixed input, with its answer where the source has one."""

    name: str
    input: str
    output: str | None = None
    kind: TestKind = "secret"


class Problem(Frozen):
    """One problem of an archive."""

    name: str
    """Unique within its source."""
    title: str
    source: str
    """Format or collection it came from, such as `polygon`."""
    licence: str | None = None
    tags: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    samples: tuple[Sample, ...] = ()
    limits: Limits = Limits()
    parameters: dict[str, Parameter] = {}
    """Scale parameters of the input; empty where the source does not say."""
    answer_type: AnswerType | None = None
    """Where the source says so; `checked` wherever it brings a checker of its own."""
    comparison: Comparison = Comparison()
    checker: Checker | None = None
    solutions: tuple[ProblemSolution, ...] = ()
    """In any language, with their expected verdicts."""
    generators: tuple[ProblemGenerator, ...] = ()
    validators: tuple[Validator, ...] = ()
    tests: tuple[FixedTest, ...] = ()
    notes: tuple[str, ...] = ()
    """What of the source was left out, and why."""
    entry: Entry | None = None
    """The complete environment, where the source holds one."""

    @property
    def statement(self) -> Statement | None:
        """The English statement if there is one, else the first."""
        english = [statement for statement in self.statements if statement.language.split("-")[0] == "en"]
        return next(iter(english or self.statements), None)

    @property
    def usable_solutions(self) -> tuple[ProblemSolution, ...]:
        """Accepted solutions that the sandbox can run, the source's order kept."""
        return tuple(
            solution
            for solution in self.solutions
            if solution.expected == "accepted" and solution.language in USABLE_LANGUAGES
        )


def missing_of(problem: Problem) -> tuple[Missing, ...]:
    """What a problem lacks to become an environment; metadata and generator can be made, solutions cannot."""
    if problem.entry is not None:
        return ()
    missing: list[Missing] = []
    if problem.statement is None:
        missing.append("statement")
    if problem.answer_type is None:
        missing.append("answer_type")
    if not problem.parameters:
        missing.append("parameters")
    if not any(_callable(generator) for generator in problem.generators):
        missing.append("generator")
    # Two must agree, or one passes tests whose answers the source gives.
    answered = any(test.output is not None for test in problem.tests)
    if len(problem.usable_solutions) < (1 if answered else 2):
        missing.append("solutions")
    return tuple(missing)


def problem_of_entry(entry: Entry) -> Problem:
    """The problem behind a complete environment, which needs no synthesis but verification all the same."""
    definition = entry.definition
    return Problem(
        name=entry.source_name,
        title=entry.source_name,
        source=entry.source,
        licence=entry.licence,
        tags=entry.tags,
        statements=(
            Statement(
                language="en",
                markup="markdown",
                text=definition.full_statement,
                task=definition.statement,
                output=definition.answer_instruction,
            ),
        ),
        samples=definition.samples,
        limits=Limits(time_s=definition.time_limit_s, memory_bytes=definition.memory_limit_bytes),
        parameters=definition.parameters,
        answer_type=definition.answer.type,
        checker=definition.checker,
        solutions=tuple(
            ProblemSolution(**dict(solution), rejected=solution.expected not in ("accepted", "unknown"))
            for solution in definition.solutions
        ),
        generators=(ProblemGenerator(**dict(definition.generator), parameters=definition.parameters),),
        validators=definition.validators,
        entry=entry,
    )


def _callable(generator: ProblemGenerator) -> bool:
    return bool(generator.parameters) and (generator.function is not None or generator.arguments is not None)

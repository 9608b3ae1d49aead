"""What an environment is made of, and its version.

Guarantee: a definition is immutable data, and `version_of` is a pure function of all that decides what instances look
like and how answers are judged: two servers give the same definition the same version hash.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from escalade.types import AnswerSpec

TOOLCHAIN = "debian-12/gcc-12.2/python-3.11"
"""What compiles and runs generators and references; the sandbox image is built to it."""
RENDERER = 1
"""Raised when the rendering of prompts changes."""

ExpectedVerdict = Literal["accepted", "wrong_answer", "time_limit", "runtime_error", "unknown"]


class Frozen(BaseModel):
    """Immutable, and strict about its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Code(Frozen):
    """One program's source."""

    name: str
    """File name or label in its source, for reports."""
    language: str
    """As the sandbox names it: `cpp`, `python`."""
    source: str
    files: dict[str, str] = {}
    """Text files beside the source, such as `testlib.h`."""


class Generator(Code):
    """(scale parameters, seed) -> one test input, and a structured description of it."""

    function: str | None = "generate_testcase"
    """Python: function(params: dict[str, int]) -> tuple[str, dict]; None: a program that is given `--name=value`
    per scale parameter and the seed last, and writes the input to standard output."""


class Solution(Code):
    """A solution of the problem."""

    expected: ExpectedVerdict = "accepted"


class Checker(Code):
    """Judges non-unique answers in the sandbox."""

    protocol: Literal["testlib", "kattis", "function"]
    """`function`: check(input: str, answer: str, reference: str) -> bool, in Python."""


class Parameter(Frozen):
    """The range of one scale parameter."""

    minimum: int
    maximum: int
    base: float = 1.0
    """Factor from the ladder's common scale to this parameter (SCALER's `base`)."""

    def at(self, scale: int) -> int:
        """The value at a common scale: SCALER's own rule, in its own floating point, but never out of range."""
        value = scale * self.base + self.minimum
        return self.maximum if value >= self.maximum else max(int(value), self.minimum)


class Sample(Frozen):
    """One worked example of a statement."""

    input: str
    output: str


class Definition(Frozen):
    """Everything that an environment version is made of."""

    statement: str
    """What the prompt shows: the task without its input and output format."""
    full_statement: str
    """The task with its input and output format, for program mode."""
    answer_instruction: str
    """What to give as the answer, in the problem's words."""
    answer: AnswerSpec
    parameters: dict[str, Parameter]
    ladder: tuple[dict[str, int], ...] = Field(min_length=1)
    """Scale-parameter assignments, level 0 easiest, all distinct."""
    generator: Generator
    solutions: tuple[Solution, ...] = Field(min_length=1)
    """References (`accepted`) and known-wrong ones."""
    checker: Checker | None = None
    validators: tuple[Code, ...] = ()
    """Programs that read an input on standard input and exit 0 (or 42) if it is valid."""
    samples: tuple[Sample, ...] = ()
    time_limit_s: float = Field(default=10.0, gt=0, le=120)
    """CPU time of a reference on one input."""
    memory_limit_bytes: int = Field(default=512 << 20, ge=16 << 20, le=4 << 30)
    tested_reference: bool = False
    """Its only reference passed the source's fixed tests, and so needs no second one to agree with."""

    @property
    def references(self) -> tuple[Solution, ...]:
        """The solutions that make up the oracle."""
        return tuple(solution for solution in self.solutions if solution.expected == "accepted")

    @property
    def least_agreeing(self) -> int:
        """How many references must give an answer for it to be the ground truth."""
        return 1 if self.tested_reference and len(self.references) == 1 else 2


class Entry(Frozen):
    """One problem of an archive, ready to become an environment."""

    slug: str
    source_name: str
    source: str
    """Format or catalogue it came from."""
    licence: str | None = None
    tags: tuple[str, ...] = ()
    definition: Definition


class Refusal(Frozen):
    """One problem of an archive that cannot go in, and why."""

    entry: str
    field: str
    reason: str


def version_of(definition: Definition) -> str:
    """Content hash of a definition with the toolchain and the renderer, 64 hexadecimal digits."""
    # Without defaults, so that a field added to the model later leaves every earlier version's hash as it is.
    content = definition.model_dump(mode="json", exclude_defaults=True)
    document = {"definition": content, "toolchain": TOOLCHAIN, "renderer": RENDERER}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def slug_of(source_name: str) -> str:
    """A URL slug for a source's name: `883_C. Downloading B++` -> `883-c-downloading-b`."""
    spaced = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in source_name.lower())
    return "-".join(spaced.split())[:100].strip("-") or "problem"

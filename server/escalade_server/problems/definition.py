"""What an environment is made of, and its version.

Guarantee: a definition is immutable data, and `version_of` is a pure function of all that decides what instances look
like and how answers are judged: two servers give the same definition the same version hash.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from escalade.types import AnswerSpec

TOOLCHAIN = "debian-12/gcc-12.2/python-3.11"
"""What compiles and runs generators and references; the sandbox image is built to it."""
RENDERER = 1
"""Raised when the rendering of prompts changes."""

SEED: Final = "{seed}"
"""Where a generator's arguments take the seed."""
MAX_SEED: Final = 2**31
"""Seeds on a command line are below this, where `arguments` say how they are given."""

_SLOT: Final = re.compile(r"\{([A-Za-z_]\w*)\}")

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
    """Python: function(params: dict[str, int]) -> tuple[str, dict]; None: a program that writes the input to standard
    output."""
    arguments: tuple[str, ...] | None = None
    """A program's arguments: `{name}` stands for a scale parameter, `{seed}` for the seed. None: `--name=value` per
    scale parameter, and the seed last."""
    defines: dict[str, int | float | str] = {}
    """Constants that are compiled in; a scale parameter of the same name overrides the value."""
    defines_file: str | None = None
    """The header among `files` that holds the constants, such as `params.h`; see `header_of`."""


class Validator(Code):
    """A program that reads an input on standard input and says by its exit status whether it is valid."""

    arguments: tuple[str, ...] = ()
    valid_exit: int | None = None
    """What means valid: 42 for Kattis's validators, 0 for testlib's. None: either."""

    @property
    def valid_exits(self) -> tuple[int, ...]:
        """Exit statuses that mean valid; any other means invalid."""
        return (0, 42) if self.valid_exit is None else (self.valid_exit,)


class Solution(Code):
    """A solution of the problem."""

    expected: ExpectedVerdict = "accepted"


class Checker(Code):
    """Judges non-unique answers in the sandbox."""

    protocol: Literal["testlib", "kattis", "function"]
    """`testlib`: arguments are the files input, answer to judge, reference answer; exit 0 accepts.

    `kattis`: arguments are the files input and reference answer and a folder for feedback, the answer to judge comes on
    standard input; exit 42 accepts and 43 rejects.

    `function`: check(input: str, answer: str, reference: str) -> bool, in Python.
    """
    arguments: tuple[str, ...] = ()
    """Further arguments, after those of the protocol."""


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
    validators: tuple[Validator, ...] = ()
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


def header_of(defines: Mapping[str, int | float | str], parameters: Mapping[str, int]) -> str:
    """The header that compiles constants in, scale parameters in place of those of the same name."""
    lines = []
    for name, value in {**defines, **parameters}.items():
        if isinstance(value, str):
            written = json.dumps(value)
        else:
            written = f"(long long){value}" if isinstance(value, int) else repr(value)
        lines.append(f"#define {name} {written}\n")
    return "".join(lines)


def slots_of(arguments: Iterable[str]) -> set[str]:
    """The names that a generator's arguments have values put in for."""
    return {name for argument in arguments for name in _SLOT.findall(argument)}


def arguments_of(generator: Generator, parameters: Mapping[str, int], seed: int) -> tuple[str, ...]:
    """The command line that makes one input of a generator that is a program.

    Raises:
        ValueError: A scale parameter that it needs is not given.
    """
    if generator.arguments is None:
        return (*(f"--{name}={value}" for name, value in sorted(parameters.items())), str(seed))
    # Formats promise their generators a seed of 31 bits, and `atoi` makes one number of all that are larger.
    values = {**{name: str(value) for name, value in parameters.items()}, "seed": str(seed % MAX_SEED)}

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ValueError(f"{generator.name}: give the scale parameter {match[1]}")
        return values[match[1]]

    return tuple(_SLOT.sub(fill, argument) for argument in generator.arguments)


def files_of(generator: Generator, parameters: Mapping[str, int]) -> dict[str, str]:
    """The files beside a generator's source, with the scale parameters compiled in where it takes them so."""
    if generator.defines_file is None:
        return dict(generator.files)
    known = {name: value for name, value in parameters.items() if name in generator.defines}
    return {**generator.files, generator.defines_file: header_of(generator.defines, known)}


def slug_of(source_name: str) -> str:
    """A URL slug for a source's name: `883_C. Downloading B++` -> `883-c-downloading-b`."""
    spaced = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in source_name.lower())
    return "-".join(spaced.split())[:100].strip("-") or "problem"

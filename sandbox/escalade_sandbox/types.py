"""The words of the sandbox: what a job is, what comes back, and what can go wrong.

Guarantee: everything that a program does is data in a `Result`; only a fault of the sandbox itself is an
exception. Nothing here does I/O, so every backend, the HTTP service and every caller share these types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

MEBIBYTE = 1 << 20


class Status(StrEnum):
    """How one program run on one input ended."""

    OK = "ok"
    NONZERO_EXIT = "nonzero_exit"
    SIGNALLED = "signalled"
    TIME_LIMIT = "time_limit"
    """CPU or wall time ran out; the process was killed."""
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    COMPILE_ERROR = "compile_error"
    COMPILE_LIMIT = "compile_limit"
    """The compiler ran out of time, memory or output."""
    INVALID_OUTPUT = "invalid_output"
    """Exit 0, but standard output is not UTF-8."""
    SKIPPED = "skipped"
    """Not run: an earlier input failed, and the job was to stop there."""


class Trust(StrEnum):
    """Whose code a container runs; containers of the two pools are never mixed."""

    TRUSTED = "trusted"
    """An environment's own code: generators, references, checkers."""
    CANDIDATE = "candidate"
    """Code that a model wrote."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one input's run (or one compilation) may use."""

    cpu_s: float = 10.0
    """CPU time of the process and its children, in seconds."""
    wall_s: float = 20.0
    """Elapsed time, in seconds."""
    memory_bytes: int = 512 * MEBIBYTE
    output_bytes: int = 16 * MEBIBYTE
    """Longest standard output kept; one byte more is `output_limit`."""
    error_bytes: int = 64 * 1024
    """Longest standard error kept; the rest is dropped and flagged, never a failure."""
    processes: int = 64
    """Processes and threads at one time."""


@dataclass(frozen=True, slots=True)
class Program:
    """Source text in one language."""

    language: str
    """A name from `escalade_sandbox.languages`, such as `cpp` or `python`."""
    source: str
    function: str | None = None
    """Python only: call this function once per input, in a fresh fork each, instead of running the file as a script.
    Standard input is then the JSON object `{"arguments": [...], "seed": int}`; module-level `random` is seeded with
    `seed` before the call; standard output of the `Result` is the returned value as JSON (tuples as arrays). What the
    function prints is discarded. A value that JSON cannot hold, or an exception, is `nonzero_exit` with the reason
    in standard error."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files to lie beside the source (headers), by plain name."""
    hash_seed: int = 0
    """PYTHONHASHSEED of a Python program."""


@dataclass(frozen=True, slots=True)
class Input:
    """One run of a job's program."""

    stdin: bytes = b""
    arguments: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files to lie in the working folder, by plain name."""


@dataclass(frozen=True, slots=True)
class Job:
    """One program on any number of inputs."""

    program: Program
    inputs: Sequence[Input]
    limits: Limits = Limits()
    compile_limits: Limits = Limits(cpu_s=30.0, wall_s=60.0, memory_bytes=1024 * MEBIBYTE, output_bytes=256 * MEBIBYTE)
    trust: Trust = Trust.CANDIDATE
    domain: str = ""
    """Jobs of different domains never share a container's state; by convention an environment version or an attempt."""
    owner: str = ""
    """Whom the queue is fair to: a run's id."""
    collect: tuple[str, ...] = ()
    """Names of files in the working folder to bring back after each run."""
    stop_on_failure: bool = False
    """After the first result other than `ok`, the inputs that follow are not run: they are `skipped`."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of the program did."""

    status: Status
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_complete: bool = True
    stderr_complete: bool = True
    exit_code: int | None = None
    """None where the process was killed by a signal or never started."""
    signal: int | None = None
    cpu_ms: float = 0.0
    wall_ms: float = 0.0
    memory_bytes: int = 0
    """Peak (or highest sampled) memory of the process tree; 0 where it is not known."""
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compilation:
    """What became of the compilation."""

    status: Status
    """`ok`, `compile_error` or `compile_limit`."""
    diagnostics: str = ""
    """The compiler's words, cut at 64 KiB."""
    cached: bool = False
    cpu_ms: float = 0.0
    wall_ms: float = 0.0
    standard: str | None = None
    """The language standard that compiled, such as `gnu++17`."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """One `Result` per input, in order; if the compilation failed, every one has its status."""

    results: tuple[Result, ...]
    compilation: Compilation | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """Whether jobs can run now."""

    ready: bool
    backend: str
    detail: str
    """One line for a person: what works, or what to do."""
    slots: int = 0
    free_slots: int = 0
    image: str | None = None


class SandboxError(Exception):
    """A fault of the sandbox, never of the program it ran."""


class SandboxUnavailable(SandboxError):
    """The engine or a container died, or cannot be reached; the job may be tried again."""


class SandboxBusy(SandboxError):
    """The queue is full."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnknownLanguage(SandboxError, ValueError):
    """No such language here."""


class InvalidJob(SandboxError, ValueError):
    """A job that no sandbox could run; the message names the field and the remedy."""


class Sandbox(Protocol):
    """Runs jobs. Every backend passes `tests/contract/sandbox`."""

    async def start(self) -> None:
        """Make ready to run.

        Raises:
            SandboxUnavailable: The engine, the image or the remote service is not there; the message says what to do.
        """
        ...

    async def close(self) -> None:
        """Finish the jobs under way, then release everything. Safe to call twice."""
        ...

    async def run(self, job: Job) -> JobResult:
        """Run the program on every input.

        Raises:
            InvalidJob: The job is malformed.
            UnknownLanguage: The language is not installed.
            SandboxBusy: The queue is full.
            SandboxUnavailable: The sandbox failed twice.
        """
        ...

    async def health(self) -> Health:
        """Tell the truth about now, within two seconds."""
        ...

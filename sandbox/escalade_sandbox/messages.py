"""Jobs and results as JSON: the format of the sandbox service.

Guarantee: a job and its result survive the way there and back byte for byte. Bytes are a JSON string where they are
UTF-8 text, else `{"base64": "..."}`; unknown fields of a request are refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from escalade_sandbox.types import Compilation, Input, Job, JobResult, Limits, Program, Result, Status, Trust


def decode(value: Any) -> bytes:
    """Return the bytes that a JSON value stands for.

    Raises:
        ValueError: It is neither a string nor an object with valid base64.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return value.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError('text with lone surrogates has no bytes; send {"base64": "..."}') from None
    if isinstance(value, Mapping) and set(value) == {"base64"} and isinstance(value["base64"], str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("the base64 is not valid") from None
    raise ValueError('must be a string, or an object {"base64": "..."}')


def encode(value: bytes) -> str | dict[str, str]:
    """Return the JSON value that stands for the bytes."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode("ascii")}


_SCHEMA = {
    "anyOf": [
        {"type": "string", "description": "UTF-8 text"},
        {"type": "object", "properties": {"base64": {"type": "string"}}, "required": ["base64"]},
    ]
}
Octets = Annotated[bytes, BeforeValidator(decode), PlainSerializer(encode), WithJsonSchema(_SCHEMA)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Response(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, from_attributes=True)


class LimitsBody(_Request):
    """What one run may use; see `escalade_sandbox.types.Limits`."""

    cpu_s: float = Field(gt=0, le=86_400)
    wall_s: float = Field(gt=0, le=86_400)
    memory_bytes: int = Field(gt=0)
    output_bytes: int = Field(gt=0)
    error_bytes: int = Field(gt=0)
    processes: int = Field(gt=0)


class ProgramBody(_Request):
    """Source text in one language."""

    language: str
    source: str
    function: str | None = None
    files: dict[str, Octets] = Field(default_factory=dict)
    hash_seed: int = Field(default=0, ge=0, lt=1 << 32)


class InputBody(_Request):
    """One run of the program."""

    stdin: Octets = b""
    arguments: tuple[str, ...] = ()
    files: dict[str, Octets] = Field(default_factory=dict)


class JobBody(_Request):
    """One program on any number of inputs."""

    program: ProgramBody
    inputs: tuple[InputBody, ...]
    limits: LimitsBody | None = None
    compile_limits: LimitsBody | None = None
    trust: Trust = Trust.CANDIDATE
    domain: str = Field(default="", max_length=200)
    owner: str = Field(default="", max_length=200)
    collect: tuple[str, ...] = ()
    stop_on_failure: bool = False

    def to_job(self) -> Job:
        """Return the job."""
        limits = {
            name: Limits(**body.model_dump())
            for name, body in (("limits", self.limits), ("compile_limits", self.compile_limits))
            if body is not None
        }
        program = self.program
        return Job(
            program=Program(program.language, program.source, program.function, program.files, program.hash_seed),
            inputs=[Input(one.stdin, one.arguments, one.files) for one in self.inputs],
            trust=self.trust,
            domain=self.domain,
            owner=self.owner,
            collect=self.collect,
            stop_on_failure=self.stop_on_failure,
            **limits,
        )


def job_json(job: Job) -> dict[str, Any]:
    """Return the request's body for a job."""
    program = job.program
    return {
        "program": {
            "language": program.language, "source": program.source, "function": program.function,
            "files": {name: encode(data) for name, data in program.files.items()}, "hash_seed": program.hash_seed,
        },
        "inputs": [
            {
                "stdin": encode(one.stdin), "arguments": list(one.arguments),
                "files": {name: encode(data) for name, data in one.files.items()},
            }
            for one in job.inputs
        ],
        "limits": _limits_json(job.limits), "compile_limits": _limits_json(job.compile_limits),
        "trust": job.trust.value, "domain": job.domain, "owner": job.owner, "collect": list(job.collect),
        "stop_on_failure": job.stop_on_failure,
    }  # fmt: skip


def _limits_json(limits: Limits) -> dict[str, float]:
    return {name: getattr(limits, name) for name in LimitsBody.model_fields}


class ResultBody(_Response):
    """What one run did; see `escalade_sandbox.types.Result`."""

    status: Status
    stdout: Octets
    stderr: Octets
    stdout_complete: bool
    stderr_complete: bool
    exit_code: int | None
    signal: int | None
    cpu_ms: float
    wall_ms: float
    memory_bytes: int
    files: dict[str, Octets]


class CompilationBody(_Response):
    """What became of the compilation; see `escalade_sandbox.types.Compilation`."""

    status: Status
    diagnostics: str
    cached: bool
    cpu_ms: float
    wall_ms: float
    standard: str | None


class JobResultBody(_Response):
    """One result per input, in order."""

    results: tuple[ResultBody, ...]
    compilation: CompilationBody | None = None

    @classmethod
    def of(cls, result: JobResult) -> JobResultBody:
        """Return the response's body for a result."""
        return cls.model_validate(result, from_attributes=True)

    def to_result(self) -> JobResult:
        """Return the result."""
        results = tuple(
            Result(**{name: getattr(one, name) for name in ResultBody.model_fields}) for one in self.results
        )
        compilation = self.compilation
        if compilation is None:
            return JobResult(results)
        fields = {name: getattr(compilation, name) for name in CompilationBody.model_fields}
        return JobResult(results, Compilation(**fields))


class ReadinessBody(_Response):
    """Whether jobs can run now."""

    ready: bool
    backend: str
    detail: str
    slots: int
    free_slots: int
    image: str | None


class ProblemBody(_Response):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    """`unauthorized`, `invalid_job`, `unknown_language`, `too_large`, `busy` or `unavailable`."""
    detail: str

"""SandboxFusion's `POST /run_code`, so that tools written for it can move over by changing a URL.

Guarantee: requests and responses have that protocol's shapes (SCALER's reference code, verl's `sandbox_fusion` reward
and others post here); unknown request fields are ignored. A program's failure is `Failed`; ours is `SandboxError`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from escalade_sandbox.types import (
    Compilation,
    Input,
    InvalidJob,
    Job,
    Limits,
    Program,
    Result,
    Sandbox,
    SandboxBusy,
    SandboxError,
    Status,
    Trust,
)
from escalade_server.errors import InvalidRequest, SandboxQueueFull

MAX_FILE_BYTES = 16 << 20
DEFAULT_MEMORY_BYTES = 1 << 30
MOST_BINARY_BYTES = 64 << 20
"""As in program mode: the sandbox holds what it compiled."""
_OUTPUT_LIMIT_SIGNAL = 25
"""SIGXFSZ: the protocol has no status for too much output."""


class RunCodeRequest(BaseModel):
    """A program and what it is given."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    language: Literal["python", "cpp"]
    code: str = Field(max_length=4 << 20)
    stdin: str | None = Field(default=None, max_length=64 << 20)
    compile_timeout: float = Field(default=10.0, gt=0, le=120)
    """Seconds."""
    run_timeout: float = Field(default=10.0, gt=0, le=300)
    """Seconds."""
    memory_limit_MB: int = Field(default=-1, ge=-1, le=16_384)
    """-1 is this server's own limit."""
    files: dict[str, str | None] = {}
    """Files in the working folder: plain name -> base64."""
    fetch_files: list[str] = Field(default=[], max_length=64)
    """Files to bring back."""

    @field_validator("files")
    @classmethod
    def _decodable(cls, files: dict[str, str | None]) -> dict[str, str | None]:
        for name, content in files.items():
            try:
                size = len(base64.b64decode(content or "", validate=True))
            except binascii.Error:
                raise ValueError(f"{name!r} is not base64") from None
            if size > MAX_FILE_BYTES:
                raise ValueError(f"{name!r} is longer than {MAX_FILE_BYTES} bytes")
        return files


class CommandRunResult(BaseModel):
    """What one command, the compiler or the program, did."""

    status: Literal["Finished", "Error", "TimeLimitExceeded"]
    execution_time: float | None = None
    """Seconds of wall time."""
    return_code: int | None = None
    stdout: str | None = None
    stderr: str | None = None


class RunCodeResponse(BaseModel):
    """What became of a request."""

    status: Literal["Success", "Failed", "SandboxError"]
    message: str = ""
    compile_result: CommandRunResult | None = None
    run_result: CommandRunResult | None = None
    executor_pod_name: str | None = None
    files: dict[str, str] = {}
    """The files fetched: name -> base64."""


async def run_code(sandbox: Sandbox, *, request: RunCodeRequest, owner: str, domain: str) -> RunCodeResponse:
    """Run one program as a candidate's.

    Raises:
        InvalidRequest: A file's name is not plain, or the like.
        SandboxQueueFull: The sandbox's queue is full.
    """
    memory_bytes = DEFAULT_MEMORY_BYTES if request.memory_limit_MB < 1 else request.memory_limit_MB << 20
    files = {name: base64.b64decode(content or "") for name, content in request.files.items()}
    job = Job(
        Program(request.language, request.code),
        [Input(stdin=(request.stdin or "").encode("utf-8", "replace"), files=files)],
        Limits(cpu_s=request.run_timeout, wall_s=request.run_timeout, memory_bytes=memory_bytes),
        compile_limits=Limits(
            cpu_s=request.compile_timeout,
            wall_s=request.compile_timeout * 2,
            memory_bytes=2 << 30,
            output_bytes=MOST_BINARY_BYTES,
        ),
        trust=Trust.CANDIDATE,
        domain=domain,
        owner=owner,
        collect=tuple(request.fetch_files),
    )
    try:
        done = await sandbox.run(job)
    except SandboxBusy as busy:
        raise SandboxQueueFull(
            "The sandbox's queue is full; try again shortly.", retry_after_s=busy.retry_after_s
        ) from busy
    except InvalidJob as fault:
        raise InvalidRequest(str(fault)) from fault
    except SandboxError as fault:
        return RunCodeResponse(status="SandboxError", message=str(fault))
    compiled = _compiled(done.compilation) if request.language == "cpp" and done.compilation is not None else None
    if done.compilation is not None and done.compilation.status is not Status.OK:
        return RunCodeResponse(status="Failed", compile_result=compiled)
    result = done.results[0]
    return RunCodeResponse(
        status="Success" if result.status in (Status.OK, Status.INVALID_OUTPUT) else "Failed",
        compile_result=compiled,
        run_result=_ran(result),
        files=_encoded(result.files),
    )


def _compiled(compilation: Compilation) -> CommandRunResult:
    limit = compilation.status is Status.COMPILE_LIMIT
    return CommandRunResult(
        status="TimeLimitExceeded" if limit else "Finished",
        execution_time=compilation.wall_ms / 1e3,
        return_code=None if limit else int(compilation.status is not Status.OK),
        stdout="",
        stderr=compilation.diagnostics,
    )


def _ran(result: Result) -> CommandRunResult:
    if result.status is Status.TIME_LIMIT:
        code = None
    elif result.status is Status.OUTPUT_LIMIT:
        code = -_OUTPUT_LIMIT_SIGNAL
    elif result.signal is not None or result.status is Status.MEMORY_LIMIT:
        code = -(result.signal or 9)
    else:
        code = result.exit_code
    return CommandRunResult(
        status="TimeLimitExceeded" if result.status is Status.TIME_LIMIT else "Finished",
        execution_time=result.wall_ms / 1e3,
        return_code=code,
        stdout=result.stdout.decode("utf-8", "replace"),
        stderr=result.stderr.decode("utf-8", "replace"),
    )


def _encoded(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(content).decode() for name, content in files.items()}

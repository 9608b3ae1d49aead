"""The sandbox behind HTTP: one route for jobs, two for whoever watches.

Guarantee: no job runs without the key, which is compared in constant time; a full queue is 503 with `Retry-After` at
once; a caller that hangs up frees its slot; a verdict is 200 and a fault of the sandbox never is.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from escalade_sandbox import hangups
from escalade_sandbox.hangups import HungUp, while_connected
from escalade_sandbox.messages import JobBody, JobResultBody, ProblemBody, ReadinessBody
from escalade_sandbox.types import (
    InvalidJob,
    Sandbox,
    SandboxBusy,
    SandboxError,
    SandboxUnavailable,
    UnknownLanguage,
)

logger = logging.getLogger(__name__)
MOST_BODY_BYTES = 512 << 20
UNAVAILABLE_RETRY_S = 5.0
_PROBLEM = "application/problem+json"
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemBody, "description": text, "content": {_PROBLEM: {}}}
    for status, text in (
        (401, "No key, or the wrong one"),
        (413, "The body is too large"),
        (422, "The job is malformed, or its language unknown"),
        (503, "The queue is full, or the sandbox failed; try again after `Retry-After`"),
    )
}


class _Unauthorized(Exception):
    """No key, or the wrong one."""


class _TooLarge(Exception):
    """The body is larger than is accepted."""


def create_app(sandbox: Sandbox, key: str, *, most_body_bytes: int = MOST_BODY_BYTES) -> FastAPI:
    """Return the service's app, which starts the sandbox with itself and closes it at the end.

    Args:
        sandbox: Runs the jobs.
        key: What callers must send as a bearer token.
        most_body_bytes: Longest request body.

    Raises:
        ValueError: The key is empty.
    """
    if not key:
        raise ValueError("the sandbox service needs a key")
    digest = key.encode()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await sandbox.start()
        try:
            yield
        finally:
            await sandbox.close()

    app = FastAPI(
        title="Escalade sandbox", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/openapi.json"
    )
    _answer_errors(app)

    def authorize(request: Request) -> None:
        given = request.headers.get("authorization", "").partition(" ")[2].strip()
        if not hmac.compare_digest(given.encode("latin-1", "replace"), digest):
            raise _Unauthorized

    @app.post(
        "/v1/jobs",
        response_model=JobResultBody,
        responses=_PROBLEMS,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": JobBody.model_json_schema()}},
            },
            "security": [{"bearer": []}],
        },
    )
    async def run_job(request: Request) -> Response:
        """Run one program on every input."""
        authorize(request)
        body = await _read_body(request, most_body_bytes)
        job = JobBody.model_validate_json(body).to_job()
        del body
        result = await while_connected(request, sandbox.run(job))
        return Response(JobResultBody.of(result).model_dump_json(), media_type="application/json")

    @app.get("/healthz")
    async def healthz() -> dict[str, bool]:
        """Tell that the process lives."""
        return {"alive": True}

    @app.get("/readyz", response_model=ReadinessBody, responses={401: _PROBLEMS[401], 503: {"model": ReadinessBody}})
    async def readyz(request: Request) -> JSONResponse:
        """Tell whether jobs can run now; whoever sends a key with the question learns whether it is the right one."""
        if "authorization" in request.headers:
            authorize(request)
        health = await sandbox.health()
        content = ReadinessBody.model_validate(health, from_attributes=True).model_dump()
        return JSONResponse(content, 200 if health.ready else 503)

    return app


async def _read_body(request: Request, most_bytes: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most_bytes:
            raise _TooLarge
    return bytes(body)


def _problem(status: int, code: str, title: str, detail: str, **headers: str) -> JSONResponse:
    problem = ProblemBody(title=title, status=status, code=code, detail=detail)
    return JSONResponse(problem.model_dump(), status, headers, media_type=_PROBLEM)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(_Unauthorized)
    async def unauthorized(_: Request, _error: _Unauthorized) -> Response:
        detail = "send the service's key as `Authorization: Bearer KEY`"
        return _problem(401, "unauthorized", "Unauthorized", detail, **{"WWW-Authenticate": "Bearer"})

    @app.exception_handler(_TooLarge)
    async def too_large(_: Request, _error: _TooLarge) -> Response:
        return _problem(413, "too_large", "Too large", "split the job: its body is larger than the service accepts")

    @app.exception_handler(HungUp)
    async def hung_up(_: Request, _error: HungUp) -> Response:
        return Response(status_code=hangups.STATUS)

    @app.exception_handler(ValidationError)
    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: ValidationError) -> Response:
        first = json.loads(error.json(include_input=False, include_url=False))[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        return _problem(422, "invalid_job", "Invalid job", f"{where}: {first['msg']}")

    @app.exception_handler(SandboxError)
    async def failed(_: Request, error: SandboxError) -> Response:
        if isinstance(error, InvalidJob):
            return _problem(422, "invalid_job", "Invalid job", str(error))
        if isinstance(error, UnknownLanguage):
            return _problem(422, "unknown_language", "Unknown language", str(error))
        if isinstance(error, SandboxBusy):
            seconds = f"{error.retry_after_s:.0f}"
            return _problem(503, "busy", "Busy", str(error), **{"Retry-After": seconds})
        if not isinstance(error, SandboxUnavailable):
            logger.error("an unexpected fault of the sandbox", exc_info=error)
        retry = {"Retry-After": f"{UNAVAILABLE_RETRY_S:.0f}"}
        return _problem(503, "unavailable", "Unavailable", str(error), **retry)

"""Errors as RFC 9457 problem documents.

Guarantee: every error of the API, the framework's included, is a problem document with a stable code. None repeats
what was sent, so that no completion, key or ground truth leaves through an error.
"""

from __future__ import annotations

import http
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from escalade.types import Problem
from escalade_server.errors import EscaladeError, InvalidRequest, MalformedBody, MethodNotAllowed, NotFound

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger(__name__)

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, description in {
        401: "No key, or one that is not known",
        403: "The key lacks a scope",
        404: "Not found",
        409: "Conflict",
        413: "Body too large",
        422: "A field is missing, unknown, or out of its range",
        503: "The database or the sandbox is not there",
    }.items()
}


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    app.add_exception_handler(EscaladeError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _unexpected)


def problem(request_id: str | None, error: EscaladeError) -> JSONResponse:
    """The response for an error."""
    document = Problem(
        type=f"urn:escalade:error:{error.code}",
        title=error.title,
        status=error.status,
        code=error.code,
        detail=error.detail,
        request_id=request_id,
    )
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if error.status == http.HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        document.model_dump(mode="json"), status_code=error.status, headers=headers, media_type=MEDIA_TYPE
    )


def _id(request: Request) -> str | None:
    found: str | None = getattr(request.state, "request_id", None)
    return found


async def _expected(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, EscaladeError)
    return problem(_id(request), error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(_id(request), MalformedBody("The body is not JSON: check its quotes, commas and encoding."))
    return problem(_id(request), InvalidRequest("; ".join(_words(fault) for fault in faults[:10])))


def _words(fault: Mapping[str, Any]) -> str:
    where: Sequence[Any] = fault["loc"]
    place, *path = where if where else ("body",)
    field = ".".join(str(part) for part in path)
    named = f"`{field}`" if field else f"the {place}"
    if place in ("query", "header", "path") and field:
        named += f" in the {place}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{named}: {message[:1].lower()}{message[1:]}"


async def _framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path, method = request.url.path, request.method
    if error.status_code == http.HTTPStatus.NOT_FOUND:
        return problem(_id(request), NotFound(f"There is nothing at {path}: see /docs."))
    if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:
        return problem(_id(request), MethodNotAllowed(f"{path} does not take {method}: see /docs."))
    if error.status_code == http.HTTPStatus.BAD_REQUEST:
        return problem(_id(request), MalformedBody("The body cannot be read as JSON in UTF-8."))
    other = EscaladeError(str(error.detail))
    other.status = error.status_code
    other.code, other.title = "http_error", http.HTTPStatus(error.status_code).phrase
    return problem(_id(request), other)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("request %s failed", _id(request), exc_info=error)
    fault = EscaladeError("The server failed on this request; its log has the reason under this request_id.")
    fault.code, fault.title = "internal_error", "Internal error"
    return problem(_id(request), fault)

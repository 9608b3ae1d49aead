"""What the SDK raises: one type per thing a caller can act on, never an error of the HTTP library.

Guarantee: every failure of a call is an `EscaladeError` with a stable `code`, it can be pickled, and neither its text
nor its attributes hold the key.
"""

from __future__ import annotations

from typing import Any


class EscaladeError(Exception):
    """A call failed; the subclasses say how.

    Attributes:
        code: Stable name of the error: the problem document's, or one of the SDK's own (`connection_failed`, ...).
        status: HTTP status, or None when no answer came.
        detail: What is wrong, where, and what to do.
        request_id: The server's name for the request, to find it in its log.
        retry_after_s: How long the server asks callers to wait, in seconds.
    """

    default_code = "escalade_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        facts = [self.code]
        if self.status is not None:
            facts.append(f"HTTP {self.status}")
        if self.request_id is not None:
            facts.append(f"request {self.request_id}")
        return f"{self.detail} ({', '.join(facts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Trainers pass errors between processes; the default would lose the keyword arguments.
        return _rebuild, (type(self), self.detail, self.code, self.status, self.request_id, self.retry_after_s)


def _rebuild(
    kind: type[EscaladeError],
    detail: str,
    code: str,
    status: int | None,
    request_id: str | None,
    retry_after_s: float | None,
) -> EscaladeError:
    return kind(detail, code=code, status=status, request_id=request_id, retry_after_s=retry_after_s)


class InvalidRequest(EscaladeError):
    """The request is wrong and would stay wrong: a bad value, an unknown field, a body too large."""

    default_code = "invalid_request"


class AuthenticationError(EscaladeError):
    """No key, or one that the server does not know."""

    default_code = "unauthenticated"


class PermissionDenied(EscaladeError):
    """The key is known but lacks the scope that this call needs."""

    default_code = "permission_denied"


class NotFound(EscaladeError):
    """The thing named does not exist, or belongs to another key."""

    default_code = "not_found"


class Conflict(EscaladeError):
    """The request contradicts what the server has already recorded."""

    default_code = "conflict"


class RateLimited(EscaladeError):
    """Too many requests; `retry_after_s` says how long to wait."""

    default_code = "rate_limited"


class ServerError(EscaladeError):
    """The server failed on this request; its log has the reason under `request_id`."""

    default_code = "server_error"


class Unavailable(ServerError):
    """The server, or something it needs, cannot work at the moment; trying later may help."""

    default_code = "unavailable"


class UnexpectedResponse(EscaladeError):
    """The answer is not of the Escalade API: the URL may be wrong, or the versions may not fit."""

    default_code = "unexpected_response"


class ConnectionFailed(EscaladeError):
    """No connection could be made, or it broke before the answer was complete."""

    default_code = "connection_failed"


class Timeout(EscaladeError):
    """The answer did not come within the time allowed."""

    default_code = "timeout"


__all__ = [
    "AuthenticationError",
    "Conflict",
    "ConnectionFailed",
    "EscaladeError",
    "InvalidRequest",
    "NotFound",
    "PermissionDenied",
    "RateLimited",
    "ServerError",
    "Timeout",
    "Unavailable",
    "UnexpectedResponse",
]

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

    Example:
        >>> from escalade import Client, EscaladeError
        >>> with Client() as client:
        ...     try:
        ...         client.environment("no-such-environment")
        ...     except EscaladeError as error:
        ...         print(error.code, error.status, error.retry_after_s)
        environment_not_found 404 None
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
    """The request is wrong and would stay wrong: a bad value, an unknown field, a body too large.

    Example:
        >>> from escalade import Client, InvalidRequest
        >>> with Client() as client:
        ...     try:
        ...         client.instances("toll-road", level=99)
        ...     except InvalidRequest as error:
        ...         print(error.code, error.detail)
        level_out_of_range `level` must be from 0 to 15, not 99.
    """

    default_code = "invalid_request"


class AuthenticationError(EscaladeError):
    """No key, or one that the server does not know.

    Example:
        >>> from escalade import AuthenticationError, Client
        >>> with Client(key="esc_of_another_server") as client:
        ...     try:
        ...         client.environment("toll-road")
        ...     except AuthenticationError as error:
        ...         print(error.status)
        401
    """

    default_code = "unauthenticated"


class PermissionDenied(EscaladeError):
    """The key is known but lacks the scope that this call needs.

    Example:
        >>> from escalade import Client, PermissionDenied
        >>> with Client() as admin:
        ...     secret = admin.create_key("a trainer", ["train"]).secret
        >>> with Client(key=secret) as client:
        ...     try:
        ...         client.instances("toll-road", level=0, reveal_answers=True)
        ...     except PermissionDenied as error:
        ...         print(error.detail)
        `reveal_answers` needs a key with the scope `admin`.
    """

    default_code = "permission_denied"


class NotFound(EscaladeError):
    """The thing named does not exist, or belongs to another key.

    Example:
        >>> from escalade import Client, NotFound
        >>> with Client() as client:
        ...     try:
        ...         client.run("run_of_yesterday")
        ...     except NotFound as error:
        ...         print(error.code)
        run_not_found
    """

    default_code = "not_found"


class Conflict(EscaladeError):
    """The request contradicts what the server has already recorded.

    Example:
        >>> from escalade import AttemptReport, Client, Conflict
        >>> with Client() as client:
        ...     run = client.create_run("two answers", groups=1, rollouts=1, pool={"environments": ["toll-road"]})
        ...     group = client.batch(run.run, 0).groups[0]
        ...     for completion in ("first", "second"):
        ...         try:
        ...             report = AttemptReport(group=group.group, rollout=0, completion=completion)
        ...             print(client.report(run.run, [report]).outcomes[0].repeat)
        ...         except Conflict as error:
        ...             print(error.code)
        False
        attempt_conflict
    """

    default_code = "conflict"


class RateLimited(EscaladeError):
    """Too many requests; `retry_after_s` says how long to wait.

    Example:
        >>> from escalade import RateLimited
        >>> error = RateLimited("the queue is full", status=429, retry_after_s=2.0)
        >>> print(f"{error}: wait {error.retry_after_s} s")
        the queue is full (rate_limited, HTTP 429): wait 2.0 s
    """

    default_code = "rate_limited"


class ServerError(EscaladeError):
    """The server failed on this request; its log has the reason under `request_id`.

    Example:
        >>> from escalade import ServerError, Unavailable
        >>> error = ServerError("something broke", code="internal_error", status=500, request_id="req_7")
        >>> print(error)
        something broke (internal_error, HTTP 500, request req_7)
        >>> isinstance(Unavailable("starting"), ServerError)
        True
    """

    default_code = "server_error"


class Unavailable(ServerError):
    """The server, or something it needs, cannot work at the moment; trying later may help.

    Example:
        >>> from escalade import Client, Unavailable
        >>> with Client() as client:
        ...     try:
        ...         print(client.environment("toll-road").name)
        ...     except Unavailable as error:  # after all the retries
        ...         print(f"{error.detail}; try again in {error.retry_after_s} s")
        toll-road
    """

    default_code = "unavailable"


class UnexpectedResponse(EscaladeError):
    """The answer is not of the Escalade API: the URL may be wrong, or the versions may not fit.

    Example:
        >>> from escalade import Client, UnexpectedResponse
        >>> with Client() as client:
        ...     address = client.url + "/docs?of="  # a page, and no API
        >>> with Client(address) as client:
        ...     try:
        ...         client.health()
        ...     except UnexpectedResponse as error:
        ...         print(error.status)
        200
    """

    default_code = "unexpected_response"


class ConnectionFailed(EscaladeError):
    """No connection could be made, or it broke before the answer was complete.

    Example:
        >>> from escalade import Client, ConnectionFailed
        >>> with Client("http://127.0.0.1:9", retries=0) as client:
        ...     try:
        ...         client.health()
        ...     except ConnectionFailed as error:
        ...         print(error.code)
        connection_failed
    """

    default_code = "connection_failed"


class Timeout(EscaladeError):
    """The answer did not come within the time allowed.

    Example:
        >>> import socket
        >>> from escalade import Client, Timeout
        >>> with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        ...     with Client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2) as client:
        ...         try:
        ...             client.health()
        ...         except Timeout as error:
        ...             print(error.code)
        timeout
    """

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

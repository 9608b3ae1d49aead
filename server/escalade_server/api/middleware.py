"""Around every request: an identity, a bound on its body, and its time in the metrics."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from escalade_server.api.deps import SEND_A_KEY
from escalade_server.api.failures import problem
from escalade_server.api.services import Services
from escalade_server.errors import BodyTooLarge, EscaladeError, InvalidRequest, Unauthenticated
from escalade_server.storage import credentials
from escalade_server.storage.clock import new_id

STRANGERS_BODY_BYTES = 64 << 10
"""Longest body that is read before its key is looked at: to read and parse a long one takes seconds and memory."""


class Envelope:
    """Gives each request an identity (`X-Request-ID`), refuses bodies that are too long, and measures."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, registry: CollectorRegistry) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._seconds = Histogram(
            "escalade_request_seconds", "Time to answer, by route and status.", ["route", "status"], registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_id("req")
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 500

        async def reply(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (b"x-request-id", request_id.encode())]}
            await send(message)

        try:
            try:
                if "\0" in scope["path"] or b"%00" in scope["query_string"]:
                    raise InvalidRequest("The address holds a NUL character: leave it out.")
                body = await self._read(scope, receive)
            except EscaladeError as error:
                await problem(request_id, error)(scope, receive, reply)
            else:
                await self._app(scope, _replay(body, receive), reply)
        finally:
            self._seconds.labels(_template(scope), str(status)).observe(time.perf_counter() - started)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body.

        Raises:
            BodyTooLarge: It is too long for anyone.
            Unauthenticated: It is too long for one without a key in force.
        """
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        size = int(declared) if declared.isdigit() and len(declared) < 20 else 0
        trusted = False
        parts: list[bytes] = []
        read = 0
        while True:
            if size > self._max_body_bytes:
                raise BodyTooLarge(
                    f"The body is longer than {self._max_body_bytes} bytes: send it in parts, or raise "
                    "ESCALADE_MAX_BODY_BYTES."
                )
            if size > STRANGERS_BODY_BYTES and not trusted:
                await _require_key(scope)
                trusted = True
            message: Any = await receive()
            if message["type"] != "http.request":
                return b"".join(parts)
            parts.append(message.get("body", b""))
            read += len(parts[-1])
            size = max(size, read)
            if not message.get("more_body", False) and read <= self._max_body_bytes:
                return b"".join(parts)


def _template(scope: Scope) -> str:
    """The path of the route that a request went to, with names for its parameters; `none` if there is no such route."""
    route = scope.get("route")
    if route is None:
        return "none"
    # A route knows its path within its router alone; where FastAPI included it, the path is whole.
    return str(getattr(scope.get("fastapi", {}).get("effective_route_context", route), "path", "none"))


async def _require_key(scope: Scope) -> None:
    """Let only those go on who sent a key in force; what it may do is the route's to say."""
    services: Services = scope["app"].state.services
    secret = credentials.secret_in(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))
    if secret is None:
        raise Unauthenticated(SEND_A_KEY)
    async with services.database.read() as session:
        await credentials.authenticate(session, secret)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A channel that gives the body once, then what comes after it."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return next_message

"""Around every request: an identity, a bound on its body, and its time in the metrics."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from escalade_server.api.failures import problem
from escalade_server.errors import BodyTooLarge
from escalade_server.storage.clock import new_id


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
            body = await self._read(scope, receive)
            if body is None:
                limit = self._max_body_bytes
                error = BodyTooLarge(f"The body is longer than {limit} bytes: send it in parts.")
                await problem(request_id, error)(scope, receive, reply)
            else:
                await self._app(scope, _replay(body, receive), reply)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._seconds.labels(route, str(status)).observe(time.perf_counter() - started)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None if it is too long."""
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_body_bytes:
            return None
        parts: list[bytes] = []
        size = 0
        while True:
            message: Any = await receive()
            if message["type"] != "http.request":
                return b"".join(parts)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._max_body_bytes:
                return None
            if not message.get("more_body", False):
                return b"".join(parts)


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

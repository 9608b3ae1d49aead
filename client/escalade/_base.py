"""What both clients share: address, key, patience and the options of the HTTP library.

Guarantee: the two clients differ only in how they send, pause and run side by side. A forked process has connections of
its own.
"""

from __future__ import annotations

import os
import random
import ssl
import weakref
from collections.abc import Callable
from importlib import metadata
from typing import TypedDict

import httpx

from escalade import _listening, _reports, _requests, _retry
from escalade._requests import Answer, Call
from escalade.errors import InvalidRequest
from escalade.settings import resolve_endpoint
from escalade.types import Job, RunMetrics

CONNECT_TIMEOUT_S = 10.0
KEEPALIVE_S = 3.0
"""Below the 5 s after which common servers close an idle connection, so that we rarely send into a closing one."""
MAX_CONCURRENCY = 16
"""More connections only cost the HTTP library time: its pool looks at each of them for every request."""
JOB_DEADLINE_S = 600.0


class HTTPOptions(TypedDict):
    """Options that `httpx.Client` and `httpx.AsyncClient` both take."""

    base_url: str
    headers: dict[str, str]
    limits: httpx.Limits
    trust_env: bool
    verify: ssl.SSLContext | bool


_open_clients: weakref.WeakSet[BaseClient] = weakref.WeakSet()
_inherited: list[object] = []
"""A parent's connections. They are kept as they are: closing one may say goodbye to the server in the parent's name."""


def _begin_anew() -> None:
    """In a forked process: two that read from one connection get each other's answers."""
    for client in tuple(_open_clients):
        _inherited.append(vars(client).copy())
        client._connect()


def closed(client: BaseClient) -> None:
    """Note that a client is closed, and so stays in a forked process."""
    _open_clients.discard(client)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class BaseClient:
    """Settings of a client, and the flows that its calls follow."""

    def __init__(
        self,
        url: str | None,
        key: str | None,
        *,
        timeout_s: float,
        deadline_s: float,
        max_concurrency: int,
        retries: int | None,
        clock: Callable[[], float],
        rng: random.Random | None,
    ) -> None:
        if timeout_s <= 0 or deadline_s <= 0 or max_concurrency < 1 or (retries or 0) < 0:
            raise InvalidRequest(
                "`timeout_s` and `deadline_s` are above 0, `max_concurrency` at least 1, `retries` at least 0"
            )
        self._endpoint = resolve_endpoint(url, key)
        self._policy = _retry.RetryPolicy(retries=retries, timeout_s=timeout_s, deadline_s=deadline_s)
        self._max_concurrency = max_concurrency
        self._limit = _reports.Limit()
        self._met = _retry.Met()
        self._clock = clock
        # Jitter must differ between the ranks of one training run, whatever they seeded.
        self._rng = rng if rng is not None else random.SystemRandom()
        self._connect()
        _open_clients.add(self)

    def _connect(self) -> None:
        """Make what must not be shared with another process: connections, locks, streams under way."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._endpoint.url!r})"

    @property
    def url(self) -> str:
        """Address of the server, without a trailing slash."""
        return self._endpoint.url

    @property
    def key_source(self) -> str:
        """Where the key came from: `given`, `ESCALADE_KEY`, the path of the admin key file, or `none`."""
        return self._endpoint.key_source

    def _http_options(self) -> HTTPOptions:
        headers = {"User-Agent": f"escalade-python/{package_version()}", "Accept": "application/json"}
        if self._endpoint.key is not None:
            headers["Authorization"] = f"Bearer {self._endpoint.key}"
        size = self._max_concurrency
        plain = self._endpoint.url.startswith("http:")
        return HTTPOptions(
            base_url=self._endpoint.url,
            headers=headers,
            limits=httpx.Limits(max_connections=size, max_keepalive_connections=size, keepalive_expiry=KEEPALIVE_S),
            # A proxy meant for the outside world cannot reach this machine's own loopback.
            trust_env=not self._endpoint.loopback,
            verify=_no_certificates() if self._endpoint.loopback and plain else True,
        )

    def _attempts(self, call: Call[Answer]) -> _retry.Flow[Answer]:
        return _retry.attempts(
            call, policy=self._policy, url=self._endpoint.url, met=self._met, clock=self._clock, rng=self._rng
        )

    def _finished(self, first: Call[Job], deadline_s: float) -> _retry.Flow[Job]:
        return _retry.finished_job(first, deadline_s=deadline_s, clock=self._clock)


def all_metrics(first: Call[RunMetrics]) -> _retry.Flow[RunMetrics]:
    """Ask for a run's metrics page by page, and join the pages; what is not per batch is as the last page says."""
    page: RunMetrics = yield first
    steps = list(page.steps)
    while page.next_page:
        page = yield _requests.turned(first, page.next_page)
        steps += page.steps
    return page.model_copy(update={"steps": steps})


def request_options(exchange: _retry.Exchange) -> tuple[str, str, httpx.QueryParams, httpx.Timeout]:
    """Spell out one try for the HTTP library: method, path, query, timeouts."""
    # No pool timeout: a call enters the pool only with one of as many slots as there are connections.
    timeout = httpx.Timeout(exchange.timeout_s, connect=min(CONNECT_TIMEOUT_S, exchange.timeout_s), pool=None)
    return exchange.call.method, exchange.call.path, httpx.QueryParams(exchange.call.query), timeout


class StreamOptions(TypedDict):
    """What both `stream` methods of the HTTP library take."""

    method: str
    url: str
    headers: dict[str, str]
    timeout: httpx.Timeout


def stream_options(call: Call[None]) -> StreamOptions:
    """Spell out a call whose answer is read piece by piece."""
    timeout = httpx.Timeout(_listening.SILENCE_S, connect=CONNECT_TIMEOUT_S)
    return StreamOptions(method=call.method, url=call.path, headers=dict(call.headers), timeout=timeout)


def is_stream(response: httpx.Response) -> bool:
    """Whether the answer is a stream of events; what else it may be, an ordinary call finds out."""
    return response.is_success and response.headers.get("Content-Type", "").startswith("text/event-stream")


def _no_certificates() -> ssl.SSLContext:
    """Make a context that trusts nobody: loading certificates takes long, and plain HTTP on loopback needs none."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def package_version() -> str:
    """Version of the installed distribution."""
    try:
        return metadata.version("escalade")
    except metadata.PackageNotFoundError:
        return "0"

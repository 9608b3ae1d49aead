"""A real HTTP server on 127.0.0.1 that plays an OpenAI-compatible chat endpoint, and an `Llm` that asks it.

Guarantee: it answers from a script, turn by turn, keeps every request, and counts how many were under way at once. A
request beyond the script is answered with 418 and fails the test at its end.
"""

import json
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from escalade_server.storage.sessions import Database
from escalade_server.synthesis.endpoint import Endpoint, RetryPolicy
from escalade_server.synthesis.llm import Llm, open_llm

KEY = "sk-very-secret-1234567890"
MODEL = "test-model"


@dataclass
class Turn:
    """One answer of the endpoint."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hold: Callable[[], object] | None = None
    """Called before the answer; may wait."""


def chat(content: Any, *, tokens: tuple[int, int] | None = (100, 20), finish: str = "stop", **said: Any) -> Turn:
    """A chat completion; what is no text is sent as JSON."""
    text = content if content is None or isinstance(content, str) else json.dumps(content)
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text, **said}, "finish_reason": finish}],
    }
    if tokens is not None:
        body["usage"] = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    return Turn(body=body)


def refusal(status: int, message: str, *, code: str | None = None, **headers: str) -> Turn:
    """An error in the shape that these endpoints give it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Turn(status, {"error": {"message": message, "type": "error", "code": code}}, named)


class FakeEndpoint:
    """The server and its script."""

    def __init__(self) -> None:
        self.script: list[Turn] = []
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.beyond_script = 0
        self.most_under_way = 0
        self.released = threading.Event()
        """Set when the test ends, so that no handler waits for ever."""
        self._under_way = 0
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                turn = fake._begin(self.path, dict(self.headers), json.loads(self.rfile.read(length)))
                try:
                    if turn.hold is not None:
                        turn.hold()
                finally:
                    fake._end()
                body = turn.body if isinstance(turn.body, bytes) else json.dumps(turn.body).encode()
                try:
                    self.send_response(turn.status)
                    for name, value in turn.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    # The client gave up waiting.
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def say(self, *turns: Turn) -> None:
        """Append to the script."""
        self.script += turns

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _begin(self, path: str, headers: dict[str, str], request: dict[str, Any]) -> Turn:
        with self._lock:
            self.paths.append(path)
            self.headers.append(headers)
            self.requests.append(request)
            self._under_way += 1
            self.most_under_way = max(self.most_under_way, self._under_way)
            if self.script:
                return self.script.pop(0)
            self.beyond_script += 1
            return refusal(418, "the script has no more turns")

    def _end(self) -> None:
        with self._lock:
            self._under_way -= 1


@pytest.fixture
def fake() -> Iterator[FakeEndpoint]:
    """The endpoint."""
    served = FakeEndpoint()
    try:
        yield served
    finally:
        served.close()
    assert served.beyond_script == 0, "the endpoint was asked more often than the test says"


@pytest.fixture
def say() -> Any:
    """Makes turns: `say.chat({...})`, `say.refusal(429, "...", Retry_After="7")`, `say.turn(...)`."""

    class Say:
        key, model = KEY, MODEL
        chat = staticmethod(chat)
        refusal = staticmethod(refusal)
        turn = Turn

    return Say


@dataclass
class Pauses:
    """Takes no time, and keeps how long each pause was meant to be."""

    made_s: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.made_s.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    """The pauses between tries."""
    return Pauses()


MakeEndpoint = Callable[..., Endpoint]
MakeLlm = Callable[..., Any]


@pytest.fixture
async def make_endpoint(fake: FakeEndpoint, pauses: Pauses) -> AsyncIterator[MakeEndpoint]:
    """Makes clients of the endpoint."""
    async with AsyncExitStack() as stack:

        def make(url: str | None = None, **changes: Any) -> Endpoint:
            options: dict[str, Any] = {
                "key": KEY,
                "timeout_s": 30.0,
                "policy": RetryPolicy(retries=3),
                "sleep": pauses,
                "rng": random.Random(5),
            }
            endpoint = Endpoint(url or fake.url, MODEL, **(options | changes))
            stack.push_async_callback(endpoint.close)
            return endpoint

        yield make


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh database of each engine."""
    opened = Database(database_url)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def make_llm(make_endpoint: MakeEndpoint, database: Database) -> AsyncIterator[MakeLlm]:
    """Makes what a job asks through: `await make_llm(payer="job_1", budget_tokens=500)`."""
    async with AsyncExitStack() as stack:

        async def make(
            *, payer: str = "job_test", budget_tokens: int = 100_000, tries: int = 3, **endpoint: Any
        ) -> Llm:
            llm = await open_llm(
                make_endpoint(**endpoint), database, payer=payer, budget_tokens=budget_tokens, tries=tries
            )
            stack.push_async_callback(llm.close)
            return llm

        yield make

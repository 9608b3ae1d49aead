"""A small real HTTP server that plays the native API: strict about keys and bodies, and able to fail on request.

Guarantee: what it answers validates against `escalade.types`; it keeps every request it got, and how many were under
way at once.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

KEY = "esc_test_key"
NOW = "2026-01-01T00:00:00Z"
VERSION = "9f" * 32


@dataclass(frozen=True)
class Recorded:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    body_bytes: int


@dataclass(frozen=True)
class Fault:
    """What the next request gets instead of its answer."""

    status: int = 503
    code: str = "unavailable"
    detail: str = "come back later"
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """A body that is no problem document."""
    drop: bool = False
    """Close the connection without a word."""
    hang: bool = False
    """Say nothing until the server stops."""
    after: bool = False
    """Do the work first, so that only the answer is lost."""


@dataclass
class Refusal(Exception):
    status: int
    code: str
    detail: str


class FakeApi:
    """The API's state, and the server that serves it."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.faults: list[Fault | None] = []
        # Attempts and scores wait here for each other.
        self.barrier: threading.Barrier | None = None
        # The longest body that is taken, and what a longer one gets.
        self.longest: tuple[int, Fault] | None = None
        self.peak, self.page_size = 0, 2
        self.polls_until_done = 0
        self.job_error: str | None = None
        self.refuse_entries: dict[str, tuple[str, str]] = {}
        self.environments = {name: _environment(name, tags) for name, tags in ENVIRONMENTS}
        self.runs: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.attempts: dict[tuple[str, str, int], dict[str, Any]] = {}
        self.imported: set[str] = set()
        self.answered: dict[str, Any] = {}
        self.stopping = threading.Event()
        self._lock = threading.RLock()
        self._under_way = 0
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[FakeApi]:
        """Serve on a free port until the block ends."""
        server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            server.shutdown()
            server.server_close()
            thread.join(timeout=10)

    def fail_next(self, *faults: Fault | None) -> None:
        self.faults += faults

    def answer(self, request: Recorded) -> tuple[int, Any]:
        """Route a request and do what it says."""
        if request.path == "/healthz":
            return 200, {"status": "ok"}
        if request.path == "/readyz":
            return 503, {"ready": False, "database": "ok", "sandbox": "start Docker"}
        if request.headers.get("authorization") != f"Bearer {KEY}":
            raise Refusal(401, "unauthenticated", "send a key in the Authorization header")
        for method, pattern, act in ROUTES:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                if self.barrier is not None and pattern.endswith(("attempts", "scores")):
                    self.barrier.wait(timeout=20)
                with self._lock:
                    return self._once(request, partial(act, self, request, *map(unquote, match.groups())))
        raise Refusal(404, "not_found", f"no route {request.method} {request.path}")

    def _once(self, request: Recorded, act: Callable[[], tuple[int, Any]]) -> tuple[int, Any]:
        key = request.headers.get("idempotency-key")
        if key is None:
            return act()
        if key not in self.answered:
            self.answered[key] = act()
        return self.answered[key]

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._lock:
            self._under_way += 1
            self.peak = max(self.peak, self._under_way)
        yield
        with self._lock:
            self._under_way -= 1

    def next_fault(self) -> Fault | None:
        with self._lock:
            return self.faults.pop(0) if self.faults else None

    def page(self, request: Recorded, items: list[Any]) -> tuple[int, Any]:
        start = int(request.query.get("page", "0"))
        end = start + int(request.query.get("limit", self.page_size))
        return 200, {"items": items[start:end], "next_page": str(end) if end < len(items) else None}


ENVIRONMENTS = [("edit-distance", ["dp", "strings"]), ("knapsack", ["dp"]), ("sort-it", []), ("tree-walk", ["graphs"])]


def _environment(name: str, tags: list[str]) -> dict[str, Any]:
    return {
        "name": name, "source_name": name.title(), "source": "catalogue", "licence": "Apache-2.0", "version": VERSION,
        "status": "verified", "status_reason": None, "answer_type": "number", "levels": 3, "tags": tags,
        "created_at": NOW, "statement": f"Solve {name}.", "answer": {"type": "number"}, "references": 2,
        "ladder": [{"level": level, "parameters": {"n": 2**level}} for level in range(3)], "versions": [VERSION],
        "a_field_of_tomorrow": 1,
    }  # fmt: skip


def _named(table: dict[str, Any], name: str, kind: str) -> Any:
    if name not in table:
        raise Refusal(404, f"{kind}_not_found", f"there is no {kind} {name!r}")
    return table[name]


def list_environments(api: FakeApi, request: Recorded) -> tuple[int, Any]:
    exact = {name: request.query[name] for name in ("status", "answer_type", "source") if name in request.query}
    tags = {request.query["tag"]} if "tag" in request.query else set()
    chosen = [
        one
        for one in api.environments.values()
        if tags <= set(one["tags"]) and all(one[name] == value for name, value in exact.items())
    ]
    return api.page(request, chosen)


def make_instances(api: FakeApi, request: Recorded, name: str) -> tuple[int, Any]:
    environment = _named(api.environments, name, "environment")
    level = request.body.get("level")
    if level is not None and level >= environment["levels"]:
        raise Refusal(422, "level_out_of_range", f"{name} has levels 0 to {environment['levels'] - 1}, not {level}")
    seed = request.body.get("seed", 0)
    instances = [
        {"instance": f"ins_{name}_{level}_{seed}_{index}", "environment": name, "version": VERSION, "level": level,
         "parameters": request.body.get("parameters", {"n": 4}), "answer_type": "number",
         "messages": [{"role": "user", "content": f"What is [bold]{seed} + {index}?"}]}
        for index in range(request.body.get("count", 1))
    ]  # fmt: skip
    return 200, {"instances": instances}


def set_status(api: FakeApi, request: Recorded, name: str) -> tuple[int, Any]:
    environment = _named(api.environments, name, "environment")
    environment["status"], environment["status_reason"] = request.body["status"], request.body["reason"]
    return 200, environment


def score(api: FakeApi, request: Recorded) -> tuple[int, Any]:
    return 200, {"outcomes": [
        {"instance": item["instance"], "outcome": "scored", "score": 1.0, "accuracy": 1, "verdict": "accepted",
         "extracted": item["completion"][:20], "format": "boxed"}
        for item in request.body["items"]
    ]}  # fmt: skip


def start_import(api: FakeApi, request: Recorded) -> tuple[int, Any]:
    entries = json.loads(request.body["content"])
    bad = api.refuse_entries
    created = [name for name in entries if name not in bad and name not in api.imported]
    unchanged = [name for name in entries if name in api.imported]
    refused = [{"entry": name, "field": bad[name][0], "reason": bad[name][1]} for name in entries if name in bad]
    if not request.body.get("dry_run"):
        api.imported.update(created)
    job = {
        "job": f"job_{len(api.jobs)}", "kind": "import", "status": "queued", "done": 0, "total": len(entries),
        "created_at": NOW, "polls": 0,
        "result": {"created": created, "updated": [], "unchanged": unchanged, "refused": refused},
    }  # fmt: skip
    api.jobs[job["job"]] = job
    return 202, _progress(api, job)


def get_job(api: FakeApi, request: Recorded, name: str) -> tuple[int, Any]:
    _named(api.jobs, name, "job")["polls"] += 1
    return 200, _progress(api, api.jobs[name])


def _progress(api: FakeApi, job: dict[str, Any]) -> dict[str, Any]:
    if job["polls"] < api.polls_until_done:
        return {**job, "status": "running", "result": None}
    if api.job_error is not None:
        return {**job, "status": "failed", "result": None, "error": api.job_error}
    return {**job, "status": "succeeded", "finished_at": NOW}


def create_run(api: FakeApi, request: Recorded) -> tuple[int, Any]:
    defaults = {
        "curriculum": {"policy": "scaler"}, "groups": 64, "rollouts": 8, "seed": 0, "deadline_s": 1800.0,
        "success_threshold": 1.0,
    }  # fmt: skip
    sent = {name: value for name, value in request.body.items() if name != "pool"}
    run = {"run": f"run_{len(api.runs)}", "pool_size": 4, "generation": 0, "created_at": NOW, **defaults, **sent}
    api.runs[run["run"]] = run
    return 201, run


def patch_run(api: FakeApi, request: Recorded, name: str) -> tuple[int, Any]:
    _named(api.runs, name, "run").update(request.body)
    return 200, api.runs[name]


def delete_run(api: FakeApi, request: Recorded, name: str) -> tuple[int, Any]:
    del api.runs[_named(api.runs, name, "run")["run"]]
    return 204, None


def issue_batch(api: FakeApi, request: Recorded, name: str, cursor: str) -> tuple[int, Any]:
    run = _named(api.runs, name, "run")
    run["last_cursor"] = max(int(cursor), run.get("last_cursor", -1))
    rollouts = request.body.get("rollouts", run["rollouts"])
    groups = [
        {"group": f"{cursor}.{index}", "instance": f"ins_{cursor}_{index}", "environment": "knapsack",
         "version": VERSION, "level": 1, "answer_type": "number", "rollouts": rollouts, "deadline": NOW,
         "messages": [{"role": "user", "content": "?"}]}
        for index in range(request.body.get("groups", run["groups"]))
    ]  # fmt: skip
    return 200, {"run": name, "cursor": int(cursor), "groups": groups}


def report(api: FakeApi, request: Recorded, name: str) -> tuple[int, Any]:
    outcomes, closed = [], []
    for attempt in request.body["attempts"]:
        identity = (name, attempt["group"], attempt["rollout"])
        known = api.attempts.get(identity)
        if known is not None and known != attempt:
            raise Refusal(409, "attempt_conflict", f"rollout {identity[2]} of {identity[1]} has another answer")
        api.attempts[identity] = attempt
        right = "boxed{1}" in (attempt.get("completion") or "")
        outcomes.append({
            "group": attempt["group"], "rollout": attempt["rollout"], "outcome": "scored", "score": float(right),
            "accuracy": int(right), "verdict": "accepted" if right else "wrong", "repeat": known is not None,
        })  # fmt: skip
        closed.append(attempt["group"])
    return 200, {"outcomes": outcomes, "closed": sorted(set(closed))}


def list_controllers(api: FakeApi, request: Recorded, name: str) -> tuple[int, Any]:
    _named(api.runs, name, "run")
    return api.page(request, [
        {"environment": environment, "version": VERSION, "active": index < 2, "level": index + 0.5, "top_level": 2,
         "visits": index, "accuracy": 0.5 if index else None}
        for index, environment in enumerate(api.environments)
    ])  # fmt: skip


def list_events(api: FakeApi, request: Recorded, name: str) -> tuple[int, Any]:
    _named(api.runs, name, "run")
    return api.page(request, [
        {"sequence": sequence, "kind": "group_closed", "generation": 0, "created_at": NOW, "payload": {"n": sequence}}
        for sequence in range(int(request.query.get("after", 0)), 5)
    ])  # fmt: skip


def create_key(api: FakeApi, request: Recorded) -> tuple[int, Any]:
    key = {"key_id": f"key_{len(api.keys)}", "created_at": NOW, **request.body}
    api.keys[key["key_id"]] = key
    return 201, {**key, "secret": "esc_secret"}


def revoke_key(api: FakeApi, request: Recorded, name: str) -> tuple[int, Any]:
    _named(api.keys, name, "key")["revoked_at"] = NOW
    return 204, None


ROUTES: list[tuple[str, str, Callable[..., tuple[int, Any]]]] = [
    ("GET", "/v1/environments", list_environments),
    ("GET", "/v1/environments/([^/]+)", lambda api, _, name: (200, _named(api.environments, name, "environment"))),
    ("POST", "/v1/environments/([^/]+)/instances", make_instances),
    ("POST", "/v1/environments/([^/]+)/status", set_status),
    ("POST", "/v1/scores", score),
    ("POST", "/v1/imports", start_import),
    ("GET", "/v1/jobs/([^/]+)", get_job),
    ("POST", "/v1/runs", create_run),
    ("GET", "/v1/runs", lambda api, request: api.page(request, list(api.runs.values()))),
    ("GET", "/v1/runs/([^/]+)", lambda api, _, name: (200, _named(api.runs, name, "run"))),
    ("PATCH", "/v1/runs/([^/]+)", patch_run),
    ("DELETE", "/v1/runs/([^/]+)", delete_run),
    ("PUT", "/v1/runs/([^/]+)/batches/([0-9]+)", issue_batch),
    ("POST", "/v1/runs/([^/]+)/attempts", report),
    ("GET", "/v1/runs/([^/]+)/controllers", list_controllers),
    ("GET", "/v1/runs/([^/]+)/events", list_events),
    ("POST", "/v1/keys", create_key),
    ("GET", "/v1/keys", lambda api, request: api.page(request, list(api.keys.values()))),
    ("DELETE", "/v1/keys/([^/]+)", revoke_key),
]


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close = True, False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that gave up are part of the tests."""


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Recorded(
                self.command, parts.path, dict(parse_qsl(parts.query)), headers, json.loads(body or b"null"), len(body)
            )
            api.requests.append(request)
            with api.counted():
                status, extra, content = self._outcome(request)
            if status is None or callable(content):
                self.close_connection = True
                return content(self) if callable(content) else None
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _outcome(self, request: Recorded) -> tuple[int | None, dict[str, str], Any]:
            fault = api.next_fault()
            if api.longest is not None and request.body_bytes > api.longest[0]:
                fault = api.longest[1]
            if fault is not None:
                if fault.after:
                    api.answer(request)
                api.stopping.wait(timeout=60 if fault.hang else 0)
                if fault.drop or fault.hang:
                    return None, {}, b""
                if fault.raw is not None:
                    return fault.status, fault.headers, fault.raw
                return fault.status, fault.headers, _problem(fault.status, fault.code, fault.detail)
            try:
                status, answer = api.answer(request)
            except Refusal as refusal:
                return refusal.status, {}, _problem(refusal.status, refusal.code, refusal.detail)
            content = b"" if answer is None else answer if callable(answer) else json.dumps(answer).encode()
            return status, {}, content

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def date_time_string(self, timestamp: float | None = None) -> str:
            return "Thu, 01 Jan 2026 00:00:00 GMT"

        def log_message(self, format: str, *args: object) -> None: ...

    return Handler


def _problem(status: int, code: str, detail: str) -> bytes:
    return json.dumps({"title": code, "status": status, "code": code, "detail": detail, "request_id": "req_7"}).encode()

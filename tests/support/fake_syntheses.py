"""The fake API's routes of syntheses and of the events of jobs.

Guarantee: a stream is written piece by piece from a script, and breaks where the test says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any

from fake_api import NOW, ROUTES, FakeApi, Recorded, Refusal

Answer = tuple[int, Any]
BREAK = b""
"""In a play: the connection breaks here, in the middle of the answer."""


@dataclass
class Synthesis:
    """One job, as it is shown, and what its streams bring."""

    job: dict[str, Any]
    items: list[dict[str, Any]] = field(default_factory=list)
    plays: list[list[bytes] | None] = field(default_factory=list)
    """What each stream brings, in the order of the requests; None, or no more: there is no stream."""
    polls: list[dict[str, Any]] = field(default_factory=list)
    """What changes with each look at the job."""


def item(sequence: int, outcome: str = "verified") -> dict[str, Any]:
    return {
        "name": f"p{sequence}", "source": "kattis", "sequence": sequence, "outcome": outcome, "stage": "verified",
        "reason": "line\u2028separator", "environment": f"p{sequence}", "repairs": 0,
    }  # fmt: skip


def funnel(verified: int, stopped: list[dict[str, Any]]) -> dict[str, Any]:
    entered = verified + len(stopped)
    stage = {"stage": "determinism", "entered": entered, "stopped": len(stopped), "passed": verified}
    return {"stages": [stage | {"examples": stopped}], "verified": verified, "outcomes": {"verified": verified}}


def event(name: str, data: dict[str, Any]) -> bytes:
    identity = f"id: {data['sequence']}\n" if name == "item" else ""
    return f"{identity}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def add(api: FakeApi, total: int, **changes: Any) -> Synthesis:
    """A job that runs."""
    name = f"job_{len(api.jobs)}"
    job = {
        "job": name, "kind": "synthesis", "status": "running", "done": 0, "total": total, "activity": {},
        "created_at": NOW, "result": None, "error": None, "finished_at": None,
    }  # fmt: skip
    made = Synthesis(job | changes)
    api.jobs[name] = made  # type: ignore[assignment]
    return made


def _of(api: FakeApi, name: str) -> Synthesis:
    found: Any = api.jobs.get(name)
    if found is None:
        raise Refusal(404, "job_not_found", f"there is no job {name!r}")
    assert isinstance(found, Synthesis)
    return found


def start(api: FakeApi, request: Recorded) -> Answer:
    waiting = [one for one in api.jobs.values() if isinstance(one, Synthesis)]
    if not waiting:
        raise Refusal(409, "nothing_to_do", "everything is verified")
    return 201, waiting[-1].job


def show(api: FakeApi, request: Recorded, name: str) -> Answer:
    if isinstance(api.jobs.get(name), dict):
        return show_import(api, request, name)
    synthesis = _of(api, name)
    if synthesis.polls:
        synthesis.job.update(synthesis.polls.pop(0))
    return 200, synthesis.job


def resume(api: FakeApi, request: Recorded, name: str) -> Answer:
    return 200, _of(api, name).job


def items(api: FakeApi, request: Recorded, name: str) -> Answer:
    return api.page(request, _of(api, name).items)


def events(api: FakeApi, request: Recorded, name: str) -> Answer:
    synthesis = _of(api, name)
    play = synthesis.plays.pop(0) if synthesis.plays else None
    if play is None:
        raise Refusal(503, "unavailable", "no streams here")
    return 200, partial(_stream, play)


def _stream(pieces: list[bytes], handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for piece in pieces:
        if piece == BREAK:
            return
        handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        handler.wfile.flush()
    handler.wfile.write(b"0\r\n\r\n")


show_import = next(act for method, pattern, act in ROUTES if (method, pattern) == ("GET", "/v1/jobs/([^/]+)"))
ROUTES[:] = [one for one in ROUTES if one[1] != "/v1/jobs/([^/]+)"] + [
    ("POST", "/v1/syntheses", start),
    ("GET", "/v1/jobs/([^/]+)", show),
    ("POST", "/v1/jobs/([^/]+)/resume", resume),
    ("GET", "/v1/jobs/([^/]+)/items", items),
    ("GET", "/v1/jobs/([^/]+)/events", events),
]

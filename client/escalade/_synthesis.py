"""Calls of problems, syntheses and reports as data, for both clients.

Guarantee: pure, like `_requests`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from escalade import _requests
from escalade._requests import Call
from escalade.types import (
    Job,
    JobStatus,
    Page,
    ProblemRequest,
    ProblemSummary,
    SynthesisItem,
    SynthesisRequest,
    VerificationReport,
)


def add_problem(problem: ProblemRequest) -> Call[ProblemSummary]:
    """Build the call that adds a problem."""
    return _requests.json_create(("problems",), ProblemSummary.model_validate_json, _requests.encode(problem))


def problems(source: str | None, outcome: str | None, limit: int | None) -> Call[Page[ProblemSummary]]:
    """Build the first page's call."""
    return _requests.json_list(("problems",), ProblemSummary, source=source, outcome=outcome, limit=limit)


def start(
    names: Sequence[str],
    imports: Sequence[str],
    everything: bool,
    again: bool,
    sources: Sequence[str],
    tags: Sequence[str],
    repairs: int | None,
    thresholds: Mapping[str, float] | None,
) -> Call[Job]:
    """Build the call that starts a synthesis."""
    fields = {
        "names": list(names),
        "imports": list(imports),
        "all": everything,
        "again": again,
        "sources": list(sources),
        "tags": list(tags),
        "repairs": repairs,
        "thresholds": None if thresholds is None else dict(thresholds),
    }
    body = _requests.encode(_requests.checked(SynthesisRequest, fields))
    return _requests.json_create(("syntheses",), Job.model_validate_json, body)


def jobs(status: JobStatus | None, kind: str | None, limit: int | None) -> Call[Page[Job]]:
    """Build the first page's call."""
    return _requests.json_list(("jobs",), Job, status=status, kind=kind, limit=limit)


def items(job: str, limit: int | None) -> Call[Page[SynthesisItem]]:
    """Build the first page's call."""
    return _requests.json_list(("jobs", job, "items"), SynthesisItem, limit=limit)


def listen(job: str, after: int) -> Call[None]:
    """Build the call that opens the stream of a job's events behind an item's number."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(after)} if after else {})
    return replace(_requests.plain("GET", ("jobs", job, "events"), lambda body: None), headers=headers, retry=False)


def cancel(job: str) -> Call[Job]:
    """Build the call that cancels a job; to repeat it is safe."""
    return _requests.plain("DELETE", ("jobs", job), Job.model_validate_json)


def resume(job: str) -> Call[Job]:
    """Build the call that goes on with a job; to repeat it is safe."""
    return _requests.plain("POST", ("jobs", job, "resume"), Job.model_validate_json)


def report(name: str) -> Call[VerificationReport]:
    """Build the call for an environment's newest report."""
    return _requests.plain("GET", ("environments", name, "report"), VerificationReport.model_validate_json)

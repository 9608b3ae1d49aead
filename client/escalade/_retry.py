"""How a call is tried, tried again and given up; and how long work is waited for.

Guarantee: no I/O. The flows are generators that yield what to do (`Exchange`, `Wait`, another `Call`) and are sent what
came of it, so that the sync and the async client share every decision. A flow ends: by its answer, by an
`EscaladeError`, or at its deadline.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from escalade import _requests, errors
from escalade._requests import Answer, Call
from escalade.types import Job, Problem
from escalade.types.headers import retry_after_s

logger = logging.getLogger("escalade")

Result = TypeVar("Result")

FIRST_POLL_S, SLOWEST_POLL_S = 0.1, 2.0
RETRIES = 8
FINISHED = ("succeeded", "failed", "cancelled")
_BY_STATUS: dict[int, type[errors.EscaladeError]] = {
    401: errors.AuthenticationError,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.NotFound,
    429: errors.RateLimited,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


@dataclass(frozen=True)
class RetryPolicy:
    """When to try again, and for how long."""

    retries: int | None = None
    """Tries after the first; None is `RETRIES`, or all that the deadline allows while a server that was met is away."""
    timeout_s: float = 120.0
    """Longest wait for one try to make progress."""
    deadline_s: float = 600.0
    """Longest time for all tries of a call and the pauses between them."""
    base_s: float = 0.5
    """Upper bound of the first pause; it doubles with every try."""
    cap_s: float = 15.0
    """Upper bound of every pause."""


@dataclass
class Met:
    """What a client knows of its server."""

    answered: bool = False


@dataclass(frozen=True)
class Exchange:
    """Send this call once. Its reply is the response or the HTTP library's error."""

    call: Call[Any]
    timeout_s: float


@dataclass(frozen=True)
class Wait:
    """Pause."""

    seconds: float


Flow = Generator[Exchange | Wait | Call[Any], Any, Result]


def attempts(
    call: Call[Answer],
    *,
    policy: RetryPolicy,
    url: str,
    met: Met,
    clock: Callable[[], float],
    rng: random.Random,
) -> Flow[Answer]:
    """Try a call until it is answered, refused for good, or out of time.

    Where `policy` leaves the number of tries open, a server that was met before is waited for until the deadline; one
    that never answered may not be there at all.

    Raises:
        EscaladeError: The last try's failure.
    """
    start_s = clock()
    tried = counted = 0
    most = RETRIES if policy.retries is None else policy.retries
    while True:
        left_s = max(policy.deadline_s - (clock() - start_s), 0.001)
        reply = yield Exchange(call, min(policy.timeout_s, left_s))
        failure = _failure(call, reply, url)
        if failure is None:
            met.answered = True
            return _parsed(call, reply, url)
        if tried and call.method == "DELETE" and isinstance(failure, errors.NotFound):
            # An earlier try did it, and only its answer was lost.
            return call.parse(b"")
        counts = policy.retries is not None or not met.answered or not isinstance(failure, AWAY)
        if not call.retry or (counts and counted >= most) or not _transient(failure):
            raise failure
        pause_s = backoff_s(tried, failure.retry_after_s, policy=policy, rng=rng)
        if clock() - start_s + pause_s >= policy.deadline_s:
            raise failure
        tried += 1
        counted += counts
        logger.warning("%s; try %d in %.1f s", failure, tried + 1, pause_s)
        yield Wait(pause_s)


def backoff_s(tried: int, retry_after_s: float | None, *, policy: RetryPolicy, rng: random.Random) -> float:
    """How long to pause after `tried` earlier tries: full jitter, or a little more than the server asks for."""
    if retry_after_s is not None:
        return retry_after_s + rng.uniform(0, policy.base_s)
    return rng.uniform(0, min(policy.cap_s, policy.base_s * 2.0 ** min(tried, 30)))


def finished_job(first: Call[Job], *, deadline_s: float, clock: Callable[[], float]) -> Flow[Job]:
    """Make a call that returns a job, and ask for the job until it is finished.

    Raises:
        Timeout: The job is not finished at the deadline; it goes on.
    """
    start_s = clock()
    pause_s = FIRST_POLL_S
    job: Job = yield first
    while job.status not in FINISHED:
        if clock() - start_s + pause_s > deadline_s:
            raise errors.Timeout(
                f"job {job.job} is still {job.status} after {deadline_s:g} s; it goes on: ask for it again, "
                "or allow more time with `deadline_s`",
                code="job_timeout",
            )
        yield Wait(pause_s)
        pause_s = min(pause_s * 1.5, SLOWEST_POLL_S)
        job = yield _requests.job(job.job)
    return job


def _failure(call: Call[Any], reply: httpx.Response | httpx.HTTPError, url: str) -> errors.EscaladeError | None:
    if isinstance(reply, httpx.ConnectTimeout):
        return errors.ConnectionFailed(f"no connection to {url} within the time allowed; is the address right?")
    if isinstance(reply, httpx.TimeoutException):
        return errors.Timeout(f"{url} did not answer within the time allowed; is the server busy or hung?")
    if isinstance(reply, httpx.HTTPError):
        reason = str(reply) or type(reply).__name__
        return errors.ConnectionFailed(f"no connection to {url} ({reason}); is the server running?")
    if reply.is_success or reply.status_code in call.answers:
        return None
    if reply.has_redirect_location:
        return errors.UnexpectedResponse(
            f"{url} redirects to {reply.headers['Location']}; use the address of the Escalade server itself",
            status=reply.status_code,
        )
    return _from_response(reply, url)


def _from_response(response: httpx.Response, url: str) -> errors.EscaladeError:
    status = response.status_code
    kind = _BY_STATUS.get(status) or (errors.ServerError if status >= 500 else errors.InvalidRequest)
    wait_s = retry_after_s(response.headers)
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        # Not ours: a proxy's page, or another server at this address.
        if status == _requests.TOO_LONG:
            detail = (
                f"{url} answered 413: a body of {len(response.request.content)} bytes is longer than a proxy before "
                "the server takes; raise its limit (nginx: `client_max_body_size`) or ESCALADE_MAX_BODY_BYTES"
            )
            return kind(detail, code="http_413", status=status)
        detail = f"{url} answered {status} {response.reason_phrase} without saying why; is it an Escalade server?"
        return kind(detail, code=f"http_{status}", status=status, retry_after_s=wait_s)
    detail = problem.detail or problem.title
    return kind(detail, code=problem.code, status=status, request_id=problem.request_id, retry_after_s=wait_s)


CURABLE = (errors.ConnectionFailed, errors.Timeout, errors.RateLimited, errors.Unavailable)
"""What time alone may cure."""
AWAY = (errors.ConnectionFailed, errors.Unavailable)
"""What a restart of the server looks like."""


def _transient(failure: errors.EscaladeError) -> bool:
    # Every call may be repeated: reads and PUTs by nature, reports by content, creating POSTs by their Idempotency-Key.
    return isinstance(failure, CURABLE)


def _parsed(call: Call[Answer], response: httpx.Response, url: str) -> Answer:
    try:
        return call.parse(response.content)
    except ValueError as error:
        reason = f"{error.error_count()} fields do not fit" if isinstance(error, ValidationError) else str(error)
        raise errors.UnexpectedResponse(
            f"the answer of {url} to {call.method} {call.path} is not of the Escalade API ({reason}); "
            "is the address right, and are SDK and server of the same version?",
            status=response.status_code,
        ) from error

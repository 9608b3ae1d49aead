"""Jobs on other machines: the protocol over sandbox services.

Guarantee: a job goes to the service with the most free slots; if that one fails it is tried once more, elsewhere where
there is another; what fails twice is `SandboxUnavailable`, and never a verdict.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from pydantic import ValidationError

from escalade_sandbox.messages import JobResultBody, ReadinessBody, job_json
from escalade_sandbox.settings import SettingsError
from escalade_sandbox.types import (
    Health,
    InvalidJob,
    Job,
    JobResult,
    SandboxBusy,
    SandboxError,
    SandboxUnavailable,
    UnknownLanguage,
)

logger = logging.getLogger(__name__)
CONNECT_S = 5.0
HEALTH_S = 1.5
QUEUE_S = 900.0
"""How long a job may wait in the service's own line before its time limits count."""
REFRESH_S = 5.0
DOWN_S = 10.0
"""How long a service that failed is asked last."""
MOST_CONNECTIONS = 512
REFUSED_KEY = "refuses the key; check ESCALADE_SANDBOX_KEY on both sides"


@dataclass(slots=True, eq=False)
class _Service:
    url: str
    slots: int = 1
    busy_elsewhere: int = 0
    """Slots that other callers held when it was last asked."""
    under_way: int = 0
    refreshed_s: float = float("-inf")
    down_until_s: float = float("-inf")

    @property
    def free(self) -> int:
        return self.slots - self.busy_elsewhere - self.under_way


class HttpSandbox:
    """Runs jobs on sandbox services."""

    backend = "http"

    def __init__(self, urls: Sequence[str], key: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Configure it.

        Args:
            urls: Addresses of services.
            key: Their key.
            transport: Carries the requests; httpx's own by default.

        Raises:
            SettingsError: There is no address or one that is no URL, or the key cannot be sent.
        """
        if not urls:
            raise SettingsError("the http sandbox needs at least one address; set ESCALADE_SANDBOX_URL")
        for url in urls:
            if not _is_address(url):
                raise SettingsError(f"ESCALADE_SANDBOX_URL: {url!r} is not an address such as http://sandbox:8701")
        # Secrets in files often end with a newline; the errors of httpx would show a key that no header can hold.
        key = key.strip()
        if not key.isascii() or not key.isprintable():
            raise SettingsError("ESCALADE_SANDBOX_KEY: use printable ASCII characters")
        self._services = [_Service(url.rstrip("/")) for url in urls]
        self._key = key
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._refreshing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Find a service that is ready.

        Raises:
            SandboxUnavailable: There is none; the message says what each answered.
        """
        if self._client is None:
            self._client = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {self._key}"},
                limits=httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=64),
                transport=self._transport,
                trust_env=False,
            )
        try:
            health = await self.health()
            if not health.ready:
                raise SandboxUnavailable(f"no sandbox service is ready: {health.detail}")
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connections. Safe to call twice."""
        for task in self._refreshing:
            task.cancel()
        await asyncio.gather(*self._refreshing, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def health(self) -> Health:
        """Ask every service, at once."""
        if self._client is None:
            return Health(False, self.backend, "the sandbox is not started")
        answers = await asyncio.gather(*(self._ask(service) for service in self._services))
        ready = [answer for answer in answers if isinstance(answer, ReadinessBody) and answer.ready]
        detail = "; ".join(
            f"{service.url}: {answer if isinstance(answer, str) else answer.detail}"
            for service, answer in zip(self._services, answers, strict=True)
        )
        return Health(
            bool(ready), self.backend, detail, sum(one.slots for one in ready), sum(one.free_slots for one in ready),
            ready[0].image if ready else None,
        )  # fmt: skip

    async def _ask(self, service: _Service) -> ReadinessBody | str:
        """Ask one service and note its slots; a string is what went wrong."""
        assert self._client is not None
        service.refreshed_s = time.monotonic()
        try:
            response = await self._client.get(f"{service.url}/readyz", timeout=HEALTH_S)
            if response.status_code == httpx.codes.UNAUTHORIZED:
                service.down_until_s = time.monotonic() + DOWN_S
                return REFUSED_KEY
            answer = ReadinessBody.model_validate_json(response.content)
        except httpx.HTTPError as error:
            service.down_until_s = time.monotonic() + DOWN_S
            return f"{type(error).__name__} {error}".strip()
        except ValidationError:
            return f"answered {response.status_code}, and not like a sandbox service"
        if answer.ready:
            service.slots = max(1, answer.slots)
            service.busy_elsewhere = max(0, answer.slots - answer.free_slots - service.under_way)
            service.down_until_s = float("-inf")
        else:
            service.down_until_s = time.monotonic() + DOWN_S
        return answer

    async def run(self, job: Job) -> JobResult:
        """Run the program on every input.

        Raises:
            InvalidJob: The job is malformed.
            UnknownLanguage: The services lack the language.
            SandboxBusy: Their queues are full.
            SandboxUnavailable: Two attempts failed, or the key is wrong.
        """
        body = json.dumps(job_json(job)).encode()
        tried: list[_Service] = []
        failures: list[SandboxError] = []
        while len(tried) < 2:
            service = self._choose(tried)
            tried.append(service)
            try:
                return await self._post(service, job, body)
            except (SandboxUnavailable, SandboxBusy) as error:
                failures.append(error)
                if isinstance(error, SandboxBusy) and len(self._services) == 1:
                    break
                logger.warning("a job failed on %s: %s", service.url, error)
        busy = next((error for error in failures if isinstance(error, SandboxBusy)), None)
        raise busy or failures[-1]

    def _choose(self, tried: list[_Service]) -> _Service:
        now_s = time.monotonic()
        for service in self._services:
            if now_s - service.refreshed_s > REFRESH_S:
                self._refresh(service)
        untried = [service for service in self._services if service not in tried] or self._services
        return max(untried, key=lambda service: (service.down_until_s <= now_s, service.free))

    def _refresh(self, service: _Service) -> None:
        service.refreshed_s = time.monotonic()

        async def ask() -> None:
            await self._ask(service)

        task = asyncio.ensure_future(ask())
        self._refreshing.add(task)
        task.add_done_callback(self._refreshing.discard)

    async def _post(self, service: _Service, job: Job, body: bytes) -> JobResult:
        if self._client is None:
            raise SandboxUnavailable("the sandbox is not started")
        longest_s = QUEUE_S + 3 * job.compile_limits.wall_s + 2 * job.limits.wall_s * (len(job.inputs) + 1)
        service.under_way += 1
        try:
            response = await self._client.post(
                f"{service.url}/v1/jobs", content=body, headers={"Content-Type": "application/json"},
                timeout=httpx.Timeout(longest_s, connect=CONNECT_S, pool=QUEUE_S),
            )  # fmt: skip
        except httpx.HTTPError as error:
            service.down_until_s = time.monotonic() + DOWN_S
            raise SandboxUnavailable(f"{service.url}: {type(error).__name__} {error}".strip()) from error
        finally:
            service.under_way -= 1
        if response.status_code == 200:
            try:
                result = JobResultBody.model_validate_json(response.content).to_result()
            except ValidationError as error:
                raise SandboxUnavailable(f"{service.url} sent an answer that cannot be read: {error}") from error
            if len(result.results) != len(job.inputs):
                raise SandboxUnavailable(
                    f"{service.url} sent {len(result.results)} results for {len(job.inputs)} inputs"
                )
            return result
        raise self._error(service, response)

    def _error(self, service: _Service, response: httpx.Response) -> SandboxError:
        try:
            problem = response.json()
            code, detail = str(problem["code"]), str(problem["detail"])
        except (ValueError, KeyError, TypeError):
            code, detail = "", f"answered {response.status_code}"
        if code == "invalid_job":
            return InvalidJob(detail)
        if code == "unknown_language":
            return UnknownLanguage(detail)
        if code == "too_large":
            return InvalidJob(f"the job is too large for {service.url}: {detail}")
        if code == "busy":
            return SandboxBusy(f"{service.url}: {detail}", _retry_after_s(response))
        if code == "unauthorized":
            return SandboxUnavailable(f"{service.url} {REFUSED_KEY}")
        service.down_until_s = time.monotonic() + DOWN_S
        return SandboxUnavailable(f"{service.url}: {detail}")


def _is_address(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host)


def _retry_after_s(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("retry-after", "1")))
    except ValueError:
        return 1.0

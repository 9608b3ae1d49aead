"""Speaks to one OpenAI-compatible chat endpoint.

Guarantee: one retry policy for all that may pass (no connection, no answer in time, 408, 429 with its `Retry-After`,
5xx, a body that is no chat completion); everything else is refused at once with what to do. Every wait has an end, no
more than `concurrency` requests are under way, and neither the key nor a prompt is ever logged or put into an error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from escalade.types import Message
from escalade.types.headers import retry_after_s
from escalade_server.errors import LlmRefused, LlmUnavailable
from escalade_server.settings import Settings

log = logging.getLogger(__name__)

MAX_REPLY_BYTES: Final = 8 << 20
"""A longer body is no reply to any of our questions."""
CONNECT_TIMEOUT_S: Final = 10.0

OutputMode = Literal["json_schema", "json_object", "text"]
"""How the endpoint is made to answer in JSON; with the last two, the schema stands in the prompt."""
_NEXT: Final[Mapping[OutputMode, OutputMode]] = {"json_schema": "json_object", "json_object": "text"}
_FORMAT_WORDS: Final = ("response_format", "json_schema", "json_object", "structured output", "guided", "grammar")
_HOPELESS_CODES: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Reasons of a 429 that no waiting mends."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try a request again, and for how long."""

    retries: int = 6
    """Tries after the first."""
    base_s: float = 1.0
    """Upper bound of the first pause; it doubles with every try."""
    cap_s: float = 30.0
    """Upper bound of every pause that the endpoint does not ask for."""
    longest_asked_s: float = 120.0
    """Longest pause that is made because the endpoint asks for it."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply and its cost."""

    text: str
    """NUL and halves of surrogate pairs, which no database stores, are U+FFFD."""
    finish: str
    """Why it ended: `stop`, `length`, `refusal`, or another word of the endpoint's."""
    prompt_tokens: int
    completion_tokens: int


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Said(_Body):
    # Whatever stands here, the reply was paid for: it must not be asked for again as if it had failed.
    content: object = None
    refusal: object = None


class _Choice(_Body):
    message: _Said
    finish_reason: object = None


class _Tokens(_Body):
    prompt_tokens: int = Field(ge=0, lt=2**31)
    completion_tokens: int = Field(ge=0, lt=2**31)


class _ChatCompletion(_Body):
    choices: list[_Choice] = Field(min_length=1)
    usage: object = None


class _Transient(Exception):
    """A failure that may pass."""

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class Endpoint:
    """One model behind one address; safe to share between jobs."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None = None,
        concurrency: int = 4,
        timeout_s: float = 300.0,
        max_tokens: int | None = None,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self.model = model
        self.output: OutputMode = "json_schema"
        """What the endpoint was found to know; it only ever goes down."""
        self.slots = asyncio.Semaphore(concurrency)
        """Held by whoever calls `complete`, pauses between its tries included."""
        self._url = _completions_url(url)
        self._key = key
        self._timeout_s = timeout_s
        self._max_tokens = max_tokens
        self._limit_name = "max_tokens"
        self._policy = policy or RetryPolicy()
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._tokens_reported = True
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
            limits=httpx.Limits(max_connections=concurrency),
            # A proxy of the environment is for the world outside.
            trust_env=urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"),
        )

    async def complete(self, messages: Sequence[Message], *, name: str, schema: Mapping[str, Any]) -> Completion:
        """Ask once, and again while the failure may pass.

        Args:
            messages: The conversation.
            name: Name of the schema, letters and underscores.
            schema: JSON schema of the answer.

        Raises:
            LlmUnavailable: Every try failed.
            LlmRefused: The endpoint will never take this request.
        """
        tried = 0
        while True:
            try:
                return await self._once(messages, name, schema)
            except _Transient as failure:
                asked_s = failure.retry_after_s
                if tried >= self._policy.retries or (asked_s or 0.0) > self._policy.longest_asked_s:
                    raise LlmUnavailable(
                        f"The LLM at {self._url} failed {tried + 1} times in a row, last: {failure.detail}. "
                        "Check ESCALADE_LLM_URL and that it runs; a job goes on where it stopped.",
                        retry_after_s=asked_s,
                    ) from None
                pause_s = self._pause_s(tried, asked_s)
                tried += 1
                tries = self._policy.retries + 1
                log.warning("LLM: %s; try %d of %d in %.1f s", failure.detail, tried + 1, tries, pause_s)
                await self._sleep(pause_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _pause_s(self, tried: int, asked_s: float | None) -> float:
        if asked_s is not None:
            return asked_s + self._rng.uniform(0, self._policy.base_s)
        return self._rng.uniform(0, min(self._policy.cap_s, self._policy.base_s * 2.0**tried))

    async def _once(self, messages: Sequence[Message], name: str, schema: Mapping[str, Any]) -> Completion:
        """Ask once; where the endpoint does not know a field of ours, ask again without it."""
        while True:
            output, limit_name = self.output, self._limit_name
            response, content = await self._exchange(_body(self.model, messages, name, schema, output))
            if response.is_success:
                return self._read(content, messages)
            said = self._words(content)
            if response.status_code in (400, 422) and self._adapted(said, output, limit_name):
                continue
            raise self._failure(response, said, content)

    async def _exchange(self, body: dict[str, Any]) -> tuple[httpx.Response, bytes]:
        if self._max_tokens is not None:
            body[self._limit_name] = self._max_tokens
        content = bytearray()
        try:
            async with (
                # The HTTP library's own timeouts are per read; an endpoint that drips would never meet one.
                asyncio.timeout(self._timeout_s),
                self._client.stream("POST", self._url, json=body) as response,
            ):
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_REPLY_BYTES:
                        raise LlmRefused(f"{self._url} answers over {MAX_REPLY_BYTES} bytes: is it a chat endpoint?")
        except (TimeoutError, httpx.TimeoutException):
            raise _Transient(f"no answer within {self._timeout_s:g} s (ESCALADE_LLM_TIMEOUT_S)") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _Transient(f"no connection ({str(error) or type(error).__name__})") from None
        return response, bytes(content)

    def _adapted(self, said: str, output: OutputMode, limit_name: str) -> bool:
        """Whether the refusal was of a field that can be asked for in another way, as it is from now on."""
        words = said.lower()
        if limit_name == "max_tokens" and "max_completion_tokens" in words:
            self._limit_name = "max_completion_tokens"
            return True
        if output in _NEXT and any(word in words for word in _FORMAT_WORDS):
            # Another request may have found out meanwhile.
            if self.output == output:
                self.output = _NEXT[output]
                log.warning(
                    "LLM: %s does not take response_format %s (%s); replies are asked for as %s, and more of them may "
                    "be unusable",
                    self._url, output, said, self.output,
                )  # fmt: skip
            return True
        return False

    def _failure(self, response: httpx.Response, said: str, content: bytes) -> Exception:
        status = response.status_code
        told = f"{status} {response.reason_phrase}".strip() + (f": {said}" if said else "")
        if status in (408, 429) or status >= 500:
            if _code(content) in _HOPELESS_CODES:
                return LlmRefused(f"{self._url} answered {told}. Waiting does not help: look at the account's quota.")
            return _Transient(f"{self._url} answered {told}", retry_after_s(response.headers))
        remedies = {
            401: "check ESCALADE_LLM_KEY",
            403: "check ESCALADE_LLM_KEY and what it may do",
            404: "check ESCALADE_LLM_URL (it usually ends in /v1) and ESCALADE_LLM_MODEL",
        }
        remedy = remedies.get(status, "check ESCALADE_LLM_MODEL and ESCALADE_LLM_MAX_TOKENS")
        if response.has_redirect_location:
            remedy = "it redirects; give the final address in ESCALADE_LLM_URL"
        return LlmRefused(f"{self._url} answered {told}; {remedy}.")

    def _read(self, content: bytes, messages: Sequence[Message]) -> Completion:
        try:
            completion = _ChatCompletion.model_validate(_document(content))
        except ValidationError:
            said = self._words(content)
            raise _Transient(f"{self._url} answered no chat completion" + (f": {said}" if said else "")) from None
        choice = completion.choices[0]
        text, refusal = _text_of(choice.message.content), _text_of(choice.message.refusal)
        refused = bool(refusal) and not text
        text = storable(refusal if refused else text)
        try:
            used = _Tokens.model_validate(completion.usage)
        except ValidationError:
            if self._tokens_reported:
                log.warning("LLM: %s reports no token counts; three bytes are counted as one token", self._url)
            self._tokens_reported = False
            asked = sum(len(message.content.encode()) for message in messages)
            used = _Tokens(prompt_tokens=asked // 3 + 1, completion_tokens=len(text.encode()) // 3 + 1)
        finish = "refusal" if refused else _text_of(choice.finish_reason) or "stop"
        return Completion(text, storable(finish)[:40], used.prompt_tokens, used.completion_tokens)

    def _words(self, content: bytes) -> str:
        """What an error says, short and without the key."""
        document = _document(content)
        error = document.get("error", document.get("detail", document.get("message")))
        if isinstance(error, dict):
            error = error.get("message")
        words = storable(" ".join(str(error or "").split()))
        return words.replace(self._key, "[key]")[:300] if self._key else words[:300]


def open_endpoint(settings: Settings) -> Endpoint | None:
    """The endpoint that the settings name; None where they name none."""
    if settings.llm_url is None or settings.llm_model is None:
        return None
    return Endpoint(
        settings.llm_url,
        settings.llm_model,
        key=settings.llm_key.get_secret_value() if settings.llm_key else None,
        concurrency=settings.llm_concurrency,
        timeout_s=settings.llm_timeout_s,
        max_tokens=settings.llm_max_tokens,
    )


def storable(text: str) -> str:
    """The text with what no database stores replaced."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\0", "\ufffd")


def _completions_url(url: str) -> str:
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    path = path if path.endswith("/chat/completions") else f"{path}/chat/completions"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _body(
    model: str, messages: Sequence[Message], name: str, schema: Mapping[str, Any], output: OutputMode
) -> dict[str, Any]:
    sent = [message.model_dump() for message in messages]
    body: dict[str, Any] = {"model": model, "messages": sent}
    if output == "json_schema":
        wanted = {"name": name, "strict": True, "schema": schema}
        return body | {"response_format": {"type": "json_schema", "json_schema": wanted}}
    # Where the endpoint does not enforce the schema, the model has to be told it.
    told = f"Answer with one JSON object and nothing else. It must fit this JSON schema:\n{json.dumps(schema)}"
    sent[0] = {**sent[0], "content": f"{sent[0]['content']}\n\n{told}"}
    return body | ({"response_format": {"type": "json_object"}} if output == "json_object" else {})


def _text_of(content: object) -> str:
    """A message's text, which some endpoints give in parts."""
    if isinstance(content, list):
        return "".join(_text_of(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _code(content: bytes) -> str | None:
    error = _document(content).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else None

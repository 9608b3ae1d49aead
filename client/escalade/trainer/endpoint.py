"""A model behind an OpenAI-compatible endpoint (vLLM, SGLang, ...) as a writer: for evaluation, and to drive a run.

Guarantee: needs neither torch nor a key of ours. A busy or restarting endpoint is waited for; whatever else it answers
ends the call in one line that names it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self

import httpx
from pydantic import BaseModel, BeforeValidator

from escalade.errors import EscaladeError
from escalade.types import Message

if TYPE_CHECKING:  # the protocol's module brings torch
    from escalade.trainer.policies import Sampling

CONNECT_S = 10.0
CONCURRENCY = 16
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
BUSY = (408, 429, 500, 502, 503, 504)


class EndpointFailed(EscaladeError):
    """An inference endpoint refused a request, or could not be reached for long."""

    default_code = "endpoint_failed"


def _encodable(content: Any) -> Any:
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else content


class _Text(BaseModel):
    content: Annotated[str | None, BeforeValidator(_encodable)] = None
    """None where the model wrote nothing. Lone surrogates, which no report can carry, become question marks."""


class _Choice(BaseModel):
    message: _Text


class _Completion(BaseModel):
    choices: list[_Choice]


class EndpointWriter:
    """A model behind an endpoint."""

    def __init__(
        self, url: str, model: str, *, key: str | None = None, timeout_s: float = 600.0, patience_s: float = 600.0
    ) -> None:
        """Open connections.

        Args:
            url: Address with its version, such as `http://127.0.0.1:8000/v1`.
            model: The model's name there.
            key: Its key, if it wants one.
            timeout_s: Longest wait for one answer.
            patience_s: How long to go on trying while it is busy or away.
        """
        self._url, self._model, self._patience_s = url.rstrip("/"), model, patience_s
        self._jitter = random.Random(0)
        self._http = httpx.Client(
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=CONCURRENCY),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def write(
        self, prompts: Sequence[Sequence[Message]], *, rollouts: int, sampling: Sampling, seed: int
    ) -> list[list[str]]:
        """Write so many completions of each conversation.

        Raises:
            EndpointFailed: The endpoint refused, or was away for too long.
        """
        with ThreadPoolExecutor(CONCURRENCY, "endpoint") as threads:
            futures = [
                threads.submit(self._write_one, prompt, rollouts, sampling, seed + index * 1_000_003)
                for index, prompt in enumerate(prompts)
            ]
        return [future.result() for future in futures]

    def _write_one(self, prompt: Sequence[Message], rollouts: int, sampling: Sampling, seed: int) -> list[str]:
        texts: list[str] = []
        while len(texts) < rollouts:  # some servers give fewer at a time than they are asked for
            body = {
                "model": self._model,
                "messages": [message.model_dump() for message in prompt],
                "n": rollouts - len(texts),
                "temperature": sampling.temperature,
                "max_tokens": sampling.max_tokens,
                "seed": (seed + len(texts)) % 2**31,
            }
            found = [choice.message.content or "" for choice in self._ask(body).choices]
            if not found:
                raise EndpointFailed(f"{self._url} gave no choices")
            texts += found
        return texts[:rollouts]

    def _ask(self, body: dict[str, object]) -> _Completion:
        start_s = time.monotonic()
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                reply = self._http.post(f"{self._url}/chat/completions", json=body)
            except httpx.HTTPError as error:
                fault = f"no answer from {self._url} ({str(error) or type(error).__name__})"
            else:
                if reply.is_success:
                    try:
                        return _Completion.model_validate(reply.json())
                    except ValueError:  # no JSON, or another document
                        raise EndpointFailed(
                            f"{self._url} answers otherwise than an OpenAI-compatible server"
                        ) from None
                fault = f"{self._url} answered {reply.status_code}: {' '.join(reply.text.split())[:300]}"
                if reply.status_code not in BUSY:
                    raise EndpointFailed(fault, status=reply.status_code)
            if time.monotonic() - start_s + pause_s > self._patience_s:
                raise EndpointFailed(f"{fault}; gave up after {self._patience_s:g} s")
            time.sleep(pause_s * self._jitter.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

"""Asks the LLM questions whose answers are JSON, and pays for none twice.

Guarantee: every reply that was paid for is stored under the hash of its question before it is read, whatever becomes of
it. The same question is answered from there for ever, on this and every other server of the database. A call begins
only while the job has tokens left. A reply that cannot be used goes back to the LLM with what is wrong with it, a
bounded number of times. Logs name the question by its hash.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from escalade.types import Message
from escalade_server.errors import LlmBudgetSpent, LlmReplyUnusable
from escalade_server.storage import clock, llm_replies
from escalade_server.storage.sessions import Database
from escalade_server.synthesis.endpoint import Completion, Endpoint
from escalade_server.synthesis.prompts import bullets, fill
from escalade_server.synthesis.replies import UnusableReply, object_in

log = logging.getLogger(__name__)

MAX_ECHO_CHARS: Final = 20_000
"""How much of an unusable reply the LLM is shown again."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a job has asked and paid, those of its earlier starts included."""

    calls: int = 0
    """Replies paid for."""
    cached: int = 0
    """Replies that were there already."""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def tokens(self) -> int:
        """What counts against the budget."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Question:
    """What the LLM is asked."""

    purpose: str
    """One word for logs and the cost table, letters and underscores: `metadata`, `generator`."""
    messages: tuple[Message, ...]
    """System message first."""
    schema: Mapping[str, Any]
    """JSON schema of the answer."""


class Llm:
    """One job's use of the LLM; made by `open_llm`."""

    def __init__(
        self, endpoint: Endpoint, database: Database, *, payer: str, budget_tokens: int, tries: int, usage: Usage
    ) -> None:
        self.usage = usage
        self.budget_tokens = budget_tokens
        self._endpoint = endpoint
        self._database = database
        self._payer = payer
        self._tries = tries
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._storing: set[asyncio.Task[None]] = set()

    @property
    def model(self) -> str:
        """Whom the questions go to."""
        return self._endpoint.model

    @property
    def output(self) -> str:
        """How the endpoint is made to answer in JSON: `json_schema`, or what is left where it does not know that."""
        return self._endpoint.output

    async def ask(self, question: Question, read: Callable[[dict[str, Any]], Answer]) -> Answer:
        """Ask until a reply can be read.

        Args:
            question: What is asked.
            read: Makes the answer of a reply's JSON object, or raises `UnusableReply`.

        Raises:
            LlmReplyUnusable: No reply could be used; `faults` says why of the last.
            LlmBudgetSpent: The job has no tokens left.
            LlmUnavailable: The endpoint fails.
            LlmRefused: The endpoint refuses the request.
        """
        asked = question
        faults: tuple[str, ...] = ()
        for attempt in range(self._tries):
            reply = await self._reply(asked, attempt)
            try:
                _require_whole(reply)
                return read(object_in(reply.text))
            except UnusableReply as unusable:
                faults = unusable.faults
            log.info("LLM: reply %d to %s %s is unusable: %s", attempt + 1, question.purpose, _short(asked), faults[0])
            asked = replace(question, messages=(*question.messages, *_again(reply, faults)))
        raise LlmReplyUnusable(
            f"{self._tries} replies of {self.model} ({question.purpose}) cannot be used, the last one because "
            f"{'; '.join(faults)}. Raise ESCALADE_LLM_TRIES to ask further, or take another model.",
            faults=faults,
        )

    async def close(self) -> None:
        """Wait until all that was paid for is stored. The endpoint belongs to whoever opened it."""
        if self._storing:
            await asyncio.wait(self._storing)

    def _stored(self, task: asyncio.Task[None]) -> None:
        self._storing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Whoever waits is told too, unless it was cancelled.
            log.error("LLM: a reply that was paid for could not be stored: %s", error)

    async def _reply(self, question: Question, attempt: int) -> Completion:
        key = _key(self.model, question, attempt)
        # Two problems may ask the same at the same moment; the second waits for the first one's reply.
        lock = self._asking.setdefault(key, asyncio.Lock())
        async with lock:
            async with self._database.read() as session:
                kept = await llm_replies.get(session, key)
            if kept is not None:
                self.usage = replace(self.usage, cached=self.usage.cached + 1)
                return Completion(kept.text, kept.finish, kept.prompt_tokens, kept.completion_tokens)
            return await self._pay(key, question)

    async def _pay(self, key: str, question: Question) -> Completion:
        async with self._endpoint.slots:
            # After the wait for a slot, since others were paid for meanwhile.
            self._require_budget()
            reply = await self._endpoint.complete(question.messages, name=question.purpose, schema=question.schema)
            self.usage = replace(
                self.usage,
                calls=self.usage.calls + 1,
                prompt_tokens=self.usage.prompt_tokens + reply.prompt_tokens,
                completion_tokens=self.usage.completion_tokens + reply.completion_tokens,
            )
        # In a task of its own: a job that is cancelled in this moment must not lose what it has paid for.
        storing = asyncio.create_task(self._store(key, question.purpose, reply))
        self._storing.add(storing)
        storing.add_done_callback(self._stored)
        await asyncio.shield(storing)
        log.info(
            "LLM: %s %s: %d + %d tokens, %d of %d spent",
            question.purpose, key[:12], reply.prompt_tokens, reply.completion_tokens, self.usage.tokens,
            self.budget_tokens,
        )  # fmt: skip
        return reply

    async def _store(self, key: str, purpose: str, reply: Completion) -> None:
        row = {
            "key": key,
            "model": self.model,
            "purpose": purpose,
            "payer": self._payer,
            "text": reply.text,
            "finish": reply.finish,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "created_at": clock.now(),
        }
        async with self._database.write() as session:
            await llm_replies.add(session, row)

    def _require_budget(self) -> None:
        if self.usage.tokens >= self.budget_tokens:
            raise LlmBudgetSpent(
                f"{self.usage.tokens} of {self.budget_tokens} tokens are spent. What was paid for is kept: raise "
                "ESCALADE_LLM_BUDGET_TOKENS and resume the job, which goes on where it stopped."
            )


async def open_llm(endpoint: Endpoint, database: Database, *, payer: str, budget_tokens: int, tries: int = 3) -> Llm:
    """The LLM for one job, which goes on paying where an earlier start of the same job stopped.

    Args:
        endpoint: Whom to ask.
        database: Where replies are kept.
        payer: The job's identity.
        budget_tokens: What the job may spend, over all its starts.
        tries: Replies asked for to one question before its unusable ones are given up.

    Raises:
        DatabaseUnavailable: The database cannot be reached.
    """
    async with database.read() as session:
        paid = await llm_replies.paid_by(session, payer)
    usage = Usage(calls=paid.calls, prompt_tokens=paid.prompt_tokens, completion_tokens=paid.completion_tokens)
    return Llm(endpoint, database, payer=payer, budget_tokens=budget_tokens, tries=tries, usage=usage)


def _key(model: str, question: Question, attempt: int) -> str:
    content = {
        "model": model,
        "messages": [message.model_dump() for message in question.messages],
        "schema": question.schema,
        "attempt": attempt,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _short(question: Question) -> str:
    return _key("", question, 0)[:12]


def _require_whole(reply: Completion) -> None:
    if reply.finish == "length":
        raise UnusableReply(["the reply was cut off at the limit of its length (ESCALADE_LLM_MAX_TOKENS); be shorter"])
    if reply.finish in ("refusal", "content_filter"):
        raise UnusableReply([f"the model declined to answer: {reply.text[:200].strip() or reply.finish}"])


def _again(reply: Completion, faults: Sequence[str]) -> tuple[Message, Message]:
    return (
        Message(role="assistant", content=reply.text[:MAX_ECHO_CHARS] or "(empty)"),
        Message(role="user", content=fill("again", faults=bullets(faults))),
    )

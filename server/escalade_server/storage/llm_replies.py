"""Queries on the replies of the LLM: the cache, and what a job has paid so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.statements import insert_new
from escalade_server.storage.tables import LlmReply


class Paid(NamedTuple):
    """What a job has paid for."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


async def get(session: AsyncSession, key: str) -> LlmReply | None:
    """The reply to a question, if it was ever paid for."""
    return await session.get(LlmReply, key)


async def add(session: AsyncSession, row: Mapping[str, Any]) -> None:
    """Keep a reply; where another process paid for the same question meanwhile, the first one stays."""
    await insert_new(session, LlmReply, [row])


async def paid_by(session: AsyncSession, payer: str) -> Paid:
    """What a job has paid for so far."""
    query = select(
        func.count(),
        func.coalesce(func.sum(LlmReply.prompt_tokens), 0),
        func.coalesce(func.sum(LlmReply.completion_tokens), 0),
    ).where(LlmReply.payer == payer)
    calls, prompt_tokens, completion_tokens = (await session.execute(query)).one()
    return Paid(int(calls), int(prompt_tokens), int(completion_tokens))

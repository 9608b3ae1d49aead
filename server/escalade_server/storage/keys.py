"""Queries on API keys and on what creating POSTs answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.statements import insert_new
from escalade_server.storage.tables import ApiKey, IdempotentResponse, Run


async def find_by_hash(
    session: AsyncSession, secret_hash: str, run_id: str | None = None
) -> tuple[ApiKey, Run | None] | None:
    """The key in force with this secret; with it, the run of this identity that is not deleted."""
    in_force = (ApiKey.secret_hash == secret_hash, ApiKey.revoked_at.is_(None))
    if run_id is None:
        key: ApiKey | None = await session.scalar(select(ApiKey).where(*in_force))
        return None if key is None else (key, None)
    query = select(ApiKey, Run).outerjoin(Run, and_(Run.id == run_id, Run.deleted_at.is_(None))).where(*in_force)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def get(session: AsyncSession, key_id: str) -> ApiKey | None:
    """A key by its identity, revoked or not."""
    return await session.get(ApiKey, key_id)


async def list_all(session: AsyncSession, *, after: str | None, limit: int) -> list[ApiKey]:
    """Keys in the order of their identity."""
    query = select(ApiKey).order_by(ApiKey.id).limit(limit)
    if after is not None:
        query = query.where(ApiKey.id > after)
    return list(await session.scalars(query))


async def any_admin(session: AsyncSession) -> bool:
    """Whether a key in force has the scope `admin`."""
    in_force = await session.scalars(select(ApiKey.scopes).where(ApiKey.revoked_at.is_(None)))
    return any("admin" in scopes for scopes in in_force)


async def replace_secret(session: AsyncSession, key_id: str, secret_hash: str) -> None:
    """Give a key another secret."""
    await session.execute(update(ApiKey).where(ApiKey.id == key_id).values(secret_hash=secret_hash))


async def revoke(session: AsyncSession, key_id: str, at: datetime) -> None:
    """Put a key out of force; a second time changes nothing."""
    await session.execute(update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=at))


async def claim(
    session: AsyncSession, *, key_id: str, idempotency_key: str, request_hash: str, at: datetime
) -> IdempotentResponse | None:
    """Take an Idempotency-Key for this request; the earlier claim if it was taken. Concurrent claims wait here."""
    row = {"key_id": key_id, "idempotency_key": idempotency_key, "request_hash": request_hash, "created_at": at}
    if await insert_new(session, IdempotentResponse, [row]):
        return None
    return await session.get_one(IdempotentResponse, (key_id, idempotency_key))


async def settle(session: AsyncSession, *, key_id: str, idempotency_key: str, body: dict[str, Any]) -> None:
    """Keep what was answered."""
    await session.execute(
        update(IdempotentResponse)
        .where(IdempotentResponse.key_id == key_id, IdempotentResponse.idempotency_key == idempotency_key)
        .values(body=body)
    )

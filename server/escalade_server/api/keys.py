"""Routes of API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from escalade.types import Key, KeyRequest, NewKey, Page
from escalade_server.api.deps import Limit, Once, PageToken, Reading, Transaction, needs
from escalade_server.errors import KeyNotFound
from escalade_server.storage import credentials, keys
from escalade_server.storage.clock import now
from escalade_server.storage.sessions import AsyncSession
from escalade_server.storage.tables import ApiKey

router = APIRouter(prefix="/keys", tags=["keys"])


@router.post("", status_code=201, **needs("admin"))
async def create_key(body: KeyRequest, once: Once, session: Transaction) -> NewKey:
    """Make a key; the response alone shows its secret.

    A retry of the request gives the same key a fresh secret: the first one is not stored, and was not received.
    """

    async def make() -> Key:
        row, _ = await credentials.create(session, name=body.name, scopes=body.scopes)
        return _present(row)

    key = await once.once(session, Key, make)
    return NewKey(**key.model_dump(), secret=await _fresh_secret(session, key.key_id))


@router.get("", **needs("admin"))
async def list_keys(session: Reading, page: PageToken = None, limit: Limit = 100) -> Page[Key]:
    """All keys, without their secrets."""
    rows = await keys.list_all(session, after=page, limit=limit + 1)
    shown = [_present(row) for row in rows[:limit]]
    return Page(items=shown, next_page=shown[-1].key_id if len(rows) > limit else None)


@router.delete("/{key_id}", status_code=204, **needs("admin"))
async def revoke_key(key_id: Annotated[str, Path(max_length=40)], session: Transaction) -> None:
    """Put a key out of force at once."""
    if await keys.get(session, key_id) is None:
        raise KeyNotFound(f"There is no key {key_id}: see GET /v1/keys.")
    await keys.revoke(session, key_id, now())


async def _fresh_secret(session: AsyncSession, key_id: str) -> str:
    secret = credentials.new_secret()
    await keys.replace_secret(session, key_id, credentials.hash_of(secret))
    return secret


def _present(row: ApiKey) -> Key:
    return Key.model_validate(
        {
            "key_id": row.id,
            "name": row.name,
            "scopes": row.scopes,
            "created_at": row.created_at,
            "revoked_at": row.revoked_at,
        }
    )

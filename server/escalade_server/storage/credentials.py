"""Makes and checks API keys. A secret is stored as its hash alone and shown once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from escalade_server.errors import Unauthenticated
from escalade_server.storage import keys
from escalade_server.storage.clock import new_id, now
from escalade_server.storage.sessions import AsyncSession, Database
from escalade_server.storage.tables import ApiKey, Run

ADMIN_KEY_FILE = "admin.key"
"""Name of the first admin key's file in the data folder."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and what they may do."""

    key_id: str
    name: str
    scopes: frozenset[str]

    def may(self, *scopes: str) -> bool:
        """Whether one of these scopes is held; `admin` holds all."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(scopes)


def new_secret() -> str:
    """A fresh secret, 256 random bits."""
    return "esc_" + secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """What is stored of a secret; a fast hash is enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def secret_in(authorization: str | None) -> str | None:
    """The key in an Authorization header: a bearer token, or the password of Basic authentication."""
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        _, colon, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password if colon else None


async def create(session: AsyncSession, *, name: str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
    """Store a new key; its row and its secret."""
    secret = new_secret()
    row = ApiKey(id=new_id("key"), name=name, secret_hash=hash_of(secret), scopes=sorted(set(scopes)), created_at=now())
    session.add(row)
    await session.flush()
    return row, secret


async def authenticate(session: AsyncSession, secret: str) -> Principal:
    """Whose secret this is.

    Raises:
        Unauthenticated: It is nobody's, or its key is not in force.
    """
    return (await enter(session, secret, None))[0]


async def enter(session: AsyncSession, secret: str, run_id: str | None) -> tuple[Principal, Run | None]:
    """Whose secret this is, and a run that is not deleted, in one query.

    Raises:
        Unauthenticated: It is nobody's, or its key is not in force.
    """
    found = await keys.find_by_hash(session, hash_of(secret), run_id)
    if found is None:
        raise Unauthenticated("This key is not known here, or it was revoked.")
    row, run = found
    return Principal(row.id, row.name, frozenset(row.scopes)), run


async def ensure_admin(database: Database, data: Path) -> Path | None:
    """Make the first admin key of an embedded database and put it into the data folder; None if there is one."""
    path = data / ADMIN_KEY_FILE
    async with database.read() as session:
        if await keys.any_admin(session) and path.exists():
            return None
    async with database.write() as session:
        _, secret = await create(session, name="first admin", scopes=["admin"])
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secret + "\n")
    return path

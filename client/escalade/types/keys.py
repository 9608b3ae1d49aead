"""API keys."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from escalade.types.base import Request, Response, Scope


class KeyRequest(Request):
    """Ask for a new key."""

    name: str = Field(min_length=1, max_length=120)
    """For people, to tell keys apart."""
    scopes: list[Scope] = Field(min_length=1)


class Key(Response):
    """A key without its secret."""

    key_id: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    revoked_at: datetime | None = None


class NewKey(Key):
    """A key just made: the only time its secret is shown."""

    secret: str

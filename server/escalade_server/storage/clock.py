"""The moment and fresh identities: what is stored but not derived."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """A fresh identity such as `run_...`, 100 random bits."""
    return f"{prefix}_" + "".join(secrets.choice(_LETTERS) for _ in range(20))

"""Where the server is and which key opens it.

Guarantee: this is the only module of the SDK that reads the environment (`ESCALADE_URL`, `ESCALADE_KEY`,
`ESCALADE_DATA`, `XDG_DATA_HOME`) and the admin key file. The key file is sent to loopback addresses alone.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from escalade.errors import InvalidRequest

DEFAULT_URL = "http://127.0.0.1:8700"
ADMIN_KEY_FILE = "admin.key"
"""File in the data folder that the server writes at its first start."""


@dataclass(frozen=True)
class Endpoint:
    """A server's address and the key to use there."""

    url: str
    """Without a trailing slash."""
    key: str | None = field(repr=False)
    loopback: bool
    key_source: str
    """Where the key came from, for messages."""


def resolve_endpoint(url: str | None, key: str | None, environ: Mapping[str, str] | None = None) -> Endpoint:
    """Settle address and key: what is given, else the environment, else the defaults.

    Raises:
        InvalidRequest: The address is not an http(s) URL, or the key holds characters that a header cannot carry.
    """
    variables = _variables(environ)
    address = _checked_url(url or variables.get("ESCALADE_URL") or DEFAULT_URL)
    loopback = is_loopback(address)
    source = "none"
    if key is not None:
        source = "given"
    elif variables.get("ESCALADE_KEY"):
        key, source = variables["ESCALADE_KEY"], "ESCALADE_KEY"
    elif loopback:
        path = data_folder(variables) / ADMIN_KEY_FILE
        key = _read_key(path)
        source = str(path) if key is not None else "none"
    if key is not None:
        key = key.strip()
        if not (key.isascii() and key.isprintable() and key and " " not in key):
            raise InvalidRequest(
                f"the key ({source}) must be printable ASCII without spaces; copy it again", code="invalid_key"
            )
    return Endpoint(url=address, key=key, loopback=loopback, key_source=source)


def data_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where server and SDK of this user keep their files."""
    variables = _variables(environ)
    if chosen := variables.get("ESCALADE_DATA"):
        return Path(chosen).expanduser()
    base = Path(variables.get("XDG_DATA_HOME") or "")
    # The XDG specification has relative paths ignored.
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / "escalade"


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine by name or address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _variables(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    return os.environ if environ is None else environ  # noqa: TID251 - this is the SDK's settings module


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise InvalidRequest(f"{url!r} is not a server address; give one such as {DEFAULT_URL}", code="invalid_url")
    if parts.username or parts.password:
        raise InvalidRequest(
            "the server address holds a password; pass the key as `key` or ESCALADE_KEY instead", code="invalid_url"
        )
    return url.strip().rstrip("/")


def _read_key(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        # Another user's server may own the file; the server then answers 401, which says what to do.
        return None

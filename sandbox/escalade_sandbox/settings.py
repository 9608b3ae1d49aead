"""The sandbox's settings, read from the environment: the only module of the package that reads it.

Guarantee: a wrong value is a `SettingsError` that names the variable and what it may be; nothing is read at import.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from escalade_sandbox.types import SandboxError

LEAST_KEY_CHARACTERS = 16
LEVELS = ("debug", "info", "warning", "error")


class SettingsError(SandboxError, ValueError):
    """A variable has a value that cannot be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator of a sandbox can set."""

    backend: Literal["docker", "process", "http"] = "docker"
    """ESCALADE_SANDBOX."""
    urls: tuple[str, ...] = ()
    """ESCALADE_SANDBOX_URL, separated by commas: where other services are."""
    key: str | None = field(default=None, repr=False)
    """ESCALADE_SANDBOX_KEY: the service's key."""
    slots: int | None = None
    """ESCALADE_SANDBOX_SLOTS: jobs at a time; one per core by default."""
    image: str | None = None
    """ESCALADE_SANDBOX_IMAGE: a name, or `extra` for this version's own with Java and Go."""
    runtime: str | None = None
    """ESCALADE_SANDBOX_RUNTIME: such as `runsc`."""
    cache_folder: Path | None = None
    """ESCALADE_SANDBOX_CACHE: where compiled programs are kept; in XDG_CACHE_HOME by default, nowhere if `none`."""
    log_level: str = "info"
    """ESCALADE_LOG_LEVEL."""


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment.

    Raises:
        SettingsError: A variable is wrong.
    """
    values = os.environ if environ is None else environ  # noqa: TID251 - this is the settings module
    backend = values.get("ESCALADE_SANDBOX") or ("http" if values.get("ESCALADE_SANDBOX_URL") else "docker")
    if backend not in ("docker", "process", "http"):
        raise SettingsError(f"ESCALADE_SANDBOX: {backend!r} is none of docker, process, http")
    # Secrets in files often end with a newline.
    key = (values.get("ESCALADE_SANDBOX_KEY") or "").strip() or None
    if key is not None and (len(key) < LEAST_KEY_CHARACTERS or not key.isascii() or not key.isprintable()):
        raise SettingsError(f"ESCALADE_SANDBOX_KEY: use at least {LEAST_KEY_CHARACTERS} printable ASCII characters")
    log_level = (values.get("ESCALADE_LOG_LEVEL") or "info").lower()
    if log_level not in LEVELS:
        raise SettingsError(f"ESCALADE_LOG_LEVEL: {log_level!r} is none of {', '.join(LEVELS)}")
    return Settings(
        backend=backend,  # type: ignore[arg-type]
        urls=tuple(part.strip() for part in values.get("ESCALADE_SANDBOX_URL", "").split(",") if part.strip()),
        key=key,
        slots=_slots(values.get("ESCALADE_SANDBOX_SLOTS")),
        image=values.get("ESCALADE_SANDBOX_IMAGE") or None,
        runtime=values.get("ESCALADE_SANDBOX_RUNTIME") or None,
        cache_folder=_cache_folder(values),
        log_level=log_level,
    )


def _slots(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise SettingsError(f"ESCALADE_SANDBOX_SLOTS: {text!r} is not a number from 1 to 1024")
    return int(text)


def _cache_folder(values: Mapping[str, str]) -> Path | None:
    named = values.get("ESCALADE_SANDBOX_CACHE")
    if named == "none":
        return None
    if named:
        return Path(named).expanduser().absolute()
    return default_cache_folder(values)


def default_cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return where compiled programs are kept unless something else is said."""
    values = os.environ if environ is None else environ  # noqa: TID251 - this is the settings module
    home = values.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path("~/.cache").expanduser()) / "escalade" / "programs"

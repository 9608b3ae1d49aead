"""The server's settings, read from the environment once: the only module that reads it.

Every variable is `ESCALADE_` plus the field's name in capitals; a wrong value is an error that names the variable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_data() -> Path:
    class Xdg(BaseSettings):
        xdg_data_home: Path = Path.home() / ".local" / "share"

    return Xdg().xdg_data_home / "escalade"


class Settings(BaseSettings):
    """What an operator can set."""

    model_config = SettingsConfigDict(env_prefix="ESCALADE_", env_ignore_empty=True, extra="ignore", frozen=True)

    data: Path = Field(default_factory=_default_data)
    """Folder of the embedded database and the first admin key."""
    database_url: SecretStr | None = None
    """`postgresql://user:password@host/name` or `sqlite:///path`; None is the embedded database in `data`."""
    host: str = "127.0.0.1"
    port: int = Field(default=8700, ge=0, le=65_535)
    sandbox: Literal["docker", "process", "http"] | None = None
    """Backend; None is `http` where `sandbox_url` is set, else `docker`."""
    sandbox_url: str | None = None
    """Address of the sandbox service; several are separated by commas."""
    sandbox_key: SecretStr | None = None
    sandbox_slots: int | None = Field(default=None, ge=1, le=1_024)
    """Containers that run at a time; None is the number of cores."""
    sandbox_image: str | None = None
    """Toolchain image; None is the one built from this version's Dockerfile."""
    sandbox_runtime: str | None = None
    """OCI runtime, such as `runsc`."""
    max_body_bytes: int = Field(default=64 << 20, ge=1 << 20)
    """Longest request body."""
    buffer: int = Field(default=16, ge=1, le=1_024)
    """Instances made at a time for one level, so that the next batches find theirs ready."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("data")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def embedded(self) -> bool:
        """Whether the database is our own file, which the server may create and migrate by itself."""
        return self.database_url is None

    @property
    def database(self) -> str:
        """The database's URL with the driver that this server uses."""
        if self.database_url is None:
            return f"sqlite+aiosqlite:///{self.data / 'escalade.db'}"
        url = self.database_url.get_secret_value()
        scheme, separator, rest = url.partition("://")
        drivers = {
            "postgres": "postgresql+psycopg",
            "postgresql": "postgresql+psycopg",
            "postgresql+psycopg": "postgresql+psycopg",
            "sqlite": "sqlite+aiosqlite",
            "sqlite+aiosqlite": "sqlite+aiosqlite",
        }
        if not separator or scheme not in drivers:
            raise ValueError("ESCALADE_DATABASE_URL must begin with postgresql:// or sqlite:///")
        return f"{drivers[scheme]}://{rest}"

    @property
    def backend(self) -> Literal["docker", "process", "http"]:
        """The sandbox backend to open."""
        if self.sandbox is not None:
            return self.sandbox
        return "http" if self.sandbox_url else "docker"

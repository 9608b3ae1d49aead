"""The server's settings, read from the environment once: the only module that reads it.

Every variable is `ESCALADE_` plus the field's name in capitals; a wrong value is an error that names the variable.
The thresholds of verification are `ESCALADE_VERIFICATION_` plus theirs, such as `ESCALADE_VERIFICATION_LEVEL_DRAWS`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_data() -> Path:
    class Xdg(BaseSettings):
        xdg_data_home: str = ""

    base = Path(Xdg().xdg_data_home)
    # The XDG specification has relative paths ignored; the client reads it likewise.
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / "escalade"


Share = Annotated[float, Field(ge=0, le=1)]
Draws = Annotated[int, Field(ge=1, le=1_000)]


class Thresholds(BaseModel):
    """What an environment must reach to be verified, and how many draws are made to find out.

    Fewer draws are quicker and find less; docs/verification.md says what each check does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    determinism_draws: Draws = 32
    """Draws that are made again in other processes and under other hash seeds."""
    breadth_draws: Draws = 100
    """Draws at random scale parameters, on which the solutions vote."""
    depth_draws: Draws = 100
    """Draws at the top of the ladder."""
    depth_draws_at_most: Annotated[int, Field(ge=1, le=4_000)] = 400
    """Draws there where the first ones leave it open whether one answer comes too often."""
    level_draws: Draws = 32
    """Draws at every level, and at the parameters' minimum and maximum."""
    max_generator_ms: float = Field(default=1_000.0, gt=0)
    """99th percentile of the generator's CPU time; a draw that takes twice as long (and a second at least) is ended."""
    max_failed_draws: Share = 0.05
    """Share of draws for which the generator may hang, crash or give no input; the next seed is taken then."""
    min_agreement: Share = 0.75
    """Share of the usable solutions that agree on every generated input; below it, the generator is wrong."""
    min_solutions: int = Field(default=2, ge=1)
    """Agreeing solutions that an oracle takes; a single one will do if it passes `min_fixed_tests`."""
    min_fixed_tests: int = Field(default=2, ge=1)
    """Fixed tests with answers, samples included, that stand in for a second solution."""
    max_fixed_tests: int = Field(default=50, ge=0, le=1_000)
    """Fixed tests that are run, in the source's order."""
    min_distinct_outputs: int = Field(default=10, ge=2)
    """Distinct answers among the first `depth_draws`, where the answers' domain is large."""
    max_modal_share: Share = 0.30
    """Share of the most frequent answer at the top of the ladder; more is refused only where it is significant."""
    max_modal_share_small: Share = 0.80
    """The same where there are few possible answers, such as yes and no."""
    min_solved: Share = 0.95
    """Share of a level's inputs whose answer the oracle agrees on within the limits."""
    min_distinct_inputs: int = Field(default=10, ge=1)
    """Distinct inputs of a level; one with fewer leaves the ladder."""
    max_guessability: Share = 0.50
    """Share of a level's answers that a trivial strategy gets; a level with significantly more leaves the ladder
    (`max_modal_share_small` where there are few possible answers)."""
    min_levels: int = Field(default=2, ge=1)
    """Levels that must be left."""
    min_kept_levels: Share = 0.5
    """Share of the ladder that must be left."""
    max_prompt_chars: int = Field(default=16_000, ge=1)
    """Longest prompt; a level with a longer one leaves the ladder."""
    max_prompt_tokens: int = Field(default=8_192, ge=1)
    """The same in tokens, where a tokenizer is configured."""
    min_wrong_caught: Share = 1.0
    """Share of the solutions known to give wrong answers that give one on some generated input."""
    max_wrong_solutions: int = Field(default=16, ge=0)
    """Wrong solutions that are tried, in the source's order."""


class Settings(BaseSettings):
    """What an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix="ESCALADE_",
        env_ignore_empty=True,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="ignore",
        frozen=True,
        # A malformed key is a key all the same.
        hide_input_in_errors=True,
    )

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
    verification: Thresholds = Thresholds()
    """Draws and thresholds of verification."""
    job_lease_s: float = Field(default=30.0, ge=1.0, le=3_600)
    """A synthesis whose server is silent for so long is taken up by another; clocks may differ by less."""
    synthesis_concurrency: int = Field(default=2, ge=1, le=64)
    """Problems of a synthesis that are worked on at a time."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    llm_url: str | None = None
    """Base address of an OpenAI-compatible endpoint, such as `http://127.0.0.1:8000/v1`; None: no LLM is asked."""
    llm_model: str | None = None
    """The model's name there."""
    llm_key: SecretStr | None = None
    llm_concurrency: int = Field(default=4, ge=1, le=256)
    """Questions under way at a time."""
    llm_budget_tokens: int = Field(default=1_000_000, ge=0)
    """Tokens, in and out, that one job may spend; once they are spent, no further call begins."""
    llm_timeout_s: float = Field(default=300.0, gt=0, le=3_600)
    """Longest wait for one reply."""
    llm_max_tokens: int | None = Field(default=None, ge=1)
    """Longest reply; None is the endpoint's own limit."""
    llm_tries: int = Field(default=3, ge=1, le=20)
    """Replies asked for to one question before its unusable replies are given up."""
    llm_repairs: int = Field(default=2, ge=0, le=20)
    """How many times a generator's failed verification is fed back."""

    @field_validator("llm_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("give an address that begins with http:// or https://")
        if "@" in parts.netloc:
            raise ValueError("addresses are logged: give the key in ESCALADE_LLM_KEY, not in the address")
        return value

    @field_validator("llm_key")
    @classmethod
    def _sendable(cls, value: SecretStr | None) -> SecretStr | None:
        # A header holds nothing else, and the error of the HTTP library would show the key.
        if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
            raise ValueError("must be printable ASCII without spaces")
        return value

    @model_validator(mode="after")
    def _model_named(self) -> Self:
        if self.llm_url is not None and self.llm_model is None:
            raise ValueError("ESCALADE_LLM_URL needs ESCALADE_LLM_MODEL, the model's name there")
        return self

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

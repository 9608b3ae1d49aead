"""What the demo takes from the environment; the only module of it that reads the environment.

Guarantee: the demo's server sees none of the caller's own Escalade settings but those of the sandbox, so that it never
touches another database and its address and key are the demo's own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from escalade.settings import data_folder

DEFAULT_ENGINE = "unix:///var/run/docker.sock"
_KEPT = frozenset({"ESCALADE_SANDBOX_IMAGE", "ESCALADE_SANDBOX_RUNTIME", "ESCALADE_SANDBOX_SLOTS"})


_BUFFER = "8"
"""Half the server's default: so short a run meets each level a few times only, and every instance made costs time."""


def server_environment(data: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment of the demo's server."""
    variables = _variables(environ)
    kept = {name: value for name, value in variables.items() if not name.startswith("ESCALADE_") or name in _KEPT}
    return kept | {"ESCALADE_DATA": str(data), "ESCALADE_BUFFER": _BUFFER}


def engine_address(environ: Mapping[str, str] | None = None) -> str:
    """Where the Docker engine would answer, as Docker's own tools see it."""
    return _variables(environ).get("DOCKER_HOST") or DEFAULT_ENGINE


def repository() -> Path | None:
    """The checkout that this package runs from; None where it is installed."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() and (root / "client" / "escalade").is_dir() else None


def default_data() -> Path:
    """Folder that the demo keeps between runs, so that the second one finds its database and compiled programs."""
    root = repository()
    return root / "build" / "demo" if root is not None else data_folder() / "demo"


def default_archive() -> Path | None:
    """The archive beside a checkout, which need not exist; None where there is no checkout."""
    root = repository()
    return root.parent / "shared" / "data" / "scaler-8" / "SCALER-8.json" if root is not None else None


def _variables(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    return os.environ if environ is None else environ  # noqa: TID251 - this is the demo's settings module

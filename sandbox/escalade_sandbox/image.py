"""The toolchain image: what it is built from, what it is called, and building it.

Guarantee: the tag is the hash of everything that goes in, so that an image that is there is the right one, and a
changed agent or Dockerfile is never run from an old image.
"""

from __future__ import annotations

import hashlib
import io
import logging
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from escalade_sandbox.types import SandboxUnavailable

logger = logging.getLogger(__name__)
REPOSITORY = "escalade-toolchain"
_PACKAGE = Path(__file__).resolve().parent


def _sources() -> dict[str, bytes]:
    """Return the build context: the Dockerfile, from the wheel or the repository, and the agent."""
    candidates = [_PACKAGE / "Dockerfile", _PACKAGE.parent / "Dockerfile"]
    dockerfile = next((path for path in candidates if path.is_file()), None)
    if dockerfile is None:
        raise SandboxUnavailable(f"the toolchain's Dockerfile is missing from {_PACKAGE}; install escalade again")
    sources = {"Dockerfile": dockerfile.read_bytes()}
    for path in sorted((_PACKAGE / "agent").glob("*")):
        if path.suffix not in (".py", ".c"):
            continue
        sources[f"escalade_sandbox/agent/{path.name}"] = path.read_bytes()
    return sources


def default_image() -> str:
    """Return the name of the image that belongs to this version of the package."""
    digest = hashlib.sha256()
    for name, data in _sources().items():
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return f"{REPOSITORY}:{digest.hexdigest()[:12]}"


def build_image(
    client: Any = None, *, tag: str | None = None, progress: Callable[[str], None] = logger.info, network: str = "host"
) -> str:
    """Build the toolchain image unless it is there already; blocking, a few minutes the first time.

    Args:
        client: A `docker.DockerClient`; the default engine's by default.
        tag: What to call it; `default_image()` by default.
        progress: Gets a line per step.
        network: The network that the build's package downloads use.

    Returns:
        The image's name.

    Raises:
        SandboxUnavailable: There is no engine, or the build failed; the message holds its last words.
    """
    from docker.errors import DockerException, ImageNotFound

    from escalade_sandbox.engine import open_client

    tag = tag or default_image()
    try:
        client = client or open_client(timeout_s=60)
        try:
            client.images.get(tag)
            progress(f"{tag} is there")
            return tag
        except ImageNotFound:
            progress(f"building {tag}; this takes a few minutes, once")
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as archive:
            for name, data in _sources().items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o644
                archive.addfile(entry, io.BytesIO(data))
        context.seek(0)
        last = ""
        for line in client.api.build(
            fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True, decode=True, network_mode=network,
            timeout=1800,
        ):  # fmt: skip
            text = str(line.get("stream") or line.get("status") or "").strip()
            if "error" in line:
                raise SandboxUnavailable(f"building {tag} failed: {line['error']} (after: {last})")
            if text.startswith("Step "):
                progress(text)
            last = text or last
    except DockerException as error:
        raise SandboxUnavailable(f"building {tag} failed: {error}") from error
    progress(f"{tag} is built")
    return tag

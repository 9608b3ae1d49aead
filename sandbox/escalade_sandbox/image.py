"""The toolchain image: what it is built from, what it is called, and building it.

Guarantee: the tag is the hash of everything that goes in, so that an image that is there is the right one, and a
changed agent or Dockerfile is never run from an old image.
"""

from __future__ import annotations

import contextlib
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
EXTRA_REPOSITORY = "escalade-toolchain-extra"
EXTRA = "extra"
"""What the larger image is called in settings."""
LANGUAGES_LABEL = "escalade.languages"
_PACKAGE = Path(__file__).resolve().parent


def _read(name: str) -> bytes:
    """Return a file of the build context, from the wheel or the repository."""
    for path in (_PACKAGE / name, _PACKAGE.parent / name):
        if path.is_file():
            return path.read_bytes()
    raise SandboxUnavailable(f"the toolchain's {name} is missing from {_PACKAGE}; install escalade again")


def _sources() -> dict[str, bytes]:
    """Return the build context: the Dockerfile and the agent."""
    sources = {"Dockerfile": _read("Dockerfile")}
    for path in sorted((_PACKAGE / "agent").glob("*")):
        if path.suffix not in (".py", ".c"):
            continue
        sources[f"escalade_sandbox/agent/{path.name}"] = path.read_bytes()
    return sources


def _extra_sources() -> dict[str, bytes]:
    """Return what is added to the image for its further languages."""
    return {"Dockerfile": _read("extra.Dockerfile"), "jar_launcher.c": _read("jar_launcher.c")}


def _digest(*contexts: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for context in contexts:
        for name, data in context.items():
            digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:12]


def default_image() -> str:
    """Return the name of the image that belongs to this version of the package."""
    return f"{REPOSITORY}:{_digest(_sources())}"


def extra_image() -> str:
    """Return the name of this version's image with further languages."""
    return f"{EXTRA_REPOSITORY}:{_digest(_sources(), _extra_sources())}"


def no_library(error: ModuleNotFoundError) -> SandboxUnavailable:
    """What to raise where the engine's library is not installed."""
    return SandboxUnavailable(f"the docker sandbox needs {error.name}: run `pip install 'escalade[sandbox]'`")


def is_built(name: str) -> bool:
    """Whether the engine has the image.

    Raises:
        SandboxUnavailable: There is no engine, or its library is not installed.
    """
    try:
        import requests
        from docker.errors import DockerException, ImageNotFound

        from escalade_sandbox.engine import no_engine, open_client
    except ModuleNotFoundError as error:
        raise no_library(error) from error

    try:
        with contextlib.closing(open_client(timeout_s=60)) as client:
            client.images.get(name)
    except ImageNotFound:
        return False
    except (DockerException, requests.RequestException) as error:
        raise SandboxUnavailable(no_engine(error)) from error
    return True


def build_image(
    client: Any = None,
    *,
    tag: str | None = None,
    extra: bool = False,
    progress: Callable[[str], None] = logger.info,
    network: str = "host",
) -> str:
    """Build the toolchain image unless it is there already; blocking, a few minutes the first time.

    Args:
        client: A `docker.DockerClient`; the default engine's by default.
        tag: What to call it; `default_image()` by default, or `extra_image()`.
        extra: Whether to add further languages; the image without them is built too.
        progress: Gets a line per step.
        network: The network that the build's package downloads use.

    Returns:
        The image's name.

    Raises:
        SandboxUnavailable: There is no engine, its library is not installed, or the build failed; the message holds its
            last words.
    """
    try:
        import requests
        from docker.errors import DockerException, ImageNotFound

        from escalade_sandbox.engine import open_client
    except ModuleNotFoundError as error:
        raise no_library(error) from error

    tag = tag or (extra_image() if extra else default_image())
    mine = None
    try:
        if client is None:
            client = mine = open_client(timeout_s=60)
        try:
            client.images.get(tag)
            progress(f"{tag} is there")
            return tag
        except ImageNotFound:
            base = build_image(client, progress=progress, network=network) if extra else None
            progress(f"building {tag}; this takes a few minutes, once")
        arguments = {} if base is None else {"BASE": base}
        _build(client, tag, _extra_sources() if extra else _sources(), arguments, progress, network)
    except (DockerException, requests.RequestException) as error:
        raise SandboxUnavailable(f"building {tag} failed: {error}") from error
    finally:
        if mine is not None:
            mine.close()
    progress(f"{tag} is built")
    return tag


def _build(
    client: Any,
    tag: str,
    sources: dict[str, bytes],
    arguments: dict[str, str],
    progress: Callable[[str], None],
    network: str,
) -> None:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, data in sources.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    context.seek(0)
    last = ""
    for line in client.api.build(
        fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True, decode=True, network_mode=network,
        buildargs=arguments, timeout=1800,
    ):  # fmt: skip
        text = str(line.get("stream") or line.get("status") or "").strip()
        if "error" in line:
            raise SandboxUnavailable(f"building {tag} failed: {line['error']} (after: {last})")
        if text.startswith("Step "):
            progress(text)
        last = text or last

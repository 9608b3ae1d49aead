"""Opens a sandbox by name.

Guarantee: only the backend that is asked for is imported, so that a server that uses a remote one needs no engine's
library.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from escalade_sandbox.image import no_library
from escalade_sandbox.settings import default_cache_folder
from escalade_sandbox.types import Sandbox, SandboxUnavailable

Backend = Literal["docker", "process", "http"]


def open_sandbox(
    backend: Backend,
    *,
    slots: int | None = None,
    image: str | None = None,
    runtime: str | None = None,
    urls: Sequence[str] = (),
    key: str | None = None,
    acknowledged: bool = False,
    cache_folder: Path | Literal["default"] | None = "default",
) -> Sandbox:
    """Return a sandbox, not yet started; what a backend has no use for is ignored.

    Args:
        backend: `docker`, `process` or `http`.
        slots: Jobs at a time (docker, process); one per core by default.
        image: The toolchain image (docker); the package's own by default, built when absent.
        runtime: The engine's runtime (docker), such as `runsc`.
        urls: Addresses of sandbox services (http).
        key: The services' key (http).
        acknowledged: That programs are not isolated (process).
        cache_folder: Where compiled programs are kept for later processes (docker, process); None for nowhere.

    Raises:
        SandboxUnavailable: The engine's library is not installed (docker).
        ValueError: No such backend, or the remote one without address or key.
    """
    if cache_folder == "default":
        cache_folder = default_cache_folder()
    if backend == "docker":
        try:
            from escalade_sandbox.docker import DockerSandbox
        except ModuleNotFoundError as error:
            raise SandboxUnavailable(
                f"{no_library(error)}, or set ESCALADE_SANDBOX_URL to a sandbox service's address"
            ) from error
        return DockerSandbox(image=image, slots=slots, runtime=runtime, cache_folder=cache_folder)
    if backend == "process":
        from escalade_sandbox.process import ProcessSandbox

        return ProcessSandbox(acknowledged=acknowledged, slots=slots, cache_folder=cache_folder)
    if backend == "http":
        from escalade_sandbox.http import HttpSandbox

        if not urls or not key:
            raise ValueError("the http sandbox needs ESCALADE_SANDBOX_URL and ESCALADE_SANDBOX_KEY")
        return HttpSandbox(urls, key)
    raise ValueError(f"no sandbox backend {backend!r}; there are: {', '.join(get_args(Backend))}")

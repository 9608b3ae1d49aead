"""`escalade sandbox`: serve, build, languages, check.

Guarantee: importing this is cheap; an error that a person can mend is one line and exit code 1.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from escalade_sandbox.settings import Settings
    from escalade_sandbox.types import Sandbox

T = TypeVar("T")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Run programs in isolation: the service, its image, its health.")
    group.command("serve")(serve)
    group.command("build")(build)
    group.command("languages")(languages)
    group.command("check")(check)
    app.add_typer(group, name="sandbox")


def _fail(text: str) -> NoReturn:
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
    raise typer.Exit(1)


def _settings() -> Settings:
    from escalade_sandbox.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        _fail(str(error))
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return settings


def _open(settings: Settings) -> Sandbox:
    from escalade_sandbox.backends import open_sandbox

    return open_sandbox(
        settings.backend,
        slots=settings.slots,
        image=settings.image,
        runtime=settings.runtime,
        urls=settings.urls,
        key=settings.key,
        # Asking for it by name is the acknowledgement.
        acknowledged=settings.backend == "process",
        cache_folder=settings.cache_folder,
    )


def _run(work: Coroutine[Any, Any, T]) -> T:
    from escalade_sandbox.types import SandboxError

    try:
        return asyncio.run(work)
    except (SandboxError, ValueError) as error:
        _fail(str(error))


async def _with_sandbox(settings: Settings, work: Any) -> Any:
    sandbox = _open(settings)
    await sandbox.start()
    try:
        return await work(sandbox)
    finally:
        await sandbox.close()


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65_535)] = 8701,
) -> None:
    """Serve jobs over HTTP. The key comes from ESCALADE_SANDBOX_KEY."""
    settings = _settings()
    if settings.key is None:
        _fail("set ESCALADE_SANDBOX_KEY to a secret of your own; the same value goes to the servers that may run jobs")
    if settings.backend == "http":
        _fail("a sandbox service cannot be a client of another; unset ESCALADE_SANDBOX_URL, or set ESCALADE_SANDBOX")
    import uvicorn

    from escalade_sandbox.service import create_app
    from escalade_sandbox.types import SandboxError

    if settings.backend == "process" and host not in LOOPBACK:
        _fail("the process sandbox does not isolate; it is served on loopback addresses only")
    key = settings.key

    async def work() -> None:
        sandbox = _open(settings)
        # Started here and not by the app alone, so that a missing engine is one line and not a traceback.
        await sandbox.start()
        try:
            config = uvicorn.Config(
                create_app(sandbox, key), host=host, port=port, log_config=None, access_log=False,
                timeout_keep_alive=75, timeout_graceful_shutdown=120,
            )  # fmt: skip
            server = uvicorn.Server(config)
            await server.serve()
            if not server.started:
                raise SandboxError(f"could not listen on {host}:{port}; choose another --port")
        finally:
            await sandbox.close()

    try:
        _run(work())
    except SystemExit:
        _fail(f"could not listen on {host}:{port}; choose another --port")
    except KeyboardInterrupt:
        return


def build(
    tag: Annotated[str | None, typer.Option(help="What to call the image; its content's hash by default.")] = None,
    extra: Annotated[bool, typer.Option("--extra", help="With Java and Go too: ESCALADE_SANDBOX_IMAGE=extra.")] = False,
) -> None:
    """Build the toolchain image, if it is not there already."""
    from escalade_sandbox.image import build_image
    from escalade_sandbox.types import SandboxUnavailable

    _settings()
    try:
        name = build_image(tag=tag, extra=extra, progress=lambda line: print(line, file=sys.stderr, flush=True))
    except SandboxUnavailable as error:
        _fail(str(error))
    print(name)


def languages() -> None:
    """List the languages with the versions that are installed, image by image."""
    from escalade_sandbox.inspection import list_languages

    for name, settings in _images(_settings()):
        for report in _run(_with_sandbox(settings, list_languages)):
            print(f"{name}\t{report.name}\t{report.version or 'not installed'}\t{report.summary}")


def _images(settings: Settings) -> list[tuple[str, Settings]]:
    """Name what there is to ask: of the Docker backend every image of this version that is built, else the backend."""
    from escalade_sandbox.image import EXTRA, extra_image, is_built
    from escalade_sandbox.types import SandboxUnavailable

    if settings.backend != "docker":
        return [(settings.backend, settings)]
    if settings.image not in (None, EXTRA):
        return [(str(settings.image), settings)]
    both = [("default", replace(settings, image=None)), (EXTRA, replace(settings, image=EXTRA))]
    try:
        if settings.image == EXTRA or is_built(extra_image()):
            return both
    except SandboxUnavailable as error:
        _fail(str(error))
    print(f"{EXTRA}: not built; `escalade sandbox build --extra` adds its languages", file=sys.stderr)
    return both[:1]


def check() -> None:
    """Start the sandbox, run a program in each language, and say what works."""
    from escalade_sandbox.inspection import run_each_language

    settings = _settings()

    async def work(sandbox: Sandbox) -> list[tuple[str, str | None]]:
        health = await sandbox.health()
        return [(f"{settings.backend}: {health.detail}", None), *await run_each_language(sandbox)]

    outcomes = _run(_with_sandbox(settings, work))
    for name, complaint in outcomes:
        print(f"{'ok' if complaint is None else 'FAILED'}\t{name}{'' if complaint is None else ': ' + complaint}")
    if any(complaint is not None for _, complaint in outcomes):
        raise typer.Exit(1)

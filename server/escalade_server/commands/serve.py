"""`escalade serve`."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Annotated

import typer

from escalade_server.commands.running import fail, load_settings

CLOSE_S = 25
"""How long requests that are under way may take at the end; compose grants 30 s."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. [default: 8700]")] = None,
    sandbox: Annotated[str | None, typer.Option(help="docker, process (no isolation) or http.")] = None,
) -> None:
    """Serve the API. The embedded database is made and migrated by itself; any other needs `escalade migrate`."""
    import uvicorn

    from escalade_sandbox.types import SandboxError
    from escalade_server.api.app import create_app
    from escalade_server.commands.opening import opened
    from escalade_server.errors import EscaladeError

    class _Server(uvicorn.Server):
        """Ends on a signal by returning, so that what was opened around it is closed; uvicorn would raise it again."""

        closing: asyncio.Event

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Streams of events end now: the server waits for its connections before it closes.
            self.closing.set()
            super().handle_exit(sig, frame)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.handle_exit, number, None)
            yield

    settings = load_settings(host=host, port=port, sandbox=sandbox)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("alembic", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)

    async def run() -> None:
        async with opened(settings) as services:
            app = create_app(lambda: nullcontext(services), max_body_bytes=settings.max_body_bytes)
            config = uvicorn.Config(
                app, host=settings.host, port=settings.port, access_log=False, log_config=None, timeout_keep_alive=75,
                timeout_graceful_shutdown=CLOSE_S,
            )  # fmt: skip
            server = _Server(config)
            server.closing = services.closing
            _spare_the_collector()
            await server.serve()
            if not server.started:
                raise EscaladeError(f"could not listen on {settings.host}:{settings.port}: choose another --port.")

    try:
        with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
            runner.run(run())
    except EscaladeError as error:
        fail(error.detail)
    except SandboxError as error:
        fail(str(error))
    except SystemExit:
        fail(f"could not listen on {settings.host}:{settings.port}: is another server there? Choose another --port.")
    except KeyboardInterrupt:
        return


def _spare_the_collector() -> None:
    """Leave what is loaded by now out of garbage collections: to go through it stops the loop for 150 ms each time."""
    gc.collect()
    gc.freeze()

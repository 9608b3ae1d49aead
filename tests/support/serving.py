"""Starts the real server as its operator would: `escalade serve` in a process of its own."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx

from escalade_server.storage import credentials
from escalade_server.storage.sessions import Database

Value = TypeVar("Value")
START_S = 300.0
"""The first start on a machine builds the toolchain image."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from escalade.cli import main; main()", *arguments]


def environment(data: Path, **variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ESCALADE_")}
    return inherited | {"ESCALADE_DATA": str(data), "NO_COLOR": "1", "COLUMNS": "200"} | variables


def in_thread(work: Callable[[], Awaitable[Value]]) -> Value:
    """Run a coroutine function away from pytest's own event loop."""

    async def awaited() -> Value:
        return await work()

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: asyncio.run(awaited())).result()


def admin_secret(url: str) -> str:
    """The secret of a new admin key in a database."""

    async def make() -> str:
        database = Database(url)
        try:
            async with database.write() as session:
                _, secret = await credentials.create(session, name="crash", scopes=["admin"])
            return secret
        finally:
            await database.close()

    return in_thread(make)


class Server:
    """A server on one port and one data folder, which may be killed and started again."""

    def __init__(self, data: Path, port: int, **variables: str) -> None:
        self.data, self.port, self.variables = data, port, variables
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None
        data.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start, and wait until it is ready."""
        with (self.data / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                command("serve", "--port", str(self.port)),
                env=environment(self.data, **self.variables), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        # One client for all questions: each loads the certificates anew, which takes the processor from the server.
        with httpx.Client(base_url=self.url, timeout=5) as http:
            while self.process.poll() is None and time.monotonic() < deadline:
                try:
                    if http.get("/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.05)
        log_text = (self.data / "server.log").read_text()
        raise AssertionError(f"the server did not get ready: exit {self.process.poll()}\n{log_text}")

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(60) == 0, f"no clean end\n{(self.data / 'server.log').read_text()}"


@contextmanager
def started(data: Path, port: int, **variables: str) -> Iterator[Server]:
    """A server that is ready; stopped at the end."""
    server = Server(data, port, **variables)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def serving(data: Path, port: int, **variables: str) -> Iterator[str]:
    """The address of a server that is ready; stopped at the end."""
    with started(data, port, **variables) as server:
        yield server.url

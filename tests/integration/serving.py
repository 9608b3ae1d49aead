"""Starts the real server as its operator would: `escalade serve` in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

START_S = 300.0
"""The first start on a machine builds the toolchain image."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from escalade.cli import main; main()", *arguments]


def environment(data: Path, **variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ESCALADE_")}
    return inherited | {"ESCALADE_DATA": str(data), "NO_COLOR": "1", "COLUMNS": "200"} | variables


@contextmanager
def serving(data: Path, port: int, **variables: str) -> Iterator[str]:
    """The address of a server that is ready; stopped at the end, and its exit looked at."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "server.log").open("a") as log:
        process = subprocess.Popen(
            command("serve", "--port", str(port)),
            env=environment(data, **variables), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait(process, f"http://127.0.0.1:{port}", data / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the server did not get ready: exit {process.poll()}\n{log.read_text()}")

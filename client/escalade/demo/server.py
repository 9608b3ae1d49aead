"""The demo's server: the real one, in a process of its own.

Guarantee: whoever leaves `running` leaves no server behind, and what went wrong with it is one line that names its log.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from escalade import Client, EscaladeError
from escalade.demo.settings import engine_address, server_environment
from escalade.settings import ADMIN_KEY_FILE

Backend = Literal["docker", "process"]
Watch = Callable[[float, str], None]
"""Is told the seconds waited so far and the server's last word."""

READY_S = 1_200.0
"""The first start with Docker builds the toolchain image, which may take minutes."""
STOP_S = 30.0
PING_S = 5.0
POLL_S = 0.1
HOST = "127.0.0.1"
_COMMAND_LINE = "from escalade.cli import main; main()"
_TAIL_BYTES = 64 << 10


class DemoError(Exception):
    """The demo cannot go on; its text says why and what to do, in one line."""


@dataclass(frozen=True)
class Server:
    """A server that was started."""

    process: subprocess.Popen[bytes]
    url: str
    data: Path
    log: Path

    def key(self) -> str:
        """The admin key.

        Raises:
            DemoError: The server has not written it.
        """
        path = self.data / ADMIN_KEY_FILE
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise DemoError(f"the server's admin key {path} cannot be read: {error.strerror}") from error

    def last_words(self) -> str:
        """The error that the server ended with, or else the last line of its log."""
        lines = _tail(self.log)
        return next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1] if lines else "")


def engine_fault(address: str | None = None) -> str | None:
    """Why no Docker engine can be used; None where one answers, or where only Docker's own tools can tell."""
    address = address or engine_address()
    parts = urlsplit(address)
    family: socket.AddressFamily
    place: str | tuple[str, int]
    if parts.scheme == "unix":
        family, place = socket.AF_UNIX, parts.path
    elif parts.scheme in ("tcp", "http"):
        family, place = socket.AF_INET, (parts.hostname or HOST, parts.port or 2375)
    else:
        return None
    try:
        with socket.socket(family) as connection:
            connection.settimeout(PING_S)
            connection.connect(place)
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            answer = connection.recv(1_024)
    except OSError as error:
        return f"{address}: {error.strerror or error}"
    # An engine that wants TLS answers 400 in plain text: it is there, and the server speaks to it as Docker does.
    return None if answer.startswith((b"HTTP/1.0 200", b"HTTP/1.1 200", b"HTTP/1.0 400")) else f"{address}: no engine"


@contextmanager
def running(data: Path, backend: Backend, *, log: Path) -> Iterator[Server]:
    """A server on a free port of the loopback address, from its start to its end.

    Raises:
        DemoError: The folder or the log cannot be written.
    """
    port = _free_port()
    arguments = ["serve", "--host", HOST, "--port", str(port), "--sandbox", backend]
    try:
        data.mkdir(parents=True, exist_ok=True)
        out = log.open("wb")
    except OSError as error:
        raise DemoError(f"{error.filename} cannot be written ({error.strerror}); choose another --data") from error
    with out:
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND_LINE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=server_environment(data),
            # Its own session: Ctrl-C reaches the demo alone, which then ends the server in order.
            start_new_session=True,
        )
    try:
        yield Server(process, f"http://{HOST}:{port}", data, log)
    finally:
        stop(process)


def wait_until_ready(server: Server, client: Client, *, watch: Watch, deadline_s: float = READY_S) -> float:
    """Wait until the server can work; the seconds that it took.

    Raises:
        DemoError: It ended, or is not ready at the deadline.
    """
    start_s = time.monotonic()
    reason = "it does not answer"
    while (waited_s := time.monotonic() - start_s) < deadline_s:
        require_alive(server)
        watch(waited_s, server.last_words())
        try:
            found = client.readiness()
        except EscaladeError as error:
            reason = error.detail
        else:
            if found.ready:
                return waited_s
            reason = f"database: {found.database}, sandbox: {found.sandbox}"
        time.sleep(POLL_S)
    raise DemoError(f"the server was not ready after {deadline_s:.0f} s ({reason}); its log: {server.log}")


def require_alive(server: Server) -> None:
    """Notice a server that has ended.

    Raises:
        DemoError: It has.
    """
    status = server.process.poll()
    if status is not None:
        words = server.last_words().removeprefix("error: ") or "no reason given"
        raise DemoError(f"the server ended with exit status {status}: {words} (its log: {server.log})")


def stop(process: subprocess.Popen[bytes], *, patience_s: float = STOP_S) -> None:
    """End the server: in order, and if it does not within `patience_s`, by force."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue


def start_command(data: Path, backend: Backend) -> str:
    """What to type to start the server on the same data."""
    script = Path(sys.executable).with_name("escalade")
    program = str(_shown(script)) if script.exists() else "escalade"
    return f"ESCALADE_DATA={_shown(data)} {program} serve --sandbox {backend}"


def _shown(path: Path) -> Path:
    """The path as short as it can be typed here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _tail(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()]

"""Real servers to measure: `escalade serve` as a process, on SQLite or on a PostgreSQL of its own.

Guarantee: what is started here is stopped here, its folder removed; PostgreSQL keeps its durable settings, since a
figure without fsync would be another product's.
"""

from __future__ import annotations

import contextlib
import getpass
import glob
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
SMALL = ROOT / "tests" / "fixtures" / "scaler-small.json"
SCALER_8 = ROOT.parent / "shared" / "data" / "scaler-8" / "SCALER-8.json"
START_S = 300.0
"""The first start with Docker builds the toolchain image."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready."""

    url: str
    key: str
    pid: int
    data: Path
    database_url: str
    """As `Database` takes it."""

    def client(self) -> httpx.Client:
        """A plain HTTP client with one kept connection, so that the SDK's own work is not in the figures."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=600)

    def processor_s(self) -> float:
        """Processor time that the server's process has used: unlike elapsed time, others' load hardly moves it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def settle(self) -> None:
        """Wait until the server has used next to no processor time for a second: nothing is being made ahead."""
        used = self.processor_s()
        while True:
            time.sleep(1)
            before, used = used, self.processor_s()
            if used - before < 0.05:
                return

    def resident_bytes(self) -> int:
        """Resident memory of the server's process, without its sandbox's."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError(f"/proc/{self.pid}/status holds no VmRSS")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from escalade.cli import main; main()", *arguments]


def _environment(data: Path, variables: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ESCALADE_")}
    return inherited | {"ESCALADE_DATA": str(data), "NO_COLOR": "1"} | variables


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def serving(engine: str, **variables: str) -> Iterator[Served]:
    """A server on a fresh database of `sqlite` or `postgres`.

    Raises:
        RuntimeError: It did not get ready; the message holds the end of its log.
    """
    with contextlib.ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="escalade-bench-")))
        if engine == "postgres":
            variables["ESCALADE_DATABASE_URL"] = stack.enter_context(postgres())
        environment = _environment(data, variables)
        key = None
        if engine == "postgres":
            for arguments in (("migrate",), ("key", "create", "--scope", "admin", "--name", "benchmark")):
                done = subprocess.run(
                    _command(*arguments), env=environment, capture_output=True, text=True, timeout=START_S
                )
                if done.returncode:
                    raise RuntimeError(f"escalade {' '.join(arguments)}: {done.stderr.strip()}")
                key = done.stdout.strip()
        port = free_port()
        log = data / "server.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                _command("serve", "--port", str(port)),
                env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(process, url, log)
            database = variables.get("ESCALADE_DATABASE_URL", "").replace("postgresql:", "postgresql+psycopg:")
            yield Served(
                url,
                key or (data / "admin.key").read_text().strip(),
                process.pid,
                data,
                database or f"sqlite+aiosqlite:///{data / 'escalade.db'}",
            )
        finally:
            process.terminate()
            process.wait(60)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    with httpx.Client(base_url=url, timeout=5) as http:
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if http.get("/readyz").status_code == 200:
                    return
            time.sleep(0.05)
    raise RuntimeError(f"the server did not get ready: exit {process.poll()}\n{log.read_text()[-4000:]}")


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database on a PostgreSQL server of this run's own, with its default, durable settings.

    Raises:
        RuntimeError: PostgreSQL is not installed or did not start.
    """
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[-3]))
    initdb = found[-1] if found else shutil.which("initdb")
    if initdb is None:
        raise RuntimeError("PostgreSQL's `initdb` is not installed (Debian: apt install postgresql)")
    programs = Path(initdb).resolve().parent
    base = Path(tempfile.mkdtemp(prefix="escalade-bench-pg-"))
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    switch: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}
    password = secrets.token_hex(16)
    (base / "password").write_text(password)
    for path in (base, base / "password"):
        shutil.chown(path, user)

    def run(program: str, *arguments: str) -> None:
        # To a file: pg_ctl leaves its standard output to the server, and a pipe would stay open with it.
        with (base / f"{program}.log").open("w+") as log:
            done = subprocess.run(
                [programs / program, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=120, cwd=base, **switch,
            )  # fmt: skip
            if done.returncode:
                log.seek(0)
                raise RuntimeError(f"{program} failed with exit {done.returncode}: {log.read()}")

    data = str(base / "data")
    try:
        run(
            "initdb", "--pgdata", data, "--username", "escalade", "--pwfile", str(base / "password"),
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C",
        )  # fmt: skip
        port = free_port()
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={base}"
        wait = ("--wait", "--timeout", "60", "--pgdata", data)
        run("pg_ctl", "start", *wait, "--options", options, "--log", str(base / "server.log"))
        try:
            yield f"postgresql://escalade:{password}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", *wait, "--mode", "immediate")
    finally:
        shutil.rmtree(base)


def engines(asked: str) -> list[str]:
    """The engines to measure on: `sqlite`, `postgres` or `both`; of both, what this machine has."""
    if asked != "both":
        return [asked]
    installed = bool(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or shutil.which("initdb") is not None
    return ["sqlite", "postgres"] if installed else ["sqlite"]


def import_archive(client: httpx.Client, content: str) -> list[str]:
    """Import an archive of the SCALER format; the names of its environments.

    Raises:
        RuntimeError: The import failed.
    """
    body = {"format": "scaler", "filename": "benchmark.json", "content": content}
    job = must(client.post("/v1/imports", json=body))
    names: list[str] = sorted(job["result"]["created"])
    return names


def clones(count: int) -> str:
    """An archive of `count` small environments that differ in name and statement alone."""
    entries = list(json.loads(SMALL.read_text()).items())
    archive = {}
    for number in range(count):
        name, entry = entries[number % len(entries)]
        told = {"logic_description": f"{entry['logic_description']} (Variant {number}.)"}
        archive[f"{name} {number:05}"] = entry | told
    return json.dumps(archive)


def must(response: httpx.Response) -> dict[str, Any]:
    """The body of a response that has to be a success.

    Raises:
        RuntimeError: It is an error.
    """
    if response.is_error:
        raise RuntimeError(f"{response.request.method} {response.request.url}: {response.text[:2000]}")
    body: dict[str, Any] = response.json()
    return body

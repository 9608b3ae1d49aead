"""What every test may ask for: a database on each engine, and a clear word where the machine lacks something.

Guarantee: a test marked with one of WANTED is skipped with the reason where that is missing, and fails instead where
ESCALADE_TEST_REQUIRE names it, so that CI cannot pass by skipping. Each test has a database of its own, built by the
migrations.
"""

import contextlib
import functools
import getpass
import glob
import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from alembic import command
from ports import free_port

from escalade_server.storage.migrations import config_for

REQUIRED = frozenset(filter(None, os.environ.get("ESCALADE_TEST_REQUIRE", "").replace(" ", "").split(",")))
"""What must be there, of `docker`, `gvisor`, `dockerd`, `postgres`, `compose`, `peers` and `verl`."""
WANTED = ("docker", "gvisor", "dockerd", "postgres", "compose", "peers", "verl")
PEERS = ("trl", "verifiers", "atroposlib")
"""Other people's trainers that the adapters are tested with; verl needs another transformers than they do."""
START_S = 60.0
"""How long a program that a test needs may take to start or answer, in seconds."""
ENGINES = [pytest.param("sqlite", id="sqlite"), pytest.param("postgres", id="postgres", marks=pytest.mark.postgres)]


def _answers(*arguments: str) -> str | None:
    """None if the program runs and succeeds, else why not."""
    if shutil.which(arguments[0]) is None:
        return f"`{arguments[0]}` is not installed"
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=START_S, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"`{' '.join(arguments)}` did not answer in {START_S:.0f} s"
    lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit {done.returncode}"]
    return None if done.returncode == 0 else f"`{' '.join(arguments)}` fails: {lines[-1]}"


def _postgres_folder() -> Path | None:
    """The newest PostgreSQL's programs: Debian keeps them off the path."""
    candidates = [Path(path).parent for path in glob.glob("/usr/lib/postgresql/*/bin/initdb")]
    if found := max(candidates, key=lambda folder: int(folder.parent.name), default=None):
        return found
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path and shutil.which("pg_ctl") else None


def _without_runtime(name: str) -> str | None:
    """None if the engine has the runtime, else that it has not."""
    command = ["docker", "info", "--format", "{{json .Runtimes}}"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=True)
    return None if name in json.loads(shown.stdout) else f"the engine has no runtime {name}; see docs/sandbox.md"


@functools.cache
def missing(what: str) -> str | None:
    """Why this machine lacks one of WANTED; None where it has it."""
    if what == "verl":
        absent = importlib.util.find_spec("verl") is None
        return "verl not installed: `make test-verl` makes it an environment of its own" if absent else None
    if what == "peers":
        absent = [peer for peer in PEERS if importlib.util.find_spec(peer) is None]
        return f"{', '.join(absent)} not installed: `make test-integrations` installs what CI tests" if absent else None
    if what == "postgres":
        return None if _postgres_folder() else "PostgreSQL's `initdb` and `pg_ctl` are not installed"
    without_engine = _answers("docker", "info")
    if what == "docker" or without_engine:
        return without_engine
    if what == "gvisor":
        return _without_runtime("runsc")
    if what == "dockerd":
        return "starting an engine needs root" if os.geteuid() else _answers("dockerd", "--version")
    return _answers("docker-compose", "version")


def pytest_configure(config: pytest.Config) -> None:
    if unknown := REQUIRED - set(WANTED):
        raise pytest.UsageError(f"ESCALADE_TEST_REQUIRE: {', '.join(sorted(unknown))} is none of {', '.join(WANTED)}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for what in WANTED:
        if item.get_closest_marker(what) and (reason := missing(what)):
            pytest.skip(f"{what}: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    required = sorted(what for what in REQUIRED if item.get_closest_marker(what))
    if report.skipped and required and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped, though ESCALADE_TEST_REQUIRE names {', '.join(required)}: {reason}"
    return report


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL server of this test session's own."""

    port: int
    password: str

    def url(self, database: str) -> str:
        """The database's URL for the server under test."""
        return f"postgresql+psycopg://escalade:{self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one administrative statement."""
        url = f"postgresql://escalade:{self.password}@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(url, autocommit=True, connect_timeout=int(START_S)) as connection:
            connection.execute(statement.encode())


@contextlib.contextmanager
def _running_postgres(binaries: Path) -> Iterator[PostgresServer]:
    # Not below pytest's own temporary folder: PostgreSQL refuses to run as root, and its user cannot enter there.
    base = Path(tempfile.mkdtemp(prefix="escalade-pg-"))
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    password = secrets.token_hex(16)
    (base / "password").write_text(password)
    for path in (base, base / "password"):
        shutil.chown(path, user)

    def run(program: str, *arguments: str) -> None:
        # To a file: pg_ctl leaves its standard output to the server, and a pipe would stay open with it.
        with (base / f"{program}.log").open("w+") as log:
            switch = {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}
            done = subprocess.run(
                [binaries / program, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=START_S + 10, cwd=base, **switch,
            )  # fmt: skip
            if done.returncode:
                log.seek(0)
                raise RuntimeError(f"{program} failed with exit {done.returncode}: {log.read()}")

    data = base / "data"
    try:
        run(
            "initdb", "--pgdata", str(data), "--username", "escalade", "--pwfile", str(base / "password"),
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip
        port = free_port()
        # Durability costs time, and no test outlives its server.
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={base} -c max_connections=300 "
            "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off"
        )
        wait = ("--wait", "--timeout", f"{START_S:.0f}", "--pgdata", str(data))
        run("pg_ctl", "start", *wait, "--options", options, "--log", str(base / "server.log"))
        try:
            yield PostgresServer(port, password)
        finally:
            run("pg_ctl", "stop", *wait, "--mode", "immediate")
    finally:
        shutil.rmtree(base)


def _migrate(url: str) -> None:
    # In a thread of its own, since Alembic's environment starts an event loop, and this thread's belongs to pytest.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(command.upgrade, config_for(url), "head").result()


class SecondEngine:
    """A Docker engine beside the machine's own, which may be killed and started again.

    Its containerd is a process of its own, as where systemd starts both, and lives on.
    """

    def __init__(self, *arguments: str) -> None:
        # Not below pytest's own temporary folder, which is too long for a socket's name.
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))
        self.folder.chmod(0o711)  # with userns-remap the containers' root is none of ours, and has to pass
        self.url = f"unix://{self.folder}/socket"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "configuration").write_text("{}")
        (self.folder / "containerd.toml").write_text(
            f'version = 2\nroot = "{self.folder}/containerd"\nstate = "{self.folder}/run/containerd"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{self.folder}/containerd.sock"\n'
        )
        with (self.folder / "containerd.log").open("w") as log:
            self._containerd = subprocess.Popen(
                ["containerd", "--config", self.folder / "containerd.toml"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it answers."""
        folder = self.folder
        with (folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd", f"--host={self.url}", f"--data-root={folder}/data", f"--exec-root={folder}/run",
                    f"--pidfile={folder}/pid", f"--config-file={folder}/configuration",
                    f"--containerd={folder}/containerd.sock", "--bridge=none", "--iptables=false", *self._arguments,
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until_s = time.monotonic() + START_S
        while _answers("docker", "--host", self.url, "version") is not None:
            if self._process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"the second engine did not start: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill it, and nothing that it started."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def load(self, image: str) -> None:
        """Copy an image of the machine's engine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
            subprocess.run(["docker", "--host", self.url, "load", "--quiet"], stdin=saving.stdout, check=True)
        assert saving.returncode == 0

    def stop(self) -> None:
        """End it with its containers, and remove everything."""
        for process in (self._process, self._containerd):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(START_S)
        # A container that was only being made when the engine was killed may have left its keeper.
        for keeper in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{self.folder}/".encode() in (keeper / "cmdline").read_bytes():
                    os.kill(int(keeper.name), signal.SIGKILL)
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for path in reversed(mounted):
            if path.startswith(f"{self.folder}/"):
                subprocess.run(["umount", path], check=True, timeout=START_S)
        shutil.rmtree(self.folder)


@pytest.fixture(scope="session")
def start_second_engine() -> Iterator[Callable[..., SecondEngine]]:
    """Starts engines of this session's own, with the given arguments; for tests marked `dockerd`."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> SecondEngine:
            engine = SecondEngine(*arguments)
            stack.callback(engine.stop)
            engine.start()
            return engine

        yield start


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """PostgreSQL, started for this session on a free port."""
    binaries = _postgres_folder()
    if binaries is None:
        pytest.skip(f"postgres: {missing('postgres')}")
    with _running_postgres(binaries) as server:
        yield server


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "escalade.db"
    _migrate(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _postgres_template(postgres_server: PostgresServer) -> str:
    postgres_server.execute("create database template_escalade")
    _migrate(postgres_server.url("template_escalade"))
    return "template_escalade"


DatabaseFactory = Callable[[bool], str]


@pytest.fixture(params=ENGINES)
def _new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseFactory]:
    """Makes a database for this test, with the schema or without."""
    if request.param == "sqlite":

        def new_file(migrated: bool) -> str:
            path = tmp_path / f"{secrets.token_hex(4)}.db"
            if migrated:
                shutil.copyfile(request.getfixturevalue("_sqlite_template"), path)
            return f"sqlite+aiosqlite:///{path}"

        yield new_file
        return

    server: PostgresServer = request.getfixturevalue("postgres_server")
    made: list[str] = []

    def new_database(migrated: bool) -> str:
        made.append(f"test_{secrets.token_hex(6)}")
        template = request.getfixturevalue("_postgres_template") if migrated else "template0"
        server.execute(f"create database {made[-1]} template {template}")
        return server.url(made[-1])

    yield new_database
    for name in made:
        server.execute(f"drop database {name} with (force)")


@pytest.fixture
def database_url(_new_database: DatabaseFactory) -> str:
    """The URL of a fresh database with the current schema; the test runs once per engine."""
    return _new_database(True)


@pytest.fixture
def empty_database_url(_new_database: DatabaseFactory) -> str:
    """The URL of a fresh database without any table; the test runs once per engine."""
    return _new_database(False)


@pytest.fixture(name="free_port")
def free_port_fixture() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    return free_port()


@pytest.fixture
def another_port() -> int:
    """A second one."""
    return free_port()

"""The compose file, for real: images built from this checkout, four services, and the main job over HTTP."""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from end_to_end import main_job
from ports import free_port

from escalade import Client

ROOT = Path(__file__).resolve().parents[2]
BUILD_S = 900.0
"""Building both images without any cache, and the toolchain image in the sandbox service."""
COMMAND_S = 120.0
NO_SETTINGS = ROOT / "tests" / "fixtures" / "empty.env"
"""Read in place of a `.env` that a developer may have in the checkout."""

pytestmark = pytest.mark.compose


@dataclass(frozen=True)
class Project:
    """One start of the compose file under a name and a port of its own."""

    name: str
    port: int
    secrets: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *arguments: str, timeout_s: float = COMMAND_S) -> subprocess.CompletedProcess[str]:
        return compose(*arguments, project=self.name, timeout_s=timeout_s, ESCALADE_PUBLISH=f"127.0.0.1:{self.port}",
                       **self.secrets)  # fmt: skip

    def must(self, *arguments: str, timeout_s: float = COMMAND_S) -> str:
        done = self.compose(*arguments, timeout_s=timeout_s)
        assert done.returncode == 0, f"docker-compose {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}"
        return done.stdout

    def container(self, service: str) -> Any:
        """What the engine knows of a service's container."""
        identity = self.must("ps", "--quiet", service).strip()
        done = subprocess.run(
            ["docker", "inspect", identity], capture_output=True, text=True, timeout=COMMAND_S, check=True
        )
        return json.loads(done.stdout)[0]


def compose(
    *arguments: str, project: str = "escalade-test", timeout_s: float = COMMAND_S, **variables: str
) -> subprocess.CompletedProcess[str]:
    # Nothing of the caller's own settings may leak in, so that what is not given here is not set.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ESCALADE_", "COMPOSE_"))}
    return subprocess.run(
        ["docker-compose", "--project-name", project, "--env-file", str(NO_SETTINGS), *arguments],
        cwd=ROOT, env=inherited | variables, capture_output=True, text=True, timeout=timeout_s,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def wait_until_ready(url: str, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    answer = "nothing"
    while time.monotonic() < deadline:
        try:
            response = httpx.get(f"{url}/readyz", timeout=10)
        except httpx.HTTPError as error:
            answer = repr(error)
        else:
            if response.status_code == 200:
                return
            answer = f"{response.status_code} {response.text}"
        time.sleep(0.5)
    raise AssertionError(f"{url}/readyz was not ready in {limit_s:.0f} s; last: {answer}")


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    words = {name: secrets.token_hex(24) for name in ("ESCALADE_DB_PASSWORD", "ESCALADE_SANDBOX_KEY")}
    started = Project(f"escalade-test-{secrets.token_hex(4)}", free_port(), words)
    try:
        up = started.compose("up", "--build", "--detach", timeout_s=BUILD_S)
        if up.returncode:
            logs = started.compose("logs", "--no-color", "--tail", "60")
            pytest.fail(f"docker-compose up: exit {up.returncode}\n{up.stderr[-4000:]}\n{logs.stdout[-8000:]}")
        yield started
    finally:
        down = started.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")
        assert down.returncode == 0, down.stderr


def test_the_main_job_passes_against_the_compose_file(project):
    wait_until_ready(project.url, COMMAND_S)
    key = project.must("exec", "-T", "server", "escalade", "key", "create", "--scope", "admin").split()[-1]
    with Client(project.url, key) as client:
        try:
            main_job(client)
        except Exception as error:
            logs = project.compose("logs", "--no-color", "--tail", "60").stdout
            error.add_note(logs[-8000:])
            raise


def test_only_the_sandbox_service_has_the_docker_socket(project):
    mounts = {service: project.container(service)["Mounts"] for service in ("db", "server", "sandbox")}
    holders = {service for service, found in mounts.items() if any("docker.sock" in mount["Source"] for mount in found)}
    assert holders == {"sandbox"}
    assert project.compose("exec", "-T", "server", "test", "-e", "/var/run/docker.sock").returncode == 1


def test_the_server_runs_without_root_and_without_capabilities(project):
    status = project.must("exec", "-T", "server", "cat", "/proc/1/status")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    assert fields["Uid"].split() == ["10001"] * 4
    assert int(fields["CapEff"], 16) == 0
    assert int(fields["NoNewPrivs"]) == 1


def test_only_the_server_is_published_and_only_on_loopback(project):
    bindings = {
        service: [
            binding["HostIp"]
            for found in (project.container(service)["NetworkSettings"]["Ports"] or {}).values()
            for binding in found or ()
        ]
        for service in ("db", "server", "sandbox")
    }
    assert bindings == {"db": [], "server": ["127.0.0.1"], "sandbox": []}


@pytest.mark.parametrize("absent", ["ESCALADE_DB_PASSWORD", "ESCALADE_SANDBOX_KEY"])
def test_nothing_starts_without_a_secret_and_the_message_names_it(absent):
    given = {"ESCALADE_DB_PASSWORD": "word", "ESCALADE_SANDBOX_KEY": "word"}
    assert compose("config", "--quiet", **given).returncode == 0
    for value in ({}, {absent: ""}):
        refused = compose("config", "--quiet", **{name: word for name, word in given.items() if name != absent} | value)
        assert refused.returncode != 0
        assert f"set {absent} to a long random word" in refused.stderr

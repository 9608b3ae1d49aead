"""The server as a process: the main job over HTTP, restarts, and what it says when something is not there."""

import json
import subprocess
from pathlib import Path
from typing import Any

import end_to_end
import pytest
import serving

from escalade import Client


def admin(url: str, data: Path) -> Client:
    return Client(url, (data / "admin.key").read_text().strip())


@pytest.mark.docker
def test_the_main_job_with_docker(tmp_path: Path, free_port: int) -> None:
    with serving.serving(tmp_path, free_port) as url, admin(url, tmp_path) as client:
        end_to_end.main_job(client)


def test_the_main_job_with_processes_and_after_a_restart(tmp_path: Path, free_port: int) -> None:
    variables = {"ESCALADE_SANDBOX": "process"}
    with serving.serving(tmp_path, free_port, **variables) as url, admin(url, tmp_path) as client:
        end_to_end.main_job(client)
        run = client.create_run("kept", groups=4, rollouts=2, seed=9)
        before = [client.batch(run.run, cursor) for cursor in range(2)]
        events = list(client.events(run.run))
    with serving.serving(tmp_path, free_port, **variables) as url, admin(url, tmp_path) as client:
        assert [client.batch(run.run, cursor) for cursor in range(2)] == before
        assert list(client.events(run.run)) == events
        assert len(client.batch(run.run, 2).groups) == 4
    assert oct((tmp_path / "admin.key").stat().st_mode)[-3:] == "600"


def escalade(data: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        serving.command(*arguments), env=serving.environment(data, **variables),
        capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ESCALADE_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:9/none"}, "ESCALADE_DATABASE_URL"),
        ({"ESCALADE_DATABASE_URL": "mysql://x"}, "ESCALADE_DATABASE_URL"),
        ({"ESCALADE_DATABASE_URL": "postgresql://u:secret@host:abc/x"}, "ESCALADE_DATABASE_URL"),
        ({"ESCALADE_DATABASE_URL": "postgresql://u:p@secret:word@host/x"}, "ESCALADE_DATABASE_URL"),
        ({"ESCALADE_DATABASE_URL": "sqlite://secret/x"}, "ESCALADE_DATABASE_URL"),
        ({"ESCALADE_PORT": "many"}, "ESCALADE_PORT"),
        ({"ESCALADE_SANDBOX": "docker", "DOCKER_HOST": "unix:///nowhere.sock"}, "ocker"),
        ({"ESCALADE_SANDBOX": "cloud"}, "ESCALADE_SANDBOX"),
        ({"ESCALADE_DATA": "/dev/null/data"}, "ESCALADE_DATA"),
    ],
)
def test_what_is_not_there_is_one_line_that_says_what_to_do(
    tmp_path: Path, variables: dict[str, str], words: str
) -> None:
    done = escalade(tmp_path, "serve", **variables)
    assert done.returncode == 1, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert words in errors[0]
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("command", ["migrate", "key list"])
def test_a_data_folder_that_cannot_be_made_is_one_line(tmp_path: Path, command: str) -> None:
    done = escalade(tmp_path, *command.split(), ESCALADE_DATA="/dev/null/data")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "set ESCALADE_DATA" in done.stderr


def test_a_database_behind_its_migrations_names_the_command(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'mine.db'}"
    behind = escalade(tmp_path, "serve", ESCALADE_DATABASE_URL=url, ESCALADE_SANDBOX="process")
    assert (behind.returncode, "escalade migrate" in behind.stderr) == (1, True)
    migrated = escalade(tmp_path, "migrate", ESCALADE_DATABASE_URL=url)
    assert migrated.returncode == 0, migrated.stderr
    key = escalade(tmp_path, "key", "create", "--scope", "admin", "--name", "first", ESCALADE_DATABASE_URL=url)
    assert key.returncode == 0
    assert key.stdout.startswith("esc_")
    listed = escalade(tmp_path, "key", "list", ESCALADE_DATABASE_URL=url)
    assert "first" in listed.stdout
    assert key.stdout.strip() not in listed.stdout
    long = escalade(tmp_path, "key", "create", "--scope", "read", "--name", "n" * 121, ESCALADE_DATABASE_URL=url)
    assert (long.returncode, "--name" in long.stderr) == (1, True), long.stderr
    wrong = escalade(tmp_path, "key", "create", "--scope", "owner", ESCALADE_DATABASE_URL=url)
    assert (wrong.returncode, "--scope owner" in wrong.stderr) == (1, True)


def test_the_doctor_tells_what_works(tmp_path: Path) -> None:
    well = escalade(tmp_path, "doctor", ESCALADE_SANDBOX="process")
    assert well.returncode == 0, well.stdout + well.stderr
    assert "math-verify reads what the fast path cannot" in well.stdout
    ill = escalade(tmp_path, "doctor", ESCALADE_SANDBOX="docker", DOCKER_HOST="unix:///nowhere.sock")
    assert (ill.returncode, "fails" in ill.stdout) == (1, True)
    # Both are elsewhere, as with docker-compose: what a server needs does not lie in its data folder.
    elsewhere = {"ESCALADE_DATABASE_URL": f"sqlite:///{tmp_path / 'mine.db'}", "ESCALADE_SANDBOX_URL": "http://h"}
    assert escalade(tmp_path, "doctor", **elsewhere).stdout.split()[:2] == ["ok", "database"]
    nowhere = {"ESCALADE_SANDBOX_URL": "sandbox:8701", "ESCALADE_SANDBOX_KEY": "0123456789abcdef"}
    ill = escalade(tmp_path, "doctor", **nowhere)
    assert (ill.returncode, "ESCALADE_SANDBOX_URL" in ill.stdout, "Traceback" in ill.stderr) == (1, True, False)


def test_the_command_line_does_the_main_things(tmp_path: Path, free_port: int) -> None:
    with serving.serving(tmp_path, free_port, ESCALADE_SANDBOX="process") as url:

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            return escalade(tmp_path, *arguments, ESCALADE_URL=url)

        imported = run("import", "scaler", str(end_to_end.FIXTURE))
        assert imported.returncode == 0, imported.stderr
        listed = run("environments", "list", "--json")
        names = {item["name"] for item in json.loads(listed.stdout)}
        assert {"toll-road", "901-a-lamps-in-the-corridor"} <= names
        served = run("instances", "toll-road", "--level", "2", "--count", "2", "--json")
        assert _items(served.stdout)[0]["level"] == 2, served.stdout
        unknown = run("environments", "show", "nothing")
        assert (unknown.returncode, unknown.stderr.startswith("error: ")) == (1, True)
    gone = escalade(tmp_path, "environments", "list", ESCALADE_URL=url)
    assert (gone.returncode, "escalade serve" in gone.stderr) == (1, True)


def _items(text: str) -> Any:
    document = json.loads(text)
    return document["instances"] if isinstance(document, dict) else document

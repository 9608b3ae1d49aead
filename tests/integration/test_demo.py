"""The demo, end to end: its own process, its own server, over HTTP."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from escalade.demo.server import DemoError, running

ARCHIVE = Path(__file__).resolve().parents[1] / "fixtures" / "scaler-small.json"
LIMIT_S = 300.0


def command(data, *arguments):
    return [sys.executable, "-m", "escalade.demo", "--data", str(data), "--archive", str(ARCHIVE), *arguments]


def demo(data, *arguments):
    return subprocess.run(command(data, *arguments), capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.mark.parametrize("sandbox", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_the_demo_climbs_and_ends_with_figures(tmp_path, sandbox):
    done = demo(tmp_path, "--sandbox", sandbox, "--steps", "3", "--groups", "3", "--rollouts", "4", "--seed", "1")
    log = (tmp_path / "server.log").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + log
    assert "step 3/3" in done.stdout
    assert "3 steps in" in done.stdout
    assert "9 groups, 36 answers" in done.stdout
    assert "/docs" in done.stdout
    assert f"serve --sandbox {sandbox}" in done.stdout
    assert "Scored otherwise" not in done.stdout
    assert "could not be scored" not in done.stdout
    with sqlite3.connect(tmp_path / "escalade.db") as database:
        stored = database.execute("select count(*), count(accuracy) from attempt").fetchone()
    database.close()
    assert stored == (36, 36)


def test_a_policy_that_is_not_there_is_one_line_and_no_server_is_left(tmp_path):
    done = demo(tmp_path, "--sandbox", "process", "--steps", "1", "--policy", "nonsense")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "nonsense" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Finished server process" in (tmp_path / "server.log").read_text()


def test_an_archive_that_is_not_there_is_one_line(tmp_path):
    arguments = command(tmp_path, "--sandbox", "process", "--archive", str(tmp_path / "none.json"))
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 1
    assert "none.json" in done.stderr


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DemoError, match="choose another --data"),
        running(tmp_path / "file" / "data", "process", log=tmp_path / "log"),
    ):
        pytest.fail("it started")


def test_being_terminated_ends_the_server_too(tmp_path):
    arguments = command(tmp_path, "--sandbox", "process", "--steps", "100000", "--groups", "1", "--rollouts", "1")
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    with process:
        for line in process.stdout:
            if line.startswith("step "):
                break
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert "Finished server process" in (tmp_path / "server.log").read_text()

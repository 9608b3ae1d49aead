"""Failures on the command line: one line, what to do, and the exit status."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from fake_api import Fault

from escalade.cli.plugins import lacking, load_parts


def error_line(result):
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_no_server_on_this_machine_says_how_to_start_one(cli):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        line = error_line(cli("environments", ESCALADE_URL=url))
    assert url in line
    assert "start the server with `escalade serve`" in line


def test_the_global_options_win_over_the_environment(cli, api):
    result = cli("--url", api.url, "--key", "wrong", "environments", ESCALADE_URL="http://127.0.0.1:1")
    assert "refused the key (given)" in error_line(result)


def test_no_key_says_where_one_comes_from(cli):
    line = error_line(cli("environments", ESCALADE_KEY=None))
    assert "--key or ESCALADE_KEY" in line
    assert "admin.key" in line


def test_the_admin_key_file_is_found_on_this_machine(cli, tmp_path, environ):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "admin.key").write_text(environ["ESCALADE_KEY"] + "\n")
    assert cli("environments", ESCALADE_KEY=None).exit_code == 0


def test_an_unusable_address_is_named(cli):
    assert "'nowhere' is not a server address" in error_line(cli("--url", "nowhere", "environments"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("environments", "show", "nope"), "there is no environment 'nope'"),
        (("instances", "knapsack", "--level", 99), "knapsack has levels 0 to 2, not 99"),
        (("instances", "knapsack", "--count", 0), "`count`"),
        (("instances", "knapsack", "--count", 10000), "`count`"),
        (("instances", "knapsack", "--level", 1, "--parameter", "n=2"), "exactly one of"),
        (("run", "show", "run_9"), "run_not_found"),
        (("run", "delete", "run_9", "--yes"), "run_not_found"),
        (("run", "create", ""), "`name`"),
    ],
)
def test_a_refusal_is_one_line_in_the_servers_words(cli, arguments, words):
    assert words in error_line(cli(*arguments))


def test_a_failure_of_the_server_points_to_its_log(cli, api):
    api.fail_next(Fault(500, "internal_error", "something\nbroke [bold]"))
    assert "something broke [bold] (internal_error; look for request req_7" in error_line(cli("environments"))


@pytest.fixture
def process(environ):
    """Run Python in a process of its own, as the installed command does."""

    def run(code, *arguments):
        variables = {name: value for name, value in (os.environ | environ).items() if value is not None}
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=variables, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


MAIN = "import sys; from escalade.cli import main; main()"


def test_the_command_runs(process):
    done = process(MAIN, "environments")
    assert (done.returncode, done.stderr) == (0, "")
    assert "knapsack" in done.stdout
    version = process(MAIN, "--version")
    assert (version.returncode, version.stdout.split()[0]) == (0, "escalade")


def test_an_error_of_the_command_is_one_line_without_a_traceback(process):
    done = process(MAIN, "environments", "show", "nope")
    assert done.returncode == 1
    assert done.stderr == "error: there is no environment 'nope' (environment_not_found)\n"


@pytest.mark.parametrize("module", ["typer", "rich"])
def test_without_its_extra_the_command_says_how_to_get_it(process, module):
    done = process(f"import sys; sys.modules['{module}'] = None; {MAIN}", "environments")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'escalade[cli]'" in done.stderr


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("uvicorn", "server", "serve"),
        ("alembic", "server", "migrate"),
        ("sqlalchemy", "server", "doctor"),
        ("sqlalchemy", "server", "key list"),
        ("numpy", "server", "simulate"),
        ("uvicorn", "sandbox", "sandbox serve"),
        ("docker", "sandbox", "sandbox serve"),
        ("docker", "sandbox", "serve"),
        ("requests", "sandbox", "sandbox build"),
        ("requests", "sandbox", "sandbox languages"),
    ],
)
def test_a_command_without_its_extra_says_how_to_get_it(process, environ, module, extra, arguments):
    environ |= {"ESCALADE_SANDBOX_KEY": "0123456789abcdef", "ESCALADE_LOG_LEVEL": "error", "ESCALADE_SANDBOX": None}
    done = process(f"import sys; sys.modules['{module}'] = None; {MAIN}", *arguments.split())
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert f"needs {module}: run `pip install 'escalade[{extra}]'`" in line


def test_the_doctor_names_an_extra_with_its_brackets(process):
    done = process(f"import sys; sys.modules['docker'] = None; {MAIN}", "doctor")
    assert done.returncode == 1
    assert "needs docker: run `pip install 'escalade[sandbox]'`" in " ".join(done.stdout.split())


def test_a_module_of_ours_that_is_missing_is_no_extra():
    error = ModuleNotFoundError("No module named 'escalade_server.gone'", name="escalade_server.gone")
    assert lacking(error) is None


def test_a_part_without_its_extra_is_left_out_and_named_in_the_help(process, tmp_path):
    metadata = tmp_path / "robot-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: robot\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[escalade.commands]\nrobot = robot_commands:register\n")
    (tmp_path / "robot_commands.py").write_text("def register(app):\n    import a_peer_that_is_not_installed\n")
    done = process(f"import sys; sys.path.append(sys.argv.pop()); {MAIN}", "--help", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "environments" in done.stdout
    told = " ".join(done.stdout.split())
    assert "`robot` needs a_peer_that_is_not_installed: run `pip install 'escalade[robot]'`" in told


def test_only_parts_that_cannot_be_loaded_are_missing():
    import typer

    app = typer.Typer()
    missing = load_parts(app)
    assert "client" not in {part.part for part in missing}
    names = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    assert {"import", "environments", "instances", "run"} <= names


def test_watching_ends_well_with_ctrl_c(environ, api):
    api.runs["run_0"] = {
        "run": "run_0", "name": "a", "curriculum": {"policy": "scaler"}, "pool_size": 4, "groups": 1, "rollouts": 1,
        "seed": 0, "deadline_s": 1.0, "success_threshold": 1.0, "generation": 0, "created_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    variables = {name: value for name, value in (os.environ | environ).items() if value is not None}
    command = [sys.executable, "-c", MAIN, "run", "watch", "run_0", "--interval", "3600"]
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        shown = [watching.stdout.readline() for _ in range(3)]
        watching.send_signal(signal.SIGINT)
        _, complaints = watching.communicate(timeout=60)
    assert "tree-walk" in shown[2]
    assert (watching.returncode, complaints) == (0, "")

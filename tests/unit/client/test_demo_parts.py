"""The demo's figures, screen, settings and the handling of its server."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from escalade.demo import app, screen, server
from escalade.demo.climb import GroupResult, Step, first_levels, totals
from escalade.demo.settings import server_environment


def group(environment="a", level=2, right=3, scored=8, errors=0, surprises=0, top=4):
    return GroupResult(environment, level, top, right, scored, errors, surprises)


def test_a_steps_figures_are_means_over_its_groups():
    step = Step(0, (group(level=0, right=8), group("b", level=4, right=0), group("b", level=2, right=4)), 10.0, 5.0)
    assert step.difficulty == pytest.approx(0.5)
    assert step.accuracy == pytest.approx(0.5)
    assert step.informative == pytest.approx(1 / 3)
    assert step.environments == 2


def test_totals_name_what_was_scored_otherwise_than_meant():
    steps = [Step(0, (group(), group("b", surprises=2)), 10.0, 5.0), Step(1, (group(scored=6, errors=2),), 30.0, 5.0)]
    found = totals(steps)
    assert (found.groups, found.attempts, found.errors) == (3, 24, 2)
    assert dict(found.surprises) == {"b": 2}
    assert found.server_ms == pytest.approx(25.0)
    assert first_levels([*steps, Step(2, (group(level=4),), 1.0, 1.0)]) == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [([], 5, ""), ([0.0, 0.5, 1.0], 5, "▁▅█"), ([0.0, 0.0, 1.0, 1.0], 2, "▁█"), ([7.0, -1.0], 9, "█▁")],
)
def test_a_sparkline_fits_its_width(values, width, expected):
    assert screen.sparkline(values, width) == expected


def test_off_a_terminal_a_climb_is_a_dozen_plain_lines():
    out = io.StringIO()
    console = Console(file=out, width=120)
    steps = []
    with screen.climbing(console, 60) as tell:
        for cursor in range(60):
            steps.append(Step(cursor, (group(),), 10.0, 5.0))
            tell(steps)
    lines = out.getvalue().splitlines()
    assert 10 <= len(lines) <= 15
    assert lines[0].startswith("step  1/60  difficulty 0.50  accuracy 0.38  informative 1.00  environments 1")
    assert lines[-1].startswith("step 60/60")
    assert "\x1b" not in out.getvalue()


def test_on_a_terminal_a_climb_is_drawn():
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    with screen.climbing(console, 2) as tell:
        tell([Step(0, (group(),), 10.0, 5.0)])
        tell([Step(0, (group(),), 10.0, 5.0), Step(1, (group(level=4),), 10.0, 5.0)])
    assert "difficulty" in out.getvalue()
    assert "▅█" in out.getvalue()


def test_the_server_sees_none_of_the_callers_settings_but_the_sandboxes(tmp_path):
    environ = {
        "PATH": "/bin",
        "ESCALADE_DATABASE_URL": "postgresql://elsewhere",
        "ESCALADE_KEY": "k",
        "ESCALADE_SANDBOX": "http",
        "ESCALADE_SANDBOX_IMAGE": "mine",
    }
    found = server_environment(tmp_path, environ)
    assert found["PATH"] == "/bin"
    assert found["ESCALADE_DATA"] == str(tmp_path)
    assert found["ESCALADE_SANDBOX_IMAGE"] == "mine"
    assert not {"ESCALADE_DATABASE_URL", "ESCALADE_KEY", "ESCALADE_SANDBOX"} & found.keys()


def test_an_engine_that_is_not_there_is_named(tmp_path):
    assert str(tmp_path / "none.sock") in server.engine_fault(f"unix://{tmp_path}/none.sock")
    assert server.engine_fault("ssh://host") is None


def test_a_server_that_ends_is_told_with_its_last_error(tmp_path):
    log = tmp_path / "server.log"
    log.write_text("starting\nerror: no Docker engine answers\ngoodbye\n")
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    process.wait(30)
    started = server.Server(process, "http://127.0.0.1:1", tmp_path, log)
    with pytest.raises(server.DemoError, match=r"exit status 3: no Docker engine answers .*server\.log"):
        server.require_alive(started)


def test_a_process_that_ignores_ctrl_c_is_ended_all_the_same():
    code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    with process:
        process.stdout.readline()
        server.stop(process, patience_s=0.2)
        assert process.poll() is not None


@pytest.mark.parametrize("arguments", [["--steps", "0"], ["--groups", "x"], ["--sandbox", "none"], ["--seed", "-1"]])
def test_a_usage_error_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        app.parse(arguments)
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err

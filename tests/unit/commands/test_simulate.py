"""`escalade simulate`: what it prints and writes, and what it refuses before it begins."""

import json
import sys
from importlib.util import find_spec

import pytest
import typer
from typer.testing import CliRunner

from escalade_server import commands
from escalade_server.commands.simulate import JSON_FILE, PNG_FILE, SERIES
from escalade_server.curriculum.policies import POLICIES

SMALL = ("simulate", "--environments", "40", "--groups", "4", "--rollouts", "4", "--steps", "6", "--seeds", "2")


@pytest.fixture
def cli():
    app = typer.Typer(rich_markup_mode=None)
    commands.register(app)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})

    return run


def test_policies_are_compared_in_a_table(cli):
    result = cli(*SMALL, "--policies", "bayes, scaler:zero_run=2,uniform")
    assert result.exit_code == 0, result.output
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == ["policy", "bayes", "scaler:zero_run=2", "uniform"]
    assert all(0 <= float(row[1]) <= 1 for row in rows[1:])


def test_every_policy_can_be_asked_for_at_once(cli):
    result = cli(*SMALL[:-4], "--steps", 2, "--seeds", 1, "--policies", "all")
    assert [line.split("\t")[0] for line in result.stdout.splitlines()[1:]] == list(POLICIES)


def test_the_same_arguments_give_the_same_figures(cli):
    first, again = (json.loads(cli(*SMALL, "--policies", "bayes,scaler", "--json").stdout) for _ in range(2))
    assert first == again
    assert (first["variant"]["pool"], first["variant"]["groups"], first["variant"]["rollouts"]) == (40, 4, 4)
    assert (first["seeds"], first["reference"]) == ([0, 1], "scaler")
    for policy in first["policies"]:
        assert set(policy["series"]) == set(SERIES)
        assert {len(values) for values in policy["series"].values()} == {6}
        assert policy["score"] == pytest.approx(policy["series"]["score"][-1])


def test_constants_change_what_a_policy_does(cli):
    found = json.loads(cli(*SMALL, "--policies", "fixed,fixed:share=0", "--json").stdout)
    ours, changed = found["policies"]
    assert changed["series"]["level"] != ours["series"]["level"]


def test_results_are_written_and_a_missing_matplotlib_is_told(cli, tmp_path, monkeypatch):
    # As Python marks what cannot be imported.
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    folder = tmp_path / "a" / "b"
    result = cli(*SMALL, "--policies", "uniform", "--out", folder)
    assert result.exit_code == 0, result.output
    assert [path.name for path in folder.iterdir()] == [JSON_FILE]
    assert json.loads((folder / JSON_FILE).read_text())["policies"][0]["label"] == "uniform"
    assert "pip install matplotlib" in result.stderr


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
def test_a_drawing_is_written_where_matplotlib_is(cli, tmp_path):
    cli(*SMALL, "--policies", "uniform,fixed", "--out", tmp_path)
    assert (tmp_path / PNG_FILE).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--policies", "nope"), "no policy 'nope'"),
        (("--policies", "bayes:nope=1"), "no constant 'nope'"),
        (("--policies", "bayes:exploration=nan"), "exploration"),
        (("--policies", "scaler:step"), "CONSTANT=NUMBER"),
        (("--policies", "bayes,bayes"), "named twice"),
        (("--policies", ","), "--policies names none"),
        (("--policies", "bayes", "--reference", "scaler"), "--reference 'scaler' is none of"),
        (("--variant", "nope"), "no learner variant 'nope'"),
    ],
)
def test_a_bad_argument_is_one_line_before_the_first_step(cli, arguments, words):
    # So many steps that a test which began them would not end.
    result = cli("simulate", "--steps", 10**9, *arguments)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert words in line


def test_a_folder_that_cannot_be_is_told_before_the_first_step(cli, tmp_path):
    (tmp_path / "file").write_text("")
    result = cli("simulate", "--steps", 10**9, "--out", tmp_path / "file" / "folder")
    assert result.exit_code == 1
    assert "choose another folder" in result.stderr


@pytest.mark.parametrize("option", ["--steps", "--seeds", "--environments", "--groups"])
def test_a_size_of_nothing_is_a_usage_error(cli, option):
    assert cli("simulate", option, 0).exit_code == 2

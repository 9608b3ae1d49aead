"""What the client's subcommands print and do."""

import json

import pytest


def lines(text):
    return [line.split("\t") for line in text.splitlines()]


def test_environments_are_listed_for_pipes_as_tabs(cli):
    result = cli("environments", "list")
    assert result.exit_code == 0
    assert lines(result.stdout)[0] == ["NAME", "ANSWER", "LEVELS", "STATUS", "SOURCE", "TAGS"]
    assert lines(result.stdout)[1] == ["edit-distance", "number", "3", "verified", "catalogue", "dp, strings"]
    assert len(lines(result.stdout)) == 5


def test_environments_are_listed_for_people_as_a_table(cli):
    result = cli("environments", terminal=True)
    assert "\t" not in result.stdout
    assert "edit-distance" in result.stdout
    assert "\x1b[" in result.stdout


def test_list_is_the_default_and_takes_its_filters(cli, api):
    result = cli("environments", "--tag", "graphs", "--status", "verified", "--answer-type", "number")
    assert [row[0] for row in lines(result.stdout)[1:]] == ["tree-walk"]
    assert api.requests[0].query == {"tag": "graphs", "status": "verified", "answer_type": "number"}


def test_no_environment_is_said_and_is_no_error(cli, api):
    result = cli("environments", "--tag", "nothing")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no environment passes these filters" in result.stderr
    api.environments.clear()
    assert "no environments yet" in cli("environments").stderr


def test_environments_as_json(cli):
    found = json.loads(cli("environments", "--json").stdout)
    assert [one["name"] for one in found] == ["edit-distance", "knapsack", "sort-it", "tree-walk"]


def test_an_environment_is_shown_with_its_ladder(cli):
    result = cli("environments", "show", "knapsack")
    assert "Solve knapsack." in result.stdout
    assert lines(result.stdout)[-3:] == [["0", "1"], ["1", "2"], ["2", "4"]]
    assert json.loads(cli("environments", "show", "knapsack", "--json").stdout)["references"] == 2


def test_instances_are_printed_as_they_are(cli, api):
    result = cli("instances", "knapsack", "--level", 2, "--count", 2, "--seed", 9)
    assert "What is [bold]9 + 1?" in result.stdout
    assert api.requests[0].body["level"] == 2
    made = json.loads(cli("instances", "knapsack", "--parameter", "n=12", "--json").stdout)
    assert made[0]["parameters"] == {"n": 12}
    assert cli("instances", "knapsack").exit_code == 0
    assert api.requests[-1].body["level"] == 0


def test_control_codes_in_a_name_do_not_reach_the_terminal(cli, api):
    api.environments["knapsack"]["source_name"] = "evil\x1b]0;title\x07 [red]x"
    result = cli("environments", "show", "knapsack")
    assert "\x1b" not in result.stdout
    assert "[red]x" in result.stdout


def test_a_run_is_made_with_what_was_said_and_nothing_else(cli, api):
    result = cli(
        "run", "create", "qwen", "--policy", "scaler", "--constant", "step=0.5", "--tag", "dp", "--tag", "graphs",
        "--answer-type", "number", "--groups", 4, "--rollouts", 2, "--seed", 7, "--deadline-s", 60,
        "--success-threshold", 0.9, "--mode", "answer", "--reveal-answers",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "run_0" in result.stdout
    assert "scaler step=0.5" in result.stdout
    assert api.requests[0].body == {
        "name": "qwen", "curriculum": {"policy": "scaler", "constants": {"step": 0.5}},
        "pool": {"tags": ["dp", "graphs"], "answer_types": ["number"]}, "groups": 4, "rollouts": 2, "seed": 7,
        "deadline_s": 60.0, "success_threshold": 0.9, "mode": "answer",
        "reveal_answers": True,
    }  # fmt: skip
    cli("run", "create", "plain")
    assert api.requests[-1].body == {"name": "plain"}


def test_runs_are_listed_and_shown(cli):
    assert "no runs yet" in cli("run", "list").stderr
    cli("run", "create", "qwen", "--groups", 4)
    assert lines(cli("run", "list").stdout)[1][:4] == ["run_0", "qwen", "scaler", "4"]
    assert json.loads(cli("run", "list", "--json").stdout)[0]["run"] == "run_0"
    assert json.loads(cli("run", "show", "run_0", "--json").stdout)["groups"] == 4


def test_a_run_is_deleted_only_with_a_yes(cli, api):
    cli("run", "create", "qwen")
    refused = cli("run", "delete", "run_0")
    assert refused.exit_code == 1
    assert "--yes" in refused.stderr
    assert list(api.runs) == ["run_0"]
    assert cli("run", "delete", "run_0", "--yes").exit_code == 0
    assert api.runs == {}


def test_controllers_show_the_active_ones_first(cli):
    cli("run", "create", "qwen")
    rows = lines(cli("run", "controllers", "run_0").stdout)
    assert rows[0] == ["ENVIRONMENT", "ACTIVE", "LEVEL", "TOP", "ACCURACY", "VISITS"]
    assert rows[1] == ["edit-distance", "yes", "0.50", "2", "-", "0"]
    assert [row[1] for row in rows[1:]] == ["yes", "yes", "no", "no"]


def test_events_are_shown_by_kind_place_and_number(cli):
    cli("run", "create", "qwen")
    assert [row[0] for row in lines(cli("run", "events", "run_0").stdout)[1:]] == ["0", "1", "2", "3", "4"]
    assert [row[0] for row in lines(cli("run", "events", "run_0", "--last", 2).stdout)[1:]] == ["3", "4"]
    assert [row[0] for row in lines(cli("run", "events", "run_0", "--after", 4).stdout)[1:]] == ["4"]
    assert json.loads(cli("run", "events", "run_0", "--kind", "other", "--json").stdout) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("environments", "--status", "good"),
        ("instances", "knapsack", "--parameter", "n"),
        ("instances", "knapsack", "--parameter", "n=x"),
        ("run", "create", "a", "--constant", "step=nan"),
        ("run", "create", "a", "--answer-type", "song"),
        ("run", "create", "a", "--stratum", "tag=dp,share=2"),
        ("run", "create", "a", "--stratum", "share"),
        ("run", "create", "a", "--policy", "p" * 41),
        ("run", "watch", "run_0", "--interval", "0"),
        ("run", "metrics", "run_0", "--json", "--csv"),
        ("run", "active-set", "run_0", "--json", "--csv"),
        ("run", "close", "run_0", "first"),
        ("run", "fork", "run_0", "b", "--constant", "step"),
        ("nonsense",),
        ("import", "tarball", "x"),
    ],
)
def test_a_usage_error_exits_with_two_and_sends_nothing(cli, api, arguments):
    result = cli(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr
    assert api.requests == []

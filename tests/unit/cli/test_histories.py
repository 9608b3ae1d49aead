"""`escalade run`: checkpoints, branches, documents, figures, and watching them."""

import csv
import io
import json

import pytest
from fake_histories import step

from escalade.cli import output
from escalade.cli.watch import WINDOW, screen, take_look, trend


def lines(text):
    return [line.split("\t") for line in text.splitlines()]


@pytest.fixture
def run(cli, api):
    cli("run", "create", "qwen", "--groups", 4)
    return api.runs["run_0"]


def test_a_run_has_strata(cli, api):
    result = cli(
        "run", "create", "qwen", "--stratum", "tag=dp,share=0.5", "--stratum", "answer_type=number,weight=2"
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    strata = [{"tag": "dp", "share": 0.5}, {"answer_type": "number", "weight": 2.0}]
    assert api.requests[0].body == {"name": "qwen", "curriculum": {"strata": strata}}
    assert "[tag=dp,share=0.5] [answer_type=number,weight=2.0]" in result.stdout


def test_checkpoints_are_made_listed_and_gone_back_to(cli, run):
    assert "no checkpoints yet" in cli("run", "checkpoints", "run_0").stderr
    assert cli("run", "checkpoint", "run_0", "step-10", "--step", 10).stdout == "step-10 holds 0 events of run_0\n"
    assert json.loads(cli("run", "checkpoint", "run_0", "step-10", "--step", 10, "--json").stdout)["step"] == 10
    assert lines(cli("run", "checkpoints", "run_0").stdout)[1] == ["step-10", "10", "0", "0", "2026-01-01 00:00:00"]
    back = cli("run", "restore", "run_0", "step-10")
    assert "run_0 is back at step-10 (step 10), in generation 1" in back.stdout
    assert "3 environments go on; batches open again: 3" in back.stdout
    assert "sort-it does not go on: quarantined" in back.stderr
    assert run["generation"] == 1


def test_a_branch_is_made_with_what_was_said_and_nothing_else(cli, api, run):
    result = cli("run", "fork", "run_0", "branch", "--label", "a", "--constant", "step=0.5", "--seed", 3)
    assert result.exit_code == 0, result.stderr
    assert "branch" in result.stdout
    assert api.requests[-1].body == {"name": "branch", "label": "a", "constants": {"step": 0.5}, "seed": 3}
    cli("run", "fork", "run_0", "plain", "--groups", 2, "--rollouts", 3, "--deadline-s", 60)
    assert api.requests[-1].body == {"name": "plain", "groups": 2, "rollouts": 3, "deadline_s": 60.0}


def test_a_run_goes_out_to_a_file_and_comes_in_again(cli, api, run, tmp_path):
    file = tmp_path / "run.json"
    assert cli("run", "export", "run_0", "--out", file).stdout == ""
    assert cli("run", "export", "run_0").stdout == file.read_text()
    made = cli("run", "import", file)
    assert made.exit_code == 0, made.stderr
    assert "tree-walk does not go on: not here" in made.stderr
    assert api.requests[-1].body == json.loads(file.read_text())
    again = cli("run", "import", "-", "--json", answer=file.read_text())
    assert json.loads(again.stdout)["run"]["name"] == "qwen"


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), ("[]", "no document"), ('{"format": "x"}', "`settings`"), ("{", "Invalid JSON")],
)
def test_a_file_that_is_no_document_is_named(cli, api, tmp_path, content, words):
    file = tmp_path / "run.json"
    if content is not None:
        file.write_text(content)
    result = cli("run", "import", file)
    assert result.exit_code == 1
    assert str(file) in result.stderr
    assert words in result.stderr
    assert api.requests == []


def test_a_document_that_cannot_be_written_is_an_error(cli, run, tmp_path):
    result = cli("run", "export", "run_0", "--out", tmp_path / "nowhere" / "run.json")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_batch_is_closed_early(cli, run):
    assert cli("run", "close", "run_0", 3).stdout == "closed 2: 3.0, 3.1\n"
    again = cli("run", "close", "run_0", 3)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "no open group" in again.stderr
    assert json.loads(cli("run", "close", "run_0", 4, "--json").stdout) == {"closed": ["4.0", "4.1"]}


def test_the_active_set_says_who_left_and_why(cli, run):
    rows = lines(cli("run", "active-set", "run_0").stdout)
    assert rows[0] == ["ENVIRONMENT", "ACTIVE", "LEVEL", "ENTERED", "LEFT", "REASON"]
    assert rows[2] == ["knapsack", "yes", "1.50", "2", "-", "drawn by lot"]
    assert rows[3] == ["sort-it", "no", "2.50", "0", "2", "mastered"]
    table = list(csv.DictReader(io.StringIO(cli("run", "active-set", "run_0", "--csv").stdout)))
    assert (table[1]["environment"], table[1]["entered"], table[1]["left"]) == ("knapsack", "2", "")
    assert len(json.loads(cli("run", "active-set", "run_0", "--json").stdout)) == 4


def test_metrics_are_shown_in_every_form(cli, run):
    result = cli("run", "metrics", "run_0", "--after", 3)
    assert [row[0] for row in lines(result.stdout)] == ["CURSOR", "3", "4"]
    assert lines(result.stdout)[2] == ["4", "4", "4", "0.50", "1", "1", "0.50", "5.00", "0", "1", "6"]
    assert "sort-it" in result.stderr
    table = list(csv.DictReader(io.StringIO(cli("run", "metrics", "run_0", "--csv").stdout)))
    assert [row["cursor"] for row in table] == ["0", "1", "2", "3", "4"]
    assert "tags" not in table[0]
    assert json.loads(cli("run", "metrics", "run_0", "--json").stdout)["steps"][0]["tags"] == {"dp": 3, "strings": 1}


def test_watching_prints_each_batch_once(cli, run):
    run["_steps"], run["last_cursor"] = [step(0, 4), step(1, 2)], 1
    result = cli("run", "watch", "run_0", "--updates", 2, "--interval", 0.1)
    assert result.exit_code == 0, result.stderr
    # Nothing changed between the two looks.
    rows = lines(result.stdout)
    assert [row[0] for row in rows] == ["CURSOR", "0", "1"]
    assert rows[2] == [
        "1", "4", "2", "0.00", "1", "1", "0.50", "2.00", "0", "1", "3", "2", "12", "dp 3, strings 1", "-", "tree-walk",
    ]  # fmt: skip


def test_watching_as_json_gives_a_line_for_each_batch(cli, run):
    run["_steps"], run["last_cursor"] = [step(0, 4), step(2, 0)], 2
    result = cli("run", "watch", "run_0", "--updates", 1, "--json", terminal=True)
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["cursor"], first["informative"], first["open_groups"]) == (0, 0.5, 4)
    assert (second["informative"], second["entered"], second["left"]) == (None, ["knapsack"], ["sort-it"])


def test_a_watcher_asks_for_the_newest_batches_only(api, run):
    from fake_api import KEY

    from escalade import Client

    run["last_cursor"] = 99
    with Client(api.url, KEY) as client:
        take_look(client, "run_0")
    (request,) = [request for request in api.requests if request.path.endswith("metrics")]
    assert request.query == {"after": str(100 - WINDOW)}


def test_watching_on_a_terminal_draws_a_screen(cli, run):
    run["_steps"], run["last_cursor"] = [step(cursor, 4) for cursor in range(3)] + [step(3, 1)], 3
    result = cli("run", "watch", "run_0", "--updates", 1, terminal=True)
    assert result.exit_code == 0, result.output
    for words in ("qwen  run_0", "active 2 of 4", "open groups 3, the oldest for 12 s", "informative", "mean", "dp"):
        assert words in result.stdout
    for words in ("knapsack", "mastered", "no progress", "sort-it"):
        assert words in result.stdout


def test_a_run_without_a_batch_can_be_watched(cli, run):
    run["_steps"] = []
    assert "no batch yet" in cli("run", "watch", "run_0", "--updates", 1, terminal=True).stdout
    assert len(lines(cli("run", "watch", "run_0", "--updates", 1).stdout)) == 1


def test_shares_are_drawn_from_low_to_high_with_gaps():
    assert trend([0.0, 0.49, None, 1.0]) == "▁▄ █"


def test_control_codes_in_a_runs_name_do_not_reach_the_terminal(api, run):
    from fake_api import KEY

    from escalade import Client

    run["name"] = "evil\x1b]0;x\x07"
    with Client(api.url, KEY) as client:
        look = take_look(client, "run_0")
    console = output.stdout()
    with console.capture() as drawn:
        console.print(screen(look))
    assert "\x1b]" not in drawn.get()

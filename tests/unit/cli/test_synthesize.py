"""`escalade synthesize`: what it asks for, how it follows the job, what it prints."""

import json

import pytest
from fake_syntheses import BREAK, add, event, funnel, item

DONE = {"status": "succeeded", "finished_at": "2026-01-01T00:00:00Z"}
STOPPED = {"name": "p2", "outcome": "rejected", "reason": "1 of 8 draws changed [for] the same seed"}


@pytest.fixture
def job(api):
    """A job that verifies one problem and rejects another."""
    made = add(api, 2)
    ended = made.job | DONE | {"done": 2, "result": {"funnel": funnel(1, [STOPPED])}}
    made.items = [item(1), item(2, "rejected")]
    made.plays = [[event("item", one) for one in made.items] + [event("end", ended)]]
    made.polls = [ended]
    return made


def body(api):
    return next(request.body for request in api.requests if request.path == "/v1/syntheses")


def test_the_funnel_is_printed_with_whom_it_stopped_and_why(cli, api, job):
    result = cli("synthesize", "p1", "p2", "--again", "--repairs", 3, "--threshold", "level_draws=8")
    assert result.exit_code == 0, result.stderr
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows[:2] == [["STAGE", "ENTERED", "STOPPED", "PASSED"], ["determinism", "2", "1", "1"]]
    assert ["p2", "determinism", "rejected", STOPPED["reason"]] in rows
    assert rows[-1] == ["1 verified"]
    assert body(api) == {
        "names": ["p1", "p2"], "imports": [], "all": False, "again": True, "sources": [], "tags": [], "repairs": 3,
        "thresholds": {"level_draws": 8.0},
    }  # fmt: skip


def test_the_job_is_followed_by_its_stream_alone(cli, api, job):
    assert cli("synthesize", "--all").exit_code == 0
    assert [request.path for request in api.requests] == ["/v1/syntheses", "/v1/jobs/job_0/events"]


def test_a_stream_that_breaks_costs_nothing(cli, api, job):
    job.plays[0][1:] = [BREAK]
    result = cli("synthesize", "--all")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "1 verified")


def test_progress_is_drawn_on_a_terminal(cli, job):
    result = cli("synthesize", "--all", terminal=True)
    assert result.exit_code == 0
    assert "2/2" in result.stderr
    assert "2/2" not in result.stdout


def test_the_job_is_given_as_json(cli, job):
    shown = json.loads(cli("synthesize", "--all", "--json").stdout)
    assert (shown["job"], shown["result"]["funnel"]["verified"]) == ("job_0", 1)


def test_paths_are_imported_first(cli, api, job, tmp_path):
    archive = tmp_path / "archive.json"
    archive.write_text(json.dumps({"a": {}}))
    assert cli("synthesize", archive, "--format", "scaler").exit_code == 0
    assert api.imported == {"a"}
    assert body(api)["imports"] == ["job_1"]


def test_nothing_verified_is_a_failure(cli, job):
    job.plays = [[event("end", job.job | DONE | {"done": 2, "result": {"funnel": funnel(0, [STOPPED])}})]]
    result = cli("synthesize", "--all")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "0 verified")


def test_a_job_that_fails_says_why_and_how_to_go_on(cli, job):
    failed = {"status": "failed", "error": "1 of 2 are left: The sandbox failed. Then resume the job."}
    job.plays = [[event("end", job.job | DONE | failed)]]
    result = cli("synthesize", "--all")
    assert result.exit_code == 1
    assert "job_0 failed: 1 of 2 are left" in result.stderr


def test_a_job_is_resumed_by_its_name(cli, api, job):
    assert cli("synthesize", "--resume", "job_0").exit_code == 0
    assert api.requests[0].path == "/v1/jobs/job_0/resume"
    assert "no job 'job_7'" in cli("synthesize", "--resume", "job_7").stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "say what"),
        (("archives/mine.zip",), "archives/mine.zip is not there"),
        (("--all", "--threshold", "level_draws"), "level_draws"),
        (("--all",), "everything is verified"),
    ],
)
def test_what_cannot_be_done_is_one_line(cli, api, arguments, reason):
    result = cli("synthesize", *arguments)
    assert result.exit_code != 0
    assert result.stdout == ""
    assert reason in result.stderr

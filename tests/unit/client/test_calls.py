"""What each method sends and gives back, for both clients."""

import asyncio
import signal
import subprocess
import sys
import threading
import time

import pytest
from fake_api import KEY, VERSION, Fault

import escalade
from escalade import _reports
from escalade.types import (
    AttemptReport,
    CurriculumSettings,
    EnvironmentDetail,
    Job,
    PoolFilter,
    ScoreItem,
)


async def test_environments_come_page_by_page_and_filtered(call, api):
    found = await call("environments")
    assert [environment.name for environment in found] == ["edit-distance", "knapsack", "sort-it", "tree-walk"]
    assert [request.query for request in api.requests] == [{}, {"page": "2"}]
    assert [environment.name for environment in await call("environments", tag="dp", limit=1)] == [
        "edit-distance",
        "knapsack",
    ]
    assert api.requests[-1].query == {"tag": "dp", "limit": "1", "page": "1"}


async def test_an_environment_has_its_ladder(call):
    environment = await call("environment", "knapsack")
    assert isinstance(environment, EnvironmentDetail)
    assert [rung.parameters for rung in environment.ladder] == [{"n": 1}, {"n": 2}, {"n": 4}]


async def test_a_name_with_a_slash_stays_one_segment(call, api):
    with pytest.raises(escalade.NotFound):
        await call("environment", "../keys")
    assert api.requests[-1].path == "/v1/environments/..%2Fkeys"


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_a_name_that_would_change_the_path_is_refused_before_it_is_sent(call, api, name):
    with pytest.raises(escalade.InvalidRequest, match="is not a name"):
        await call("environment", name)
    assert api.requests == []


async def test_instances_are_asked_for_by_level_or_parameters(call, api):
    by_level = await call("instances", "knapsack", level=2, count=3, seed=17)
    assert [instance.instance for instance in by_level.instances] == [f"ins_knapsack_2_17_{i}" for i in range(3)]
    assert api.requests[-1].body == {
        "level": 2, "count": 3, "seed": 17, "split": "train", "mode": "answer", "template": "full",
        "reveal_answers": False,
    }  # fmt: skip
    await call("instances", "knapsack", parameters={"n": 9}, version=VERSION, split="evaluation", mode="program")
    assert api.requests[-1].body["parameters"] == {"n": 9}
    assert api.requests[-1].body["split"] == "evaluation"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"level": 0, "count": 0}, "count"),
        ({"level": 0, "count": 10_000}, "count"),
        ({"level": -1}, "level"),
        ({"level": 0, "seed": -1}, "seed"),
        ({"level": 0, "parameters": {"n": 1}}, "exactly one of"),
        ({}, "exactly one of"),
    ],
)
async def test_arguments_out_of_range_are_named_and_never_sent(call, api, arguments, field):
    with pytest.raises(escalade.InvalidRequest, match=field):
        await call("instances", "knapsack", **arguments)
    assert api.requests == []


async def test_a_status_is_set_with_its_reason(call, api):
    changed = await call("set_status", "knapsack", "quarantined", "wrong answers")
    assert (changed.status, changed.status_reason) == ("quarantined", "wrong answers")


async def test_a_status_needs_a_reason_and_one_that_people_may_set(call, api):
    with pytest.raises(escalade.InvalidRequest, match="reason"):
        await call("set_status", "knapsack", "quarantined", "")
    with pytest.raises(escalade.InvalidRequest, match="status"):
        await call("set_status", "knapsack", "verified", "because")
    assert api.requests == []


async def test_an_import_is_followed_until_its_job_is_done(call, api, time):
    api.polls_until_done = 3
    job = await call("import_archive", "scaler", '{"a": {}, "b": {}}', "two.json", dry_run=True)
    assert isinstance(job, Job)
    assert job.result["created"] == ["a", "b"]
    assert len(time.pauses_s) == 3
    assert api.requests[0].body["filename"] == "two.json"
    assert [request.path for request in api.requests] == ["/v1/imports"] + ["/v1/jobs/job_0"] * 3


async def test_a_failed_job_is_returned(call, api):
    api.job_error = "disk full"
    job = await call("import_archive", "scaler", "{}")
    assert (job.status, job.error) == ("failed", "disk full")


async def test_a_job_that_does_not_end_is_given_up_at_the_deadline(call, api, time):
    api.polls_until_done = 10**9
    started_s = time.now_s
    with pytest.raises(escalade.Timeout, match="job_0 is still running after 60 s") as caught:
        await call("import_archive", "scaler", "{}", deadline_s=60)
    assert caught.value.code == "job_timeout"
    assert time.now_s - started_s <= 60
    api.polls_until_done = 0
    assert (await call("wait_for_job", "job_0")).status == "succeeded"
    assert (await call("job", "job_0")).status == "succeeded"


async def test_a_run_lives_and_ends(call, api):
    run = await call(
        "create_run",
        "qwen",
        curriculum=CurriculumSettings(policy="scaler", constants={"step": 2.0}),
        pool=PoolFilter(tags=["dp"]),
        groups=4,
    )
    # What was not set is the server's to decide.
    assert api.requests[-1].body == {
        "name": "qwen",
        "groups": 4,
        "curriculum": {"policy": "scaler", "constants": {"step": 2.0}},
        "pool": {"tags": ["dp"]},
    }
    assert (await call("run", run.run)).groups == 4
    assert [listed.run for listed in await call("runs")] == [run.run]
    assert (await call("update_run", run.run, deadline_s=5.0)).deadline_s == 5.0
    assert api.requests[-1].body == {"deadline_s": 5.0}
    assert [controller.level for controller in await call("controllers", run.run)] == [0.5, 1.5, 2.5, 3.5]
    assert [event.sequence for event in await call("events", run.run)] == [0, 1, 2, 3, 4]
    assert [event.sequence for event in await call("events", run.run, after=3)] == [3, 4]
    assert await call("delete_run", run.run) is None
    with pytest.raises(escalade.NotFound) as caught:
        await call("run", run.run)
    assert caught.value.code == "run_not_found"


async def test_a_batch_is_put_and_may_be_put_again(call, api):
    run = await call("create_run", "qwen", groups=3)
    batch = await call("batch", run.run, 5)
    assert [group.group for group in batch.groups] == ["5.0", "5.1", "5.2"]
    assert (api.requests[-1].method, api.requests[-1].path) == ("PUT", "/v1/runs/run_0/batches/5")
    assert await call("batch", run.run, 5) == batch
    assert len((await call("batch", run.run, 6, groups=1, rollouts=2)).groups) == 1
    with pytest.raises(escalade.InvalidRequest, match="cursor"):
        await call("batch", run.run, -1)


def attempts(count, text="\\boxed{1}"):
    return [AttemptReport(group=f"0.{i // 8}", rollout=i % 8, completion=text) for i in range(count)]


async def test_a_big_report_is_split_by_count_and_keeps_its_order(call, api):
    run = await call("create_run", "qwen")
    sent = attempts(2_048)
    results = await call("report", run.run, sent)
    assert [(o.group, o.rollout) for o in results.outcomes] == [(a.group, a.rollout) for a in sent]
    assert sorted(results.closed) == sorted({attempt.group for attempt in sent})
    parts = [request for request in api.requests if request.path.endswith("attempts")]
    assert [len(part.body["attempts"]) for part in parts] == [_reports.MAX_ITEMS] * 4
    again = await call("report", run.run, sent)
    assert all(outcome.repeat for outcome in again.outcomes)


async def test_a_big_report_is_split_by_bytes(call, api):
    run = await call("create_run", "qwen")
    sent = attempts(9, text="x" * 1_000_000)
    assert len((await call("report", run.run, sent)).outcomes) == 9
    parts = [request for request in api.requests if request.path.endswith("attempts")]
    assert sorted(len(part.body["attempts"]) for part in parts) == [1, 4, 4]
    assert max(part.body_bytes for part in parts) <= _reports.MAX_BODY_BYTES + 100


OURS = Fault(413, "body_too_large", "raise ESCALADE_MAX_BODY_BYTES")
NGINX = Fault(413, raw=b"<html><h1>413 Request Entity Too Large</h1></html>")


@pytest.mark.parametrize("refusal", [OURS, NGINX], ids=["ours", "nginx"])
async def test_a_report_that_is_too_long_goes_in_smaller_parts(call, api, refusal):
    run = await call("create_run", "qwen")
    api.longest = (2**20, refusal)
    sent = attempts(160, text="x" * 36_000)
    results = await call("report", run.run, sent)
    assert [(o.group, o.rollout) for o in results.outcomes] == [(a.group, a.rollout) for a in sent]
    assert sorted(results.closed) == sorted({attempt.group for attempt in sent})
    # The client has learnt.
    api.requests.clear()
    scores = await call("score", [ScoreItem(instance=f"ins_{i}", completion="x" * 36_000) for i in range(160)])
    assert [outcome.instance for outcome in scores.outcomes] == [f"ins_{i}" for i in range(160)]
    assert len(api.requests) > 5
    assert max(request.body_bytes for request in api.requests) <= 2**20


@pytest.mark.parametrize("refusal", [OURS, NGINX], ids=["ours", "nginx"])
async def test_an_attempt_that_is_too_long_by_itself_names_the_settings(call, api, refusal):
    run = await call("create_run", "qwen")
    api.longest = (2**20, refusal)
    sent = [*attempts(4), AttemptReport(group="0.0", rollout=4, completion="x" * 2**21)]
    with pytest.raises(escalade.InvalidRequest, match="ESCALADE_MAX_BODY_BYTES") as caught:
        await call("report", run.run, sent)
    assert caught.value.status == 413
    assert len(api.attempts) == 4


async def test_the_parts_of_a_report_are_sent_side_by_side(call, api):
    run = await call("create_run", "qwen")
    # No part is answered before four have arrived.
    api.barrier = threading.Barrier(4)
    assert len((await call("report", run.run, attempts(4 * _reports.MAX_ITEMS))).outcomes) == 2_048


async def test_plain_dictionaries_do_as_well(call, api):
    run = await call("create_run", "plain", groups=1, rollouts=2)
    group = (await call("batch", run.run, 0)).groups[0].group
    given = [AttemptReport(group=group, rollout=0, score=1.0), {"group": group, "rollout": 1, "score": 0.0}]
    assert [one.rollout for one in (await call("report", run.run, given)).outcomes] == [0, 1]
    assert api.requests[-1].body["attempts"] == [
        {"group": group, "rollout": 0, "score": 1.0},
        {"group": group, "rollout": 1, "score": 0.0},
    ]
    await call("score", [{"instance": "i", "completion": "x"}])
    assert api.requests[-1].body["items"] == [{"instance": "i", "completion": "x"}]


@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        ({"group": "0.0", "rollout": 1, "scores": 1.0}, "`attempts.1.scores`: "),
        ({"group": "0.0", "rollout": -1, "score": 1.0}, "`attempts.1.rollout`: "),
        ({"group": "0.0", "rollout": 1}, "`attempts.1`: give exactly one of `completion` and `score`"),
        (("0.0", 1, 1.0), "`attempts.1`: "),
    ],
)
async def test_a_report_that_is_not_one_is_refused_before_anything_is_sent(call, api, second, complaint):
    with pytest.raises(escalade.InvalidRequest) as refused:
        await call("report", "run_0", [{"group": "0.0", "rollout": 0, "score": 1.0}, second])
    assert complaint in refused.value.detail
    assert not api.requests


async def test_an_empty_report_sends_nothing(call, api):
    assert (await call("report", "run_0", [])).outcomes == []
    assert (await call("score", [])).outcomes == []
    assert api.requests == []


async def test_a_part_that_fails_is_raised_after_the_others_went_in(call, api):
    run = await call("create_run", "qwen")
    sent = attempts(_reports.MAX_ITEMS + 100)
    await call("report", run.run, sent[:1])
    changed = [AttemptReport(group="0.0", rollout=0, completion="other"), *sent[1:]]
    with pytest.raises(escalade.Conflict) as caught:
        await call("report", run.run, changed)
    assert caught.value.code == "attempt_conflict"
    assert len(api.attempts) >= 101


async def test_scores_are_in_the_order_of_the_items(call):
    items = [ScoreItem(instance=f"ins_{i}", completion=f"\\boxed{{{i}}}") for i in range(600)]
    scores = await call("score", items)
    assert [outcome.instance for outcome in scores.outcomes] == [item.instance for item in items]


async def test_keys_are_made_listed_and_revoked(call):
    made = await call("create_key", "ci", ["read", "train"])
    assert made.secret == "esc_secret"
    assert [(key.key_id, key.revoked_at) for key in await call("keys")] == [(made.key_id, None)]
    assert await call("revoke_key", made.key_id) is None
    assert [key.revoked_at is None for key in await call("keys")] == [False]
    with pytest.raises(escalade.InvalidRequest, match="scopes"):
        await call("create_key", "ci", [])


async def test_a_server_that_is_not_ready_says_why(call):
    found = await call("readiness")
    assert (found.ready, found.sandbox) == (False, "start Docker")


async def test_health_needs_no_key_and_is_asked_once(call, api, sdk):
    from fake_api import Fault

    assert await sdk(sdk.client(api.url, None), "health") == {"status": "ok"}
    api.fail_next(Fault(503))
    with pytest.raises(escalade.Unavailable):
        await call("health")
    assert len(api.requests) == 2


async def test_as_many_calls_as_allowed_are_under_way_and_no_more(api):
    # Every request waits until four are there; a fifth would show in the peak.
    api.barrier = threading.Barrier(4)
    async with escalade.AsyncClient(api.url, KEY, max_concurrency=4) as client:
        item = ScoreItem(instance="ins_0", completion="1")
        answers = await asyncio.gather(*(client.score([item]) for _ in range(200)))
    assert len(answers) == 200
    assert api.peak == 4


def test_threads_share_the_limit_of_a_client(api):
    with escalade.Client(api.url, KEY, max_concurrency=3) as client:
        threads = [threading.Thread(target=client.environment, args=("knapsack",)) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
    assert len(api.requests) == 24
    assert api.peak <= 3


async def test_a_closed_client_leaves_no_connection_behind(api):
    with escalade.Client(api.url, KEY) as client:
        client.environment("knapsack")
    with pytest.raises(RuntimeError, match="closed"):
        client.environment("knapsack")


FORKED = """
import asyncio, os, sys
import escalade

class Blocking:
    def __init__(self, *args):
        self.client = escalade.AsyncClient(*args, retries=0)
    def __getattr__(self, name):
        return lambda *args: asyncio.run(getattr(self.client, name)(*args))

client = (Blocking if sys.argv[3] == "async" else escalade.Client)(*sys.argv[1:3])
run = client.create_run("forked").run
for rollout in range(2):
    if os.fork() == 0:
        text = f"boxed{{{rollout}}}"
        report = escalade.AttemptReport(group="0.0", rollout=rollout, completion=text)
        (outcome,) = client.report(run, [report]).outcomes
        sys.exit((outcome.rollout, outcome.score) != (rollout, float(rollout)))
print([os.wait()[1] for _ in range(2)])
if sys.argv[3] == "sync":
    print(client.run(run).run == run)
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_forked_processes_get_their_own_answers(api, kind):
    # Neither is answered before both have arrived, so that a connection in common would hold both up.
    api.barrier = threading.Barrier(2)
    done = run_script(FORKED, api, kind)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n")[0] == "[0, 0]"
    assert "False" not in done.stdout


def test_a_client_that_was_closed_stays_closed_in_a_fork(api):
    done = run_script(
        "import escalade, os, sys\n"
        "client = escalade.Client(*sys.argv[1:3])\n"
        "client.close()\n"
        "if os.fork() == 0:\n"
        "    try:\n"
        "        client.environment('knapsack')\n"
        "    except RuntimeError as error:\n"
        "        sys.exit('closed' not in str(error))\n"
        "print(os.wait()[1])\n",
        api,
    )
    assert (done.stdout.strip(), done.stderr) == ("0", "")


def run_script(code, api, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, api.url, KEY, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_an_interrupt_ends_a_report_in_parts(api):
    code = (
        "import escalade, sys\n"
        "with escalade.Client(*sys.argv[1:3]) as client:\n"
        "    client.report('run_0', [\n"
        "        escalade.AttemptReport(group='0.0', rollout=i, completion='1') for i in range(1200)\n"
        "    ])\n"
    )
    api.fail_next(*[Fault(hang=True)] * 3)
    with subprocess.Popen([sys.executable, "-c", code, api.url, KEY], stderr=subprocess.PIPE, text=True) as script:
        deadline_s = time.monotonic() + 60
        while len(api.requests) < 3 and time.monotonic() < deadline_s:
            time.sleep(0.01)
        script.send_signal(signal.SIGINT)
        try:
            # The server says nothing for 60 s.
            _, words = script.communicate(timeout=30)
        finally:
            script.kill()
    assert "KeyboardInterrupt" in words

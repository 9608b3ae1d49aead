"""Errors, retries and patience, for both clients."""

import json
import logging
import pickle
import random
import socket

import pytest
from fake_api import KEY, Fault

import escalade
from escalade import _retry

REPORT = escalade.AttemptReport(group="0.0", rollout=0, completion="1")
NAMED = escalade.AttemptReport(group="0.0", report_id="mine", completion="1")
ITEM = escalade.ScoreItem(instance="ins_0", completion="1")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, escalade.InvalidRequest),
        (401, escalade.AuthenticationError),
        (403, escalade.PermissionDenied),
        (404, escalade.NotFound),
        (409, escalade.Conflict),
        (413, escalade.InvalidRequest),
        (418, escalade.InvalidRequest),
        (422, escalade.InvalidRequest),
        (500, escalade.ServerError),
    ],
)
async def test_a_refusal_is_raised_at_once_with_all_that_the_server_said(call, api, status, kind):
    api.fail_next(Fault(status, "some_code", "what to do"))
    with pytest.raises(kind) as caught:
        await call("run", "run_0")
    error = caught.value
    assert (error.code, error.status, error.detail, error.request_id) == ("some_code", status, "what to do", "req_7")
    assert str(error) == f"what to do (some_code, HTTP {status}, request req_7)"
    assert len(api.requests) == 1
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), vars(copy)) == (type(error), vars(error))


@pytest.mark.parametrize("fault", [Fault(429), Fault(502), Fault(503), Fault(504), Fault(drop=True)])
async def test_a_passing_failure_is_tried_again(call, api, time, fault, caplog):
    api.fail_next(fault, fault)
    with caplog.at_level(logging.WARNING, "escalade"):
        assert (await call("environment", "knapsack")).name == "knapsack"
    assert len(api.requests) == 3
    assert len(time.pauses_s) == 2
    assert "try 2 in" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(429), escalade.RateLimited),
        (Fault(503), escalade.Unavailable),
        (Fault(drop=True), escalade.ConnectionFailed),
    ],
)
async def test_a_failure_that_stays_is_raised_after_the_last_try(sdk, api, time, fault, kind):
    client = sdk.client(api.url, KEY, retries=3)
    api.fail_next(*[fault] * 4)
    with pytest.raises(kind):
        await sdk(client, "environment", "knapsack")
    assert len(api.requests) == 4
    # Full jitter: each pause lies below its bound, and the bound doubles.
    assert all(0 <= pause <= bound for pause, bound in zip(time.pauses_s, (0.5, 1, 2), strict=True))


async def test_the_server_says_how_long_to_wait(call, api, time):
    api.fail_next(Fault(503, headers={"Retry-After": "7"}))
    await call("environment", "knapsack")
    assert 7 <= time.pauses_s[0] <= 7.5
    # The server's own clock says 00:00:00.
    api.fail_next(Fault(429, headers={"Retry-After": "Thu, 01 Jan 2026 00:00:20 GMT"}))
    await call("environment", "knapsack")
    assert 20 <= time.pauses_s[1] <= 20.5


@pytest.mark.parametrize("value", ["soon", "-3", "1e3", "٣"])
async def test_an_unreadable_wait_is_ignored(sdk, api, time, value):
    api.fail_next(Fault(503, headers={"Retry-After": value.encode().decode("latin-1")}))
    await sdk(sdk.client(api.url, KEY), "environment", "knapsack")
    assert time.pauses_s[0] <= 0.5


async def test_a_wait_beyond_the_deadline_is_not_begun(call, api, time):
    api.fail_next(Fault(503, headers={"Retry-After": "3600"}))
    with pytest.raises(escalade.Unavailable) as caught:
        await call("environment", "knapsack")
    assert caught.value.retry_after_s == 3600
    assert time.pauses_s == []


async def test_all_tries_end_by_the_deadline(sdk, api, time):
    client = sdk.client(api.url, KEY, retries=1_000, deadline_s=30)
    api.fail_next(*[Fault(503)] * 1_000)
    started_s = time.now_s
    with pytest.raises(escalade.Unavailable):
        await sdk(client, "environment", "knapsack")
    assert 5 < time.now_s - started_s < 30


@pytest.mark.parametrize("fault", [Fault(502), Fault(503), Fault(504), Fault(drop=True)])
async def test_a_server_that_is_away_is_waited_for_until_the_deadline(call, api, time, fault):
    await call("environment", "knapsack")
    started_s = time.now_s
    api.fail_next(*[fault] * 30)
    assert (await call("environment", "knapsack")).name == "knapsack"
    assert len(api.requests) == 32
    assert 60 < time.now_s - started_s < 600
    api.fail_next(*[fault] * 500)
    started_s = time.now_s
    with pytest.raises((escalade.Unavailable, escalade.ConnectionFailed)):
        await call("environment", "knapsack")
    assert 500 < time.now_s - started_s < 600


@pytest.mark.parametrize("fault", [Fault(503), Fault(drop=True)])
async def test_a_server_that_never_answered_may_not_be_there(call, api, time, fault):
    started_s = time.now_s
    api.fail_next(*[fault] * 500)
    with pytest.raises((escalade.Unavailable, escalade.ConnectionFailed)):
        await call("environment", "knapsack")
    assert len(api.requests) == 9
    assert time.now_s - started_s < 120


async def test_a_server_that_is_there_and_refuses_is_not_waited_for_as_long(call, api):
    api.fail_next(*[Fault(429)] * 100)
    with pytest.raises(escalade.RateLimited):
        await call("environment", "knapsack")
    assert len(api.requests) == 9


async def test_tries_during_an_outage_do_not_count_after_it(call, api):
    await call("environment", "knapsack")
    api.fail_next(*[Fault(503)] * 20, Fault(429))
    assert (await call("environment", "knapsack")).name == "knapsack"


def test_pauses_keep_their_bound_however_long_an_outage_is():
    policy, rng = _retry.RetryPolicy(), random.Random(7)
    pauses_s = [_retry.backoff_s(tried, None, policy=policy, rng=rng) for tried in range(3_000)]
    assert max(pauses_s) <= policy.cap_s


async def test_a_creating_call_keeps_its_idempotency_key_through_its_tries(call, api):
    # The run is made, and only the answer is lost.
    api.fail_next(Fault(drop=True, after=True))
    run = await call("create_run", "qwen")
    assert run.run == "run_0"
    assert len(api.runs) == 1
    keys = [request.headers["idempotency-key"] for request in api.requests]
    assert len(keys) == 2
    assert keys[0] == keys[1]
    await call("create_run", "qwen")
    assert len(api.runs) == 2
    assert api.requests[-1].headers["idempotency-key"] != keys[0]


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("create_run", ["a"]), ("create_key", ["a", ["read"]]), ("import_archive", ["scaler", "{}"])],
)
async def test_every_creating_call_carries_an_idempotency_key(call, api, method, arguments):
    await call(method, *arguments)
    assert len(api.requests[0].headers["idempotency-key"]) == 36


async def test_a_delete_whose_answer_was_lost_is_done(call, api):
    run = await call("create_run", "qwen")
    api.fail_next(Fault(drop=True, after=True))
    assert await call("delete_run", run.run) is None
    with pytest.raises(escalade.NotFound):
        await call("delete_run", run.run)


async def test_a_report_whose_answer_was_lost_is_sent_again(call, api):
    run = await call("create_run", "qwen")
    api.fail_next(Fault(drop=True, after=True))
    attempt = escalade.AttemptReport(group="0.0", rollout=0, completion="\\boxed{1}")
    (outcome,) = (await call("report", run.run, [attempt])).outcomes
    assert outcome.repeat


async def test_a_silent_server_is_a_timeout(sdk, api):
    client = sdk.client(api.url, KEY, timeout_s=0.05, retries=1)
    api.fail_next(Fault(hang=True), Fault(hang=True))
    with pytest.raises(escalade.Timeout, match="did not answer"):
        await sdk(client, "environment", "knapsack")
    assert len(api.requests) == 2


async def test_no_server_is_a_connection_failure(sdk, time):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = sdk.client(f"http://127.0.0.1:{unused.getsockname()[1]}", KEY, retries=2)
        with pytest.raises(escalade.ConnectionFailed, match="is the server running") as caught:
            await sdk(client, "environment", "knapsack")
    assert caught.value.status is None
    assert len(time.pauses_s) == 2


async def test_a_wrong_key_is_an_authentication_error(sdk, api):
    with pytest.raises(escalade.AuthenticationError, match="send a key"):
        await sdk(sdk.client(api.url, "esc_wrong"), "environment", "knapsack")


async def test_an_error_page_of_a_proxy_is_told_from_ours(call, api):
    api.fail_next(Fault(404, raw=b"<html>nginx</html>"))
    with pytest.raises(escalade.NotFound, match="is it an Escalade server") as caught:
        await call("environment", "knapsack")
    assert caught.value.code == "http_404"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(200, raw=b"<html>welcome</html>"),
        Fault(200, raw=b'{"name": "knapsack"}'),
        Fault(307, headers={"Location": "https://elsewhere/"}, raw=b""),
    ],
)
async def test_an_answer_that_is_not_ours_says_so(call, api, fault):
    api.fail_next(fault)
    with pytest.raises(escalade.UnexpectedResponse):
        await call("environment", "knapsack")


async def test_an_answer_that_leaves_a_rollout_out_is_refused(call, api):
    api.fail_next(Fault(200, raw=b'{"outcomes": [], "closed": []}'))
    attempt = escalade.AttemptReport(group="0.0", rollout=0, completion="1")
    with pytest.raises(escalade.UnexpectedResponse, match="0 outcomes for 1 items"):
        await call("report", "run_0", [attempt])


SCORED = {"outcome": "scored", "score": 1.0, "accuracy": 1}


@pytest.mark.parametrize(
    ("method", "arguments", "answer"),
    [
        ("report", ["run_0", [REPORT]], {"outcomes": [{"group": "0.0", "rollout": 1, **SCORED}], "closed": []}),
        ("report", ["run_0", [REPORT]], {"outcomes": [{"group": "0.1", "rollout": 0, **SCORED}], "closed": []}),
        ("report", ["run_0", [NAMED]], {"outcomes": [{"group": "0.1", "rollout": 0, **SCORED}], "closed": []}),
        ("score", [[ITEM]], {"outcomes": [{"instance": "ins_1", **SCORED}]}),
        ("batch", ["run_0", 3], {"run": "run_0", "cursor": 4, "groups": []}),
        ("batch", ["run_0", 3], {"run": "run_1", "cursor": 3, "groups": []}),
        ("refill", ["run_0", 3, 1], {"run": "run_0", "cursor": 4, "groups": []}),
    ],
)
async def test_an_answer_to_another_question_is_refused(call, api, method, arguments, answer):
    api.fail_next(Fault(200, raw=json.dumps(answer).encode()))
    with pytest.raises(escalade.UnexpectedResponse, match="not of the Escalade API"):
        await call(method, *arguments)


async def test_instances_of_another_environment_are_refused(call, api):
    served = await call("instances", "knapsack", level=0)
    api.fail_next(Fault(200, raw=served.model_dump_json().encode()))
    with pytest.raises(escalade.UnexpectedResponse, match="another environment"):
        await call("instances", "sort-it", level=0)


async def test_the_server_says_which_rollout_a_named_report_is(call, api):
    api.fail_next(
        Fault(200, raw=json.dumps({"outcomes": [{"group": "0.0", "rollout": 5, **SCORED}], "closed": []}).encode())
    )
    assert (await call("report", "run_0", [NAMED])).outcomes[0].rollout == 5


@pytest.mark.parametrize("options", [{"timeout_s": 0}, {"deadline_s": -1}, {"max_concurrency": 0}, {"retries": -1}])
def test_impossible_options_are_refused(sdk, options):
    with pytest.raises(escalade.InvalidRequest):
        sdk.client("http://localhost", KEY, **options)

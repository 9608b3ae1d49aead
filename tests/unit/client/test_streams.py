"""Batches that are fetched ahead, for both clients: their order, their failures, and that no stream leaves a trace."""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from fake_api import KEY, Fault

import escalade
from escalade.types import AttemptReport

LIMIT_S = 60.0
"""How long what must happen may take; nothing is measured by it."""


@pytest.fixture
def client(sdk, api):
    return sdk.client(api.url, KEY, retries=0)


@pytest.fixture
async def run(sdk, client):
    return (await sdk(client, "create_run", "streamed", groups=2, rollouts=1)).run


async def following(batches):
    """The next batch of either client's stream; None at its end."""
    if hasattr(batches, "__anext__"):
        return await anext(batches, None)
    return await asyncio.to_thread(next, batches, None)


async def close(batches):
    if hasattr(batches, "aclose"):
        await batches.aclose()
    else:
        batches.close()


def asked(api):
    """Cursors that batches were asked for, in order."""
    return [int(request.path.rpartition("/")[2]) for request in api.requests if request.method == "PUT"]


async def until(condition):
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about"
        await asyncio.sleep(0.005)


def connections(api):
    """Sockets of this process that lead to the server."""
    port, found = int(api.url.rpartition(":")[2]), 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError), socket.socket(fileno=os.dup(int(name))) as one:
            found += one.family == socket.AF_INET and one.getpeername()[1] == port
    return found


def left():
    """Threads and tasks of streams."""
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("escalade-ahead")]
    return threads + [task for task in asyncio.all_tasks() if "fetch_all" in repr(task)]


@pytest.mark.parametrize("depth", [0, 1, 3])
async def test_batches_come_in_order_and_each_is_asked_for_once(sdk, client, api, run, depth):
    batches = await sdk(client, "stream_batches", run, 4, stop=9, depth=depth, groups=1, rollouts=3)
    assert [batch.cursor for batch in batches] == [4, 5, 6, 7, 8]
    assert [(len(batch.groups), batch.groups[0].rollouts) for batch in batches] == [(1, 3)] * 5
    assert asked(api) == [4, 5, 6, 7, 8]
    assert left() == []


async def test_a_stream_that_stops_before_it_begins_is_empty(sdk, client, api, run):
    assert await sdk(client, "stream_batches", run, 3, stop=3) == []
    assert asked(api) == []


@pytest.mark.parametrize("depth", [0, 1, 3])
async def test_no_more_than_the_depth_is_fetched_while_the_caller_works(sdk, client, api, run, depth):
    batches = client.stream_batches(run, depth=depth)
    for cursor in range(3):
        assert (await following(batches)).cursor == cursor
        await until(lambda cursor=cursor: len(asked(api)) == cursor + 1 + depth)
        await sdk(client, "run", run)
        assert asked(api) == list(range(cursor + 1 + depth))
    await close(batches)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"depth": -1}, "depth"),
        ({"depth": 65}, "depth"),
        ({"cursor": -1}, "cursor"),
        ({"groups": 0}, "groups"),
        ({"rollouts": 5_000}, "rollouts"),
    ],
)
async def test_arguments_out_of_range_are_refused_before_anything_is_sent(client, api, arguments, field):
    with pytest.raises(escalade.InvalidRequest, match=field):
        client.stream_batches("run_0", **arguments)
    assert api.requests == []
    assert left() == []


async def test_a_failure_is_raised_where_the_caller_asks_for_that_batch(client, api, run):
    api.fail_next(None, Fault(409, "batch_conflict", "other numbers"))
    batches = client.stream_batches(run)
    assert (await following(batches)).cursor == 0
    await until(lambda: len(asked(api)) == 2)
    with pytest.raises(escalade.Conflict, match="other numbers"):
        await following(batches)
    assert await following(batches) is None
    assert left() == []
    again = client.stream_batches(run, 1)
    assert (await following(again)).cursor == 1
    await close(again)


async def test_a_server_that_was_away_while_nobody_asked_is_asked_again_when_somebody_does(client, api, run):
    api.fail_next(None, Fault(503))
    batches = client.stream_batches(run, stop=3)
    assert (await following(batches)).cursor == 0
    await until(lambda: len(asked(api)) == 2)
    assert (await following(batches)).cursor == 1
    assert (await following(batches)).cursor == 2
    assert await following(batches) is None
    assert asked(api) == [0, 1, 1, 2]


async def test_a_server_that_is_away_when_the_caller_asks_is_an_error(client, api, run):
    api.fail_next(Fault(503))
    with pytest.raises(escalade.Unavailable):
        await following(client.stream_batches(run))
    assert asked(api) == [0]


async def test_a_stream_waits_as_the_server_says_and_holds_up_no_report(sdk, api, run):
    client = sdk.client(api.url, KEY, max_concurrency=1)
    # The time of an asynchronous client is fake here; a thread's is not, and would wait for ten minutes.
    pauses = asyncio.Event()

    async def asleep(seconds):
        sdk.time.pauses_s.append(seconds)
        await pauses.wait()

    if sdk.kind == "async":
        client._sleep = asleep
    api.fail_next(None, Fault(429, "queue_full", "later", headers={"Retry-After": "500"}))
    batches = client.stream_batches(run)
    first = await following(batches)
    await until(lambda: len(asked(api)) == 2)
    reports = [AttemptReport(group=group.group, rollout=0, completion="\\boxed{1}") for group in first.groups]
    async with asyncio.timeout(LIMIT_S):
        assert [one.score for one in (await sdk(client, "report", run, reports)).outcomes] == [1.0, 1.0]
    assert len(asked(api)) == 2
    if sdk.kind == "async":
        assert [500 <= pause <= 500.5 for pause in sdk.time.pauses_s] == [True]
        pauses.set()
        assert (await following(batches)).cursor == 1
    await close(batches)
    assert left() == []


async def test_a_stream_that_is_closed_leaves_nothing_behind_though_the_server_hangs(sdk, client, api, run):
    api.fail_next(None, Fault(hang=True))
    batches = client.stream_batches(run)
    await following(batches)
    await until(lambda: len(asked(api)) == 2)
    await close(batches)
    assert left() == []
    await sdk(client, "close")
    assert connections(api) == 0


async def test_a_loop_that_is_left_leaves_nothing_behind(sdk, client, api, run):
    api.fail_next(None, Fault(hang=True))
    if sdk.kind == "sync":
        for _ in client.stream_batches(run):
            break
    else:
        async for _ in client.stream_batches(run):
            break
    gc.collect()
    await until(lambda: left() == [])
    await sdk(client, "close")
    assert connections(api) == 0


async def test_a_client_that_is_closed_ends_its_streams(sdk, client, api, run):
    api.fail_next(None, Fault(hang=True))
    batches = client.stream_batches(run)
    await following(batches)
    await until(lambda: len(asked(api)) == 2)
    await sdk(client, "close")
    assert left() == []
    assert connections(api) == 0
    with pytest.raises(RuntimeError, match="closed"):
        await following(batches)


async def test_a_client_that_is_closed_wakes_up_who_waits_for_a_batch(sdk, client, api, run):
    api.fail_next(Fault(hang=True))
    waiting = asyncio.create_task(following(client.stream_batches(run)))
    await until(lambda: len(asked(api)) == 1)
    await sdk(client, "close")
    with pytest.raises(RuntimeError, match="closed"):
        await waiting
    assert left() == []


async def test_a_task_that_is_cancelled_while_it_waits_ends_its_stream(api, run):
    async with escalade.AsyncClient(api.url, KEY) as client:
        api.fail_next(Fault(hang=True))
        waiting = asyncio.create_task(following(client.stream_batches(run)))
        await until(lambda: len(asked(api)) == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(lambda: left() == [])


def test_a_program_that_never_closes_its_stream_ends(api):
    code = (
        "import escalade, sys\n"
        "with escalade.Client(sys.argv[1], sys.argv[2]) as client:\n"
        "    run = client.create_run('left open').run\n"
        "batches = escalade.Client(sys.argv[1], sys.argv[2]).stream_batches(run)\n"
        "print(next(batches).cursor)\n"
    )
    api.fail_next(None, None, Fault(hang=True))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, api.url, KEY],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "0", "")


def test_a_stream_does_not_go_on_in_a_forked_process(api):
    code = (
        "import escalade, os, sys\n"
        "client = escalade.Client(sys.argv[1], sys.argv[2])\n"
        "run = client.create_run('forked').run\n"
        "batches = client.stream_batches(run)\n"
        "next(batches)\n"
        "if os.fork() == 0:\n"
        "    try:\n"
        "        next(batches)\n"
        "    except RuntimeError as error:\n"
        "        anew = [batch.cursor for batch in client.stream_batches(run, 1, stop=3)]\n"
        "        sys.exit(('forked' in str(error), anew) != (True, [1, 2]))\n"
        "print(os.wait()[1], next(batches).cursor)\n"
        "client.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, api.url, KEY], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("0 1", "")


def test_a_stream_may_be_read_inside_a_running_event_loop(api):
    async def in_a_notebook():
        with escalade.Client(api.url, KEY) as client:
            run = client.create_run("notebook").run
            return [batch.cursor for batch in client.stream_batches(run, stop=2)]

    with asyncio.Runner() as runner:
        assert runner.run(in_a_notebook()) == [0, 1]

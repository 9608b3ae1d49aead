"""Listening to a job: streams that hold, streams that break, and no streams at all."""

import asyncio

import pytest
from fake_syntheses import BREAK, add, event, item

import escalade
from escalade._listening import Listener

ENDED = {"status": "succeeded", "done": 3, "finished_at": "2026-01-01T00:00:00Z"}


def told(events):
    return [(one.event, one.sequence) for one in events]


def asked(api):
    return [(request.path.split("/")[-1], request.headers.get("last-event-id")) for request in api.requests]


async def test_a_stream_tells_everything_and_no_question_is_asked(call, api):
    made = add(api, 3)
    progress = event("progress", made.job | {"done": 1, "activity": {"p2": "begins"}})
    end = event("end", made.job | ENDED)
    made.plays = [[b"retry: 1000\n\n", event("item", item(1)), progress, b": still here\n\n",
                   event("item", item(2)), event("item", item(3)), end]]  # fmt: skip
    found = await call("job_events", "job_0")
    assert told(found) == [("item", 1), ("progress", None), ("item", 2), ("item", 3), ("end", None)]
    assert (found[0].item.name, found[0].item.reason) == ("p1", "line\u2028separator")
    assert found[1].job.activity == {"p2": "begins"}
    assert (found[-1].job.status, found[-1].job.done) == ("succeeded", 3)
    assert asked(api) == [("events", None)]


async def test_pieces_may_be_cut_anywhere(call, api):
    made = add(api, 1)
    text = event("item", item(1)) + event("end", made.job | ENDED)
    made.plays = [[text[place : place + 1] for place in range(len(text))]]
    assert told(await call("job_events", "job_0")) == [("item", 1), ("end", None)]


async def test_a_broken_stream_is_taken_up_behind_the_last_item(call, api, time):
    made = add(api, 3, done=1)
    made.items = [item(1), item(2), item(3)]
    made.items[1] |= {"sequence": None, "outcome": None}
    made.items[2] |= {"sequence": None, "outcome": None}
    first = [event("item", item(1)), event("item", item(2))[:40], BREAK]
    made.plays = [first, [event("item", item(2)), event("item", item(3)), event("end", made.job | ENDED)]]
    found = await call("job_events", "job_0")
    assert told([one for one in found if one.event != "progress"]) == [
        ("item", 1), ("item", 2), ("item", 3), ("end", None),
    ]  # fmt: skip
    assert asked(api) == [("events", None), ("job_0", None), ("events", "1")]
    assert time.pauses_s == [pytest.approx(0.1)]


async def test_what_a_broken_stream_did_not_tell_is_asked_for(call, api):
    made = add(api, 3, done=1)
    made.items = [item(3), item(1), item(2)]
    made.plays = [[event("item", item(1)), BREAK]]
    made.polls = [ENDED]
    assert told(await call("job_events", "job_0")) == [("item", 1), ("item", 2), ("item", 3), ("end", None)]
    # Items come in pages of two.
    assert [name for name, _ in asked(api)] == ["events", "job_0", "items", "items"]


async def test_where_nothing_streams_the_job_is_polled(call, api, time):
    made = add(api, 2)
    made.items = [item(1), item(2)]
    made.polls = [{}, {}, {}, {"done": 1}, ENDED | {"done": 2}]
    made.items[1] |= {"sequence": None}
    found = call("job_events", "job_0")
    assert told(await found) == [("progress", None), ("item", 1), ("progress", None), ("end", None)]
    names = [name for name, _ in asked(api)]
    assert names.count("events") == 2
    assert sorted(time.pauses_s) == time.pauses_s
    assert len(time.pauses_s) == 5


async def test_a_listener_that_comes_later_leaves_out_what_it_was_told(call, api):
    made = add(api, 3)
    made.plays = [[event("item", item(3)), event("end", made.job | ENDED)]]
    assert told(await call("job_events", "job_0", after=2)) == [("item", 3), ("end", None)]
    assert asked(api) == [("events", "2")]
    with pytest.raises(escalade.InvalidRequest, match="after"):
        await call("job_events", "job_0", after=-1)


async def test_a_job_that_is_not_there_is_an_error(call, api):
    with pytest.raises(escalade.NotFound, match="job_9"):
        await call("job_events", "job_9")


async def test_an_event_of_another_kind_is_an_error_and_an_unknown_name_is_none(call, api):
    made = add(api, 1)
    made.plays = [[event("weather", {"sun": 1}), b"event: item\ndata: {}\n\n"]]
    with pytest.raises(escalade.UnexpectedResponse, match="same version"):
        await call("job_events", "job_0")


async def test_others_may_be_called_while_one_listens(api):
    from fake_api import KEY

    made = add(api, 1)
    made.plays = [[event("item", item(1)), event("end", made.job | ENDED)]]
    async with escalade.AsyncClient(api.url, KEY, max_concurrency=1) as client, asyncio.timeout(20):
        assert [(await client.job("job_0")).job async for _ in client.job_events("job_0")] == ["job_0"] * 2


def test_a_line_ends_with_either_mark_and_nothing_is_told_twice():
    listener = Listener("job_0", 0)
    listener.begin()
    text = event("item", item(1)).replace(b"\n", b"\r\n")
    assert told(listener.hear(text + text)) == [("item", 1)]

"""Streams of batches from a real server: with reports, across its restart, and with checkpoints and restores."""

import asyncio
from contextlib import aclosing, closing

import pytest

from escalade import AsyncClient, AttemptReport, NotFound


@pytest.fixture
def run(client):
    return client.create_run(
        "streamed", groups=4, rollouts=2, seed=5, reveal_answers=True,
        pool={"environments": ["coin-row", "drum-patterns", "ticket-queue"]},
    ).run  # fmt: skip


def answers(batch):
    """Right and wrong by turns."""
    return [
        AttemptReport(
            group=group.group, rollout=rollout, completion=f"\\boxed{{{'' if rollout % 2 else '-7'}{group.answer}}}"
        )
        for group in batch.groups
        for rollout in range(group.rollouts)
    ]


def test_every_step_of_a_stream_is_reported_and_closed(client, run):
    with closing(client.stream_batches(run, stop=4)) as batches:
        for step, batch in enumerate(batches):
            assert batch == client.batch(run, step)
            results = client.report(run, answers(batch))
            assert [outcome.score for outcome in results.outcomes] == [0.0, 1.0] * 4
            assert len(results.closed) == 4
    assert [event.payload["cursor"] for event in client.events(run) if event.kind == "batch"] == [0, 1, 2, 3]


async def test_many_ranks_stream_the_same_batches(server, client, run):
    async def rank():
        async with (
            AsyncClient(client.url, (server.data / "admin.key").read_text().strip()) as own,
            aclosing(own.stream_batches(run, stop=5, depth=2)) as batches,
        ):
            return [batch async for batch in batches]

    first, *others = await asyncio.gather(*(rank() for _ in range(4)))
    assert [batch.cursor for batch in first] == [0, 1, 2, 3, 4]
    assert all(other == first for other in others)
    assert [event.payload["cursor"] for event in client.events(run) if event.kind == "batch"] == [0, 1, 2, 3, 4]


def test_a_stream_outlives_its_server(server, client, run):
    seen = []
    for batch in client.stream_batches(run, stop=4):
        seen.append(batch.cursor)
        if batch.cursor == 1:
            server.kill()
            server.start()
        client.report(run, answers(batch))
    assert seen == [0, 1, 2, 3]


def test_after_a_restore_a_new_stream_gives_the_same_batches(client, run):
    def steps(start, stop):
        found = []
        with closing(client.stream_batches(run, start, stop=stop)) as batches:
            for batch in batches:
                found.append(batch)
                client.report(run, answers(batch))
        return found

    steps(0, 2)
    client.checkpoint(run, "two", 2)
    first = steps(2, 5)
    client.restore(run, "two")
    again = steps(2, 5)
    assert [[group.instance for group in batch.groups] for batch in first] == [
        [group.instance for group in batch.groups] for batch in again
    ]


def test_a_checkpoint_in_the_middle_of_a_stream_holds_what_was_fetched_ahead(client, run):
    with closing(client.stream_batches(run, depth=2)) as batches:
        for batch in batches:
            client.report(run, answers(batch))
            if batch.cursor == 1:
                client.checkpoint(run, "middle", 2)
                break
    fetched = client.batch(run, 2)
    client.restore(run, "middle")
    with closing(client.stream_batches(run, 2)) as batches:
        again = next(batches)
        assert [group.instance for group in again.groups] == [group.instance for group in fetched.groups]
        assert len(client.report(run, answers(again)).closed) == 4


def test_a_run_that_is_deleted_ends_its_stream_with_a_clear_word(client, run):
    batches = client.stream_batches(run, depth=0)
    next(batches)
    client.delete_run(run)
    with pytest.raises(NotFound, match="run"):
        next(batches)

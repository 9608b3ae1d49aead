"""Nothing is lost or counted twice when the server is killed at random points, or when two servers share a database.

ESCALADE_CRASHES sets how often the server is killed; `make soak` asks for 200.
"""

import json
import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import serving

from escalade import Client
from escalade.types import AttemptReport
from escalade_server.runs.state import RunState, dump, fold
from escalade_server.storage.sessions import Database

CRASHES = int(os.environ.get("ESCALADE_CRASHES", "10"))
RANKS = 8
GROUPS = 4
POOL = ["901-a-lamps-in-the-corridor", "902-b-views-along-the-shelf", "903-c-badge-letters"]
FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "scaler-small.json"


def answer(cursor: int, position: int, rank: int) -> str:
    return f"I think it is \\boxed{{{(cursor * 7 + position * 3 + rank) % 5}}}"


def work(client: Client, run: str, rank: int, steps: int) -> list[list[str]]:
    """One rank of a trainer: asks for every batch, and reports its own rollout of every group."""
    seen = []
    for cursor in range(steps):
        batch = client.batch(run, cursor)
        seen.append([group.instance for group in batch.groups])
        reports = [
            AttemptReport(group=group.group, rollout=rank, completion=answer(cursor, position, rank))
            for position, group in enumerate(batch.groups)
        ]
        outcomes = client.report(run, reports).outcomes
        assert [outcome.outcome for outcome in outcomes] == ["scored"] * GROUPS
    return seen


async def stored(url: str, run: str) -> tuple[RunState, int, list[int]]:
    """The fold of the stored log, how many attempts there are, and the log's sequence numbers."""
    from sqlalchemy import func, select

    from escalade_server.storage import events
    from escalade_server.storage.tables import Attempt, BatchGroup

    database = Database(url)
    try:
        async with database.read() as session:
            log = await events.since(session, run, 0)
            query = select(func.count()).select_from(Attempt).join(BatchGroup).where(BatchGroup.run_id == run)
            count = await session.scalar(query)
    finally:
        await database.close()
    state: RunState | None = None
    for event in log:
        state = fold(state, event.kind, event.payload)
    assert state is not None
    return state, count or 0, [event.sequence for event in log]


def check(client: Client, database_url: str, run: str, steps: int, seen: list[list[list[str]]]) -> None:
    assert all(one == seen[0] for one in seen), "every rank saw the same batches"
    replayed, attempts, sequences = serving.in_thread(lambda: stored(database_url, run))
    assert sequences == list(range(len(sequences)))
    assert attempts == steps * GROUPS * RANKS, "every attempt exactly once"
    assert json.loads(dump(replayed)) == client.export_run(run).state, "the live state is the replayed one"
    closed = [event.payload["group"] for event in client.events(run) if event.kind == "closed"]
    assert sorted(closed) == sorted(f"{cursor}.{position}" for cursor in range(steps) for position in range(GROUPS))
    for cursor in range(steps):
        again = [
            AttemptReport(group=f"{cursor}.{position}", rollout=rank, completion=answer(cursor, position, rank))
            for position in range(GROUPS)
            for rank in range(RANKS)
        ]
        assert all(outcome.repeat for outcome in client.report(run, again).outcomes)


@contextmanager
def ranks(urls: list[str], secret: str, run: str, steps: int) -> Iterator[list[Future[list[list[str]]]]]:
    with ExitStack() as stack, ThreadPoolExecutor(RANKS) as executor:
        clients = [
            stack.enter_context(
                Client(urls[rank % len(urls)], secret, retries=60 + 20 * CRASHES, deadline_s=600 + 30 * CRASHES)
            )
            for rank in range(RANKS)
        ]
        yield [executor.submit(work, client, run, rank, steps) for rank, client in enumerate(clients)]


def begin(client: Client) -> str:
    client.import_archive("scaler", FIXTURE.read_text(), FIXTURE.name)
    made = client.create_run(
        "crash", groups=GROUPS, rollouts=RANKS, seed=1, curriculum={"policy": "bayes"}, pool={"environments": POOL}
    )
    # The first batch compiles what the pool needs, so that the kills that follow hit all kinds of moments.
    client.batch(made.run, 0)
    return made.run


def test_killed_at_random_points_it_loses_nothing(tmp_path: Path, free_port: int, database_url: str) -> None:
    steps = 6 + 2 * CRASHES
    variables = {"ESCALADE_SANDBOX": "process", "ESCALADE_DATABASE_URL": database_url}
    moments = random.Random(20_260_109)
    secret = serving.admin_secret(database_url)
    with serving.started(tmp_path, free_port, **variables) as server:
        with Client(server.url, secret) as client:
            run = begin(client)
        with ranks([server.url], secret, run, steps) as futures:
            finished = threading.Event()
            for future in futures:
                future.add_done_callback(lambda _: finished.set() if all(one.done() for one in futures) else None)
            for _ in range(CRASHES):
                if finished.wait(moments.uniform(0.05, 1.5)):
                    break
                server.kill()
                server.start()
            seen = [future.result(600 + 30 * CRASHES) for future in futures]
        with Client(server.url, secret) as client:
            check(client, database_url, run, steps, seen)


@pytest.mark.postgres
@pytest.mark.parametrize("_new_database", ["postgres"], indirect=True)
def test_two_servers_on_one_database_behave_as_one(
    tmp_path: Path, free_port: int, database_url: str, another_port: int
) -> None:
    variables = {"ESCALADE_SANDBOX": "process", "ESCALADE_DATABASE_URL": database_url}
    steps = 12
    secret = serving.admin_secret(database_url)
    with (
        serving.started(tmp_path / "one", free_port, **variables) as one,
        serving.started(tmp_path / "two", another_port, **variables) as two,
    ):
        with Client(one.url, secret) as client:
            run = begin(client)
        with ranks([one.url, two.url], secret, run, steps) as futures:
            seen = [future.result(600 + 30 * CRASHES) for future in futures]
        for url in (one.url, two.url):
            with Client(url, secret) as client:
                check(client, database_url, run, steps, seen)

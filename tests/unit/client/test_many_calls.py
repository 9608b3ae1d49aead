"""Ten thousand calls at once: they queue up, all of them come back, and nothing stays open."""

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import escalade

CALLS = 10_000
LIMIT_S = 900.0
"""So that a hang is a failure; nothing is measured by it."""
CONNECTIONS = 16


@pytest.fixture
def url():
    command = [sys.executable, Path(__file__).with_name("light_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.terminate()


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def check(answers):
    assert [answer["status"] for answer in answers] == ["ok"] * CALLS
    assert sorted(answer["total"] for answer in answers) == list(range(1, CALLS + 1)), "each was sent once"
    assert max(answer["most"] for answer in answers) <= CONNECTIONS


async def test_ten_thousand_calls_of_one_event_loop(url):
    before = descriptors()
    async with asyncio.timeout(LIMIT_S), escalade.AsyncClient(url, "key") as client:
        check(await asyncio.gather(*(client.health() for _ in range(CALLS))))
    assert descriptors() == before


def test_ten_thousand_calls_of_many_threads(url):
    before = descriptors()
    with escalade.Client(url, "key") as client, ThreadPoolExecutor(200) as threads:
        started = [threads.submit(client.health) for _ in range(CALLS)]
        check([call.result(LIMIT_S) for call in started])
    assert descriptors() == before


async def test_calls_that_are_given_up_leave_room_for_others(url):
    async with asyncio.timeout(LIMIT_S), escalade.AsyncClient(url, "key", max_concurrency=2) as client:
        waiting = [asyncio.create_task(client.health()) for _ in range(1_000)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()
        assert any(one is not None for one in await asyncio.gather(*waiting, return_exceptions=True))
        answers = await asyncio.gather(*(client.health() for _ in range(100)))
    assert [answer["status"] for answer in answers] == ["ok"] * 100

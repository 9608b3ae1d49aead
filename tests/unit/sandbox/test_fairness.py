"""The waiting line: whose turn it is, and what happens to those who leave it."""

import asyncio
import contextlib

import pytest

from escalade_sandbox.fairness import FairQueue
from escalade_sandbox.types import SandboxBusy


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_owners_take_turns_however_many_jobs_one_has():
    queue = FairQueue(slots=1, limit=100)
    served: list[str] = []

    async def job(owner: str) -> None:
        async with queue.permit(owner):
            served.append(owner)
            await asyncio.sleep(0)

    async with queue.permit("first"):
        tasks = [asyncio.create_task(job("greedy")) for _ in range(5)]
        await settle()
        tasks += [asyncio.create_task(job("modest")) for _ in range(2)]
        await settle()
    await asyncio.gather(*tasks)
    assert served == ["greedy", "modest", "greedy", "modest", "greedy", "greedy", "greedy"]
    assert (queue.free, queue.waiting) == (1, 0)


async def test_a_full_line_is_busy_at_once_and_says_when_to_come_back():
    queue = FairQueue(slots=1, limit=1)
    async with queue.permit("a"):
        waiting = asyncio.create_task(queue._acquire("b"))
        await settle()
        with pytest.raises(SandboxBusy) as caught:
            async with queue.permit("c"):
                raise AssertionError("the line was full")
        assert 1 <= caught.value.retry_after_s <= 60
    await waiting
    queue._release()
    assert (queue.free, queue.waiting) == (1, 0)


async def test_whoever_leaves_the_line_is_passed_over():
    queue = FairQueue(slots=1, limit=10)
    async with queue.permit("a"):
        leaver = asyncio.create_task(queue._acquire("b"))
        stayer = asyncio.create_task(queue._acquire("c"))
        await settle()
        leaver.cancel()
        await settle()
        assert queue.waiting == 1
    await stayer
    assert queue.free == 0
    queue._release()
    assert queue.free == 1


async def test_a_permit_handed_to_someone_who_just_left_is_not_lost():
    queue = FairQueue(slots=1, limit=10)
    async with queue.permit("a"):
        leaver = asyncio.create_task(queue._acquire("b"))
        await settle()
    # The permit is handed over, and the task is cancelled before it runs again.
    leaver.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaver
    assert (queue.free, queue.waiting) == (1, 0)


async def test_an_error_under_a_permit_gives_it_back():
    queue = FairQueue(slots=2, limit=10)
    with pytest.raises(ValueError, match="inside"):
        async with queue.permit("a"):
            raise ValueError("inside")
    assert queue.free == 2

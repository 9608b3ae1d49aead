"""The client of services: balance, one retry elsewhere, and honest failure."""

import asyncio

import httpx
import pytest

from escalade_sandbox.http import HttpSandbox
from escalade_sandbox.service import create_app
from escalade_sandbox.types import (
    Input,
    Job,
    JobResult,
    Program,
    Result,
    SandboxBusy,
    SandboxError,
    SandboxUnavailable,
    Status,
    UnknownLanguage,
)

KEY = "a-key-for-the-client-tests"
JOB = Job(Program("python", ""), [Input(b"x")])


@pytest.fixture
async def two(scripted, hosts):
    """Two services, one with three times the other's slots, and their client."""
    small, large = scripted(slots=2), scripted(slots=6)
    transport = hosts(small=create_app(small, KEY), large=create_app(large, KEY))
    client = HttpSandbox(["http://small", "http://large/"], KEY, transport=transport)
    await client.start()
    yield client, small, large, transport
    await client.close()


async def test_jobs_go_where_slots_are_free(two):
    client, small, large, _ = two
    release, full = asyncio.Event(), asyncio.Event()

    async def hold(job: Job) -> JobResult:
        if len(small.jobs) + len(large.jobs) == 8:
            full.set()
        await release.wait()
        return JobResult((Result(Status.OK),))

    small.answer = large.answer = hold
    running = [asyncio.create_task(client.run(JOB)) for _ in range(8)]
    async with asyncio.timeout(10):
        await full.wait()
    assert (len(small.jobs), len(large.jobs)) == (2, 6)
    release.set()
    await asyncio.gather(*running)


async def test_a_service_that_dies_in_mid_job_means_one_retry_elsewhere(two):
    client, small, large, _ = two

    async def die(job: Job) -> JobResult:
        raise httpx.ReadError("the connection broke")

    large.answer = die
    result = await client.run(JOB)
    assert result.results[0].stdout == b"x"
    assert (len(small.jobs), len(large.jobs)) == (1, 1)
    await client.run(JOB)
    assert (len(small.jobs), len(large.jobs)) == (2, 1)


async def test_what_fails_twice_is_unavailable_and_tried_no_more(two, unavailable):
    client, small, large, _ = two
    small.answer = large.answer = unavailable
    with pytest.raises(SandboxUnavailable):
        await client.run(JOB)
    assert (len(small.jobs), len(large.jobs)) == (1, 1)


async def test_a_single_service_is_tried_twice(scripted, hosts, unavailable):
    only = scripted()
    client = HttpSandbox(["http://only"], KEY, transport=hosts(only=create_app(only, KEY)))
    await client.start()
    only.answer = unavailable
    with pytest.raises(SandboxUnavailable):
        await client.run(JOB)
    assert len(only.jobs) == 2
    await client.close()


async def test_a_full_queue_is_tried_elsewhere_and_then_told(two):
    client, small, large, _ = two

    async def busy(job: Job) -> JobResult:
        raise SandboxBusy("full", 9.0)

    large.answer = busy
    assert (await client.run(JOB)).results[0].status is Status.OK
    small.answer = busy
    with pytest.raises(SandboxBusy) as caught:
        await client.run(JOB)
    assert caught.value.retry_after_s == 9.0


async def test_a_refused_job_is_not_tried_elsewhere(two):
    client, small, large, _ = two

    async def refuse(job: Job) -> JobResult:
        raise UnknownLanguage("no language 'cobol' here")

    small.answer = large.answer = refuse
    with pytest.raises(UnknownLanguage, match="cobol"):
        await client.run(JOB)
    assert len(small.jobs) + len(large.jobs) == 1


async def test_a_key_that_has_become_wrong_says_so(scripted, hosts):
    transport = hosts(only=create_app(scripted(), KEY))
    client = HttpSandbox(["http://only"], KEY, transport=transport)
    await client.start()
    transport.transports |= hosts(only=create_app(scripted(), "another-key")).transports
    with pytest.raises(SandboxUnavailable, match="ESCALADE_SANDBOX_KEY"):
        await client.run(JOB)
    await client.close()


async def test_health_counts_the_services_that_are_ready(two):
    client, small, _, transport = two
    health = await client.health()
    assert (health.ready, health.slots, health.free_slots) == (True, 8, 8)
    small.ready = False
    health = await client.health()
    assert (health.ready, health.slots) == (True, 6)
    del transport.transports["large"]
    health = await client.health()
    assert not health.ready
    assert "http://large: ConnectError" in health.detail


async def test_without_a_service_it_does_not_start(hosts):
    client = HttpSandbox(["http://nowhere"], KEY, transport=hosts())
    with pytest.raises(SandboxUnavailable, match="http://nowhere"):
        await client.start()


@pytest.mark.parametrize("urls", [[], ["nowhere"], ["ftp://x"]])
def test_an_address_that_is_none_is_refused(urls):
    with pytest.raises(ValueError, match="ESCALADE_SANDBOX_URL"):
        HttpSandbox(urls, KEY)


async def test_a_wrong_key_is_noticed_at_the_start(scripted, hosts):
    transport = hosts(only=create_app(scripted(), KEY))
    client = HttpSandbox(["http://only"], KEY + "-wrong", transport=transport)
    with pytest.raises(SandboxUnavailable, match="refuses the key") as caught:
        await client.start()
    assert KEY not in str(caught.value)
    await client.close()


async def test_a_key_may_end_with_the_newline_of_its_file(scripted, hosts):
    client = HttpSandbox(["http://only"], KEY + "\n", transport=hosts(only=create_app(scripted(), KEY)))
    await client.start()
    await client.close()


@pytest.mark.parametrize("key", [KEY + "\n" + KEY, KEY + "\xfc"], ids=["newline", "umlaut"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key):
    with pytest.raises(SandboxError, match="ESCALADE_SANDBOX_KEY") as caught:
        HttpSandbox(["http://only"], key)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("url", ["sandbox:8701", "http://", "http://sandbox:port"])
def test_what_is_no_address_is_one_clear_line(url):
    with pytest.raises(SandboxError, match="ESCALADE_SANDBOX_URL"):
        HttpSandbox([url], KEY)

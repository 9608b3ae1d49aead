"""The fake API, and both clients behind one face, so that one suite proves both."""

import inspect
import random

import fake_histories  # noqa: F401 - it adds its routes to the fake API
import fake_syntheses  # noqa: F401 - so does it
import pytest
from fake_api import KEY, FakeApi

import escalade


@pytest.fixture
def api():
    with FakeApi().serving() as served:
        yield served


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now_s = 1_000.0
        self.pauses_s = []

    def clock(self):
        return self.now_s

    def sleep(self, seconds):
        self.pauses_s.append(seconds)
        self.now_s += seconds

    async def asleep(self, seconds):
        self.sleep(seconds)


class Sdk:
    """Calls a method of either client by name and waits for the whole answer."""

    def __init__(self, kind, time):
        self.kind, self.time, self.open = kind, time, []

    def client(self, url, key, **options):
        options.setdefault("rng", random.Random(7))
        if self.kind == "sync":
            client = escalade.Client(url, key, clock=self.time.clock, sleep=self.time.sleep, **options)
        else:
            client = escalade.AsyncClient(url, key, clock=self.time.clock, sleep=self.time.asleep, **options)
        self.open.append(client)
        return client

    async def __call__(self, client, method, *args, **kwargs):
        result = getattr(client, method)(*args, **kwargs)
        if inspect.isawaitable(result):
            return await result
        if hasattr(result, "__aiter__"):
            return [item async for item in result]
        return list(result) if hasattr(result, "__next__") else result

    async def close(self):
        for client in self.open:
            await self(client, "close")


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture(params=["sync", "async"])
async def sdk(request, time):
    face = Sdk(request.param, time)
    yield face
    await face.close()


@pytest.fixture
def call(sdk, api):
    """Call a method of a client of the fake API: `await call("environment", "knapsack")`."""
    client = sdk.client(api.url, KEY)

    async def perform(method, *args, **kwargs):
        return await sdk(client, method, *args, **kwargs)

    perform.client = client
    return perform

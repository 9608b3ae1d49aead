"""The fake API, and both clients behind one face, so that one suite proves both."""

import importlib.util
import inspect
import random
import sys
from pathlib import Path

import pytest

import escalade


def _load(name):
    # Tests are no package; siblings are loaded by path.
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_load("fake_api")
_load("fake_histories")
_load("fake_syntheses")


@pytest.fixture
def api():
    from fake_api import FakeApi

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
    from fake_api import KEY

    client = sdk.client(api.url, KEY)

    async def perform(method, *args, **kwargs):
        return await sdk(client, method, *args, **kwargs)

    perform.client = client
    return perform

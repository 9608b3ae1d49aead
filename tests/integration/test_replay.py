"""For random histories with concurrency, restarts and restores, replaying the log gives the live state bit for bit."""

import asyncio
import random
from typing import Any

import httpx
import pytest

from escalade_server.api.services import Services
from escalade_server.runs.state import RunState, dump, fold, restored
from escalade_server.storage import events as event_queries
from escalade_server.storage import runs as run_queries


def replay(log: list[Any]) -> RunState:
    """From the first event alone: no snapshot, no memory."""
    states: list[RunState] = []
    for event in log:
        if event.kind == "restored":
            states.append(restored(states[event.payload["sequence"] - 1], event.sequence))
        else:
            states.append(fold(states[-1] if states else None, event.kind, event.payload))
    return states[-1]


class History:
    """One run, lived at random."""

    def __init__(self, client: httpx.AsyncClient, services: Services, run: str, chance: random.Random) -> None:
        self.client, self.services, self.run, self.chance = client, services, run, chance
        self.cursor = 0
        self.labels: dict[str, int] = {}
        self.open: dict[str, int] = {}

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        reply = await self.client.request(method, f"/v1/runs/{self.run}{path}", json=body)
        assert reply.status_code < 300, reply.text
        return reply.json()

    async def batch(self) -> None:
        replies = await asyncio.gather(*(self.call("PUT", f"/batches/{self.cursor}", {}) for _ in range(3)))
        assert replies[0] == replies[1] == replies[2]
        self.open |= {group["group"]: group["rollouts"] for group in replies[0]["groups"]}
        self.cursor += 1

    async def refill(self) -> None:
        if self.cursor:
            number = self.chance.randrange(1, 4)
            for before in range(1, number + 1):
                await self.call("PUT", f"/batches/{self.cursor - 1}/refills/{before}", {"groups": 1})

    async def report(self) -> None:
        """Several callers at once, each with some rollouts of some groups, some of them the same."""
        names = self.chance.sample(sorted(self.open), min(len(self.open), 4))
        parts = []
        for _ in range(3):
            attempts = [
                {"group": name, "rollout": rollout, "score": float((len(name) + rollout) % 2)}
                for name in names
                for rollout in range(self.open[name])
                if self.chance.random() < 0.6
            ]
            if attempts:
                parts.append(self.call("POST", "/attempts", {"attempts": attempts}))
        await asyncio.gather(*parts)

    async def close(self) -> None:
        if self.cursor:
            await self.call("POST", f"/batches/{self.chance.randrange(self.cursor)}/close")

    async def checkpoint(self) -> None:
        label = f"at {len(self.labels)}"
        await self.call("POST", "/checkpoints", {"label": label, "step": self.cursor})
        self.labels[label] = self.cursor

    async def restore(self) -> None:
        if self.labels:
            label = self.chance.choice(sorted(self.labels))
            done = await self.client.post(f"/v1/runs/{self.run}/restore", json={"label": label})
            if done.status_code == 404:
                # It was made in a future that an earlier restore undid.
                assert done.json()["code"] == "checkpoint_not_found"
                return
            assert done.status_code == 200, done.text
            self.cursor = self.labels[label]
            self.open = {name: count for name, count in self.open.items() if int(name.split(".")[0]) < self.cursor}

    async def restart(self) -> None:
        self.services.journal.forget(self.run)


@pytest.mark.parametrize("policy", ["bayes", "scaler", "staircase", "learnability"])
async def test_replay_equals_the_live_state(
    services: Services, trainer: httpx.AsyncClient, start_run: Any, policy: str
) -> None:
    chance = random.Random(f"history of {policy}")
    run = (await start_run(groups=3, rollouts=2, curriculum={"policy": policy}))["run"]
    history = History(trainer, services, run, chance)
    await history.batch()
    kinds = ["batch", "report", "refill", "close", "checkpoint", "restore", "restart"]
    for name in [
        *chance.choices(kinds, [4, 8, 1, 1, 2, 1, 2], k=32),
        "checkpoint",
        "batch",
        "close",
        "restore",
        "batch",
    ]:
        await getattr(history, name)()
    await services.buffer.idle()
    async with services.database.read() as session:
        row = await run_queries.get(session, run)
        assert row is not None
        log = await event_queries.since(session, run, 0)
        live = await services.journal.state(session, row)
        services.journal.forget(run)
        restarted = await services.journal.state(session, row)
    assert [event.sequence for event in log] == list(range(row.sequence))
    assert dump(replay(log)) == dump(live) == dump(restarted)
    assert {"batch", "closed", "checkpoint", "restored"} <= {event.kind for event in log}

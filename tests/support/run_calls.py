"""What tests of runs ask of the API: batches, whole reports with scores that vary, and controllers."""

from typing import Any

import httpx


async def batch(client: httpx.AsyncClient, run: str, cursor: int, **body: Any) -> dict[str, Any]:
    reply = await client.put(f"/v1/runs/{run}/batches/{cursor}", json=body)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def report(client: httpx.AsyncClient, run: str, issued: dict[str, Any], *, rollouts: int = 2) -> dict[str, Any]:
    attempts = [
        {"group": name, "rollout": rollout, "score": float((int(name.split(".")[1]) + rollout + issued["cursor"]) % 2)}
        for name in (group["group"] for group in issued["groups"])
        for rollout in range(rollouts)
    ]
    reply = await client.post(f"/v1/runs/{run}/attempts", json={"attempts": attempts})
    assert reply.status_code == 200, reply.text
    done: dict[str, Any] = reply.json()
    return done


async def controllers(client: httpx.AsyncClient, run: str) -> Any:
    return (await client.get(f"/v1/runs/{run}/controllers")).json()["items"]

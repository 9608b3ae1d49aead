"""Time to score 512 typed answers in one request, to report 512 attempts in one, and 2,048 through the SDK.

The completions are whole ones, half of them right, over every answer type that the catalogue has. The baseline is
`GET /healthz` of the same server. Requests for scores alone come first, on a server with nothing else to do; then the
three kinds take turns in a training run, where the server also makes the instances of the next batches meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
from _figures import Figure, Target, note, percentile, report
from _filling import truths
from _servers import Served, engines, must, serving

from escalade import Client
from escalade.types import AttemptReport

ITEMS = 512
SDK_ATTEMPTS = 2_048
GROUPS = 64
THOUGHT = "Let me look at the numbers one after another and keep the best so far. " * 12
"""Before each answer: a short chain of thought."""


def completion(truth: str, right: bool) -> str:
    """A whole answer of a model."""
    return f"<think>{THOUGHT}</think>\nSo it is \\boxed{{{truth.strip() if right else '-' + truth.strip() + '1'}}}."


def timed(taken: list[float], request: Callable[[], Any]) -> Any:
    """Note the milliseconds of a call."""
    begun = time.perf_counter()
    answer = request()
    taken.append((time.perf_counter() - begun) * 1e3)
    return answer


def score_items(served: Served, client: httpx.Client, names: Sequence[str]) -> list[dict[str, str]]:
    """512 answers to instances of the chosen environments."""
    instances: list[str] = []
    for name in names:
        body = {"level": 1, "count": -(-ITEMS // len(names)), "seed": 5}
        served_now = must(client.post(f"/v1/environments/{name}/instances", json=body))["instances"]
        instances += [one["instance"] for one in served_now]
    known = asyncio.run(truths(served.database_url, instances))
    return [
        {"instance": one, "completion": completion(known[one], index % 2 == 0)}
        for index, one in enumerate(instances[:ITEMS])
    ]


def one_per_answer_type(client: httpx.Client) -> list[str]:
    """An environment for each answer type that needs no checker."""
    chosen: dict[str, str] = {}
    for item in must(client.get("/v1/environments"))["items"]:
        if item["answer_type"] != "checked":
            chosen.setdefault(item["answer_type"], item["name"])
    return sorted(chosen.values())


def attempts(batch: dict[str, Any], rollouts: int) -> list[dict[str, Any]]:
    """A report of a whole batch of a run that reveals its answers."""
    return [
        {
            "group": group["group"],
            "rollout": rollout,
            "completion": completion(group["answer"], rollout % 2 == 0),
            "completion_tokens": 250,
        }
        for group in batch["groups"]
        for rollout in range(rollouts)
    ]


def figures(served: Served, engine: str, repeats: int) -> list[Figure]:
    """Measure on one server."""
    taken: dict[str, list[float]] = {"healthz": [], "scores": [], "in_training": [], "attempts": [], "sdk": []}
    with served.client() as client, Client(served.url, served.key) as sdk:
        names = one_per_answer_type(client)
        note(f"{engine}: making instances of {len(names)} answer types")
        items = json.dumps({"items": score_items(served, client, names)}).encode()
        types = {"Content-Type": "application/json"}

        def score(what: str) -> None:
            reply = timed(taken[what], lambda: must(client.post("/v1/scores", content=items, headers=types)))
            verdicts = [outcome["verdict"] for outcome in reply["outcomes"]]
            if len(verdicts) != ITEMS or not 0.4 * ITEMS <= verdicts.count("accepted") <= 0.6 * ITEMS:
                raise RuntimeError(f"{verdicts.count('accepted')} of {len(verdicts)} answers were accepted, not half")

        note(f"{engine}: measuring")
        for count in range(repeats + 1):
            if count == 1:
                # The first round fills caches.
                taken["healthz"], taken["scores"] = [], []
            timed(taken["healthz"], lambda: must(client.get("/healthz")))
            score("scores")
        body = {
            "name": "scores",
            "groups": GROUPS,
            "rollouts": 8,
            "seed": 2,
            "reveal_answers": True,
            "pool": {"environments": names},
        }
        run = must(client.post("/v1/runs", json=body))["run"]
        for cursor in range(repeats + 1):
            if cursor == 1:
                taken["in_training"], taken["attempts"], taken["sdk"] = [], [], []
            score("in_training")
            batch = must(client.put(f"/v1/runs/{run}/batches/{2 * cursor}", json={}))
            sent = json.dumps({"attempts": attempts(batch, 8)}).encode()
            path = f"/v1/runs/{run}/attempts"
            reply = timed(taken["attempts"], lambda: must(client.post(path, content=sent, headers=types)))  # noqa: B023
            if len(reply["closed"]) != GROUPS:
                raise RuntimeError(f"{len(reply['closed'])} of {GROUPS} groups closed")
            batch = must(client.put(f"/v1/runs/{run}/batches/{2 * cursor + 1}", json={"rollouts": 32}))
            reports = [AttemptReport(**attempt) for attempt in attempts(batch, 32)]
            outcomes = timed(taken["sdk"], lambda: sdk.report(run, reports)).outcomes  # noqa: B023
            if len(outcomes) != SDK_ATTEMPTS:
                raise RuntimeError(f"{len(outcomes)} outcomes of {SDK_ATTEMPTS}")
    base = percentile(taken["healthz"], 0.5)

    def figure(name: str, what: str, limit: float | None) -> Figure:
        target = Target("value", "at most", limit) if limit is not None else None
        return Figure(f"{name}-{engine}-p50", percentile(taken[what], 0.5), "ms", base, "healthz p50", target)

    return [
        figure("scores-512", "scores", 80),
        figure("scores-512-in-training", "in_training", None),
        figure("attempts-512", "attempts", 200),
        figure("attempts-2048-sdk", "sdk", 3_000),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure on each engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="sqlite")
    parser.add_argument("--repeats", type=int, default=11, help="measurements of each figure")
    options = parser.parse_args(arguments)
    found: list[Figure] = []
    for engine in engines(options.engine):
        with serving(engine, ESCALADE_SANDBOX="process") as served:
            found += figures(served, engine, options.repeats)
    report(found)


if __name__ == "__main__":
    main()

"""Time to judge 64 answers of one environment by its checker, in one request.

Each built-in environment whose answers are not unique is measured in turn; half of the answers are right. The baseline
is the same answers in requests of one answer each. Warm: the checkers have been compiled before.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx
from _figures import Figure, Target, median, note, report
from _filling import truths
from _servers import Served, must, serving

ANSWERS = 64
ALONE = 8
"""Answers of the baseline's rounds, of which each costs a request."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every environment with a checker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sandbox", choices=("docker", "process"), default="docker")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each environment")
    options = parser.parse_args(arguments)
    with serving("sqlite", ESCALADE_SANDBOX=options.sandbox) as served, served.client() as client:
        report(figures(served, client, options.repeats))


def figures(served: Served, client: httpx.Client, repeats: int) -> list[Figure]:
    """The slowest environment's median, and the median of all measurements."""
    names = [one["name"] for one in must(client.get("/v1/environments"))["items"] if one["answer_type"] == "checked"]
    together: dict[str, list[float]] = {}
    alone: list[float] = []
    for name in sorted(names):
        items = answers(served, client, name)
        judge(client, items)  # compiles the checker
        together[name] = [judge(client, items) for _ in range(repeats)]
        alone += [sum(judge(client, [item]) for item in items[:ALONE]) * ANSWERS / ALONE]
        note(f"{name}: {median(together[name]):.3f} s")
    slowest = max(together, key=lambda name: median(together[name]))
    target = Target("value", "at most", 1.5)
    every = [taken for name in names for taken in together[name]]
    baseline = "an answer per request"
    return [
        Figure("checkers-64-slowest", median(together[slowest]), "s", median(alone), baseline, target),
        Figure("checkers-64", median(every), "s", median(alone), baseline, target),
    ]


def answers(served: Served, client: httpx.Client, name: str) -> list[dict[str, str]]:
    """Answers to instances of a low and a high level, every other one right."""
    levels = must(client.get(f"/v1/environments/{name}"))["levels"]
    found: list[str] = []
    for level in (1, levels - 1):
        body = {"level": level, "count": ANSWERS // 2, "seed": 3}
        made = must(client.post(f"/v1/environments/{name}/instances", json=body))["instances"]
        found += [one["instance"] for one in made]
    known = asyncio.run(truths(served.database_url, found))
    return [
        {"instance": one, "completion": f"\\boxed{{{known[one].strip() if index % 2 else '1 1'}}}"}
        for index, one in enumerate(found)
    ]


def judge(client: httpx.Client, items: Sequence[dict[str, str]]) -> float:
    """Seconds until these answers are scored.

    Raises:
        RuntimeError: A right answer was not accepted.
    """
    begun = time.perf_counter()
    reply: dict[str, Any] = must(client.post("/v1/scores", json={"items": list(items)}))
    taken = time.perf_counter() - begun
    accepted = sum(outcome["verdict"] == "accepted" for outcome in reply["outcomes"])
    if len(items) > 1 and not len(items) // 2 <= accepted < len(items):
        raise RuntimeError(f"{accepted} of {len(items)} answers were accepted, though half are right")
    return taken


if __name__ == "__main__":
    main()

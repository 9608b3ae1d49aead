"""Time of `PUT batches` for 64 groups whose instances lie ready, over HTTP, beside `GET /healthz` of the same server.

Every batch is reported in full before the next, as a trainer would. The second pool has as many environments as the
paper's. `scaler` is measured because its instances can be put into the store without running anything. Those that
`bayes` will want nobody knows: for `--policies bayes` a rehearsal makes them (some minutes), then the run is restored
to its start and serves the same batches again. Elapsed time is what a trainer waits; the server's processor time is
printed too, for machines that are busy with something else (there, `nice -n -10` keeps the others out of the figures).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
from _figures import Figure, Target, note, percentile, report
from _filling import fill
from _servers import Served, clones, engines, import_archive, must, serving

GROUPS = 64
ROLLOUTS = 8
SEED = 1
PAPER_POOL = 2_739
LEAD = 5
"""Batches at the start that are not counted: connections, caches and compiled statements settle."""
AHEAD = 16
"""Draws stored beyond those served, so that the server has none to make."""


def half(group: dict[str, Any]) -> int:
    """Half of every group right, which keeps the paper's controllers on the two lowest levels."""
    return ROLLOUTS // 2


def by_level(group: dict[str, Any]) -> int:
    """One fewer right per level, from all but one: the default policy finds its way to the middle of this."""
    return max(0, ROLLOUTS - 1 - int(group["level"]))


def reports(batch: dict[str, Any], right: Callable[[dict[str, Any]], int]) -> dict[str, Any]:
    """All attempts of a batch, as many of them right in each group as is said."""
    return {
        "attempts": [
            {"group": group["group"], "rollout": rollout, "score": float(rollout < right(group))}
            for group in batch["groups"]
            for rollout in range(ROLLOUTS)
        ]
    }


def start(client: httpx.Client, pool: Sequence[str], curriculum: dict[str, Any]) -> str:
    """A run over this pool."""
    body = {
        "name": "batches",
        "groups": GROUPS,
        "rollouts": ROLLOUTS,
        "seed": SEED,
        "curriculum": curriculum,
        "pool": {"environments": list(pool)},
    }
    run: str = must(client.post("/v1/runs", json=body))["run"]
    return run


def rehearse(served: Served, client: httpx.Client, run: str, batches: int) -> None:
    """Serve all batches once, so that their instances are in store, and go back to the start of the run."""
    must(client.post(f"/v1/runs/{run}/checkpoints", json={"label": "start"}))
    for cursor in range(LEAD + batches):
        batch = must(client.put(f"/v1/runs/{run}/batches/{cursor}", json={}))
        must(client.post(f"/v1/runs/{run}/attempts", json=reports(batch, by_level)))
    served.settle()
    must(client.post(f"/v1/runs/{run}/restore", json={"label": "start"}))


def measure(
    served: Served, client: httpx.Client, run: str, batches: int, right: Callable[[dict[str, Any]], int]
) -> dict[str, list[float]]:
    """Milliseconds of each kind of request, and of the server's processor for each batch and report."""
    taken: dict[str, list[float]] = {}

    def timed(what: str, request: Callable[[], httpx.Response]) -> dict[str, Any]:
        processor = served.processor_s()
        begun = time.perf_counter()
        response = request()
        elapsed_ms = (time.perf_counter() - begun) * 1e3
        taken.setdefault(what, []).append(elapsed_ms)
        taken.setdefault(f"{what} processor", []).append((served.processor_s() - processor) * 1e3)
        return must(response)

    for cursor in range(LEAD + batches):
        if cursor == LEAD:
            taken.clear()
        path = f"/v1/runs/{run}/batches/{cursor}"
        timed("healthz", lambda: client.get("/healthz"))
        batch = timed("batch", lambda path=path: client.put(path, json={}))  # type: ignore[misc]
        timed("repeat", lambda path=path: client.put(path, json={}))  # type: ignore[misc]
        sent = reports(batch, right)
        reply = timed("report", lambda sent=sent: client.post(f"/v1/runs/{run}/attempts", json=sent))  # type: ignore[misc]
        if len(batch["groups"]) != GROUPS or len(reply["closed"]) != GROUPS:
            raise RuntimeError(f"cursor {cursor}: {len(batch['groups'])} groups, {len(reply['closed'])} closed")
    return taken


def figures(served: Served, engine: str, pool_size: int, policy: str, batches: int) -> list[Figure]:
    """Measure on one server with one pool."""
    with served.client() as client:
        pool = import_archive(client, clones(pool_size))
        if policy == "scaler":
            draws = LEAD + batches + AHEAD
            stored = asyncio.run(fill(served.database_url, pool[:GROUPS], seed=SEED, draws=draws, levels=(0, 1)))
            note(f"{engine}: {pool_size} environments, {stored} instances lie ready")
            # So long a history that nobody is replaced for lack of progress: whoever came would have no instances yet.
            run = start(client, pool, {"policy": "scaler", "constants": {"history": 1_000}})
            taken = measure(served, client, run, batches, half)
        else:
            note(f"{engine}: {pool_size} environments, rehearsing {LEAD + batches} batches of {policy}")
            run = start(client, pool, {"policy": policy})
            rehearse(served, client, run, batches)
            taken = measure(served, client, run, batches, by_level)
    base = percentile(taken["healthz"], 0.5)
    name = f"batches-{engine}-pool{pool_size}-{policy}"
    limit = Target("value", "at most", 30 if pool_size == GROUPS else 60)
    found = [
        Figure(f"{name}-p50", percentile(taken["batch"], 0.5), "ms", base, "healthz p50", limit),
        Figure(f"{name}-p99", percentile(taken["batch"], 0.99), "ms", base, "healthz p50"),
        Figure(f"{name}-repeat-p50", percentile(taken["repeat"], 0.5), "ms", base, "healthz p50"),
        Figure(f"{name}-report512-p50", percentile(taken["report"], 0.5), "ms", base, "healthz p50"),
    ]
    for what in ("batch", "repeat", "report"):
        mean_ms = sum(taken[f"{what} processor"]) / batches
        base_ms = sum(taken["healthz processor"]) / batches
        found.append(Figure(f"{name}-{what}-processor-mean", mean_ms, "ms", base_ms, "healthz"))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure on each engine with each pool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--batches", type=int, default=100, help="batches per measurement")
    parser.add_argument("--pools", type=int, nargs="+", default=[GROUPS, PAPER_POOL], help="environments in the pool")
    parser.add_argument("--policies", nargs="+", default=["scaler"], help="curricula; all but `scaler` are rehearsed")
    options = parser.parse_args(arguments)
    found: list[Figure] = []
    for engine in engines(options.engine):
        for size, policy in itertools.product(options.pools, options.policies):
            # Few instances are made ahead: the rehearsal makes all that are needed, and takes long enough.
            with serving(engine, ESCALADE_SANDBOX="process", ESCALADE_BUFFER="1") as served:
                found += figures(served, engine, size, policy, options.batches)
    report(found)


if __name__ == "__main__":
    main()

"""Resident memory of the server's process after 1,000 batches, beside that after 100.

Each batch is asked for and reported in full. Most instances lie ready; those that the curriculum's replacements ask for
beyond them are made as usual. The sandbox's processes are not counted.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

from _figures import Figure, Target, note, report
from _filling import fill
from _servers import clones, engines, import_archive, must, serving

GROUPS = 8
ROLLOUTS = 2
EARLY = 100
DRAWS = 24


def measure(engine: str, batches: int) -> Figure:
    """Run the batches on one server."""
    with serving(engine, ESCALADE_SANDBOX="process") as served, served.client() as client:
        pool = import_archive(client, clones(GROUPS))
        draws = batches + DRAWS
        asyncio.run(fill(served.database_url, pool, seed=1, draws=draws, levels=(0, 1)))
        body = {
            "name": "memory",
            "groups": GROUPS,
            "rollouts": ROLLOUTS,
            "seed": 1,
            "curriculum": {"policy": "scaler"},
            "pool": {"environments": pool},
        }
        run = must(client.post("/v1/runs", json=body))["run"]
        early = 0
        for cursor in range(batches):
            batch = must(client.put(f"/v1/runs/{run}/batches/{cursor}", json={}))
            reports = [
                {"group": group["group"], "rollout": rollout, "score": float(rollout % 2)}
                for group in batch["groups"]
                for rollout in range(ROLLOUTS)
            ]
            must(client.post(f"/v1/runs/{run}/attempts", json={"attempts": reports}))
            if cursor + 1 == EARLY:
                early = served.resident_bytes()
            if (cursor + 1) % EARLY == 0:
                note(f"{engine}: {served.resident_bytes() >> 20} MiB after {cursor + 1} batches")
        late = served.resident_bytes()
    name = f"memory-{engine}-{GROUPS}groups-{batches}batches"
    target = Target("ratio", "at most", 1.3)
    return Figure(name, late / 2**20, "MiB", early / 2**20, f"after {EARLY} batches", target)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure on one engine or both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="sqlite")
    parser.add_argument("--batches", type=int, default=1_000)
    options = parser.parse_args(arguments)
    report([measure(engine, options.batches) for engine in engines(options.engine)])


if __name__ == "__main__":
    main()

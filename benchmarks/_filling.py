"""Puts instances into a server's store before a measurement, as its buffer would have.

Guarantee: the rows are those that the server would look for (the same streams, seeds and identities); their texts are
real instances of the same generator and level, made once per distinct generator and repeated, since what is measured
is not the sandbox.
"""

from __future__ import annotations

from collections.abc import Sequence

from escalade_sandbox.process import ProcessSandbox
from escalade_server.instances.buffer import Source
from escalade_server.instances.generation import Made, hash_text, make
from escalade_server.instances.seeds import instance_id, seed_at
from escalade_server.instances.versions import Versions
from escalade_server.storage import environments, instances
from escalade_server.storage.clock import now
from escalade_server.storage.sessions import Database

DISTINCT = 16
"""Real instances made per generator and level."""


async def fill(url: str, names: Sequence[str], *, seed: int, draws: int, levels: Sequence[int]) -> int:
    """Draw so many instances of these levels of these environments for runs with this seed; how many were stored.

    Raises:
        RuntimeError: The sandbox could make none for one of the levels.
    """
    database = Database(url)
    sandbox = ProcessSandbox(acknowledged=True)
    await sandbox.start()
    made: dict[tuple[str, int], list[Made]] = {}
    stored = 0
    try:
        async with database.read() as session:
            rows = await environments.search(session, slugs=names)
            versions = await Versions().get(session, [row.version_id for row in rows])
        for row in rows:
            version = versions[row.version_id]
            for level in levels:
                parameters = version.definition.ladder[level]
                source = Source(version, level, parameters, "train", seed)
                key = (version.definition.generator.source, level)
                if key not in made:
                    results = await make(
                        sandbox,
                        version=version.hash,
                        definition=version.definition,
                        parameters=parameters,
                        seeds=range(DISTINCT),
                    )
                    made[key] = [result for result in results if isinstance(result, Made)]
                    if not made[key]:
                        raise RuntimeError(f"{row.slug}, level {level}: {results[0]}")
                seeds = [seed_at(source.stream, "train", index) for index in range(draws)]
                identities = [instance_id(version.hash, parameters, number) for number in seeds]
                chosen = [made[key][index % len(made[key])] for index in range(draws)]
                async with database.write() as session:
                    await instances.open_stream(session, source.stream, version.id)
                    values = {"next_index": draws, "draws": draws, "repeats": 0, "failures": 0, "exhausted": True}
                    if not await instances.advance_stream(session, source.stream, seen=0, values=values):
                        continue
                    await instances.add_instances(
                        session,
                        [
                            {
                                "id": identity,
                                "version_id": version.id,
                                "level": level,
                                "parameters": dict(parameters),
                                "seed": number,
                                "unavailable": None,
                                "input": one.input,
                                "input_hash": hash_text(one.input),
                                "description": one.description,
                                "truth": one.truth,
                                "created_at": now(),
                            }
                            for identity, number, one in zip(identities, seeds, chosen, strict=True)
                        ],
                    )
                    await instances.add_draws(
                        session,
                        [
                            {"stream_id": source.stream, "ordinal": ordinal, "instance_id": identity}
                            for ordinal, identity in enumerate(identities)
                        ],
                    )
                    stored += draws
    finally:
        await sandbox.close()
        await database.close()
    return stored


async def truths(url: str, identities: Sequence[str]) -> dict[str, str]:
    """The ground truths of instances, for answers that are to be right."""
    database = Database(url)
    try:
        async with database.read() as session:
            found = await instances.shown(session, sorted(set(identities)))
        return {identity: row.truth or "" for identity, row in found.items()}
    finally:
        await database.close()

"""Draws instances from seed streams and keeps some in store, so that a batch seldom waits for the sandbox.

Guarantee: the n-th draw of a stream is a pure function of the stream. Seeds are looked at in order; one whose instance
cannot be made is passed over, and so is one whose input the stream has given before, until `EXHAUSTED` in a row show
that the level has no new ones left; from there on every seed that can be made counts. No transaction is open while the
sandbox works, and of two processes that draw at once one's work is stored.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from escalade_sandbox.types import Sandbox
from escalade_server.errors import LevelUnavailable
from escalade_server.instances.ahead import Ahead
from escalade_server.instances.generation import Made, Unmade, hash_text, make, require_sound
from escalade_server.instances.seeds import Split, instance_id, seed_at, stream_id
from escalade_server.instances.versions import Version
from escalade_server.storage import instances
from escalade_server.storage.clock import now
from escalade_server.storage.sessions import Database

EXHAUSTED = 64
"""Seeds in a row without a new input after which a level counts as exhausted."""
HOPELESS = 64
"""Seeds in a row that cannot be made after which a level counts as unavailable."""
MAX_SEEDS = 256
"""Seeds looked at in one job."""
AGAIN_S = 600.0
"""After how long the next seeds of an unavailable level are looked at: what failed may have been a busy machine."""
KEPT_REACHES = 16_384
"""Streams of which it is remembered how far they have been drawn from, or that they gave nothing."""

Value = TypeVar("Value", int, float)


@dataclass(frozen=True, slots=True)
class Source:
    """What to draw from: one assignment of one environment version under one seed."""

    version: Version
    level: int | None
    parameters: Mapping[str, int]
    split: Split
    seed: int

    @property
    def stream(self) -> str:
        """Name of the seed stream."""
        return stream_id(self.version.hash, self.parameters, self.split, self.seed)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stream has been drawn from; the pure half of drawing."""

    next_index: int = 0
    draws: int = 0
    repeats: int = 0
    failures: int = 0
    exhausted: bool = False

    def take(self, made: Made | Unmade, known: set[str]) -> tuple[Progress, bool]:
        """Look at one more seed: the progress after it, and whether it is a draw. Adds a new input to `known`."""
        ahead = replace(self, next_index=self.next_index + 1)
        if isinstance(made, Unmade):
            return replace(ahead, failures=self.failures + 1), False
        digest = hash_text(made.input)
        if digest not in known:
            known.add(digest)
            return replace(ahead, draws=self.draws + 1, repeats=0, failures=0), True
        if self.exhausted:
            return replace(ahead, draws=self.draws + 1, failures=0), True
        repeats = self.repeats + 1
        return replace(ahead, repeats=repeats, failures=0, exhausted=repeats >= EXHAUSTED), False


class Buffer:
    """Draws on demand and ahead of demand."""

    def __init__(self, database: Database, sandbox: Sandbox, *, size: int) -> None:
        self._database = database
        self._sandbox = sandbox
        self._size = size
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ahead: Ahead[str] = Ahead("drawing ahead")
        self._reached: OrderedDict[str, int] = OrderedDict()
        """Draws that each stream has at least: they never become fewer, so nobody need ask the database again."""
        self._barren: OrderedDict[str, float] = OrderedDict()
        """When unavailable levels were last looked at, by the stream."""

    @property
    def reserve(self) -> int:
        """Draws to keep in store of each level that a batch served, and of its neighbours."""
        return max(1, self._size // 2)

    async def draw(self, source: Source, ordinals: Sequence[int]) -> list[instances.Shown]:
        """The instances that these draws are, made first where need be.

        Raises:
            LevelUnavailable: `HOPELESS` seeds in a row gave nothing.
            SandboxFailed: The sandbox cannot be reached or failed twice.
            SandboxQueueFull: The sandbox's queue is full.
        """
        stream = source.stream
        wanted = [(stream, ordinal) for ordinal in ordinals]
        async with self._database.read() as session:
            found = await instances.drawn(session, wanted)
        if len(found) < len(set(wanted)):
            await self.fill(source, max(ordinals) + 1)
            async with self._database.read() as session:
                found = await instances.drawn(session, wanted)
        return [found[key] for key in wanted]

    async def fill(self, source: Source, through: int) -> None:
        """Draw until the stream has at least `through` draws.

        Raises:
            LevelUnavailable: `HOPELESS` seeds in a row gave nothing.
            SandboxFailed: The sandbox cannot be reached or failed twice.
            SandboxQueueFull: The sandbox's queue is full.
        """
        stream = source.stream
        lock = self._locks.setdefault(stream, asyncio.Lock())
        async with lock:
            looked = False
            while True:
                async with self._database.read() as session:
                    row = await instances.get_stream(session, stream)
                    done = row is not None and row.draws >= through
                    known = await instances.drawn_inputs(session, stream) if row and not done else set()
                progress = (
                    Progress(row.next_index, row.draws, row.repeats, row.failures, row.exhausted) if row else Progress()
                )
                _keep(self._reached, stream, progress.draws)
                if done:
                    return
                if progress.failures >= HOPELESS:
                    clock_s = time.monotonic()
                    if looked:
                        _keep(self._barren, stream, clock_s)
                    if clock_s - self._barren.get(stream, -math.inf) < AGAIN_S:
                        raise LevelUnavailable(
                            f"No instance could be made from {progress.failures} seeds in a row at parameters "
                            f"{dict(source.parameters)}: the generator failed or the references disagreed. Ask for "
                            f"another level, or again in {AGAIN_S / 60:.0f} minutes if the machine was overloaded."
                        )
                    progress = replace(progress, failures=0)
                count = min(MAX_SEEDS, max(self._size, through - progress.draws))
                await self._extend(source, progress, known, count)
                looked = True

    def ahead(self, source: Source, through: int) -> None:
        """Draw in the background; what fails will fail again, and be told, when it is asked for."""
        stream = source.stream
        if self._reached.get(stream, 0) < through:
            self._ahead.start(stream, lambda: self.fill(source, through))

    async def idle(self) -> None:
        """Wait until nothing is being drawn ahead."""
        await self._ahead.idle()

    async def close(self) -> None:
        """Stop drawing ahead."""
        await self._ahead.close()

    async def _extend(self, source: Source, progress: Progress, known: set[str], count: int) -> None:
        """Look at the next `count` seeds and store what they give."""
        stream, version = source.stream, source.version
        seeds = [seed_at(stream, source.split, progress.next_index + offset) for offset in range(count)]
        results = await make(
            self._sandbox,
            version=version.hash,
            definition=version.definition,
            parameters=source.parameters,
            seeds=seeds,
        )
        if all(isinstance(result, Unmade) for result in results):
            await require_sound(self._sandbox)
        rows: list[dict[str, Any]] = []
        draws: list[dict[str, Any]] = []
        after = progress
        for seed, made in zip(seeds, results, strict=True):
            before = after
            after, drawn = before.take(made, known)
            identity = instance_id(version.hash, source.parameters, seed)
            if drawn:
                draws.append({"stream_id": stream, "ordinal": before.draws, "instance_id": identity})
            if drawn or isinstance(made, Unmade):
                rows.append(_row(identity, source, seed, made))
            if after.failures >= HOPELESS:
                break
        async with self._database.write() as session:
            await instances.open_stream(session, stream, version.id)
            values = {
                "next_index": after.next_index,
                "draws": after.draws,
                "repeats": after.repeats,
                "failures": after.failures,
                "exhausted": after.exhausted,
            }
            if await instances.advance_stream(session, stream, seen=progress.next_index, values=values):
                await instances.add_instances(session, rows)
                await instances.add_draws(session, draws)


def _keep(known: OrderedDict[str, Value], stream: str, value: Value) -> None:
    """Remember a value, in place of the one that was not asked for for longest where there are too many."""
    known[stream] = value
    known.move_to_end(stream)
    if len(known) > KEPT_REACHES:
        known.popitem(last=False)


def _row(identity: str, source: Source, seed: int, made: Made | Unmade) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": identity,
        "version_id": source.version.id,
        "level": source.level,
        "parameters": dict(source.parameters),
        "seed": seed,
        "unavailable": None,
        "input": None,
        "input_hash": None,
        "description": None,
        "truth": None,
        "created_at": now(),
    }
    if isinstance(made, Unmade):
        return row | {"unavailable": made.reason}
    return row | {
        "input": made.input,
        "input_hash": hash_text(made.input),
        "description": made.description,
        "truth": made.truth,
    }

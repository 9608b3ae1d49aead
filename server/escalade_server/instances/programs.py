"""Program mode: hidden inputs, limits, and judging by them.

Guarantee: the hidden inputs of an instance are a pure function of its identity, from seeds that no prompt shows; the
limits of an assignment are measured once and stored, so that every rollout meets the same. Both are made ahead, as soon
as an instance is served. No transaction is open while the sandbox works.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar
from weakref import WeakValueDictionary

from escalade.types import ProgramSettings
from escalade_sandbox.types import Sandbox
from escalade_server.errors import EscaladeError, LevelUnavailable, SandboxFailed, SandboxQueueFull
from escalade_server.instances.ahead import Ahead
from escalade_server.instances.buffer import Buffer, Source
from escalade_server.instances.generation import checker_of
from escalade_server.instances.limits import limits_of, measure, of_document, to_document
from escalade_server.instances.seeds import limits_id
from escalade_server.instances.versions import Version
from escalade_server.scoring.execution import patiently
from escalade_server.scoring.judging import Judgement, storable
from escalade_server.scoring.programs import Bench, ProgramLimits, ProgramQuestion, Task
from escalade_server.storage import instances
from escalade_server.storage.clock import now
from escalade_server.storage.sessions import AsyncSession, Database

SETS = 16
"""Sets of hidden inputs of an assignment; an instance's seed says which one it is judged on."""
CALIBRATED = 10
"""Inputs on which the references are measured."""
KEPT = 16_384
"""Limits, and sets that are known to be made, that are remembered."""

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Asked:
    """One completion, and the instance that its program is for."""

    version: Version
    level: int | None
    parameters: Mapping[str, int]
    seed: int
    """The instance's."""
    completion: str
    settings: ProgramSettings

    @property
    def hidden(self) -> Source:
        """Where its hidden inputs are drawn from."""
        source = Source(self.version, self.level, self.parameters, "hidden", 0)
        return hidden_source(source, self.seed)


def hidden_source(source: Source, seed: int) -> Source:
    """Where the hidden inputs of an instance are drawn from: one of `SETS` streams, by its seed."""
    # The lowest bits of a seed are its split.
    return replace(source, split="hidden", seed=(seed >> 8) % SETS)


class Programs:
    """Serves program mode."""

    def __init__(self, database: Database, sandbox: Sandbox, buffer: Buffer) -> None:
        self._database = database
        self._sandbox = sandbox
        self._buffer = buffer
        self._bench = Bench(sandbox)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._limits: OrderedDict[str, ProgramLimits] = OrderedDict()
        self._made: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._ahead: Ahead[tuple[str, int]] = Ahead("preparing for programs")

    async def limits(self, source: Source) -> ProgramLimits:
        """What programs may use at an assignment, measured now unless it was.

        Raises:
            LevelUnavailable: The problem has no whole statement, or no hidden inputs can be made there.
            SandboxFailed: The sandbox cannot be reached or failed twice.
            SandboxQueueFull: The sandbox's queue is full.
        """
        version = source.version
        identity = limits_id(version.hash, source.parameters)
        if (kept := self._limits.get(identity)) is not None:
            return kept
        if not version.definition.full_statement.strip():
            raise LevelUnavailable(
                "The problem's statement lacks its input and output format: no program can be asked."
            )
        lock = self._locks.setdefault(identity, asyncio.Lock())
        async with lock:
            found = await self._stored(identity)
            if found is None:
                await self._measure(source, identity)
                found = await self._stored(identity)
                assert found is not None, "they have just been stored"
            _keep(self._limits, identity, found)
            return found

    async def known(self, session: AsyncSession, sources: Collection[Source]) -> bool:
        """Whether the limits of all of these have been measured."""
        identities = {limits_id(source.version.hash, source.parameters) for source in sources}
        missing = sorted(identities - self._limits.keys())
        return not missing or len(await instances.program_limits(session, missing)) == len(missing)

    def ahead(self, source: Source, seeds: Collection[int], count: int) -> None:
        """Make in the background what judging programs for these instances will need: limits and hidden inputs."""
        self._make_ahead(source, 0)
        for hidden in {hidden_source(source, seed).stream: hidden_source(source, seed) for seed in seeds}.values():
            self._make_ahead(hidden, count)

    def _make_ahead(self, source: Source, count: int) -> None:
        key = (source.stream if count else limits_id(source.version.hash, source.parameters), count)
        if key in self._made:
            return

        async def work() -> None:
            await self.limits(source)
            if count:
                await self._buffer.fill(source, count)
            _keep(self._made, key, None)

        self._ahead.start(key, work)

    async def judge(self, asked: Sequence[Asked], *, owner: str) -> AsyncGenerator[dict[int, Judgement], None]:
        """Judge programs, portion by portion; the keys are the places of those asked for.

        A hidden input that cannot be made is a failure of ours: `error`.
        """
        needed = {(one.hidden.stream, one.settings.instances): one for one in asked}
        made = await asyncio.gather(*(self._task(one) for one in needed.values()))
        tasks = dict(zip(needed, made, strict=True))
        found = [tasks[one.hidden.stream, one.settings.instances] for one in asked]
        lost = {
            place: Judgement("error", None, None, None, detail=storable(task.detail))
            for place, task in enumerate(found)
            if isinstance(task, EscaladeError)
        }
        if lost:
            yield lost
        places = [place for place in range(len(asked)) if place not in lost]
        questions = [
            ProgramQuestion(task, one.completion, one.settings)
            for one, task in zip(asked, found, strict=True)
            if isinstance(task, Task)
        ]
        done = 0
        async with aclosing(self._bench.judge(questions, owner=owner)) as portions:
            async for portion in portions:
                yield dict(zip(places[done : done + len(portion)], portion, strict=True))
                done += len(portion)

    async def idle(self) -> None:
        """Wait until nothing is being made ahead."""
        await self._ahead.idle()

    async def close(self) -> None:
        """Stop making things ahead."""
        await self._ahead.close()

    async def _task(self, asked: Asked) -> Task | EscaladeError:
        source, count = asked.hidden, asked.settings.instances
        try:
            limits = await patiently(lambda: self.limits(source))
            inputs, truths = await patiently(lambda: self._drawn(source, count))
        except (LevelUnavailable, SandboxFailed, SandboxQueueFull) as fault:
            return fault
        definition = asked.version.definition
        return Task(
            identity=f"{source.stream} {count}",
            spec=definition.answer,
            checker=checker_of(definition, asked.version.hash),
            inputs=inputs,
            truths=truths,
            limits=limits,
        )

    async def _drawn(self, source: Source, count: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The first `count` hidden inputs of a stream with their truths, each input once.

        Samples are left out where others remain: the prompt shows them.
        """
        identities = [row.id for row in await self._buffer.draw(source, range(count))]
        async with self._database.read() as session:
            rows = await instances.truths(session, sorted(set(identities)))
        pairs = {rows[one].input or "": rows[one].truth or "" for one in identities}
        shown = [sample.input.split() for sample in source.version.definition.samples]
        unseen = {text: truth for text, truth in pairs.items() if text.split() not in shown}
        chosen = unseen or pairs
        return tuple(chosen), tuple(chosen.values())

    async def _measure(self, source: Source, identity: str) -> None:
        version = source.version
        inputs, truths = await self._drawn(hidden_source(source, 0), CALIBRATED)
        measured = await measure(
            self._sandbox, version=version.hash, definition=version.definition, inputs=inputs, truths=truths
        )
        document = to_document(limits_of(version.definition, measured), measured)
        async with self._database.write() as session:
            row = {"id": identity, "version_id": version.id, "limits": document, "created_at": now()}
            await instances.add_program_limits(session, row)

    async def _stored(self, identity: str) -> ProgramLimits | None:
        async with self._database.read() as session:
            found = await instances.program_limits(session, [identity])
        return of_document(found[identity]) if found else None


def _keep(kept: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > KEPT:
        kept.popitem(last=False)

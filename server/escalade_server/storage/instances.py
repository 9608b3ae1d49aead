"""Queries on instances and the streams that they are drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.statements import among, insert_new, pairs_among
from escalade_server.storage.tables import Draw, Instance, ProgramLimits, Stream


class Shown(NamedTuple):
    """What of an instance is shown; columns, since objects of the mapped class cost ten times as much to make."""

    id: str
    level: int | None
    parameters: dict[str, Any]
    seed: int
    description: dict[str, Any] | None
    truth: str | None


_SHOWN = (Instance.id, Instance.level, Instance.parameters, Instance.seed, Instance.description, Instance.truth)


async def shown(session: AsyncSession, ids: Sequence[str]) -> dict[str, Shown]:
    """What is shown of instances, by identity."""
    rows = await session.execute(select(*_SHOWN).where(among(session, Instance.id, ids)))
    return {row.id: Shown(*row) for row in rows}


async def truths(session: AsyncSession, ids: Sequence[str]) -> dict[str, Row[str, str, str | None, str | None, int]]:
    """(identity, version, input, ground truth, seed) of instances: what judging needs, without parsing documents."""
    columns = (Instance.id, Instance.version_id, Instance.input, Instance.truth, Instance.seed)
    rows = await session.execute(select(*columns).where(among(session, Instance.id, ids)))
    return {row.id: row for row in rows}


async def drawn(session: AsyncSession, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Shown]:
    """The instances of those (stream, ordinal) pairs that have been drawn."""
    query = (
        select(Draw.stream_id, Draw.ordinal, *_SHOWN)
        .join(Instance, Instance.id == Draw.instance_id)
        .where(pairs_among(session, (Draw.stream_id, Draw.ordinal), wanted))
    )
    return {(stream, ordinal): Shown(*row) for stream, ordinal, *row in await session.execute(query)}


class Origin(NamedTuple):
    """Where an instance comes from."""

    level: int | None
    parameters: dict[str, int]
    seed: int


async def origins(session: AsyncSession, ids: Sequence[str]) -> dict[str, Origin]:
    """Where instances come from, by identity."""
    columns = (Instance.id, Instance.level, Instance.parameters, Instance.seed)
    rows = await session.execute(select(*columns).where(among(session, Instance.id, ids)))
    return {identity: Origin(*origin) for identity, *origin in rows}


async def program_limits(session: AsyncSession, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The limits stored under these identities."""
    query = select(ProgramLimits.id, ProgramLimits.limits).where(among(session, ProgramLimits.id, ids))
    return {identity: limits for identity, limits in await session.execute(query)}


async def add_program_limits(session: AsyncSession, row: Mapping[str, Any]) -> None:
    """Store limits, unless there are some: the first ones stay."""
    await insert_new(session, ProgramLimits, [row])


async def get_stream(session: AsyncSession, stream_id: str) -> Stream | None:
    """How far a stream has been drawn from."""
    return await session.get(Stream, stream_id, populate_existing=True)


async def drawn_inputs(session: AsyncSession, stream_id: str) -> set[str]:
    """Hashes of the inputs that a stream has given."""
    query = select(Instance.input_hash).join(Draw, Draw.instance_id == Instance.id).where(Draw.stream_id == stream_id)
    return {digest for digest in await session.scalars(query) if digest is not None}


async def open_stream(session: AsyncSession, stream_id: str, version_id: str) -> None:
    """Make a stream's row unless it is there."""
    row = {
        "id": stream_id,
        "version_id": version_id,
        "next_index": 0,
        "draws": 0,
        "repeats": 0,
        "failures": 0,
        "exhausted": False,
    }
    await insert_new(session, Stream, [row])


async def advance_stream(session: AsyncSession, stream_id: str, *, seen: int, values: Mapping[str, Any]) -> bool:
    """Move a stream on from index `seen`; False if another has moved it since."""
    moved = await session.scalar(
        update(Stream).where(Stream.id == stream_id, Stream.next_index == seen).values(**values).returning(Stream.id)
    )
    return moved is not None


async def add_instances(session: AsyncSession, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store instances; one that is there already is the same one."""
    await insert_new(session, Instance, rows)


async def add_draws(session: AsyncSession, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store draws."""
    await insert_new(session, Draw, rows)

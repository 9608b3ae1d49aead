"""Queries on environments and their versions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.statements import among, by_code_point
from escalade_server.storage.tables import Environment, EnvironmentVersion


async def by_slug(session: AsyncSession, slug: str) -> Environment | None:
    """The environment with this slug."""
    found: Environment | None = await session.scalar(select(Environment).where(Environment.slug == slug))
    return found


async def by_slugs(session: AsyncSession, slugs: Sequence[str]) -> dict[str, Environment]:
    """Environments by slug."""
    rows = await session.scalars(select(Environment).where(among(session, Environment.slug, slugs)))
    return {row.slug: row for row in rows}


async def by_source(session: AsyncSession, source: str, names: Sequence[str]) -> dict[str, Environment]:
    """Environments of a source, by their names there."""
    query = select(Environment).where(Environment.source == source, among(session, Environment.source_name, names))
    return {row.source_name: row for row in await session.scalars(query)}


async def slugs_taken(session: AsyncSession, slugs: Sequence[str]) -> set[str]:
    """Which of these slugs are in use."""
    return set(await session.scalars(select(Environment.slug).where(among(session, Environment.slug, slugs))))


async def search(
    session: AsyncSession,
    *,
    slugs: Sequence[str] | None = None,
    statuses: Sequence[str] | None = None,
    answer_types: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[Environment]:
    """Environments that pass every filter given, in the order of their slugs."""
    slug = by_code_point(session, Environment.slug)
    query = select(Environment).order_by(slug)
    if slugs is not None:
        query = query.where(among(session, Environment.slug, slugs))
    if statuses is not None:
        query = query.where(Environment.status.in_(statuses))
    if answer_types is not None:
        query = query.where(Environment.answer_type.in_(answer_types))
    if sources is not None:
        query = query.where(Environment.source.in_(sources))
    if after is not None:
        query = query.where(slug > after)
    if limit is not None:
        query = query.limit(limit)
    return list(await session.scalars(query))


async def versions(session: AsyncSession, environment_id: str) -> list[EnvironmentVersion]:
    """All versions of an environment, oldest first."""
    query = select(EnvironmentVersion).where(EnvironmentVersion.environment_id == environment_id)
    return list(await session.scalars(query.order_by(EnvironmentVersion.number)))


async def version_by_hash(session: AsyncSession, environment_id: str, digest: str) -> EnvironmentVersion | None:
    """One version of an environment."""
    found: EnvironmentVersion | None = await session.scalar(
        select(EnvironmentVersion).where(
            EnvironmentVersion.environment_id == environment_id, EnvironmentVersion.hash == digest
        )
    )
    return found


async def get_versions(session: AsyncSession, ids: Sequence[str]) -> dict[str, EnvironmentVersion]:
    """Versions by identity."""
    query = select(EnvironmentVersion).where(among(session, EnvironmentVersion.id, ids))
    return {row.id: row for row in await session.scalars(query)}


async def next_number(session: AsyncSession, environment_id: str) -> int:
    """Number of the next version."""
    highest = await session.scalar(
        select(func.max(EnvironmentVersion.number)).where(EnvironmentVersion.environment_id == environment_id)
    )
    return (highest or 0) + 1


async def set_verdict(
    session: AsyncSession, environment_id: str, version: str, *, status: str, reason: str | None, by: str
) -> bool:
    """What verification says of a version; False where another is current, or a person took it out of service."""
    done = await session.execute(
        update(Environment)
        .where(
            Environment.id == environment_id,
            Environment.version == version,
            Environment.status.in_(("unverified", "verified", "rejected")),
        )
        .values(status=status, status_reason=reason, status_by=by)
    )
    assert isinstance(done, CursorResult)
    return done.rowcount == 1


async def set_status(session: AsyncSession, environment_id: str, *, status: str, reason: str | None, by: str) -> None:
    """Change an environment's status."""
    await session.execute(
        update(Environment)
        .where(Environment.id == environment_id)
        .values(status=status, status_reason=reason, status_by=by)
    )

"""Queries on problems that wait to become environments, and on reports of verification.

Guarantee: lists never load the problems' documents, which may be megabytes each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from escalade_server.storage.statements import among, by_code_point
from escalade_server.storage.tables import Environment, Problem, Verification

_LIGHT = defer(Problem.document)


async def get(session: AsyncSession, problem_id: str) -> Problem | None:
    """A problem with its document."""
    return await session.get(Problem, problem_id)


async def by_source(session: AsyncSession, source: str, names: Sequence[str]) -> dict[str, Problem]:
    """Problems of a source, by their names there; without their documents."""
    query = select(Problem).where(Problem.source == source, among(session, Problem.source_name, names))
    return {row.source_name: row for row in await session.scalars(query.options(_LIGHT))}


async def by_slugs(session: AsyncSession, slugs: Sequence[str]) -> dict[str, Problem]:
    """Problems by slug; without their documents."""
    rows = await session.scalars(select(Problem).where(among(session, Problem.slug, slugs)).options(_LIGHT))
    return {row.slug: row for row in rows}


async def slugs_taken(session: AsyncSession, slugs: Sequence[str]) -> set[str]:
    """Which of these slugs are in use."""
    return set(await session.scalars(select(Problem.slug).where(among(session, Problem.slug, slugs))))


async def search(
    session: AsyncSession,
    *,
    sources: Sequence[str] | None = None,
    outcomes: Sequence[str | None] | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[Problem]:
    """Problems that pass every filter given, in the order of their slugs; without their documents."""
    slug = by_code_point(session, Problem.slug)
    query = select(Problem).order_by(slug).options(_LIGHT)
    if sources is not None:
        query = query.where(Problem.source.in_(sources))
    if outcomes is not None:
        named = Problem.outcome.in_([one for one in outcomes if one is not None])
        query = query.where(named | Problem.outcome.is_(None) if None in outcomes else named)
    if after is not None:
        query = query.where(slug > after)
    if limit is not None:
        query = query.limit(limit)
    return list(await session.scalars(query))


async def tests_behind(session: AsyncSession, environment: Environment) -> list[Any]:
    """The fixed tests of the problem that an environment was made of, as they are stored.

    None for an environment that came whole, or whose problem has been renewed since.
    """
    document = await session.scalar(
        select(Problem.document).where(
            Problem.source == environment.source,
            Problem.source_name == environment.source_name,
            Problem.environment == environment.slug,
            Problem.outcome.is_not(None),
        )
    )
    return document.get("tests", []) if document is not None else []


async def set_outcome(
    session: AsyncSession, problem_id: str, digest: str, *, outcome: str, reason: str | None, environment: str | None
) -> None:
    """What a synthesis made of a problem, unless its content is another by now."""
    values = {"outcome": outcome, "reason": reason, "environment": environment}
    await session.execute(
        update(Problem)
        .where(Problem.id == problem_id, Problem.hash == digest)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


async def latest_report(session: AsyncSession, environment_id: str) -> Verification | None:
    """The newest report on an environment."""
    query = select(Verification).where(Verification.environment_id == environment_id)
    found: Verification | None = await session.scalar(
        query.order_by(Verification.created_at.desc(), Verification.id).limit(1)
    )
    return found

"""Environments as they are shown: what may be seen, and never the oracle or the generator."""

from __future__ import annotations

from escalade.types import EnvironmentDetail, EnvironmentSummary, Level, Page
from escalade_server.errors import EnvironmentNotFound
from escalade_server.problems.definition import Definition
from escalade_server.storage import environments
from escalade_server.storage.sessions import AsyncSession
from escalade_server.storage.tables import Environment


async def search(
    session: AsyncSession,
    *,
    after: str | None,
    limit: int,
    status: str | None,
    answer_type: str | None,
    source: str | None,
    tag: str | None,
) -> Page[EnvironmentSummary]:
    """One page of the environments that pass every filter given."""
    found: list[Environment] = []
    while len(found) <= limit:
        rows = await environments.search(
            session,
            statuses=None if status is None else [status],
            answer_types=None if answer_type is None else [answer_type],
            sources=None if source is None else [source],
            after=after,
            limit=limit + 1,
        )
        found += [row for row in rows if tag is None or tag in row.tags]
        if len(rows) <= limit:
            break
        after = rows[-1].slug
    page = found[:limit]
    return Page(
        items=[EnvironmentSummary(**_summary(row)) for row in page],
        next_page=page[-1].slug if len(found) > limit else None,
    )


async def show(session: AsyncSession, name: str) -> EnvironmentDetail:
    """One environment.

    Raises:
        EnvironmentNotFound: There is none of this name.
    """
    row = await _get(session, name)
    versions = await environments.versions(session, row.id)
    current = next(version for version in versions if version.id == row.version_id)
    definition = Definition.model_validate(current.definition)
    return EnvironmentDetail(
        **_summary(row),
        statement=definition.statement,
        answer=definition.answer,
        ladder=[Level(level=index, parameters=rung) for index, rung in enumerate(definition.ladder)],
        references=len(definition.references),
        versions=[version.hash for version in versions],
    )


async def set_status(
    session: AsyncSession, name: str, *, status: str, reason: str | None, by: str
) -> EnvironmentDetail:
    """Change an environment's status and say why.

    Raises:
        EnvironmentNotFound: There is none of this name.
    """
    row = await _get(session, name)
    await environments.set_status(session, row.id, status=status, reason=reason, by=by)
    await session.refresh(row)
    return await show(session, name)


async def _get(session: AsyncSession, name: str) -> Environment:
    row = await environments.by_slug(session, name)
    if row is None:
        raise EnvironmentNotFound(f"There is no environment named {name!r}: see GET /v1/environments.")
    return row


def _summary(row: Environment) -> dict[str, object]:
    return {
        "name": row.slug,
        "source_name": row.source_name,
        "source": row.source,
        "licence": row.licence,
        "version": row.version,
        "status": row.status,
        "status_reason": row.status_reason,
        "status_by": row.status_by,
        "answer_type": row.answer_type,
        "levels": row.levels,
        "tags": row.tags,
        "created_at": row.created_at,
    }

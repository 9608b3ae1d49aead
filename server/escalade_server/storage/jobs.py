"""Queries on jobs."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from escalade_server.storage.tables import Job


async def get(session: AsyncSession, job_id: str) -> Job | None:
    """A job by its identity."""
    return await session.get(Job, job_id)

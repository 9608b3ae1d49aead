"""Stateless scoring."""

from __future__ import annotations

from fastapi import APIRouter

from escalade.types import ScoreList, ScoreRequest
from escalade_server.api.deps import Caller, ServicesDep, needs
from escalade_server.instances import scores

router = APIRouter(tags=["scores"])


@router.post("/scores", **needs("train"))
async def score(body: ScoreRequest, caller: Caller, services: ServicesDep) -> ScoreList:
    """Judge completions against instances that this server has served. Nothing is stored."""
    return await scores.score(
        services.database,
        sandbox=services.sandbox,
        programs=services.programs,
        versions=services.versions,
        request=body,
        owner=caller.key_id,
    )

"""Routes of imports and jobs."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path

from escalade.types import ImportRequest, Job
from escalade_server.api.deps import Caller, Once, Reading, ServicesDep, needs
from escalade_server.problems import imports

router = APIRouter(tags=["problems"])


@router.post("/imports", status_code=201, **needs("admin"))
async def import_archive(body: ImportRequest, caller: Caller, once: Once, services: ServicesDep) -> Job:
    """Import an archive. No code in it is run; entries that are malformed are refused by name, the others go in."""
    parsed = await asyncio.to_thread(imports.parse, body)
    async with services.database.write() as session:
        return await once.once(
            session, Job, lambda: imports.run(session, request=body, parsed=parsed, owner=caller.key_id)
        )


@router.get("/jobs/{job}", **needs("read", "train"))
async def show_job(job: Annotated[str, Path(max_length=40)], session: Reading) -> Job:
    """One job: its progress and, once finished, its result."""
    return await imports.show_job(session, job)

"""Routes of problems and of the imports that bring them in."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from escalade.types import ImportRequest, Job, Page, ProblemRequest, ProblemSummary, SynthesisOutcome
from escalade_server.api.deps import Caller, Limit, Once, PageToken, Reading, ServicesDep, Transaction, needs
from escalade_server.problems import imports

router = APIRouter(tags=["problems"])


@router.post("/imports", status_code=201, **needs("admin"))
async def import_archive(body: ImportRequest, caller: Caller, once: Once, services: ServicesDep) -> Job:
    """Import an archive. No code in it is run; entries that are malformed are refused by name, the others go in.

    What is complete becomes an environment; the rest are problems that wait for `POST /v1/syntheses`.
    """
    parsed = await asyncio.to_thread(imports.parse, body)
    async with services.database.write() as session:
        return await once.once(
            session, Job, lambda: imports.run(session, request=body, parsed=parsed, owner=caller.key_id)
        )


@router.post("/problems", status_code=201, **needs("admin"))
async def add_problem(body: ProblemRequest, once: Once, session: Transaction) -> ProblemSummary:
    """Add one problem, or renew it where its content is another; it waits for `POST /v1/syntheses`."""
    return await once.once(session, ProblemSummary, lambda: imports.add_problem(session, body))


@router.get("/problems", **needs("read", "train"))
async def list_problems(
    session: Reading,
    page: PageToken = None,
    limit: Limit = 100,
    source: Annotated[str | None, Query(max_length=40)] = None,
    outcome: Annotated[
        SynthesisOutcome | Literal["waiting"] | None,
        Query(description="What the last synthesis made of it; `waiting`: none has tried."),
    ] = None,
) -> Page[ProblemSummary]:
    """Problems that came without an environment, in the order of their names."""
    return await imports.list_problems(session, after=page, limit=limit, source=source, outcome=outcome)


@router.get("/problems/{name}", **needs("read", "train"))
async def show_problem(
    name: Annotated[str, Path(max_length=120, description="The problem's slug.")], session: Reading
) -> ProblemSummary:
    """One problem: what it lacks, and what became of it."""
    return await imports.show_problem(session, name)

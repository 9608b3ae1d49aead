"""Routes of environments and their instances."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from escalade.types import (
    AnswerType,
    EnvironmentDetail,
    EnvironmentStatus,
    EnvironmentSummary,
    InstanceList,
    InstanceRequest,
    Page,
    StatusRequest,
    VerificationReport,
)
from escalade_server.api.deps import Caller, Limit, PageToken, Reading, ServicesDep, Transaction, needs
from escalade_server.instances import service as instances
from escalade_server.problems import listing
from escalade_server.synthesis import jobs as syntheses

router = APIRouter(tags=["environments"])
Name = Annotated[str, Path(max_length=120, description="The environment's slug.")]


@router.get("/environments", **needs("read", "train"))
async def list_environments(
    session: Reading,
    page: PageToken = None,
    limit: Limit = 100,
    status: Annotated[EnvironmentStatus | None, Query()] = None,
    answer_type: Annotated[AnswerType | None, Query()] = None,
    source: Annotated[str | None, Query(max_length=40)] = None,
    tag: Annotated[str | None, Query(max_length=80)] = None,
) -> Page[EnvironmentSummary]:
    """Environments that pass every filter given, in the order of their names."""
    return await listing.search(
        session, after=page, limit=limit, status=status, answer_type=answer_type, source=source, tag=tag
    )


@router.get("/environments/{name}", **needs("read", "train"))
async def show_environment(name: Name, session: Reading) -> EnvironmentDetail:
    """One environment: its statement, ladder and versions."""
    return await listing.show(session, name)


@router.get("/environments/{name}/report", **needs("read", "train"))
async def show_report(name: Name, caller: Caller, session: Reading) -> VerificationReport:
    """The newest verification report; the evidence, which tells inputs and answers, is for admins alone."""
    return await syntheses.report(session, name, whole=caller.may("admin"))


@router.post("/environments/{name}/instances", **needs("train"))
async def serve_instances(name: Name, body: InstanceRequest, caller: Caller, services: ServicesDep) -> InstanceList:
    """Instances at a requested level, or at given scale parameters. The same request gives the same instances."""
    return await instances.serve(
        services.database,
        buffer=services.buffer,
        programs=services.programs,
        versions=services.versions,
        name=name,
        request=body,
        admin=caller.may("admin"),
    )


@router.post("/environments/{name}/status", **needs("admin"))
async def set_status(name: Name, body: StatusRequest, caller: Caller, session: Transaction) -> EnvironmentDetail:
    """Quarantine, release or withdraw an environment; runs take notice at their next batch."""
    action: Literal["quarantined", "unverified", "withdrawn"] = body.status
    return await listing.set_status(session, name, status=action, reason=body.reason, by=caller.key_id)

"""Routes for whoever operates the server."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from escalade.types import Readiness
from escalade_server.api.deps import ServicesDep, needs
from escalade_server.errors import EscaladeError
from escalade_server.storage.migrations import require_head

router = APIRouter(tags=["operations"])


@router.get("/healthz", openapi_extra={"security": []})
async def health(request: Request) -> dict[str, str]:
    """Whether the process answers, and the server's version."""
    return {"status": "ok", "version": request.app.version}


@router.get("/readyz", openapi_extra={"security": []}, responses={503: {"model": Readiness}})
async def readiness(services: ServicesDep) -> JSONResponse:
    """Whether requests can be served now: the database at its migrations, and the sandbox."""
    try:
        await require_head(services.database)
        database = "ok"
    except EscaladeError as error:
        database = error.code
    sandbox = await services.sandbox.health()
    found = Readiness(
        ready=database == "ok" and sandbox.ready, database=database, sandbox="ok" if sandbox.ready else sandbox.detail
    )
    return JSONResponse(found.model_dump(), status_code=200 if found.ready else 503)


@router.get("/metrics", response_class=Response, **needs("read"))
async def metrics(request: Request, services: ServicesDep) -> Response:
    """Figures in Prometheus's text format."""
    sandbox, now = await services.sandbox.health(), CollectorRegistry()
    for name, words, value in (
        ("ready", "1 if the sandbox can run programs, else 0.", sandbox.ready),
        ("slots", "Programs that the sandbox runs at a time.", sandbox.slots),
        ("free_slots", "Slots that are free now.", sandbox.free_slots),
    ):
        Gauge(f"escalade_sandbox_{name}", words, registry=now).set(value)
    return Response(generate_latest(request.app.state.registry) + generate_latest(now), media_type=CONTENT_TYPE_LATEST)

"""Puts the HTTP application together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry

from escalade.types import Problem
from escalade_server.api import (
    dialects,
    environments,
    failures,
    histories,
    jobs,
    keys,
    operations,
    problems,
    runs,
    scores,
)
from escalade_server.api.middleware import Envelope
from escalade_server.api.services import Services

ROUTERS = (environments.router, problems.router, jobs.router, scores.router, histories.router, runs.router, keys.router)

Opener = Callable[[], AbstractAsyncContextManager[Services]]


def create_app(opener: Opener, *, max_body_bytes: int) -> FastAPI:
    """The application; `opener` opens the services at its start and closes them at its end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opener() as services:
            app.state.services = services
            registry.register(services.journal.outcomes)
            yield

    app = FastAPI(
        title="Escalade",
        version=version("escalade"),
        description="Verifiable programming environments with controllable difficulty.",
        lifespan=lifespan,
        redoc_url=None,
    )
    registry = CollectorRegistry()
    app.state.registry = registry
    failures.install(app)
    native = APIRouter(prefix="/v1", responses=failures.RESPONSES)
    for router in ROUTERS:
        native.include_router(router)
    app.include_router(native)
    app.include_router(operations.router)
    app.include_router(dialects.router)
    app.add_middleware(Envelope, max_body_bytes=max_body_bytes, registry=registry)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, object]:
    """The OpenAPI document, with the problem document that every error is."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = document.setdefault("components", {})
        components.setdefault("securitySchemes", {})["HTTPBasic"] = {"type": "http", "scheme": "basic"}
        schemas = components.setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = document
    return app.openapi_schema

"""Escalade's SDK: instances at the difficulty wanted, scores, and runs that adapt to what a trainer reports.

    >>> from escalade import Client
    >>> with Client() as client:
    ...     run = client.create_run("qwen-4b", groups=4, rollouts=8, pool={"environments": ["toll-road"]})
    ...     batch = client.batch(run.run, cursor=0)
    ...     print(len(batch.groups), batch.groups[0].messages[-1].role)
    4 user

Guarantee: importing it needs httpx and pydantic alone. Everything public is named in `__all__`; the models of the API
are in `escalade.types`.
"""

from escalade.client import AsyncClient, Client
from escalade.errors import (
    AuthenticationError,
    Conflict,
    ConnectionFailed,
    EscaladeError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    Timeout,
    Unavailable,
    UnexpectedResponse,
)
from escalade.types import AttemptReport, CurriculumSettings, PoolFilter, RunDocument, ScoreItem, Stratum

__all__ = [
    "AsyncClient",
    "AttemptReport",
    "AuthenticationError",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "CurriculumSettings",
    "EscaladeError",
    "InvalidRequest",
    "NotFound",
    "PermissionDenied",
    "PoolFilter",
    "RateLimited",
    "RunDocument",
    "ScoreItem",
    "ServerError",
    "Stratum",
    "Timeout",
    "Unavailable",
    "UnexpectedResponse",
]

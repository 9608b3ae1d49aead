"""Routes of other people's protocols. Their clients often cannot set headers, so a key may be a URL's password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from escalade_sandbox import hangups
from escalade_server.api.deps import ServicesDep, require
from escalade_server.api.failures import RESPONSES
from escalade_server.dialects import sandbox_fusion
from escalade_server.dialects.sandbox_fusion import RunCodeRequest, RunCodeResponse
from escalade_server.errors import Unauthenticated
from escalade_server.storage import credentials
from escalade_server.storage.clock import new_id
from escalade_server.storage.credentials import Principal

router = APIRouter(tags=["dialects"], responses=RESPONSES)
_SECURITY: list[dict[str, list[str]]] = [{"HTTPBearer": []}, {"HTTPBasic": []}]


async def executor(request: Request, services: ServicesDep) -> Principal:
    """Whose key came with the request.

    Raises:
        Unauthenticated: None, or one that is not in force.
        ScopeMissing: It lacks the scope `execute`.
    """
    secret = credentials.secret_in(request.headers.get("authorization"))
    if secret is None:
        raise Unauthenticated("Send the key as a bearer token, or as the password in the URL: http://x:KEY@host/.")
    async with services.database.read() as session:
        principal = await credentials.authenticate(session, secret)
    require(principal, "execute")
    return principal


@router.post(
    "/run_code",
    response_model=RunCodeResponse,
    openapi_extra={"x-required-scopes": ["execute"], "security": _SECURITY},
)
async def run_code(
    request: Request, caller: Annotated[Principal, Depends(executor)], body: RunCodeRequest, services: ServicesDep
) -> RunCodeResponse | Response:
    """SandboxFusion's protocol: run one program, python or cpp."""
    work = sandbox_fusion.run_code(services.sandbox, request=body, owner=caller.key_id, domain=new_id("code"))
    try:
        # Its clients give up after a time of their own and send the same again.
        return await hangups.while_connected(request, work)
    except hangups.HungUp:
        return Response(status_code=hangups.STATUS)

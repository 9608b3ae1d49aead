"""What routes depend on: the services, who asks, what they may do, and transactions that commit before the response."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Path, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from escalade.types import Scope
from escalade_server.api.services import Services
from escalade_server.errors import IdempotencyConflict, InvalidRequest, ScopeMissing, Unauthenticated
from escalade_server.runs import service as runs
from escalade_server.storage import credentials, keys, tables
from escalade_server.storage.clock import now
from escalade_server.storage.credentials import Principal
from escalade_server.storage.sessions import AsyncSession

Model = TypeVar("Model", bound=BaseModel)

SEND_A_KEY = "Send `Authorization: Bearer KEY`; `escalade key create` makes a key."

_bearer = HTTPBearer(auto_error=False, description="A key made by `escalade key create` or POST /v1/keys.")


def get_services(request: Request) -> Services:
    """The running server."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


async def _enter(
    request: Request, services: ServicesDep, bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> tuple[Principal, tables.Run | None]:
    """Whose key came with the request, and the run in its path: one trip to the database for both.

    Raises:
        Unauthenticated: No key, or one that is not in force.
    """
    if bearer is None:
        raise Unauthenticated(SEND_A_KEY)
    run_id = request.path_params.get("run")
    async with services.database.read() as session:
        return await credentials.enter(session, bearer.credentials, run_id)


Entered = Annotated[tuple[Principal, "tables.Run | None"], Depends(_enter)]


async def authenticate(entered: Entered) -> Principal:
    """Whose key came with the request."""
    return entered[0]


Caller = Annotated[Principal, Depends(authenticate)]


def require(caller: Principal, *scopes: Scope) -> None:
    """Refuse a caller who holds none of these scopes.

    Raises:
        ScopeMissing: The caller's key has other ones.
    """
    if not caller.may(*scopes):
        held = ", ".join(sorted(caller.scopes))
        raise ScopeMissing(f"This needs a key with the scope {' or '.join(scopes)}; this one has: {held}.")


def needs(*scopes: Scope) -> dict[str, Any]:
    """Declare beside a route which scopes open it: any one of them, and `admin` always."""

    async def check(caller: Caller) -> None:
        require(caller, *scopes)

    return {"dependencies": [Depends(check)], "openapi_extra": {"x-required-scopes": list(scopes)}}


async def open_reading(services: ServicesDep) -> AsyncIterator[AsyncSession]:
    """A session for reading."""
    async with services.database.read() as session:
        yield session


async def open_transaction(services: ServicesDep) -> AsyncIterator[AsyncSession]:
    """A session for writing, committed when the route's function returns and before its response is sent."""
    async with services.database.write() as session:
        yield session


Reading = Annotated[AsyncSession, Depends(open_reading, scope="function")]
Transaction = Annotated[AsyncSession, Depends(open_transaction, scope="function")]


async def own_run(request: Request, entered: Entered, run: Annotated[str, Path(max_length=40)]) -> tables.Run:
    """The run in the path, if the caller may see it: its owner, `admin`, and for looking at it `read`.

    Raises:
        RunNotFound: There is no such run, or it belongs to another key.
    """
    caller, found = entered
    sees_all = caller.may("admin") or (request.method == "GET" and caller.may("read"))
    return runs.own(found, run, None if sees_all else caller.key_id)


OwnRun = Annotated[tables.Run, Depends(own_run)]
PageToken = Annotated[str | None, Query(max_length=120, description="`next_page` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1_000, description="Items per page.")]


def number_of(page: str | None) -> int:
    """The position that a page token of a numbered list means.

    Raises:
        InvalidRequest: It is none that this server gave.
    """
    if page is None:
        return 0
    if not (page.isascii() and page.isdecimal() and len(page) < 10):
        raise InvalidRequest("`page` in the query: send `next_page` of the page before, unchanged.")
    return int(page)


class Claim:
    """A creating request's Idempotency-Key."""

    def __init__(self, key_id: str, idempotency_key: str | None, request_hash: str) -> None:
        self.key_id = key_id
        self.idempotency_key = idempotency_key
        self.request_hash = request_hash

    async def once(
        self, session: AsyncSession, model: type[Model], make: Callable[[], Awaitable[Model]], *, store: bool = True
    ) -> Model:
        """Make the response, or give the one that this Idempotency-Key has already made.

        Raises:
            IdempotencyConflict: The key came with another request before.
        """
        if self.idempotency_key is None:
            return await make()
        earlier = await keys.claim(
            session,
            key_id=self.key_id,
            idempotency_key=self.idempotency_key,
            request_hash=self.request_hash,
            at=now(),
        )
        if earlier is not None:
            if earlier.request_hash != self.request_hash:
                raise IdempotencyConflict(
                    "This Idempotency-Key was sent with another request before; use a fresh one for each."
                )
            return model.model_validate(earlier.body)
        made = await make()
        await keys.settle(
            session,
            key_id=self.key_id,
            idempotency_key=self.idempotency_key,
            body=made.model_dump(mode="json"),
        )
        return made


async def claim(
    request: Request,
    caller: Caller,
    idempotency_key: Annotated[
        str | None,
        Header(max_length=200, min_length=1, description="The same key and body give the same response again."),
    ] = None,
) -> Claim:
    """The Idempotency-Key of a creating POST, with a hash of all that the request asks."""
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + await request.body()).hexdigest()
    return Claim(caller.key_id, idempotency_key, digest)


Once = Annotated[Claim, Depends(claim)]

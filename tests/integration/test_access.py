"""Who may do what: every route of the OpenAPI document declares its scopes, and keeps to them."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx

PUBLIC = {("get", "/healthz"), ("get", "/readyz")}
JSON = {"Content-Type": "application/json"}
SCOPES = ("read", "train", "execute", "admin")
ClientFactory = Callable[..., Awaitable[httpx.AsyncClient]]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def filled(path: str) -> str:
    return path.replace("{cursor}", "0").replace("{", "").replace("}", "")


async def test_every_route_declares_its_scopes_and_keeps_to_them(client_with: ClientFactory) -> None:
    anonymous = await client_with()
    clients = {scope: await client_with(scope) for scope in SCOPES}
    document = (await anonymous.get("/openapi.json")).json()
    looked_at = 0
    for method, path, operation in operations(document):
        if (method, path) in PUBLIC:
            assert "x-required-scopes" not in operation
            assert (await anonymous.request(method, path)).status_code in (200, 503)
            continue
        allowed = set(operation["x-required-scopes"])
        assert allowed, f"{method} {path} declares no scope"
        assert allowed <= set(SCOPES)
        assert operation["security"], f"{method} {path} is not shown as needing a key"
        refused = await anonymous.request(method, filled(path), json={})
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated"), f"{method} {path}"
        for scope, client in clients.items():
            reply = await client.request(method, filled(path), json={})
            open_to_it = scope in allowed or scope == "admin"
            denied = reply.status_code == 403 and reply.json()["code"] == "scope_missing"
            assert denied is not open_to_it, f"{method} {path} with {scope}: {reply.status_code}"
        looked_at += 1
    assert looked_at > 15


async def test_what_is_public_needs_no_key(client_with: ClientFactory) -> None:
    anonymous = await client_with()
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
        assert (await anonymous.get(path)).status_code == 200, path
    assert (await anonymous.get("/metrics")).status_code == 401


async def test_a_wrong_key_is_told_apart_from_none(client_with: ClientFactory) -> None:
    anonymous = await client_with()
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        reply = await anonymous.get("/v1/environments", headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated")
        assert reply.headers["www-authenticate"] == "Bearer"


async def test_a_revoked_key_is_out_of_force_at_once(api: httpx.AsyncClient) -> None:
    made = (await api.post("/v1/keys", json={"name": "short", "scopes": ["read"]})).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert (await api.get("/v1/environments", headers=headers)).status_code == 200
    assert (await api.delete(f"/v1/keys/{made['key_id']}")).status_code == 204
    assert (await api.get("/v1/environments", headers=headers)).status_code == 401
    listed = {key["key_id"]: key for key in (await api.get("/v1/keys")).json()["items"]}
    assert listed[made["key_id"]]["revoked_at"]
    assert all("secret" not in key for key in listed.values())


async def test_a_retried_key_is_one_key_with_a_working_secret(api: httpx.AsyncClient) -> None:
    body, headers = {"name": "once", "scopes": ["read"]}, {"Idempotency-Key": "one"}
    first = (await api.post("/v1/keys", json=body, headers=headers)).json()
    again = (await api.post("/v1/keys", json=body, headers=headers)).json()
    assert first["key_id"] == again["key_id"]
    reply = await api.get("/v1/environments", headers={"Authorization": f"Bearer {again['secret']}"})
    assert reply.status_code == 200


async def test_unknown_addresses_and_methods_are_problem_documents(api: httpx.AsyncClient) -> None:
    for method, path, status, code in (
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("DELETE", "/v1/environments", 405, "method_not_allowed"),
        ("GET", "/v1/runs/run_x", 404, "run_not_found"),
        ("GET", "/v1/jobs/job_x", 404, "job_not_found"),
        ("DELETE", "/v1/keys/key_x", 404, "key_not_found"),
    ):
        reply = await api.request(method, path)
        assert (reply.status_code, reply.json()["code"]) == (status, code)
        assert reply.headers["content-type"] == "application/problem+json"


async def test_secrets_of_environments_leave_through_no_route_of_read(
    client_with: ClientFactory, imported: list[str]
) -> None:
    reader = await client_with("read")
    detail = await reader.get(f"/v1/environments/{imported[0]}")
    assert detail.status_code == 200
    for secret in ("generate_testcase", "#include", "solution-"):
        assert secret not in detail.text


async def test_a_long_body_is_not_read_for_a_stranger(client_with: ClientFactory) -> None:
    anonymous, known = await client_with(), await client_with("train")
    body = b"[" + b"{}," * 50_000  # were it parsed, it would be no JSON
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        reply = await anonymous.post("/v1/scores", content=body, headers=JSON | headers)
        assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated")

    async def in_parts():
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    assert (await anonymous.post("/v1/scores", content=in_parts(), headers=JSON)).status_code == 401
    assert (await known.post("/v1/scores", content=in_parts(), headers=JSON)).json()["code"] == "malformed_body"
    assert (await known.post("/v1/scores", content=b" " * (9 << 20), headers=JSON)).status_code == 413
    assert (await anonymous.post("/v1/scores", content=b" " * (9 << 20), headers=JSON)).status_code == 413


async def test_a_nul_in_an_address_or_a_name_is_refused_on_every_engine(api: httpx.AsyncClient) -> None:
    for path in ("/v1/runs/a%00b", "/v1/environments/a%00b", "/v1/environments?page=%00"):
        reply = await api.get(path)
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request"), path
    reply = await api.post("/v1/runs", json={"name": "a\0b"})
    assert reply.status_code == 422
    assert "`name`" in reply.json()["detail"]
    reply = await api.post("/v1/runs", json={"name": "a", "pool": {"environments": ["a\0b"]}})
    assert reply.status_code == 422
    assert "NUL" in reply.json()["detail"]

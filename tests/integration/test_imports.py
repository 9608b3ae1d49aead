"""Imports are idempotent by content, and refuse entries one by one."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "scaler-small.json"
RELEASED = Path(__file__).resolve().parents[3] / "shared" / "data" / "scaler-8" / "SCALER-8.json"


async def bring(api: httpx.AsyncClient, archive: Any, **changes: Any) -> dict[str, Any]:
    content = archive if isinstance(archive, str) else json.dumps(archive)
    reply = await api.post("/v1/imports", json={"format": "scaler", "content": content} | changes)
    assert reply.status_code == 201, reply.text
    job = reply.json()
    assert (await api.get(f"/v1/jobs/{job['job']}")).json() == job
    result: dict[str, Any] = job["result"]
    return result


async def versions(api: httpx.AsyncClient) -> dict[str, str]:
    return {item["name"]: item["version"] for item in (await api.get("/v1/environments")).json()["items"]}


async def test_importing_twice_changes_nothing(api: httpx.AsyncClient, imported: list[str]) -> None:
    before = (await api.get("/v1/environments")).json()
    result = await bring(api, FIXTURE.read_text())
    assert (result["created"], result["updated"], sorted(result["unchanged"])) == ([], [], imported)
    assert (await api.get("/v1/environments")).json() == before


async def test_a_changed_generator_makes_a_new_version_of_that_environment_alone(
    api: httpx.AsyncClient, imported: list[str]
) -> None:
    before = await versions(api)
    archive = json.loads(FIXTURE.read_text())
    name = next(iter(archive))
    archive[name]["generate_testcase"] += "\n# changed\n"
    result = await bring(api, archive)
    assert len(result["updated"]) == 1
    after = await versions(api)
    assert [slug for slug in after if after[slug] != before[slug]] == result["updated"]
    detail = (await api.get(f"/v1/environments/{result['updated'][0]}")).json()
    assert detail["versions"] == [before[result["updated"][0]], after[result["updated"][0]]]


async def test_a_malformed_entry_is_refused_and_the_others_go_in(api: httpx.AsyncClient) -> None:
    archive = json.loads(FIXTURE.read_text())
    first, second, *rest = archive
    del archive[first]["generate_testcase"]
    archive[second]["output_type"] = "poem"
    result = await bring(api, archive)
    assert len(result["created"]) == len(rest)
    assert {(one["entry"], one["field"]) for one in result["refused"]} == {
        (first, "generate_testcase"),
        (second, "output_type"),
    }
    assert all(one["reason"] for one in result["refused"])


async def test_a_dry_run_stores_nothing(api: httpx.AsyncClient) -> None:
    result = await bring(api, FIXTURE.read_text(), dry_run=True)
    assert len(result["created"]) == 5
    assert (await api.get("/v1/environments")).json()["items"] == []


async def test_an_archive_that_is_none_is_refused_whole(api: httpx.AsyncClient) -> None:
    for content in ("", "[]", "{", "12", '{"a": 1}'):
        reply = await api.post("/v1/imports", json={"format": "scaler", "filename": "mine.json", "content": content})
        if reply.status_code == 201:
            assert [one["entry"] for one in reply.json()["result"]["refused"]] == ["a"]
        else:
            assert (reply.status_code, reply.json()["code"]) == (422, "archive_unreadable"), content
            assert "mine.json" in reply.json()["detail"]
    unknown = await api.post("/v1/imports", json={"format": "tarot", "content": ""})
    assert "`format`" in unknown.json()["detail"]


async def test_all_eight_released_environments_import(api: httpx.AsyncClient) -> None:
    if not RELEASED.exists():
        pytest.skip(f"{RELEASED} is not there: clone with the folder `shared` beside the repository")
    result = await bring(api, RELEASED.read_text())
    assert (len(result["created"]), result["refused"]) == (8, [])
    assert "883-c-downloading-b" in result["created"]
    shown = (await api.get("/v1/environments/883-c-downloading-b")).json()
    assert shown["source_name"] == "883_C. Downloading B++"


async def test_lists_are_paged_and_filtered(api: httpx.AsyncClient, imported: list[str]) -> None:
    names: list[str] = []
    page: str | None = None
    while True:
        reply = (await api.get("/v1/environments", params={"limit": 2} | ({"page": page} if page else {}))).json()
        names += [item["name"] for item in reply["items"]]
        page = reply["next_page"]
        if page is None:
            break
        assert len(reply["items"]) == 2
    assert names == imported
    numbers = (await api.get("/v1/environments", params={"answer_type": "number"})).json()["items"]
    assert 0 < len(numbers) < len(imported)
    assert all(item["answer_type"] == "number" for item in numbers)
    assert (await api.get("/v1/environments", params={"source": "elsewhere"})).json()["items"] == []

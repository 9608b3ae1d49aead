"""Imports are idempotent by content, and refuse entries one by one."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from escalade_server.problems import service
from escalade_server.problems.builtin import load_catalogue
from escalade_server.problems.formats.package import parse_packages
from escalade_server.problems.problem import Problem
from escalade_server.storage.sessions import Database

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


async def test_two_servers_that_first_start_at_once_store_the_catalogue_once(database_url: str) -> None:
    databases = Database(database_url), Database(database_url)

    async def store(database: Database) -> tuple[int, int]:
        async with database.write() as session:
            report = await service.store(session, load_catalogue())
            problem = Problem(name="one", title="one", source="api")
            await service.store_problems(session, [problem], report)
            return len(report.created), len(report.problems["created"])

    try:
        made = await asyncio.gather(*map(store, databases))
    finally:
        for database in databases:
            await database.close()
    assert sorted(made) == [(0, 0), (len(load_catalogue()), 1)]


async def test_a_package_is_known_by_its_folder(database_url: str, tmp_path: Path) -> None:
    package = FIXTURE.parent / "formats" / "escalade" / "odd-sum"
    for folder in ("coins", "pizza"):
        shutil.copytree(package, tmp_path / folder)
    database = Database(database_url)

    async def store() -> service.ImportReport:
        async with database.write() as session:
            return await service.store(session, parse_packages(tmp_path, source="escalade")[0])

    try:
        assert (await store()).created == ["coins", "pizza"]  # one title, two problems
        settings = tmp_path / "coins" / "problem.yaml"
        settings.write_text(yaml.safe_dump(yaml.safe_load(settings.read_text()) | {"name": "Another title"}))
        again = await store()
        assert (again.created, again.unchanged) == ([], ["coins", "pizza"])
    finally:
        await database.close()


async def test_names_that_are_taken_stay_within_the_columns(database_url: str) -> None:
    database = Database(database_url)
    report = service.ImportReport()
    same = [Problem(name="x" * 150, title="x", source=f"{'s' * 38}-{number}") for number in range(3)]
    try:
        async with database.write() as session:
            await service.store_problems(session, same, report)
    finally:
        await database.close()
    assert len(set(report.problems["created"])) == 3
    assert max(map(len, report.problems["created"])) <= 120

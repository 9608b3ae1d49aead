"""Syntheses: a folder that mixes all formats ends with the right funnel; a job survives crashes and stops when told."""

import asyncio
import base64
import io
import json
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from escalade.types import ProblemRequest
from escalade_sandbox.types import Sandbox
from escalade_server.api.services import Services
from escalade_server.problems import service
from escalade_server.problems.problem import Problem
from escalade_server.storage import jobs
from escalade_server.storage.clock import now
from escalade_server.synthesis.worker import Worker

FORMATS = Path(__file__).resolve().parents[1] / "fixtures" / "formats"
FEW_DRAWS = {
    "breadth_draws": 12, "depth_draws": 20, "depth_draws_at_most": 60, "level_draws": 5, "determinism_draws": 6,
    "min_distinct_inputs": 4, "min_distinct_outputs": 5, "max_generator_ms": 4_000, "max_prompt_chars": 3_000,
}  # fmt: skip
"""What the checks find is tested elsewhere; here every problem has to go the whole way."""
LONGEST_S = 900.0
"""The longest job takes half a minute on a quiet machine; whatever takes so long hangs."""
VERIFIED = {"902-b-steps-of-the-tower", "bead-row", "even-split", "odd-sum", "ropepieces"}


def packed(folder: Path) -> str:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        archive.add(folder, arcname=folder.name)
    return base64.b64encode(content.getvalue()).decode()


async def bring(api: httpx.AsyncClient, folder: Path, **changes: Any) -> dict[str, Any]:
    reply = await api.post("/v1/imports", json={"filename": "all.tar.gz", "archive": packed(folder)} | changes)
    assert reply.status_code == 201, reply.text
    job: dict[str, Any] = reply.json()
    return job


async def ended(api: httpx.AsyncClient, job: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    try:
        async with asyncio.timeout(LONGEST_S):
            while shown.get("status", "queued") in ("queued", "running"):
                await asyncio.sleep(0.2)
                shown = (await api.get(f"/v1/jobs/{job}")).json()
    except TimeoutError:
        finished = [one["name"] for one in await items_of(api, job) if one["outcome"] is not None]
        pytest.fail(f"the job is not finished after {LONGEST_S:.0f} s: {shown}; finished: {finished}")
    return shown


async def items_of(api: httpx.AsyncClient, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get(f"/v1/jobs/{job}/items")).json()["items"]
    return found


async def began(api: httpx.AsyncClient, job: str) -> None:
    for _ in range(600):
        if (await api.get(f"/v1/jobs/{job}")).json()["status"] == "running":
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nobody took the job up")


async def begin(api: httpx.AsyncClient, **request: Any) -> str:
    reply = await api.post("/v1/syntheses", json={"thresholds": FEW_DRAWS} | request)
    assert reply.status_code == 201, reply.text
    job: str = reply.json()["job"]
    return job


def events(text: str) -> list[tuple[str | None, str, dict[str, Any]]]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((fields.get("id"), fields["event"], json.loads(fields["data"])))
    return found


async def test_importing_all_formats_twice_changes_nothing(api: httpx.AsyncClient) -> None:
    dry = (await bring(api, FORMATS, dry_run=True))["result"]
    assert (await api.get("/v1/problems")).json()["items"] == []
    first = (await bring(api, FORMATS))["result"]
    assert (dry["created"], dry["problems"], dry["refused"]) == (first["created"], first["problems"], first["refused"])
    assert {"giftbags", "bead-row", "range-totals", "903-a-ferry-queue"} <= set(first["problems"]["created"])
    assert {"odd-sum", "902-b-steps-of-the-tower"} <= set(first["created"])
    shown = (await api.get("/v1/problems")).json()["items"], (await api.get("/v1/environments")).json()["items"]
    again = (await bring(api, FORMATS))["result"]
    assert (again["created"], again["updated"], sorted(again["unchanged"])) == ([], [], sorted(first["created"]))
    assert (again["problems"]["created"], again["problems"]["updated"]) == ([], [])
    assert again["problems"]["unchanged"] == first["problems"]["created"]
    now_shown = (await api.get("/v1/problems")).json()["items"], (await api.get("/v1/environments")).json()["items"]
    assert now_shown == shown


@pytest.mark.parametrize("_new_database", ["sqlite"], indirect=True)  # programs most of the time
async def test_a_folder_of_all_formats_ends_with_the_right_funnel(
    services: Services, api: httpx.AsyncClient, client_with: Callable[..., Awaitable[httpx.AsyncClient]]
) -> None:
    imported = await bring(api, FORMATS)
    job = await begin(api, imports=[imported["job"]])
    services.worker.start()
    done = await ended(api, job)
    assert (done["status"], done["error"], done["done"]) == ("succeeded", None, done["total"])
    funnel = done["result"]["funnel"]
    stages = {stage["stage"]: stage for stage in funnel["stages"]}
    assert stages["imported"]["stopped"] == len(imported["result"]["refused"]) > 0
    assert stages["imported"]["entered"] == done["total"] + len(imported["result"]["refused"])
    assert [one["name"] for one in stages["solutions"]["examples"]] == ["any-divisor"]
    assert {one["outcome"] for one in stages["metadata"]["examples"]} == {"needs_llm"}
    assert all("needs an LLM" in one["reason"] for one in stages["metadata"]["examples"])
    for before, after in zip(funnel["stages"], funnel["stages"][1:], strict=False):
        assert before["passed"] == after["entered"]
    items = (await api.get(f"/v1/jobs/{job}/items")).json()["items"]
    assert {one["name"] for one in items if one["outcome"] == "verified"} >= VERIFIED
    assert sum(funnel["outcomes"].values()) == stages["imported"]["entered"]

    # The solution that does not compile is gone from what is served, and the report says so.
    environment = (await api.get("/v1/environments/even-split")).json()
    report = (await api.get("/v1/environments/even-split/report")).json()
    assert (environment["status"], environment["status_by"]) == ("verified", job)
    assert environment["versions"] == [report["version"], report["served_version"]]
    (gone,) = [one for one in report["solutions"] if one["standing"] != "agrees"]
    assert (gone["standing"], "does not compile" in gone["detail"]) == ("absent", True)
    again = (await bring(api, FORMATS))["result"]
    assert "902-b-steps-of-the-tower" in again["unchanged"]
    assert (await api.get("/v1/environments/902-b-steps-of-the-tower")).json()["status"] == "verified"

    # Whoever may only read sees the figures and no evidence.
    reader = await client_with("read")
    public = (await reader.get("/v1/environments/even-split/report")).json()
    assert public["verdict"] == "verified"
    assert not any(check["evidence"] for check in public["checks"])

    told = events((await api.get(f"/v1/jobs/{job}/events")).text)
    assert [name for _, name, _ in told] == ["item"] * done["total"] + ["end"]
    rest = events((await api.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": "2"})).text)
    assert rest == told[2:]


async def test_an_environment_with_a_broken_generator_is_rejected_by_name(
    services: Services, api: httpx.AsyncClient, imported: list[str]
) -> None:
    archive = json.loads((FORMATS.parent / "scaler-small.json").read_text())
    name = next(iter(archive))
    archive = {name: archive[name]}
    archive[name]["generate_testcase"] += (
        "\nimport os\n\ndef generate_testcase(params):\n    return f'{int.from_bytes(os.urandom(4))}\\n', {'n': 1}\n"
    )
    changed = (await api.post("/v1/imports", json={"format": "scaler", "content": json.dumps(archive)})).json()
    (slug,) = changed["result"]["updated"]
    services.worker.start()
    done = await ended(api, await begin(api, names=[slug]))
    (stage,) = [stage for stage in done["result"]["funnel"]["stages"] if stage["stopped"]]
    assert (stage["stage"], stage["examples"][0]["name"]) == ("determinism", slug)
    shown = (await api.get(f"/v1/environments/{slug}")).json()
    assert (shown["status"], shown["status_by"]) == ("rejected", done["job"])
    report = (await api.get(f"/v1/environments/{slug}/report")).json()
    assert report["verdict"] == "rejected"
    assert any(check["evidence"] for check in report["checks"] if not check["passed"])


async def test_a_person_s_decision_is_not_undone(
    services: Services, api: httpx.AsyncClient, imported: list[str]
) -> None:
    body = {"status": "quarantined", "reason": "odd"}
    await api.post(f"/v1/environments/{imported[0]}/status", json=body)
    services.worker.start()
    job = await ended(api, await begin(api, names=[imported[0]]))
    (item,) = (await api.get(f"/v1/jobs/{job['job']}/items")).json()["items"]
    assert (item["outcome"], "quarantined" in item["reason"]) == ("skipped", True)
    assert (await api.get(f"/v1/environments/{imported[0]}")).json()["status"] == "quarantined"


async def test_a_job_whose_server_died_goes_on_where_it_was(
    services: Services, api: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    await bring(api, FORMATS / "codecontests")
    job = await begin(api, all=True)
    total = (await api.get(f"/v1/jobs/{job}")).json()["total"]
    assert total == 2
    # The dead server had finished the first item, and held the lease.
    async with services.database.write() as session:
        assert await jobs.claim(session, job, "wrk_dead", now=now(), until=now())
        assert await jobs.advance(session, job, "wrk_dead") == 1
        await jobs.settle(session, job, 0, {"sequence": 1, "outcome": "verified", "stage": "verified", "reason": "!"})
    services.worker.start()
    done = await ended(api, job)
    assert (done["status"], done["done"]) == ("succeeded", 2)
    items = (await api.get(f"/v1/jobs/{job}/items")).json()["items"]
    assert (items[0]["sequence"], items[0]["reason"]) == (1, "!")
    assert (items[1]["sequence"], items[1]["outcome"]) == (2, "needs_llm")


async def test_two_servers_never_share_a_job(services: Services, api: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await bring(api, FORMATS / "codecontests")
    job = await begin(api, all=True)
    other = Worker(services.settings, services.database, sandbox)
    services.worker.start()
    other.start()
    try:
        done = await ended(api, job)
    finally:
        await other.close()
    items = (await api.get(f"/v1/jobs/{job}/items")).json()["items"]
    assert (done["done"], sorted(one["sequence"] for one in items)) == (2, [1, 2])


async def test_a_cancelled_job_stops_and_may_go_on(
    services: Services, api: httpx.AsyncClient, imported: list[str]
) -> None:
    job = await begin(api, names=imported, thresholds={})
    services.worker.start()
    await began(api, job)
    cancelled = (await api.delete(f"/v1/jobs/{job}")).json()
    assert cancelled["status"] == "cancelled"
    done = (await api.get(f"/v1/jobs/{job}")).json()["done"]
    # The next job comes when the worker has let go of this one.
    other = await ended(api, await begin(api, names=[imported[0]]))
    assert other["status"] == "succeeded"
    assert (await api.get(f"/v1/jobs/{job}")).json() == cancelled | {"done": done}
    assert (await api.post(f"/v1/jobs/{job}/resume")).json()["status"] == "queued"
    assert (await api.delete(f"/v1/jobs/{job}")).json()["status"] == "cancelled"
    listed = (await api.get("/v1/jobs", params={"kind": "synthesis"})).json()["items"]
    assert [one["job"] for one in listed] == [other["job"], job]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({}, "invalid_request"),
        ({"names": ["nobody"]}, "invalid_request"),
        ({"all": True, "thresholds": {"luck": 1}}, "invalid_request"),
        ({"imports": ["job_none"]}, "job_not_found"),
        ({"all": True}, "nothing_to_do"),
    ],
)
async def test_what_cannot_be_done_is_refused(api: httpx.AsyncClient, request_: dict[str, Any], code: str) -> None:
    reply = await api.post("/v1/syntheses", json=request_)
    assert (reply.json()["code"], reply.status_code >= 400) == (code, True), reply.text


async def test_one_problem_may_be_posted(api: httpx.AsyncClient) -> None:
    body = {
        "name": "Sum of Two", "title": "Sum of two", "statements": [{"text": "Add."}],
        "solutions": [{"name": "a.py", "language": "python", "source": "print(1)"}],
    }  # fmt: skip
    made = await api.post("/v1/problems", json=body)
    assert (made.status_code, made.json()["name"]) == (201, "sum-of-two"), made.text
    assert made.json()["missing"] == ["answer_type", "parameters", "generator", "solutions"]
    assert (await api.get("/v1/problems/sum-of-two")).json() == made.json()
    assert "print(1)" not in (await api.get("/v1/problems/sum-of-two")).text


def sums(name: str = "sums", **changes: Any) -> dict[str, Any]:
    """A problem that needs no LLM."""
    reference = "n = int(input())\nprint(sum(map(int, input().split())))\n"
    generator = (
        "import random\n\ndef generate_testcase(params):\n"
        "    values = [random.randint(0, 999) for _ in range(params['n'])]\n"
        "    return f\"{len(values)}\\n{' '.join(map(str, values))}\\n\", {'values': values}\n"
    )
    span = {"n": {"minimum": 1, "maximum": 8}}
    return {
        "name": name, "title": name, "answer_type": "number", "parameters": span,
        "statements": [{"text": "Add.\n\n## Output\nThe sum.", "task": "Add the values.", "output": "A sum."}],
        "solutions": [
            {"name": "a.py", "language": "python", "source": reference},
            {"name": "b.py", "language": "python", "source": "input()\n" + reference.splitlines()[1] + "\n"},
        ],
        "generators": [
            {
                "name": "g.py", "language": "python", "source": generator, "function": "generate_testcase",
                "parameters": span,
            }
        ],
        "samples": [{"input": "2\n1 2\n", "output": "3\n"}],
    } | changes  # fmt: skip


async def post(api: httpx.AsyncClient, problem: dict[str, Any]) -> None:
    reply = await api.post("/v1/problems", json=problem)
    assert reply.status_code == 201, reply.text


async def outcomes(api: httpx.AsyncClient, **request: Any) -> dict[str, tuple[str, str]]:
    done = await ended(api, await begin(api, **request))
    assert (done["status"], done["error"]) == ("succeeded", None)
    return {one["name"]: (one["outcome"], one["reason"]) for one in await items_of(api, done["job"])}


@pytest.mark.parametrize("_new_database", ["sqlite"], indirect=True)  # programs most of the time
async def test_a_corrected_problem_is_what_its_name_means(services: Services, api: httpx.AsyncClient) -> None:
    services.worker.start()
    await post(api, sums())
    assert (await outcomes(api, names=["sums"]))["sums"][0] == "verified"
    old = (await api.get("/v1/environments/sums")).json()
    statements = [{"text": "Add all.\n\n## Output\nThe sum.", "task": "Add all of the values.", "output": "A sum."}]
    await post(api, sums(statements=statements))
    assert (await outcomes(api, names=["sums"]))["sums"][0] == "verified"
    new = (await api.get("/v1/environments/sums")).json()
    assert (old["status"], new["status"]) == ("verified", "verified")
    assert old["version"] != new["version"]
    shown = (await api.post("/v1/environments/sums/instances", json={"level": 0})).json()
    assert "Add all of the values." in shown["instances"][0]["messages"][-1]["content"]


@pytest.mark.parametrize("_new_database", ["sqlite"], indirect=True)
async def test_a_single_reference_that_passed_fixed_tests_does_so_again(
    services: Services, api: httpx.AsyncClient
) -> None:
    services.worker.start()
    tests = [{"name": f"t{n}", "input": f"2\n{n} 5\n", "output": f"{n + 5}\n"} for n in range(6)]
    await post(api, sums(solutions=sums()["solutions"][:1], tests=tests))
    assert (await outcomes(api, names=["sums"]))["sums"][0] == "verified"
    assert (await outcomes(api, names=["sums"], again=True))["sums"][0] == "verified"
    for status in ("quarantined", "unverified"):
        body = {"status": status, "reason": "looked at"}
        assert (await api.post("/v1/environments/sums/status", json=body)).status_code == 200
    assert (await outcomes(api, all=True))["sums"][0] == "verified"


@pytest.mark.parametrize("_new_database", ["sqlite"], indirect=True)
async def test_a_program_that_no_sandbox_runs_keeps_no_other_problem_out(
    services: Services, api: httpx.AsyncClient
) -> None:
    services.worker.start()
    solutions = [one | {"files": {"lib/util.py": ""}} for one in sums()["solutions"]]
    request = ProblemRequest.model_validate(sums("aa-bad", solutions=solutions))
    problem = Problem.model_validate(request.model_dump(exclude_none=True))
    async with services.database.write() as session:  # as an archive might bring it
        await service.store_problems(session, [problem], service.ImportReport())
    await post(api, sums("good"))
    found = await outcomes(api, names=["aa-bad", "good"])
    assert found["good"][0] == "verified"
    outcome, reason = found["aa-bad"]
    assert outcome == "unsuited"
    assert "lib/util.py" in reason


@pytest.mark.parametrize(
    ("field", "program"),
    [
        ("solutions.0.files", {"language": "python", "files": {"a/b.py": ""}}),
        ("validators.0.files", {"language": "cpp", "files": {"main.cpp": ""}}),
        ("generators.0.function", {"language": "cpp", "function": "generate_testcase"}),
        ("generators.0.arguments", {"language": "cpp", "arguments": ["{m}", "{seed}"]}),
    ],
)
@pytest.mark.parametrize("_new_database", ["sqlite"], indirect=True)
async def test_programs_that_cannot_run_are_refused(
    api: httpx.AsyncClient, field: str, program: dict[str, Any]
) -> None:
    problem = sums(**{field.split(".")[0]: [{"name": "p", "source": ""} | program]})
    reply = await api.post("/v1/problems", json=problem)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request"), reply.text
    assert f"`{field}`" in reply.json()["detail"]

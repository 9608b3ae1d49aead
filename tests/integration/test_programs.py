"""Program mode: a program is asked for instead of an answer, and judged on inputs that no prompt shows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from escalade.types import ProgramSettings
from escalade_sandbox.docker import DockerSandbox
from escalade_sandbox.types import Compilation, Job, JobResult, Result, SandboxBusy, SandboxUnavailable, Status, Trust
from escalade_server.api.app import create_app
from escalade_server.api.services import Services, open_services
from escalade_server.instances.seeds import is_hidden
from escalade_server.problems import service as problems
from escalade_server.problems.builtin import load_catalogue
from escalade_server.problems.definition import Definition, Entry
from escalade_server.settings import Settings
from escalade_server.storage import credentials, tables

NAME, CHECKED = "lit-street", "fair-teams"
WRONG = "print(0)"
SLOW = "while True: pass"


def fenced(source: str, language: str = "python") -> str:
    return f"<think>hm</think>\nHere it is:\n```{language}\n{source}\n```\n"


def entry_of(name: str) -> Entry:
    return next(entry for entry in load_catalogue() if entry.slug == name)


def reference(definition: Definition, language: str) -> str:
    return next(one.source for one in definition.references if one.language == language)


RIGHT = reference(entry_of(NAME).definition, "python")
RIGHT_CPP = reference(entry_of(NAME).definition, "cpp")


@pytest.fixture
async def catalogue(services: Services) -> list[str]:
    entries = [entry_of(NAME), entry_of(CHECKED)]
    async with services.database.write() as session:
        report = await problems.store(session, entries)
    return report.created


async def serve(api: httpx.AsyncClient, name: str = NAME, **body: Any) -> list[dict[str, Any]]:
    reply = await api.post(f"/v1/environments/{name}/instances", json={"level": 2, "mode": "program"} | body)
    assert reply.status_code == 200, reply.text
    served: list[dict[str, Any]] = reply.json()["instances"]
    return served


async def judge(api: httpx.AsyncClient, completions: Sequence[str], name: str = NAME, **program: Any) -> list[Any]:
    """The outcomes of these programs, all for one instance."""
    (instance,) = await serve(api, name)
    items = [{"instance": instance["instance"], "completion": one, "mode": "program"} for one in completions]
    reply = await api.post("/v1/scores", json={"items": items, "program": program})
    assert reply.status_code == 200, reply.text
    outcomes: list[Any] = reply.json()["outcomes"]
    return outcomes


async def hidden_rows(services: Services) -> list[tables.Instance]:
    from sqlalchemy import select

    async with services.database.read() as session:
        return [row for row in await session.scalars(select(tables.Instance)) if is_hidden(row.seed)]


async def test_the_prompt_shows_the_whole_task_the_limits_and_how_to_hand_in(
    services: Services, api: httpx.AsyncClient, catalogue: Any
) -> None:
    definition = entry_of(NAME).definition
    (instance,) = await serve(api)
    assert instance["mode"] == "program"
    assert instance["answer"] is None
    text = instance["messages"][0]["content"]
    assert text.startswith(definition.full_statement.strip())
    for sample in definition.samples:
        assert sample.input.rstrip() in text
        assert sample.output.rstrip() in text
    for part in ("n = 5, street = 70", "s of processor time in C++17", "MiB of memory", "```python or ```cpp"):
        assert part in text
    assert "\\boxed" not in text
    only_python = await serve(api, program={"languages": ["python"]})
    assert "C++" not in only_python[0]["messages"][0]["content"]
    assert (await serve(api))[0] == instance, "the limits were measured once"
    await services.programs.idle()
    assert not any(row.input in text for row in await hidden_rows(services) if row.input)


async def test_the_same_instance_may_be_asked_in_both_modes(api: httpx.AsyncClient, catalogue: Any) -> None:
    (program,) = await serve(api)
    (answer,) = await serve(api, mode="answer")
    assert program["instance"] == answer["instance"]
    assert "\\boxed" in answer["messages"][0]["content"]
    one = {"instance": answer["instance"], "completion": fenced(RIGHT)}
    reply = await api.post("/v1/scores", json={"items": [one, one | {"mode": "program"}]})
    assert [outcome["verdict"] for outcome in reply.json()["outcomes"]] == ["no_answer", "accepted"]


async def test_every_kind_of_failure_has_its_verdict(api: httpx.AsyncClient, catalogue: Any) -> None:
    cases = {
        "accepted": [fenced(RIGHT), fenced(RIGHT_CPP, "cpp"), fenced(RIGHT, ""), fenced(RIGHT_CPP, "")],
        "wrong": [fenced(WRONG), fenced("pass"), fenced("import sys\nsys.stdout.buffer.write(b'\\xff')")],
        "time_limit": [fenced(SLOW)],
        "memory_limit": [fenced("x = bytearray(1 << 30)\nfor i in range(0, 1 << 30, 4096): x[i] = 1")],
        "output_limit": [fenced("print('1' * (1 << 20))")],
        "runtime_error": [fenced("print(1 / 0)"), fenced("import os\nos.abort()"), fenced("raise SystemExit(3)")],
        "compile_error": [fenced("int main() { return x; }", "cpp"), fenced("print(")],
        "no_answer": ["\\boxed{3}", fenced(RIGHT, "java"), "```python\nprint(1)", fenced("  ")],
        "too_long": [fenced("#" * 300_000)],
    }
    asked = [(verdict, completion) for verdict, completions in cases.items() for completion in completions]
    outcomes = await judge(api, [completion for _, completion in asked])
    assert [(one["outcome"], one["verdict"]) for one in outcomes] == [("scored", verdict) for verdict, _ in asked]
    assert [one["score"] for one in outcomes] == [float(verdict == "accepted") for verdict, _ in asked]
    assert outcomes[0]["format"] == "fenced"
    assert outcomes[0]["extracted"].rstrip() == RIGHT.rstrip()
    compiler = next(one for one in outcomes if one["verdict"] == "compile_error")
    assert "x" in compiler["detail"]


async def test_answers_that_are_not_unique_go_to_the_checker(
    services: Services, api: httpx.AsyncClient, catalogue: Any
) -> None:
    definition = entry_of(CHECKED).definition
    sources = [fenced(one.source, one.language) for one in definition.solutions]
    jobs: list[Job] = []
    inner = services.sandbox.run

    async def counting(job: Job) -> JobResult:
        jobs.append(job)
        return await inner(job)

    await judge(api, sources[:1], CHECKED)
    services.sandbox.run = counting  # type: ignore[method-assign]
    try:
        outcomes = await judge(api, sources, CHECKED)
    finally:
        del services.sandbox.run
    expected = ["accepted" if one.expected == "accepted" else "wrong" for one in definition.solutions]
    assert [one["verdict"] for one in outcomes] == expected
    assert [job.trust for job in jobs] == [Trust.CANDIDATE] * len(sources) + [Trust.TRUSTED]
    assert len(jobs[-1].inputs) > 10, "one job of the checker for all programs"


async def test_a_share_counts_every_input_and_all_stops_at_the_first_failure(
    services: Services, api: httpx.AsyncClient, catalogue: Any
) -> None:
    # Right where the number of lit metres is even.
    odd = RIGHT.replace("print(lit)", "print(lit if lit % 2 == 0 else -1)")
    (shared,) = await judge(api, [fenced(odd)], score="share", instances=20)
    assert 0 < shared["score"] < 1
    assert (shared["accuracy"], shared["verdict"]) == (0, "wrong")
    assert f"{round(shared['score'] * 20)} of 20 hidden inputs passed" in shared["detail"]
    (strict,) = await judge(api, [fenced(odd)], instances=20)
    assert (strict["score"], strict["accuracy"], strict["verdict"]) == (0, 0, "wrong")
    seen: list[int] = []
    inner = services.sandbox.run

    async def watching(job: Job) -> JobResult:
        done = await inner(job)
        seen.append(sum(result.wall_ms > 0 for result in done.results))
        return done

    services.sandbox.run = watching  # type: ignore[method-assign]
    try:
        await judge(api, [fenced("raise SystemExit(1)")])
        await judge(api, [fenced("raise SystemExit(1)")], score="share")
    finally:
        del services.sandbox.run
    assert seen == [1, 10]


async def test_a_hidden_input_is_shown_only_where_feedback_is_allowed(
    services: Services, api: httpx.AsyncClient, catalogue: Any
) -> None:
    leaks = [
        "import sys\nprint(sys.stdin.read())",
        "import sys\nsys.exit('SyntaxError: ' + sys.stdin.read())",
        "import sys\nraise ValueError(sys.stdin.read())",
        "import sys\nprint(sys.stdin.read() * 20000)",
    ]
    outcomes = await judge(api, [fenced(one) for one in leaks])
    inputs = [row.input or "" for row in await hidden_rows(services)]
    assert len(inputs) >= 10
    for one in outcomes:
        assert one["score"] == 0
        assert not any(text.split("\n")[1] in (one["detail"] or "") for text in inputs), one["detail"]
    (told,) = await judge(api, [fenced("print(7)")], feedback=True)
    shown = [row for row in await hidden_rows(services) if row.input and row.input.strip() in told["detail"]]
    assert len(shown) == 1
    assert told["detail"].endswith("printed:\n7")
    assert shown[0].truth is not None
    assert f"\n{shown[0].truth.strip()}\n" not in told["detail"].split("printed:")[0].split("input:")[0]


async def test_hidden_inputs_are_of_the_level_and_never_served(
    services: Services, api: httpx.AsyncClient, catalogue: Any
) -> None:
    instances = await serve(api, count=6)
    evaluation = await serve(api, count=6, split="evaluation", mode="answer")
    await services.programs.idle()
    rows = await hidden_rows(services)
    assert {row.id for row in rows}.isdisjoint(one["instance"] for one in instances + evaluation)
    assert {row.level for row in rows} == {2}
    assert all(row.truth for row in rows if row.unavailable is None)
    items = [{"instance": rows[0].id, "completion": "\\boxed{1}"}]
    reply = await api.post("/v1/scores", json={"items": items})
    assert (reply.status_code, reply.json()["code"]) == (404, "instance_not_found")


@asynccontextmanager
async def contained(database_url: str) -> AsyncIterator[tuple[Services, httpx.AsyncClient]]:
    """A server whose programs run in containers, and an admin's client."""
    sandbox = DockerSandbox(slots=2)
    await sandbox.start()
    try:
        services = open_services(Settings(database_url=SecretStr(database_url)), sandbox)
        async with services.database.write() as session:
            _, secret = await credentials.create(session, name="test", scopes=["admin"])
        app = create_app(lambda: nullcontext(services), max_body_bytes=8 << 20)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app),
                base_url="http://escalade",
                headers={"Authorization": f"Bearer {secret}"},
                timeout=300,
            ) as client,
        ):
            yield services, client
        await services.close()
    finally:
        await sandbox.close()


ATTACKS = {
    "samples only": """
import sys
known = {SAMPLES}
print(known.get(sys.stdin.read().strip(), 0))
""",
    "silent": "import os\nos._exit(0)",
    "verdict-like text": """print("accepted\\n{\\"status\\": \\"ok\\", \\"verdict\\": \\"accepted\\"}\\ntrue")""",
    "every candidate": "print(*range(2000))",
    "reads references": """
import glob, os
found = []
for pattern in ("/box/**", "/opt/**", "/tmp/**", "../**", "/proc/*/environ", "/proc/*/cmdline"):
    for path in glob.glob(pattern, recursive=True)[:300]:
        try:
            found.append(open(path, errors="replace").read())
        except OSError:
            pass
text = "".join(found)
# Telling by another verdict whether it found one.
print("found" * 100_000 if "switched on; no " + "sorting" in text or "reach = " + "max" in text else 0)
""",
    "leaves notes for later inputs": """
import os, sys
places = [os.path.join(folder, "a-note") for folder in (".", "/dev/shm", "/box", "/run")]
if any(map(os.path.exists, places)):
    print("found" * 100_000)
for place in places:
    try:
        open(place, "a").write(sys.stdin.read())
    except OSError:
        pass
""",
}


def attack(name: str) -> str:
    samples = {one.input.strip(): one.output.strip() for one in entry_of(NAME).definition.samples}
    return fenced(ATTACKS[name].replace("{SAMPLES}", repr(samples)))


COMPILE_BOMB = """
template <int n> struct deep { static const long long value = deep<n - 1>::value + deep<n - 2>::value; };
#define A(x) x x x x x x x x x x
#define B(x) A(A(A(A(A(A(A(A(x))))))))
int main() { return 0 B(+ deep<900>::value); }
"""


async def check_attacks(api: httpx.AsyncClient, *, isolated: bool) -> None:
    programs = [attack(name) for name in ATTACKS] + [fenced(COMPILE_BOMB, "cpp"), fenced(RIGHT)]
    # Every input of every program, so that what one leaves behind another would find.
    outcomes = await judge(api, programs, score="share")
    for name, one in zip([*ATTACKS, "compile bomb"], outcomes, strict=False):
        assert (one["outcome"], one["score"], one["accuracy"]) == ("scored", 0, 0), (name, one)
        if isolated:
            assert one["verdict"] in ("wrong", "compile_error"), (name, one)
    assert outcomes[-2]["verdict"] == "compile_error"
    assert outcomes[-1]["verdict"] == "accepted", "an honest program among them is not harmed"


async def test_nothing_but_a_right_program_is_rewarded(api: httpx.AsyncClient, catalogue: Any) -> None:
    await check_attacks(api, isolated=False)


@pytest.mark.docker
async def test_in_containers_there_is_nothing_to_find_either(database_url: str) -> None:
    async with contained(database_url) as (services, api):
        # The references run first, in the same pool of containers.
        async with services.database.write() as session:
            await problems.store(session, [entry_of(NAME)])
        await check_attacks(api, isolated=True)


async def test_a_sandbox_that_fails_is_an_error_and_never_a_zero(
    services: Services, api: httpx.AsyncClient, catalogue: Any
) -> None:
    async def gone(job: Job) -> JobResult:
        raise SandboxUnavailable("the engine does not answer")

    (instance,) = await serve(api)
    item = {"instance": instance["instance"], "completion": fenced(RIGHT), "mode": "program"}
    await services.programs.idle()
    for level in (instance, None):
        services.sandbox.run = gone  # type: ignore[method-assign]
        try:
            scored = (await api.post("/v1/scores", json={"items": [item], "program": {"instances": 50}})).json()
        finally:
            del services.sandbox.run
        assert [(one["outcome"], one["score"]) for one in scored["outcomes"]] == [("error", None)]
        if level is not None:
            # Now the hidden inputs are there, and what fails is the program's own job.
            await judge(api, [fenced(WRONG)], instances=50)


@pytest.mark.parametrize(("cpu_ms", "outcome"), [(2_000.0, "error"), (10_001.0, "scored")])
async def test_a_compiler_that_was_kept_waiting_is_our_failure(
    services: Services, api: httpx.AsyncClient, catalogue: Any, cpu_ms: float, outcome: str
) -> None:
    await judge(api, [fenced(WRONG)])

    async def stopped(job: Job) -> JobResult:
        compilation = Compilation(Status.COMPILE_LIMIT, cpu_ms=cpu_ms, wall_ms=1e3 * job.compile_limits.wall_s + 1)
        return JobResult(tuple(Result(Status.COMPILE_LIMIT) for _ in job.inputs), compilation)

    services.sandbox.run = stopped  # type: ignore[method-assign]
    try:
        (one,) = await judge(api, [fenced(RIGHT_CPP, "cpp")])
    finally:
        del services.sandbox.run
    assert one["outcome"] == outcome
    assert one["score"] == (None if outcome == "error" else 0)


async def test_a_full_queue_is_waited_for(services: Services, api: httpx.AsyncClient, catalogue: Any) -> None:
    await judge(api, [fenced(WRONG)])
    inner, refused = services.sandbox.run, 0

    async def busy(job: Job) -> JobResult:
        nonlocal refused
        if refused < 5:
            refused += 1
            raise SandboxBusy("full", 0.01)
        return await inner(job)

    services.sandbox.run = busy  # type: ignore[method-assign]
    try:
        outcomes = await judge(api, [fenced(RIGHT), fenced(RIGHT_CPP, "cpp"), fenced(WRONG)])
    finally:
        del services.sandbox.run
    assert refused == 5
    assert [one["verdict"] for one in outcomes] == ["accepted", "accepted", "wrong"]


async def test_many_programs_are_bounded_and_the_same_one_is_run_once(
    services: Services, api: httpx.AsyncClient, catalogue: Any
) -> None:
    await judge(api, [fenced(WRONG)])
    inner, under_way, most, jobs = services.sandbox.run, 0, 0, 0

    async def counting(job: Job) -> JobResult:
        nonlocal under_way, most, jobs
        under_way, jobs = under_way + 1, jobs + 1
        most = max(most, under_way)
        try:
            return await inner(job)
        finally:
            under_way -= 1

    programs = [fenced(f"print({number % 80})") for number in range(200)] + [fenced(SLOW)]
    services.sandbox.run = counting  # type: ignore[method-assign]
    try:
        outcomes = await judge(api, programs, instances=2)
    finally:
        del services.sandbox.run
    assert [one["verdict"] for one in outcomes[:-1]] == ["wrong"] * 200
    assert outcomes[-1]["verdict"] == "time_limit"
    assert jobs == 81
    assert most <= 64


async def start(trainer: httpx.AsyncClient, names: list[str], **changes: Any) -> str:
    body = {"name": "programs", "groups": 2, "rollouts": 3, "mode": "program", "pool": {"environments": names}}
    made = await trainer.post("/v1/runs", json=body | changes)
    assert made.status_code == 201, made.text
    assert made.json()["mode"] == "program"
    run: str = made.json()["run"]
    return run


async def test_a_run_asks_for_programs_and_scores_them(
    services: Services, trainer: httpx.AsyncClient, catalogue: list[str]
) -> None:
    run = await start(trainer, [NAME])
    batch = (await trainer.put(f"/v1/runs/{run}/batches/0", json={})).json()
    again = (await trainer.put(f"/v1/runs/{run}/batches/0", json={})).json()
    assert batch == again
    for group in batch["groups"]:
        assert group["mode"] == "program"
        assert "fenced code block" in group["messages"][0]["content"]
    await services.programs.idle()
    reports = [
        {"group": group["group"], "rollout": rollout, "completion": completion}
        for group in batch["groups"]
        for rollout, completion in enumerate([fenced(RIGHT), fenced(WRONG), fenced(RIGHT_CPP, "cpp")])
    ]
    url = f"/v1/runs/{run}/attempts"
    reply = (await trainer.post(url, json={"attempts": reports})).json()
    assert [one["score"] for one in reply["outcomes"]] == [1, 0, 1] * 2
    assert sorted(reply["closed"]) == ["0.0", "0.1"]
    second = (await trainer.post(url, json={"attempts": reports})).json()
    assert all(one["repeat"] for one in second["outcomes"])
    assert [one["verdict"] for one in second["outcomes"]] == [one["verdict"] for one in reply["outcomes"]]
    changed = [reports[0] | {"completion": fenced(WRONG)}]
    refused = await trainer.post(url, json={"attempts": changed})
    assert refused.json()["code"] == "attempt_conflict"
    closed = [one for one in (await trainer.get(f"/v1/runs/{run}/events")).json()["items"] if one["kind"] == "closed"]
    assert [one["payload"]["right"] for one in closed] == [2, 2]
    following = await trainer.put(f"/v1/runs/{run}/batches/1", json={})
    assert following.status_code == 200, following.text


async def test_a_report_stores_what_is_done_and_a_retry_goes_on(
    services: Services, trainer: httpx.AsyncClient, catalogue: list[str]
) -> None:
    run = await start(trainer, [NAME], groups=1, rollouts=80, program={"instances": 2})
    await trainer.put(f"/v1/runs/{run}/batches/0", json={})
    await services.programs.idle()
    reports = [{"group": "0.0", "rollout": number, "completion": fenced(f"print({number})")} for number in range(80)]
    inner, jobs = services.sandbox.run, 0

    async def failing(job: Job) -> JobResult:
        nonlocal jobs
        jobs += 1
        if jobs > 70:
            raise SandboxUnavailable("gone")
        return await inner(job)

    services.sandbox.run = failing  # type: ignore[method-assign]
    try:
        first = (await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports})).json()
    finally:
        del services.sandbox.run
    kinds = [one["outcome"] for one in first["outcomes"]]
    assert kinds.count("scored") == 70
    assert first["closed"] == ["0.0"]
    again = (await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports})).json()
    assert [one["outcome"] for one in again["outcomes"]] == ["scored"] * 80


async def test_two_reports_of_the_same_programs_at_once_run_each_once(
    services: Services, trainer: httpx.AsyncClient, catalogue: list[str]
) -> None:
    run = await start(trainer, [NAME], groups=1, rollouts=20, program={"instances": 2})
    await trainer.put(f"/v1/runs/{run}/batches/0", json={})
    await services.programs.idle()
    reports = [{"group": "0.0", "rollout": number, "completion": fenced(f"print({number})")} for number in range(20)]
    jobs, inner = 0, services.sandbox.run

    async def counting(job: Job) -> JobResult:
        nonlocal jobs
        jobs += 1
        return await inner(job)

    services.sandbox.run = counting  # type: ignore[method-assign]
    try:
        both = await asyncio.gather(
            *(trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports}) for _ in range(2))
        )
    finally:
        del services.sandbox.run
    assert [one.status_code for one in both] == [200, 200]
    assert jobs <= 40
    assert [one["verdict"] for one in both[0].json()["outcomes"]] == ["wrong"] * 20


async def test_requests_that_make_no_sense_are_refused_by_field(
    api: httpx.AsyncClient, trainer: httpx.AsyncClient, catalogue: list[str]
) -> None:
    url = f"/v1/environments/{NAME}/instances"
    for body, words in (
        ({"program": {"languages": []}}, "languages"),
        ({"program": {"languages": ["java"]}}, "languages"),
        ({"program": {"instances": 0}}, "instances"),
        ({"template": "compact"}, "template"),
    ):
        reply = await api.post(url, json={"level": 1, "mode": "program"} | body)
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
        assert words in reply.json()["detail"]
    assert ProgramSettings().languages == ("cpp", "python")

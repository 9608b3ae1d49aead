"""Answers that are not unique: a checker judges them in the sandbox, in one job, and never turns a fault into a 0."""

import asyncio
from typing import Any

import httpx
import pytest

from escalade.types import AnswerSpec
from escalade_sandbox.types import Job, JobResult, Limits, Program, Sandbox, SandboxUnavailable
from escalade_server.api.services import Services
from escalade_server.problems import service as problems
from escalade_server.problems.builtin import load_catalogue
from escalade_server.scoring.checkers import Case, CheckProgram, check_all
from escalade_server.scoring.judging import Question, judge_all
from escalade_server.storage import instances

KATTIS = """
import sys
given, expected, feedback = sys.argv[1:4]
open(feedback + "judgemessage.txt", "w").write("seen")
answer = sys.stdin.read().split()
if answer == ["crash"]:
    raise RuntimeError("confused")
sys.exit(42 if sum(map(int, answer)) == int(open(given).read()) else 43)
"""
TESTLIB = """
#include <fstream>
int main(int, char** argv) {
    std::ifstream given(argv[1]), output(argv[2]);
    long long total = 0, value = 0, wanted = 0;
    given >> wanted;
    while (output >> value) total += value;
    return total == wanted ? 0 : total < 0 ? 3 : 1;
}
"""
FUNCTION = """
def check(input, answer, reference):
    return sum(map(int, answer.split())) == int(input)
"""


@pytest.mark.parametrize(
    ("program", "protocol", "confusing"),
    [
        (Program("python", KATTIS), "kattis", "crash"),
        (Program("cpp", TESTLIB), "testlib", "-5"),
        (Program("python", FUNCTION, function="check"), "function", "crash"),
    ],
)
async def test_every_protocol_accepts_refuses_and_admits_confusion(
    sandbox: Sandbox, program: Program, protocol: Any, confusing: str
) -> None:
    checker = CheckProgram(program, protocol, "version")
    cases = [Case("7\n", answer, "7\n") for answer in ("3 4", "7", "3 5", confusing)]
    said = await check_all(sandbox, checker, cases)
    assert [one.verdict for one in said] == ["accepted", "accepted", "wrong", "undecided"]
    assert "did not decide" in said[3].detail


HANGS = """
def check(input, answer, reference):
    while answer.strip() == "hang":
        pass
    return answer == reference
"""


async def test_an_answer_that_hangs_its_checker_is_an_error_and_the_others_are_judged(sandbox: Sandbox) -> None:
    """One answer meets its own limit, in whichever place of the job; nobody else's verdict is lost."""
    limits = Limits(cpu_s=0.5, wall_s=10.0)
    checker = CheckProgram(Program("python", HANGS, function="check"), "function", "version", limits=limits)
    answers = ["7", "hang", "8", "7", "hang", "7"]
    questions = [
        Question(AnswerSpec(type="checked"), "7", f"\\boxed{{{answer}}}", input="7", checker=checker)
        for answer in answers
    ]
    typed = Question(AnswerSpec(type="number"), "7", "\\boxed{7}")
    judged = await judge_all(sandbox, [*questions, typed])
    assert [one.verdict for one in judged] == ["accepted", None, "wrong", "accepted", None, "accepted", "accepted"]
    assert [one.outcome for one in judged].count("error") == 2
    assert "time_limit" in (judged[1].detail or "")


async def test_a_slow_checker_holds_up_no_other_request(sandbox: Sandbox) -> None:
    """By the order of events: while one environment's checker does not come back, another's answers are judged."""
    release, waiting = asyncio.Event(), asyncio.Event()

    class Slow:
        async def run(self, job: Job) -> JobResult:
            if job.domain == "slow":
                waiting.set()
                await release.wait()
            return await sandbox.run(job)

        def __getattr__(self, name: str) -> Any:
            return getattr(sandbox, name)

    def asked(domain: str) -> list[Question]:
        checker = CheckProgram(Program("python", FUNCTION, function="check"), "function", domain)
        return [Question(AnswerSpec(type="checked"), "7", "\\boxed{3 4}", input="7", checker=checker)]

    slow = asyncio.create_task(judge_all(Slow(), asked("slow")))
    await waiting.wait()
    assert [one.verdict for one in await judge_all(Slow(), asked("quick"))] == ["accepted"]
    assert not slow.done()
    release.set()
    assert [one.verdict for one in await slow] == ["accepted"]


@pytest.fixture
async def catalogue(services: Services) -> list[str]:
    """The built-in problems with checkers, stored; their names."""
    entries = [entry for entry in load_catalogue() if entry.definition.checker is not None]
    async with services.database.write() as session:
        report = await problems.store(session, entries)
    assert len(report.created) >= 8
    return report.created


async def test_built_in_answers_that_are_not_unique_are_served_and_judged(
    services: Services, api: httpx.AsyncClient, catalogue: list[str]
) -> None:
    for name in catalogue[:3]:
        served = (await api.post(f"/v1/environments/{name}/instances", json={"level": 2, "count": 2})).json()
        identities = [instance["instance"] for instance in served["instances"]]
        async with services.database.read() as session:
            rows = await instances.shown(session, identities)
        items = [
            {"instance": identity, "completion": f"so \\boxed{{{(rows[identity].truth or '').strip()}}}"}
            for identity in identities
        ]
        items += [{"instance": identities[0], "completion": "\\boxed{nonsense}"}]
        scored = (await api.post("/v1/scores", json={"items": items})).json()["outcomes"]
        assert [one["verdict"] for one in scored] == ["accepted", "accepted", "wrong"], name


async def test_many_answers_of_one_environment_cost_one_job(
    services: Services, api: httpx.AsyncClient, catalogue: list[str]
) -> None:
    served = (await api.post(f"/v1/environments/{catalogue[0]}/instances", json={"level": 1})).json()
    inner, jobs = services.sandbox.run, []

    async def counting(job: Job) -> JobResult:
        jobs.append(len(job.inputs))
        return await inner(job)

    services.sandbox.run = counting  # type: ignore[method-assign]
    try:
        items = [{"instance": served["instances"][0]["instance"], "completion": f"\\boxed{{{n}}}"} for n in range(64)]
        await api.post("/v1/scores", json={"items": items})
    finally:
        del services.sandbox.run
    assert jobs == [64]


async def test_a_checker_that_cannot_run_makes_errors_that_may_be_replaced(
    services: Services, api: httpx.AsyncClient, trainer: httpx.AsyncClient, catalogue: list[str]
) -> None:
    body = {"name": "x", "groups": 1, "rollouts": 2, "pool": {"environments": catalogue[:1]}}
    run = (await trainer.post("/v1/runs", json=body)).json()["run"]
    await trainer.put(f"/v1/runs/{run}/batches/0", json={})
    await services.buffer.idle()
    reports = [{"group": "0.0", "rollout": rollout, "completion": "\\boxed{1}"} for rollout in range(2)]

    async def gone(job: Job) -> JobResult:
        raise SandboxUnavailable("the engine does not answer")

    services.sandbox.run = gone  # type: ignore[method-assign]
    try:
        failed = (await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports})).json()
    finally:
        del services.sandbox.run
    assert [(one["outcome"], one["score"]) for one in failed["outcomes"]] == [("error", None)] * 2
    closed = (await trainer.get(f"/v1/runs/{run}/events")).json()["items"][-1]["payload"]
    assert (closed["errors"], closed["scored"], closed["right"]) == (2, 0, 0)
    again = (await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": reports})).json()
    assert [one["outcome"] for one in again["outcomes"]] == ["scored"] * 2
    figures = (await api.get("/metrics")).text
    assert all(f'escalade_outcomes_total{{outcome="{kind}"}} 2.0\n' in figures for kind in ("error", "scored")), figures
    changed = [reports[0] | {"completion": "\\boxed{2}"}]
    refused = await trainer.post(f"/v1/runs/{run}/attempts", json={"attempts": changed})
    assert refused.json()["code"] == "attempt_conflict"

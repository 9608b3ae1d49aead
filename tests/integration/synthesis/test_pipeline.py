"""A problem without a generator goes the whole way, through the API, with an endpoint that is wrong at first."""

import asyncio

import pytest

from escalade_server.storage import llm_replies

FEW_DRAWS = {
    "breadth_draws": 12, "depth_draws": 20, "depth_draws_at_most": 40, "level_draws": 5, "determinism_draws": 6,
    "min_distinct_inputs": 4, "min_distinct_outputs": 5, "max_generator_ms": 4_000, "max_prompt_chars": 1_000,
}  # fmt: skip
LONGEST_S = 900.0
LARGEST = {
    "name": "Largest",
    "title": "The largest",
    "source": "codecontests",
    "statements": [{"text": "Print the largest of n numbers.\n\nInput: n (1 to 1000), then n numbers from 1 to 10^9."}],
    "samples": [{"input": "3\n1 5 2\n", "output": "5\n"}],
    "solutions": [
        {"name": "max.py", "language": "python", "source": "input()\nprint(max(map(int, input().split())))\n"},
        {"name": "sort.py", "language": "python", "source": "input()\nprint(sorted(map(int, input().split()))[-1])\n"},
    ],
}
SHUFFLE = LARGEST | {
    "name": "Shuffle",
    "title": "Another order",
    "statements": [{"text": "Print n numbers in any order.\n\nInput: n (1 to 1000), then n numbers from 1 to 10^9."}],
    "samples": [{"input": "3\n1 5 2\n", "output": "5 2 1\n"}],
    "solutions": [
        {"name": "same.py", "language": "python", "source": "input()\nprint(input())\n"},
        {"name": "back.py", "language": "python", "source": "input()\nprint(*input().split()[::-1])\n"},
    ],
}
JAVA = {"name": "Check.java", "language": "java", "source": "class Check { /* sorts both */ }", "protocol": "testlib"}
METADATA = {
    "obstacle": None,
    "statement": "Here are n numbers, a list.",
    "answer_instruction": "Give what is asked for.",
    "answer": {
        "type": "number", "unique": True, "absolute_tolerance": None, "relative_tolerance": None,
        "case_sensitive": True, "true_word": None, "false_word": None,
        "directed": False, "weighted": False, "counts": False,
    },
    "parameters": [{"name": "n", "meaning": "how many numbers", "minimum": 3, "maximum": 1000, "base": 1}],
    "tags": ["arrays"],
}  # fmt: skip
NOT_UNIQUE = METADATA | {"answer": METADATA["answer"] | {"unique": False, "type": "array"}}
CONSTANT = """
def generate_testcase(params):
    a = [7] * params["n"]
    return f"{len(a)}\\n{' '.join(map(str, a))}\\n", {"n": len(a), "a": a}
"""
RIGHT = """
import random

def generate_testcase(params):
    a = [random.randint(1, 10**9) for _ in range(params["n"])]
    return f"{len(a)}\\n{' '.join(map(str, a))}\\n", {"n": len(a), "a": a}
"""
FRAGILE = """
def check(input, answer, reference):
    return sorted(map(int, answer.split())) == sorted(map(int, reference.split()))
"""
CAREFUL = """
def check(input, answer, reference):
    return sorted(answer.split()) == sorted(reference.split())
"""


def code(source):
    return {"plan": "as it says", "code": source}


@pytest.fixture
async def asking(fake, say, server_with):
    """A server that asks the endpoint."""
    services, api = await server_with(llm_url=fake.url, llm_model=say.model, llm_key=say.key)
    services.worker.start()
    return services, api


async def synthesized(api, **request):
    made = await api.post("/v1/syntheses", json={"thresholds": FEW_DRAWS} | request)
    assert made.status_code == 201, made.text
    job = made.json()
    async with asyncio.timeout(LONGEST_S):
        while job["status"] in ("queued", "running"):
            await asyncio.sleep(0.1)
            job = (await api.get(f"/v1/jobs/{job['job']}")).json()
    assert (job["status"], job["error"]) == ("succeeded", None)
    return job, (await api.get(f"/v1/jobs/{job['job']}/items")).json()["items"]


async def paid_by(services, job):
    async with services.database.read() as session:
        return await llm_replies.paid_by(session, job["job"])


async def test_a_wrong_generator_is_repaired_and_nothing_is_paid_for_twice(fake, say, asking):
    services, api = asking
    fake.say(say.chat(METADATA), say.chat(code(CONSTANT)), say.chat(code(RIGHT)))
    assert (await api.post("/v1/problems", json=LARGEST)).status_code == 201
    job, (item,) = await synthesized(api, names=["largest"])
    assert (item["outcome"], item["environment"], item["repairs"]) == ("verified", "largest", 1), item
    assert job["result"]["funnel"]["verified"] == 1
    assert not any(stage["stopped"] for stage in job["result"]["funnel"]["stages"])
    repair = fake.requests[2]["messages"]
    assert "[7] * params" in repair[2]["content"]
    assert "distinct" in repair[3]["content"]
    assert await paid_by(services, job) == (3, 300, 60)
    shown = (await api.get("/v1/environments/largest")).json()
    assert (shown["status"], shown["tags"]) == ("verified", ["arrays"])

    # Once more, the problem and its environment: every reply comes from the database.
    again, items = await synthesized(api, all=True, again=True)
    assert sorted((one["outcome"], one["repairs"]) for one in items) == [("verified", 0), ("verified", 1)]
    assert await paid_by(services, again) == (0, 0, 0)
    assert len(fake.requests) == 3


@pytest.mark.parametrize("checker", [None, JAVA], ids=["none", "java"])
async def test_a_checker_is_written_where_none_runs_and_repaired(fake, say, asking, checker):
    _, api = asking
    fake.say(
        say.chat(NOT_UNIQUE), say.chat(code(FRAGILE)), say.chat(code(RIGHT)), say.chat(code(CAREFUL)),
    )  # fmt: skip
    await api.post("/v1/problems", json=SHUFFLE | {"checker": checker})
    _, (item,) = await synthesized(api, names=["shuffle"])
    assert (item["outcome"], item["repairs"]) == ("verified", 1), item
    assert ("sorts both" in fake.requests[1]["messages"][1]["content"]) == (checker is not None)
    repair = fake.requests[3]["messages"]
    assert "map(int, answer.split())" in repair[2]["content"]
    assert "nonsense" in repair[3]["content"]
    assert (await api.get("/v1/environments/shuffle")).json()["answer_type"] == "checked"


async def test_a_checker_that_stays_wrong_ends_with_the_check_that_it_fails(fake, say, asking):
    _, api = asking
    fake.say(say.chat(NOT_UNIQUE), say.chat(code(FRAGILE)), say.chat(code(RIGHT)), say.chat(code(FRAGILE + "# so\n")))
    await api.post("/v1/problems", json=SHUFFLE)
    _, (item,) = await synthesized(api, names=["shuffle"], repairs=1)
    assert (item["outcome"], item["stage"], item["repairs"]) == ("rejected", "checker", 1), item


async def test_a_checker_in_a_language_that_does_not_run_is_refused_by_name(server_with):
    services, api = await server_with()
    services.worker.start()
    told = {"text": "Print n numbers in any order.", "task": "Here are n numbers.", "output": "Print them."}
    ranges = {"parameters": {"n": {"minimum": 3, "maximum": 100}}}
    program = {"name": "gen.py", "language": "python", "source": RIGHT, "function": "generate_testcase"}
    changes = {"statements": [told], "generators": [program | ranges], "checker": JAVA, "source": "kattis"}
    await api.post("/v1/problems", json=SHUFFLE | changes | ranges)
    job, (item,) = await synthesized(api, names=["shuffle"])
    assert (item["outcome"], item["stage"]) == ("needs_llm", "generator")
    assert item["reason"].endswith("answers are not unique and Check.java is in java, not in C++ or Python")
    assert [stage["stage"] for stage in job["result"]["funnel"]["stages"] if stage["stopped"]] == ["generator"]

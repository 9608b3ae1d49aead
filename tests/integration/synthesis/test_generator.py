"""Metadata, generators and checkers by an endpoint that is sometimes wrong; programs run in the process sandbox."""

import json

import pytest

from escalade_server.errors import LlmReplyUnusable, ProblemUnsuited
from escalade_server.instances.generation import Draft, generate
from escalade_server.problems.builtin import load_catalogue
from escalade_server.problems.definition import Sample
from escalade_server.problems.problem import Problem, ProblemSolution, Statement, Validator, problem_of_entry
from escalade_server.synthesis.describing import describe
from escalade_server.synthesis.generator import Faults, write_checker, write_generator, write_until

TEXT = "Print the largest of n numbers.\n\nInput: n (1 to 1000), then n numbers from 1 to 10^9. Costs $5 and $n."
PROBLEM = Problem(
    name="largest",
    title="The largest",
    source="codecontests",
    statements=(Statement(language="en", markup="text", text=TEXT),),
    samples=(Sample(input="3\n1 5 2\n", output="5\n"), Sample(input="9" * 5_000, output="9\n")),
    solutions=(
        ProblemSolution(name="a.py", language="python", source="input()\nprint(max(map(int, input().split())))\n"),
        ProblemSolution(name="long.py", language="python", source="# a longer one\n" * 40),
        ProblemSolution(name="wrong.py", language="python", source="print(0)\n", expected="wrong_answer"),
    ),
    validators=(
        Validator(name="v.py", language="python", source="assert 1 <= int(input()) <= 1000  # the validator\n"),
    ),
)
METADATA = {
    "obstacle": None,
    "statement": "Find the largest of the n numbers of the list a.",
    "answer_instruction": "Give the largest number.",
    "answer": {
        "type": "number", "unique": True, "absolute_tolerance": None, "relative_tolerance": None,
        "case_sensitive": True, "true_word": None, "false_word": None,
        "directed": False, "weighted": False, "counts": False,
    },
    "parameters": [{"name": "n", "meaning": "how many numbers", "minimum": 2, "maximum": 1000, "base": 1}],
    "tags": ["arrays"],
}  # fmt: skip
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


def code(source):
    return {"plan": "as it says", "code": source}


def inputs_at(sandbox):
    """Verifies a generator as far as this test needs: its inputs must differ."""

    async def examine(generator, checker):
        drafts = await generate(sandbox, version="test", generator=generator, parameters={"n": 4}, seeds=[1, 2, 3])
        inputs = [draft.input if isinstance(draft, Draft) else draft.reason for draft in drafts]
        distinct = len(set(inputs))
        faults = (f"only {distinct} of 3 inputs are distinct, for example {inputs[0]!r}",)
        return Faults() if distinct == 3 else Faults(generator=faults)

    return examine


async def test_a_problem_becomes_metadata_and_a_generator(fake, say, make_llm, sandbox):
    fake.say(say.chat(METADATA), say.chat(code(RIGHT)))
    llm = await make_llm()
    metadata = await describe(llm, PROBLEM)
    assert (metadata.statement, metadata.parameters["n"].maximum) == (METADATA["statement"], 1000)
    generator = await write_generator(llm, PROBLEM, metadata)
    assert (generator.function, generator.language) == ("generate_testcase", "python")
    assert await inputs_at(sandbox)(generator, None) == Faults()
    assert llm.usage.calls == 2


async def test_prompts_show_the_problem_its_validator_and_its_shortest_right_solution(fake, say, make_llm):
    fake.say(say.chat(METADATA), say.chat(code(RIGHT)))
    llm = await make_llm()
    metadata = await describe(llm, PROBLEM)
    await write_generator(llm, PROBLEM, metadata)
    for request in fake.requests:
        asked = request["messages"][1]["content"]
        assert TEXT in asked
        assert "1 5 2" in asked
        assert "9999" not in asked
        assert "${" not in json.dumps(request["messages"])
    asked = fake.requests[1]["messages"][1]["content"]
    for shown in ("the validator", "print(max(", "`n`, 2 to 1000: how many numbers", METADATA["statement"]):
        assert shown in asked
    assert "a longer one" not in asked
    assert "print(0)" not in asked


async def test_a_source_that_says_everything_costs_nothing(fake, make_llm):
    llm = await make_llm()
    entry = load_catalogue()[0]
    metadata = await describe(llm, problem_of_entry(entry))
    assert metadata.answer == entry.definition.answer
    assert fake.requests == []


async def test_a_wrong_generator_is_repaired_with_what_verification_found(fake, say, make_llm, sandbox):
    fake.say(say.chat(METADATA), say.chat(code(CONSTANT)), say.chat(code(RIGHT)))
    llm = await make_llm(payer="job_1")
    metadata = await describe(llm, PROBLEM)
    written = await write_until(llm, PROBLEM, metadata, examine=inputs_at(sandbox), repairs=2)
    assert (written.faults, written.repairs) == (Faults(), 1)
    assert "randint" in written.generator.source
    repair = fake.requests[2]["messages"]
    assert [message["role"] for message in repair] == ["system", "user", "assistant", "user"]
    assert "[7] * params" in repair[2]["content"]
    assert "only 1 of 3 inputs are distinct" in repair[3]["content"]
    # The whole of it, repair included, is there for a job that starts again.
    again = await make_llm(payer="job_2")
    same = await write_until(again, PROBLEM, await describe(again, PROBLEM), examine=inputs_at(sandbox), repairs=2)
    assert same == written
    assert (again.usage.calls, again.usage.cached) == (0, 3)


async def test_a_generator_that_stays_wrong_is_given_back_with_its_faults(fake, say, make_llm, sandbox):
    fake.say(say.chat(METADATA), say.chat(code(CONSTANT)), say.chat(code(CONSTANT + "\n# now it is right\n")))
    llm = await make_llm()
    metadata = await describe(llm, PROBLEM)
    written = await write_until(llm, PROBLEM, metadata, examine=inputs_at(sandbox), repairs=1)
    assert written.repairs == 1
    assert "only 1 of 3" in written.faults.generator[0]


async def test_no_repair_is_asked_for_where_none_is_allowed(fake, say, make_llm, sandbox):
    fake.say(say.chat(METADATA), say.chat(code(CONSTANT)))
    llm = await make_llm()
    metadata = await describe(llm, PROBLEM)
    written = await write_until(llm, PROBLEM, metadata, examine=inputs_at(sandbox), repairs=0)
    assert written.faults.generator
    assert written.repairs == 0


async def test_a_module_that_cannot_be_right_never_reaches_the_sandbox(fake, say, make_llm):
    seeded = "import random\nrandom.seed(1)\n" + RIGHT
    fake.say(
        say.chat(METADATA), say.chat(code(seeded)), say.chat({"code": RIGHT}), say.chat(code(f"```python{RIGHT}```"))
    )
    llm = await make_llm()
    generator = await write_generator(llm, PROBLEM, await describe(llm, PROBLEM))
    assert generator.source.strip() == RIGHT.strip()
    assert "line 2 uses random.seed" in fake.requests[2]["messages"][-1]["content"]
    assert "plan: Field required" in fake.requests[3]["messages"][-1]["content"]


async def test_unusable_metadata_names_the_field(fake, say, make_llm):
    fake.say(*(say.chat(METADATA | {"parameters": []}) for _ in range(2)))
    llm = await make_llm(tries=2)
    with pytest.raises(LlmReplyUnusable, match="parameters: 0 of them"):
        await describe(llm, PROBLEM)


async def test_an_obstacle_ends_it_at_the_first_reply(fake, say, make_llm):
    fake.say(say.chat(METADATA | {"obstacle": "It needs the picture."}))
    llm = await make_llm()
    with pytest.raises(ProblemUnsuited, match="It needs the picture"):
        await describe(llm, PROBLEM)


@pytest.mark.parametrize(
    ("statements", "fault"),
    [((), "no statement"), ((Statement(language="en", markup="text", text="x" * 40_000),), "40000 characters")],
)
async def test_what_could_not_be_read_is_not_asked(fake, make_llm, statements, fault):
    llm = await make_llm()
    with pytest.raises(ProblemUnsuited, match=fault):
        await describe(llm, PROBLEM.model_copy(update={"statements": statements}))
    assert fake.requests == []


async def test_a_checker_is_written_and_repaired(fake, say, make_llm):
    check = "def check(input, answer, reference):\n    return answer.split() == reference.split()\n"
    fake.say(
        say.chat(METADATA | {"answer": METADATA["answer"] | {"unique": False}}),
        say.chat(code("def check(answer):\n    return True\n")),
        say.chat(code(check)),
        say.chat(code(check + "# better\n")),
    )
    llm = await make_llm()
    metadata = await describe(llm, PROBLEM)
    assert not metadata.unique
    checker = await write_checker(llm, PROBLEM, metadata)
    assert (checker.protocol, checker.source) == ("function", check)
    assert "check has to take 3 positional arguments" in fake.requests[2]["messages"][-1]["content"]
    better = await write_checker(llm, PROBLEM, metadata, faults=["it refuses `1, 2`"], previous=checker)
    assert better.source.endswith("# better\n")
    assert "it refuses `1, 2`" in fake.requests[3]["messages"][-1]["content"]

"""How verification makes an oracle of solutions, and which of them it believes."""

import verifying as on

from escalade.types import AnswerSpec
from escalade_sandbox.types import Sandbox
from escalade_server.problems.definition import Checker, Definition, version_of
from escalade_server.problems.problem import FixedTest

MISLABELLED = "input()\nnumbers = list(map(int, input().split()))\nprint(sum(numbers) - (numbers[0] == 7))\n"


async def test_a_solution_that_dissents_is_named_and_dropped(sandbox: Sandbox) -> None:
    definition = on.spoiled(
        solutions=(
            on.solution("mislabelled.py", MISLABELLED),
            *on.SOUND.solutions,
            on.solution("third.py", on.RIGHT + "# another\n"),
            on.solution("broken.py", "print(1 / 0)\n"),
        )
    )  # fmt: skip
    definition = definition.model_copy(
        update={"generator": on.generator(on.GENERATOR.replace("randint(1, 999)", "choice([7, 8, 9, 400, 620, 733])"))}
    )
    done = await on.run(sandbox, definition)
    assert on.faults(done.report) == []
    assert done.report.dissenters == ["mislabelled.py"]
    standings = [one.standing for one in done.report.solutions]
    assert standings == ["dissents", "agrees", "agrees", "agrees", "absent"]
    names = [one.name for one in done.definition.solutions]
    assert names == ["right.py", "also_right.py", "wrong.py", "third.py"]
    assert done.report.served_version == version_of(done.definition) != done.report.version
    evidence = on.check_of(done.report, "agreement").evidence[0]
    assert evidence.subject == "mislabelled.py"
    assert "3 to 1" in evidence.note
    assert "ZeroDivisionError" in next(one.detail for one in done.report.solutions if one.name == "broken.py")


async def test_solutions_that_split_are_the_generators_fault(sandbox: Sandbox) -> None:
    definition = on.spoiled(samples=(), solutions=(*on.SOUND.solutions[:2], on.solution("other.py", on.WRONG)))
    done = await on.run(sandbox, definition)
    assert on.faults(done.report) == ["agreement"]
    assert "makes inputs that the problem does not allow" in on.check_of(done.report, "agreement").finding
    assert done.definition is definition
    assert "depth" in done.report.skipped


TESTS = [FixedTest(name=f"secret {n}", input=f"1\n{n}\n", output=f"{n}\n") for n in (5, 6, 7)]


async def test_one_solution_will_do_if_it_passes_fixed_tests(sandbox: Sandbox) -> None:
    alone = on.spoiled(solutions=(on.SOUND.solutions[0], on.SOUND.solutions[2]))
    done = await on.run(sandbox, alone, tests=TESTS)
    assert on.faults(done.report) == []
    assert done.definition.tested_reference
    assert on.check_of(done.report, "fixed_tests").figure == 1
    without = await on.run(sandbox, alone)
    assert on.faults(without.report) == ["agreement"]


async def test_who_fails_the_sources_own_tests_has_no_voice(sandbox: Sandbox) -> None:
    definition = on.spoiled(solutions=(on.solution("other.py", on.WRONG), *on.SOUND.solutions))
    done = await on.run(sandbox, definition, tests=TESTS)
    assert on.faults(done.report) == []
    assert [one.standing for one in done.report.solutions] == ["fails_tests", "agrees", "agrees"]
    assert "sample 1" in done.report.solutions[0].detail


async def test_tests_that_nobody_passes_speak_against_the_comparison(sandbox: Sandbox) -> None:
    report = (await on.run(sandbox, on.SOUND, tests=[FixedTest(name="odd", input="1\n5\n", output="6\n")])).report
    assert on.faults(report) == ["fixed_tests"]
    assert on.check_of(report, "fixed_tests").evidence[0].subject == "odd"


async def test_a_wrong_solution_that_no_input_shows_is_missed(sandbox: Sandbox) -> None:
    hidden = "input()\nnumbers = list(map(int, input().split()))\nprint(0 if 1000 in numbers else sum(numbers))\n"
    definition = on.spoiled(solutions=(*on.SOUND.solutions, on.solution("hidden.py", hidden, "wrong_answer")))
    report = (await on.run(sandbox, definition)).report
    assert on.faults(report) == ["wrong_solutions"]
    assert [one.subject for one in on.check_of(report, "wrong_solutions").evidence] == ["hidden.py"]


TWO_SUMMANDS = """
def check(input, answer, reference):
    wanted = sum(map(int, input.split("\\n")[1].split()))
    {guard}
    return len(numbers) == 2 and numbers[0] + numbers[1] == wanted
"""
GUARDED = "try: numbers = [int(word) for word in answer.split()]\n    except ValueError: return False"
UNGUARDED = "numbers = [int(word) for word in answer.split()]"


def checked(guard: str) -> Definition:
    source = TWO_SUMMANDS.format(guard=guard)
    return on.spoiled(
        answer=AnswerSpec(type="checked"),
        answer_instruction="Give two numbers with that sum.",
        checker=Checker(name="check.py", language="python", source=source, protocol="function"),
        samples=(),
        solutions=(
            on.solution("a.py", "input()\nprint(sum(map(int, input().split())) - 1, 1)\n"),
            on.solution("b.py", "input()\nprint(3, sum(map(int, input().split())) - 3)\n"),
            on.solution("wrong.py", "input()\nprint(0, input().split()[0])\n", "wrong_answer"),
        ),
    )


async def test_answers_that_are_not_unique_are_held_against_the_checker(sandbox: Sandbox) -> None:
    report = (await on.run(sandbox, checked(GUARDED))).report
    assert on.faults(report) == []
    assert on.check_of(report, "checker").figure == 1.0
    assert on.check_of(report, "wrong_solutions").figure == 1.0


async def test_a_checker_that_fails_on_nonsense_is_refused(sandbox: Sandbox) -> None:
    report = (await on.run(sandbox, checked(UNGUARDED))).report
    assert on.faults(report) == ["checker"]
    assert on.check_of(report, "checker").evidence[0].got == "nonsense"

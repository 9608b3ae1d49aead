"""A small sound environment, and ways to spoil it."""

from escalade.types import AnswerSpec, Check, VerificationReport
from escalade_sandbox.types import Sandbox
from escalade_server.problems.definition import (
    Definition,
    Generator,
    Parameter,
    Sample,
    Solution,
    Validator,
    version_of,
)
from escalade_server.settings import Thresholds
from escalade_server.synthesis.verification import Verification, verify

QUICK = Thresholds(
    determinism_draws=12,
    breadth_draws=24,
    depth_draws=40,
    depth_draws_at_most=120,
    level_draws=12,
    max_generator_ms=500,
)
GENERATOR = """
import random

def generate_testcase(params):
    numbers = [random.randint(1, 999) for _ in range(params["n"])]
    return f"{len(numbers)}\\n{' '.join(map(str, numbers))}\\n", {"numbers": numbers}
"""
VALIDATOR = """
import sys
first, second, rest = sys.stdin.read().split("\\n")
numbers = [int(word) for word in second.split(" ")]
sys.exit(42 if len(numbers) == int(first) <= 100 and all(1 <= number <= 999 for number in numbers) else 43)
"""
RIGHT = "input()\nprint(sum(map(int, input().split())))\n"
ALSO_RIGHT = "total = 0\ninput()\nfor word in input().split():\n    total += int(word)\nprint(total)\n"
WRONG = "input()\nprint(max(map(int, input().split())))\n"
LADDER = tuple({"n": n} for n in (2, 3, 5, 8, 13))


def solution(name: str, source: str, expected: str = "accepted") -> Solution:
    return Solution.model_validate({"name": name, "language": "python", "source": source, "expected": expected})


def generator(source: str) -> Generator:
    return Generator(name="generator.py", language="python", source=source)


SOUND = Definition(
    statement="Add the numbers.",
    full_statement="Add the numbers. The first line holds their number, the second one the numbers.",
    answer_instruction="Give the sum.",
    answer=AnswerSpec(type="number"),
    parameters={"n": Parameter(minimum=2, maximum=20)},
    ladder=LADDER,
    generator=generator(GENERATOR),
    solutions=(
        solution("right.py", RIGHT),
        solution("also_right.py", ALSO_RIGHT),
        solution("wrong.py", WRONG, "wrong_answer"),
    ),
    validators=(Validator(name="validator.py", language="python", source=VALIDATOR),),
    samples=(Sample(input="2\n3 4\n", output="7\n"),),
    time_limit_s=2.0,
)


def spoiled(**changes: object) -> Definition:
    """The sound definition with other parts."""
    return SOUND.model_copy(update=changes)


BODY = 'numbers = [random.randint(1, 999) for _ in range(params["n"])]'


def with_body(*lines: str) -> Definition:
    """The sound definition with another way to draw numbers."""
    assert BODY in GENERATOR
    return spoiled(generator=generator(GENERATOR.replace(BODY, "\n    ".join(lines))))


async def run(sandbox: Sandbox, definition: Definition, **changes: object) -> Verification:
    """Verify it with few draws."""
    arguments = {"definition": definition, "version": version_of(definition), "thresholds": QUICK} | changes
    return await verify(sandbox, **arguments)  # type: ignore[arg-type]


def check_of(report: VerificationReport, name: str) -> Check:
    """One check of a report."""
    return next(check for check in report.checks if check.name == name)


def faults(report: VerificationReport) -> list[str]:
    """Names of the checks that failed."""
    return [check.name for check in report.checks if not check.passed]

"""Mathematics beyond the fast path: worked out in one job, without the truth, and never at the others' cost."""

from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any

import pytest

from escalade.types import AnswerSpec
from escalade_sandbox.docker import DockerSandbox
from escalade_sandbox.types import Job, JobResult, Result, Sandbox, SandboxUnavailable, Status
from escalade_server.scoring.judging import Judgement, Question, judge_all
from escalade_server.scoring.mathematics import MISSING, available, work_out
from escalade_server.scoring.numeric import Approximate

SLOW = "(" * 58 + "1" + ")" * 58 + r"+\binom{5}{2}+\sum_{i=1}^{2000}\sum_{k=1}^{2000}\log_{2}(i+k)"
"""Worth more processor time than an expression gets."""
HOSTILE = {
    "a tower": r"9^{9^{9}}+\log_{2}(8)",
    "a huge exponent": r"e^{10^{9}}",
    "a huge factorial": r"(10^{6})!",
    "a huge binomial": r"\binom{10^{9}}{5 \cdot 10^{8}}",
    "a sum without end": r"\sum_{i=1}^{10^{9}} i",
    "a command defined": r"\newcommand{\x}{5}\x+\log_{2}(8)",
    "python": r"__import__('os').system('id')+\log_{2}(8)",
    "no real number": r"\ln(-1)",
    "division by zero": r"\frac{1}{0}+\log_{2}(8)",
    "a symbol": r"x+\log_{2}(8)",
    "nothing": "",
    "too slow": SLOW,
}


@pytest.fixture(scope="module")
async def contained() -> AsyncIterator[Sandbox]:
    opened = DockerSandbox(slots=1)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.close()


def asked(answer: str, truth: str = "10", **spec: Any) -> Question:
    return Question(AnswerSpec(**({"type": "number"} | spec)), truth, f"\\boxed{{{answer}}}")


async def verdicts(sandbox: Sandbox, *questions: Question) -> list[str | None]:
    return [one.verdict for one in await judge_all(sandbox, questions)]


class Recording:
    """Passes jobs on, and keeps them."""

    def __init__(self, inner: Sandbox) -> None:
        self._inner, self.jobs = inner, list[Job]()

    async def run(self, job: Job) -> JobResult:
        self.jobs.append(job)
        return await self._inner.run(job)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def test_expressions_become_exact_numbers_where_that_is_proven(sandbox: Sandbox) -> None:
    exact = {
        r"\binom{5}{2}": 10,
        r"\log_{2} 1024": 10,
        r"\lfloor 10.5 \rfloor": 10,
        r"\gcd(20, 30)": 10,
        r"3! + 4": 10,
        r"\sum_{i=1}^{4} i": 10,
        r"\sqrt{3+2\sqrt{2}}-\sqrt{2}": 1,
        r"\frac{\log_2 8}{\sqrt[3]{27}}": 1,
        r"0.1 + \log_{2}(8)": Fraction(31, 10),
        r"\sin(1)^2+\cos(1)^2": 1,
    }
    found = await work_out(sandbox, [*exact, r"4\arctan(1)"])
    assert {text: found[text].number for text in exact} == {text: Fraction(value) for text, value in exact.items()}
    pi = found[r"4\arctan(1)"].number
    assert isinstance(pi, Approximate)
    assert str(pi.value).startswith("3.14159265358979323846264338327950288419716939937")


async def test_answers_of_many_questions_cost_one_job_that_holds_no_truth(sandbox: Sandbox) -> None:
    recording = Recording(sandbox)
    questions = [
        asked(r"\binom{5}{2}"),
        asked(r"\binom{5}{3} + 1"),
        asked(r"[\binom{3}{2}, \frac{1}{2}, 4!]", "3 0.5 24", type="array"),
        asked(r"[\binom{3}{2}, 5]", "3 24", type="array"),
        asked(r"4\arctan(1)", "3.141592653589793"),
        asked(r"\sqrt{2}\sqrt{2}", "2"),
        asked(r"\{\sqrt{2}\sqrt{2}, 7\}", "7 2", type="multiset"),
        asked("10"),
        asked(r"\log 100", "2"),
    ]
    expected = ["accepted", "wrong", "accepted", "wrong", "accepted", "accepted", "accepted", "accepted", "unreadable"]
    assert await verdicts(recording, *questions) == expected
    assert len(recording.jobs) == 1
    assert not any(b"3.141592653589793" in one.stdin for one in recording.jobs[0].inputs)


async def test_hostile_expressions_are_unreadable_and_cost_the_others_nothing(sandbox: Sandbox) -> None:
    texts = list(HOSTILE.values())
    found = await work_out(sandbox, [*texts, r"\binom{5}{2}"])
    assert [(found[text].number, found[text].fault) for text in texts] == [(None, None)] * len(texts)
    assert found[r"\binom{5}{2}"].number == 10


async def test_a_sandbox_that_fails_makes_errors_and_no_zeros(sandbox: Sandbox) -> None:
    class Gone(Recording):
        async def run(self, job: Job) -> JobResult:
            raise SandboxUnavailable("the engine does not answer")

    judged = await judge_all(Gone(sandbox), [asked(r"\binom{5}{2}"), asked("10")])
    assert [(one.outcome, one.score) for one in judged] == [("error", None), ("scored", 1.0)]


async def test_a_program_that_gets_what_is_known_wrong_is_our_fault(sandbox: Sandbox) -> None:
    class Broken(Recording):
        async def run(self, job: Job) -> JobResult:
            return JobResult(tuple(Result(Status.NONZERO_EXIT, stderr=b"no import") for _ in job.inputs))

    judged: list[Judgement] = await judge_all(Broken(sandbox), [asked(r"\binom{5}{2}")])
    assert (judged[0].outcome, judged[0].score) == ("error", None)
    assert "no import" in (judged[0].detail or "")


async def test_without_math_verify_answers_are_unreadable_and_say_why(sandbox: Sandbox) -> None:
    class Bare(Recording):
        async def run(self, job: Job) -> JobResult:
            return JobResult(tuple(Result(Status.OK, stdout=b'{"missing": true}') for _ in job.inputs))

    judged = await judge_all(Bare(sandbox), [asked(r"\binom{5}{2}")])
    assert (judged[0].verdict, judged[0].detail) == ("unreadable", MISSING)
    assert not await available(Bare(sandbox))
    assert await available(sandbox)


@pytest.mark.docker
async def test_the_toolchain_image_has_math_verify(contained: Sandbox) -> None:
    assert await available(contained)
    texts = list(HOSTILE.values())
    found = await work_out(contained, [*texts, r"\binom{5}{2}"])
    assert [(found[text].number, found[text].fault) for text in texts] == [(None, None)] * len(texts)
    assert found[r"\binom{5}{2}"].number == 10

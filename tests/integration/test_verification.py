"""What verification accepts of generators and ladders, and which check refuses what, with evidence for a person."""

from operator import itemgetter

import pytest
import verifying as on

from escalade_sandbox.types import Health, Job, JobResult, Sandbox, SandboxUnavailable
from escalade_server.errors import SandboxFailed
from escalade_server.problems.definition import Parameter, version_of
from escalade_server.synthesis.reports import public, summary
from escalade_server.synthesis.verification import CHECKS, Verification


async def test_a_sound_environment_is_verified_and_served_as_it_is(sandbox: Sandbox) -> None:
    heard: list[str] = []
    done = await on.run(sandbox, on.SOUND, on_progress=heard.append, count_tokens=lambda text: len(text.split()))
    report = done.report
    assert on.faults(report) == []
    assert (report.verdict, report.skipped, report.dissenters, report.dropped_levels) == ("verified", [], [], [])
    assert [check.name for check in report.checks] == [name for name in CHECKS if name != "checker"]
    assert done.definition is on.SOUND
    assert report.version == report.served_version == version_of(on.SOUND)
    assert [level.parameters for level in report.levels] == list(on.LADDER)
    assert all(level.solved == level.draws >= on.QUICK.level_draws for level in report.levels)
    assert all(level.prompt_tokens for level in report.levels)
    assert report.cpu_s > 0
    assert heard
    assert summary(report).startswith("Verified")


async def test_the_same_version_gets_the_same_report(sandbox: Sandbox) -> None:
    def timeless(done: Verification) -> object:
        document = done.report.model_dump(exclude={"cpu_s", "wall_s"})
        document["checks"] = [check for check in document["checks"] if check["name"] != "generator_time"]
        for row in document["levels"]:
            del row["solve_ms"]
        for check in document["checks"]:
            check["figures"].pop("slowest_ms", None)
        return document

    assert timeless(await on.run(sandbox, on.SOUND)) == timeless(await on.run(sandbox, on.SOUND))


async def test_invalid_inputs_are_found_by_the_validator(sandbox: Sandbox) -> None:
    definition = on.with_body('numbers = [random.randint(1, 1020) for _ in range(params["n"])]')
    report = (await on.run(sandbox, definition)).report
    assert on.faults(report) == ["validator"]
    check = on.check_of(report, "validator")
    assert "inputs are invalid" in check.finding
    assert any(int(word) > 999 for word in (check.evidence[0].input or "").split())
    assert check.evidence[0].seed is not None
    assert check.evidence[0].parameters is not None
    assert "exit 43" in check.evidence[0].note


async def test_a_validator_that_refuses_the_samples_is_not_believed(sandbox: Sandbox) -> None:
    definition = on.spoiled(samples=(on.SOUND.samples[0].model_copy(update={"input": "2\n3  4\n"}),))
    report = (await on.run(sandbox, definition)).report
    assert on.faults(report) == ["validator"]
    assert "samples" in on.check_of(report, "validator").finding


async def test_constant_answers_are_found_by_depth(sandbox: Sandbox) -> None:
    definition = on.with_body(
        'numbers = [random.randint(1, 400 // params["n"]) for _ in range(params["n"] - 1)]',
        "numbers.append(450 - sum(numbers))",
    )
    report = (await on.run(sandbox, definition)).report
    assert "depth" in on.faults(report)
    check = on.check_of(report, "depth")
    assert (check.figure, check.figures["distinct_answers"], check.figures["draws"]) == (1.0, 1, on.QUICK.depth_draws)
    assert check.evidence[0].expected == "450\n"
    assert "guessability" in on.faults(report)


async def test_a_generator_that_hangs_is_found_at_once(sandbox: Sandbox) -> None:
    report = (await on.run(sandbox, on.with_body("while True: pass"))).report
    assert on.faults(report) == ["generator_failures"]
    check = on.check_of(report, "generator_failures")
    assert "hung" in check.finding
    assert check.evidence[0].note == "generator: time_limit"
    assert report.runs < 20
    assert "agreement" in report.skipped


async def test_a_generator_that_hangs_too_often_is_refused_before_it_costs_much(sandbox: Sandbox) -> None:
    definition = on.with_body("chance = random.random() < 0.5", "while chance: pass", on.BODY)
    report = (await on.run(sandbox, definition)).report
    check = on.check_of(report, "generator_failures")
    assert not check.passed
    assert 0.2 < (check.figure or 0) < 0.8
    assert report.runs < 80


async def test_a_generator_that_rarely_hangs_is_drawn_from_again(sandbox: Sandbox) -> None:
    definition = on.with_body("chance = random.random() < 0.02", "while chance: pass", on.BODY)
    report = (await on.run(sandbox, definition)).report
    assert on.faults(report) == []
    check = on.check_of(report, "generator_failures")
    assert 0 < (check.figure or 0) < 0.05
    assert all(level.draws >= on.QUICK.level_draws for level in report.levels)


async def test_a_slow_generator_is_found_by_its_time(sandbox: Sandbox) -> None:
    definition = on.with_body(
        "import time", "end = time.process_time() + 0.08", "while time.process_time() < end: pass", on.BODY
    )
    thresholds = on.QUICK.model_copy(update={"max_generator_ms": 60.0})
    report = (await on.run(sandbox, definition, thresholds=thresholds)).report
    assert on.faults(report) == ["generator_time"]
    assert (on.check_of(report, "generator_time").figure or 0) >= 80


OVER_A_SET = (
    'words = {f"w{index}" for index in range(200)}',
    'numbers = [int(word[1:]) + 1 for word in list(words)[: params["n"]]]',
    "numbers[0] = random.randint(1, 999)",
)
BY_THE_CLOCK = ("import time", 'numbers = [time.time_ns() % 999 + 1 for _ in range(params["n"])]')
BY_THE_SYSTEM = ("import os", 'numbers = [os.urandom(1)[0] + 1 for _ in range(params["n"])]')


@pytest.mark.parametrize(
    ("lines", "cause"), [(OVER_A_SET, "set"), (BY_THE_CLOCK, "time"), (BY_THE_SYSTEM, "operating system")]
)
async def test_bytes_that_depend_on_more_than_the_seed_are_found_by_determinism(
    sandbox: Sandbox, lines: tuple[str, ...], cause: str
) -> None:
    report = (await on.run(sandbox, on.with_body(*lines))).report
    assert "determinism" in on.faults(report)
    check = on.check_of(report, "determinism")
    assert cause in check.finding
    first = check.evidence[0]
    assert first.expected != first.got
    assert "They part at character" in first.note


async def test_poor_levels_leave_the_ladder(sandbox: Sandbox) -> None:
    definition = on.with_body(
        'most = 3 if params["n"] == 2 else 999', 'numbers = [random.randint(1, most) for _ in range(params["n"])]'
    )
    done = await on.run(sandbox, definition)
    assert on.faults(done.report) == []
    assert done.report.dropped_levels == [0]
    assert "distinct" in (done.report.levels[0].dropped or "")
    assert done.definition.ladder == on.LADDER[1:]


async def test_levels_that_an_echo_solves_leave_the_ladder(sandbox: Sandbox) -> None:
    definition = on.spoiled(
        answer_instruction="Give the largest.",
        parameters={"n": Parameter(minimum=1, maximum=20)},
        ladder=({"n": 1}, *on.LADDER),
        samples=(),
        solutions=(
            on.solution("a.py", on.WRONG),
            on.solution("b.py", "input()\nprint(sorted(map(int, input().split()))[-1])\n"),
        ),
    )
    report = (await on.run(sandbox, definition)).report
    assert "guessability" in on.faults(report)
    assert report.levels[0].guessability == 1.0
    assert report.levels[-1].guess == "the input's largest number"


async def test_a_level_that_cannot_be_solved_in_time_is_refused(sandbox: Sandbox) -> None:
    slow = "import sys\nn = int(input())\nwhile n > 12: pass\nprint(sum(map(int, input().split())))\n"
    solutions = tuple(on.solution(f"{number}.py", f"{slow}# {number}\n") for number in range(3))
    definition = on.spoiled(solutions=solutions, time_limit_s=0.3)
    thresholds = on.QUICK.model_copy(update={"level_draws": 4, "breadth_draws": 12, "depth_draws": 4})
    report = (await on.run(sandbox, definition, thresholds=thresholds)).report
    assert "solvable" in on.faults(report)
    check = on.check_of(report, "solvable")
    assert "level 4" in check.finding
    assert "maximum" in check.finding
    assert check.figure == 0


async def test_a_ladder_that_goes_down_is_refused(sandbox: Sandbox) -> None:
    report = (await on.run(sandbox, on.spoiled(ladder=({"n": 2}, {"n": 13}, {"n": 5}, {"n": 8})))).report
    assert on.faults(report) == ["ladder"]
    assert on.check_of(report, "ladder").evidence[0].parameters == {"n": 5}


async def test_a_report_for_everybody_tells_no_input_seed_or_answer(sandbox: Sandbox) -> None:
    definition = on.with_body('numbers = [random.randint(1, 1020) for _ in range(params["n"])]')
    report = (await on.run(sandbox, definition)).report
    assert "seed" in summary(report)
    assert "input" in summary(report)
    shown = public(report)
    assert all(check.evidence == [] for check in shown.checks)
    assert list(map(itemgetter("finding"), shown.model_dump()["checks"])) == [one.finding for one in report.checks]


class Gone:
    """A sandbox that is not there."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def run(self, job: Job) -> JobResult:
        raise SandboxUnavailable("the engine does not answer")

    async def health(self) -> Health:
        return Health(False, "gone", "the engine does not answer")


async def test_a_broken_sandbox_is_no_verdict() -> None:
    with pytest.raises(SandboxFailed):
        await on.run(Gone(), on.SOUND)

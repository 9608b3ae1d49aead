"""Makes instances in the sandbox.

Guarantee: any number of seeds costs one job for the generator and one per reference. The result for each seed is a
pure function of (definition, parameters, seed): what cannot be made is `Unmade` with a reason, which is data; only a
broken sandbox raises.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from escalade_sandbox.types import (
    Input,
    Job,
    JobResult,
    Limits,
    Program,
    Result,
    Sandbox,
    Status,
    Trust,
)
from escalade_server.errors import SandboxFailed
from escalade_server.problems.definition import Code, Definition, Generator, Solution, arguments_of, files_of
from escalade_server.scoring.checkers import Case, CheckProgram, check_all
from escalade_server.scoring.comparators import agree
from escalade_server.scoring.execution import run
from escalade_server.scoring.voting import vote

MIN_AGREEMENT = 0.75
"""Share of the usable references that must agree where the first two do not."""
GENERATOR_LIMITS = Limits(cpu_s=5.0, wall_s=20.0, memory_bytes=512 << 20, output_bytes=8 << 20)
MAX_INPUT_CHARS = 1 << 20
"""A longer input could never be a prompt."""


@dataclass(frozen=True, slots=True)
class Unmade:
    """Why a seed has no instance."""

    reason: str
    status: Status | None = None
    """How the generator ended, where it is to blame."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An input and its description, before the oracle has spoken."""

    input: str
    description: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Made(Draft):
    """An input, its description and its ground truth."""

    truth: str


def hash_text(text: str) -> str:
    """SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


async def make(
    sandbox: Sandbox, *, version: str, definition: Definition, parameters: Mapping[str, int], seeds: Sequence[int]
) -> list[Made | Unmade]:
    """Make one instance per seed, in order.

    Raises:
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: The sandbox's queue is full.
    """
    drafts = await generate(
        sandbox, version=version, generator=definition.generator, parameters=parameters, seeds=seeds
    )
    inputs = list(dict.fromkeys(draft.input for draft in drafts if isinstance(draft, Draft)))
    truths = await answer(sandbox, version=version, definition=definition, inputs=inputs)
    made: list[Made | Unmade] = []
    for draft in drafts:
        if isinstance(draft, Draft):
            truth = truths[draft.input]
            made.append(Made(draft.input, draft.description, truth) if isinstance(truth, str) else truth)
        else:
            made.append(draft)
    return made


CANARY = Program("python", "def answer(number):\n    return number + 1\n", function="answer")


async def require_sound(sandbox: Sandbox) -> None:
    """Run a program that cannot fail, so that a broken sandbox is not taken for a broken environment.

    Raises:
        SandboxFailed: It failed.
        SandboxQueueFull: The sandbox's queue is full.
    """
    asked = Input(stdin=json.dumps({"arguments": [41], "seed": 0}).encode())
    done = await run(sandbox, Job(CANARY, [asked], GENERATOR_LIMITS, trust=Trust.TRUSTED, domain="canary"))
    result = done.results[0]
    if result.status is not Status.OK or result.stdout.strip() != b"42":
        words = result.stderr.decode("utf-8", "replace").strip()[-300:]
        raise SandboxFailed(
            f"The sandbox does not run even the simplest program ({result.status.value}: {words}): "
            "run `escalade doctor`.",
            retry_after_s=30.0,
        )


async def generate(
    sandbox: Sandbox, *, version: str, generator: Generator, parameters: Mapping[str, int], seeds: Sequence[int]
) -> list[Draft | Unmade]:
    """Run the generator once per seed: an input with its description, or why there is none.

    Raises:
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: The sandbox's queue is full.
    """
    return await draw(sandbox, version=version, generator=generator, asked=[(parameters, seed) for seed in seeds])


async def draw(
    sandbox: Sandbox,
    *,
    version: str,
    generator: Generator,
    asked: Sequence[tuple[Mapping[str, int], int]],
    limits: Limits = GENERATOR_LIMITS,
    hash_seed: int = 0,
) -> list[Draft | Unmade]:
    """Run the generator once per pair of scale parameters and seed, in one job.

    Raises:
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: The sandbox's queue is full.
    """
    if not asked:
        return []
    made = partial(_call_of_program, generator) if generator.function is None else _call_of_function
    read = _read_program if generator.function is None else _read_function
    # Where parameters are compiled in, each assignment is a program of its own.
    builds: dict[str, list[int]] = {}
    for place, (parameters, _) in enumerate(asked):
        key = json.dumps(files_of(generator, parameters)) if generator.defines_file is not None else ""
        builds.setdefault(key, []).append(place)
    jobs = []
    for places in builds.values():
        files = files_of(generator, asked[places[0]][0])
        code = generator if files == generator.files else generator.model_copy(update={"files": files})
        program = replace(program_of(code, generator.function), hash_seed=hash_seed)
        inputs = [made(*asked[place]) for place in places]
        jobs.append(run(sandbox, Job(program, inputs, limits, trust=Trust.TRUSTED, domain=version)))
    drafts: dict[int, Draft | Unmade] = {}
    for places, done in zip(builds.values(), await asyncio.gather(*jobs), strict=True):
        drafts |= {place: _draft(result, read) for place, result in zip(places, done.results, strict=True)}
    return [drafts[place] for place in range(len(asked))]


def _call_of_program(generator: Generator, parameters: Mapping[str, int], seed: int) -> Input:
    return Input(arguments=arguments_of(generator, parameters, seed))


def _call_of_function(parameters: Mapping[str, int], seed: int) -> Input:
    return Input(stdin=json.dumps({"arguments": [dict(parameters)], "seed": seed}).encode())


async def answer(
    sandbox: Sandbox, *, version: str, definition: Definition, inputs: Sequence[str]
) -> dict[str, str | Unmade]:
    """The agreed output of the references for each distinct input.

    Two references run first. Where they do not agree, all the others run on that input too, and the ground truth is
    what at least two and at least `MIN_AGREEMENT` of the usable ones give. A reference that does not compile, crashes
    or runs out of time is absent, not wrong. Where answers are not unique, two references must accept each other's.

    Raises:
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: The sandbox's queue is full.
    """
    if not inputs:
        return {}
    outputs: dict[str, dict[int, str]] = {text: {} for text in inputs}
    waiting = list(range(len(definition.references)))
    compiled = 0
    while waiting and compiled < 2:
        first, waiting = waiting[: 2 - compiled], waiting[2 - compiled :]
        compiled += await _run_references(sandbox, version, definition, first, outputs, inputs)
    checker = checker_of(definition, version)
    if checker is not None:
        return await _mutually_accepted(sandbox, checker, outputs, least=definition.least_agreeing)
    disputed = [text for text in inputs if _agreed(definition, outputs[text], asked=compiled) is None]
    if disputed and waiting:
        await _run_references(sandbox, version, definition, waiting, outputs, disputed)
    truths: dict[str, str | Unmade] = {}
    for text in inputs:
        truth = _agreed(definition, outputs[text], asked=definition.least_agreeing)
        truths[text] = Unmade(_disagreement(definition, outputs[text])) if truth is None else truth
    return truths


async def run_solutions(
    sandbox: Sandbox,
    *,
    version: str,
    definition: Definition,
    solutions: Sequence[Solution],
    inputs: Sequence[str],
    stop_on_failure: bool = False,
) -> list[JobResult]:
    """Run solutions on all inputs within the definition's limits, one job each, all asked for at once.

    Args:
        sandbox: Where they run.
        version: The definition's hash.
        definition: Whose solutions they are.
        solutions: Which.
        inputs: On what.
        stop_on_failure: Leave out a solution's further inputs once it has crashed or run out of something.

    Raises:
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: The sandbox's queue is full.
    """
    limits = reference_limits(definition)
    each = [Input(stdin=text.encode()) for text in inputs]
    jobs = [
        Job(
            program_of(solution),
            each,
            limits,
            trust=Trust.TRUSTED,
            domain=version,
            stop_on_failure=stop_on_failure,
        )
        for solution in solutions
    ]
    return await asyncio.gather(*(run(sandbox, job) for job in jobs))


def output_of(result: Result) -> str | None:
    """What a solution answered; None where it crashed, ran out of something, or said nothing."""
    printed = result.stdout.decode() if result.status is Status.OK else ""
    return printed if printed.strip() and "\0" not in printed else None


def compiles(done: JobResult) -> bool:
    """Whether the program of a job could be run at all."""
    return done.compilation is None or done.compilation.status is Status.OK


async def _run_references(
    sandbox: Sandbox,
    version: str,
    definition: Definition,
    chosen: Sequence[int],
    outputs: Mapping[str, dict[int, str]],
    inputs: Sequence[str],
) -> int:
    """Run some references on the inputs and file what they print; returns how many compiled."""
    solutions = [definition.references[index] for index in chosen]
    finished = await run_solutions(sandbox, version=version, definition=definition, solutions=solutions, inputs=inputs)
    for index, done in zip(chosen, finished, strict=True):
        for text, result in zip(inputs, done.results, strict=True):
            printed = output_of(result)
            if printed is not None:
                outputs[text][index] = printed
    return sum(compiles(done) for done in finished)


def reference_limits(definition: Definition) -> Limits:
    """What a reference may use on one input."""
    return Limits(
        cpu_s=definition.time_limit_s,
        # Ground truth must not depend on how busy the machine is: CPU time decides, wall time only ends a hang.
        wall_s=definition.time_limit_s * 4,
        memory_bytes=definition.memory_limit_bytes,
        output_bytes=8 << 20,
    )


def _agreed(definition: Definition, outputs: Mapping[int, str], *, asked: int) -> str | None:
    """The output that enough references agree on; None where fewer than `asked` answered, or they differ."""
    if len(outputs) < max(definition.least_agreeing, asked):
        return None
    found = vote(outputs, partial(agree, definition.answer))
    if found is None or len(found.majority) < definition.least_agreeing:
        return None
    if not agree(definition.answer, found.output, found.output):
        return None  # NaN agrees with nothing, not even with itself
    return found.output if len(found.majority) >= MIN_AGREEMENT * len(outputs) else None


def _disagreement(definition: Definition, outputs: Mapping[int, str]) -> str:
    sizes = Counter(" ".join(output.split()) for output in outputs.values())
    split = " to ".join(str(count) for _, count in sizes.most_common())
    total = len(definition.references)
    return f"the references disagree: {len(outputs)} of {total} answered, split {split or 'none'}"


def _draft(result: Result, read: Callable[[str], Draft | Unmade]) -> Draft | Unmade:
    if result.status is not Status.OK:
        words = result.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = f"generator: {result.status.value}" + (f": {words[-1][:300]}" if words else "")
        return Unmade(reason, result.status)
    return read(result.stdout.decode())


def _read_function(text: str) -> Draft | Unmade:
    value = json.loads(text)
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)):
        return Unmade("generator: it must return (str, dict)")
    return _checked(value[0], value[1])


def _read_program(text: str) -> Draft | Unmade:
    return _checked(text, {"input": text.strip()})


def _checked(text: str, description: dict[str, Any]) -> Draft | Unmade:
    if not text.strip():
        return Unmade("generator: the input is empty")
    if len(text) > MAX_INPUT_CHARS:
        return Unmade(f"generator: the input is longer than {MAX_INPUT_CHARS} characters")
    try:
        storable = (text + json.dumps(description, ensure_ascii=False)).encode()
    except UnicodeEncodeError:
        return Unmade("generator: the input is not UTF-8")
    if b"\0" in storable or b"\\u0000" in storable:
        return Unmade("generator: the input holds a NUL character")
    # Some solutions need the last line to end; regular files on disk always do.
    return Draft(text if text.endswith("\n") else text + "\n", description)


def checker_of(definition: Definition, version: str) -> CheckProgram | None:
    """The checker of a definition whose answers are not unique; None where answers are compared."""
    if definition.checker is None or definition.answer.type != "checked":
        return None
    checker = definition.checker
    program = program_of(checker, "check" if checker.protocol == "function" else None)
    return CheckProgram(program, checker.protocol, version, checker.arguments)


async def _mutually_accepted(
    sandbox: Sandbox, checker: CheckProgram, outputs: Mapping[str, dict[int, str]], *, least: int
) -> dict[str, str | Unmade]:
    """Ground truth where answers are not unique: the first reference's, if the checker takes two for each other."""
    pairs: dict[str, tuple[str, str]] = {}
    for text, found in outputs.items():
        if len(found) >= least:
            firsts = [found[index] for index in sorted(found)[:2]]
            # The only one of a definition must at least satisfy the checker by itself.
            pairs[text] = firsts[0], firsts[-1]
    cases = [case for text, (one, two) in pairs.items() for case in (Case(text, two, one), Case(text, one, two))]
    said = await check_all(sandbox, checker, cases)
    truths: dict[str, str | Unmade] = {
        text: Unmade(f"the references disagree: {len(found)} answered") for text, found in outputs.items()
    }
    for place, (text, (one, _)) in enumerate(pairs.items()):
        verdicts = [checked.verdict for checked in said[2 * place : 2 * place + 2]]
        if verdicts == ["accepted", "accepted"]:
            truths[text] = one
        else:
            truths[text] = Unmade(f"the checker says of two references: {verdicts[0]}, {verdicts[1]}")
    return truths


def program_of(code: Code, function: str | None = None) -> Program:
    """The sandbox's program for a definition's code."""
    files = {name: text.encode() for name, text in code.files.items()}
    return Program(code.language, code.source, function=function, files=files)

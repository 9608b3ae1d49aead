"""Asks the LLM for a generator, or for a checker, and for better ones where verification refuses them.

Guarantee: what comes back defines the function that the server calls and passes `screening`; whether it is right is for
verification in the sandbox to say, whose sentences go back to the LLM. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from escalade.types import Message
from escalade_server.problems.definition import Checker, Code, Generator
from escalade_server.problems.problem import Problem
from escalade_server.synthesis.describing import samples_of, statement_of
from escalade_server.synthesis.llm import Llm, Question
from escalade_server.synthesis.metadata import Metadata
from escalade_server.synthesis.prompts import bullets, fenced, fill
from escalade_server.synthesis.replies import UnusableReply, read_wire, schema_of
from escalade_server.synthesis.screening import module_faults

MAX_PROGRAM_CHARS: Final = 8_000
"""A longer validator or solution is left out of prompts."""
MAX_FAULTS: Final = 12
MAX_FAULT_CHARS: Final = 2_000


class _CodeReply(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    plan: str
    code: str


_CODE_SCHEMA: Final = schema_of(_CodeReply)


@dataclass(frozen=True, slots=True)
class Faults:
    """Why verification refuses what it was given, in sentences for whoever writes the next one."""

    generator: tuple[str, ...] = ()
    checker: tuple[str, ...] = ()
    """What may be the checker's fault."""


@dataclass(frozen=True, slots=True)
class Written:
    """The last generator and checker, and what verification says of them."""

    generator: Generator
    checker: Checker | None
    """None where the LLM wrote none."""
    faults: Faults
    """Empty if verification took them, or finds the fault elsewhere."""
    repairs: int
    """How many times something was sent back."""


async def write_generator(
    llm: Llm,
    problem: Problem,
    metadata: Metadata,
    *,
    faults: Sequence[str] = (),
    previous: Generator | None = None,
) -> Generator:
    """A generator for a problem, or a better one in place of `previous`.

    Args:
        llm: Whom to ask.
        problem: Its statement, samples, a validator and a solution are shown to the LLM.
        metadata: The task and the scale parameters.
        faults: Why verification refuses `previous`, in sentences with their evidence.
        previous: The generator to repair.

    Raises:
        ProblemUnsuited: The problem has no statement that could be read.
        LlmReplyUnusable: No reply could be used.
        LlmBudgetSpent: The job has no tokens left.
        LlmUnavailable: The endpoint fails.
        LlmRefused: The endpoint refuses the request.
    """
    user = fill(
        "generator_user",
        title=problem.title,
        statement=statement_of(problem),
        samples=samples_of(problem),
        task=metadata.statement,
        answer_instruction=metadata.answer_instruction,
        parameters=bullets(_parameter_lines(metadata)),
        programs=_programs(problem),
    )
    messages = (Message(role="system", content=fill("generator_system")), Message(role="user", content=user))
    question = Question("generator", (*messages, *_repair("generator", previous, faults)), _CODE_SCHEMA)
    source = await llm.ask(question, lambda reply: _code(reply, function="generate_testcase", arguments=1))
    return Generator(name="generator.py", language="python", source=source)


async def write_until(
    llm: Llm,
    problem: Problem,
    metadata: Metadata,
    *,
    examine: Callable[[Generator, Checker | None], Awaitable[Faults]],
    repairs: int,
    generator: Generator | None = None,
    checker: Checker | None = None,
) -> Written:
    """Have a generator and a checker verified, and repaired until they pass or `repairs` are used up.

    Args:
        llm: Whom to ask.
        problem: As for `write_generator`.
        metadata: As for `write_generator`.
        examine: Verifies a generator and a checker; returns what is wrong with either, nothing if they pass.
        repairs: How many times refused ones are sent back, both of them together if it may be either.
        generator: The source's, which nobody repairs; None: the LLM writes one.
        checker: One that the LLM wrote; None: there is none of its own.

    Raises:
        As `write_generator`, and whatever `examine` raises.
    """
    made = generator or await write_generator(llm, problem, metadata)
    for repair in range(repairs + 1):
        faults = await examine(made, checker)
        of_generator = faults.generator if generator is None else ()
        of_checker = faults.checker if checker is not None else ()
        if not (of_generator or of_checker) or repair == repairs:
            return Written(made, checker, faults, repair)
        if of_checker:
            checker = await write_checker(llm, problem, metadata, faults=of_checker, previous=checker)
        if of_generator:
            made = await write_generator(llm, problem, metadata, faults=of_generator, previous=made)
    raise ValueError(f"repairs must be at least 0, not {repairs}")


async def write_checker(
    llm: Llm,
    problem: Problem,
    metadata: Metadata,
    *,
    faults: Sequence[str] = (),
    previous: Checker | None = None,
) -> Checker:
    """A checker `check(input, answer, reference) -> bool` for a problem whose answers are not unique.

    Args and errors are those of `write_generator`.
    """
    user = fill(
        "checker_user",
        title=problem.title,
        statement=statement_of(problem),
        samples=samples_of(problem),
        answer_instruction=metadata.answer_instruction,
        programs=_programs(problem, checker=True),
    )
    messages = (Message(role="system", content=fill("checker_system")), Message(role="user", content=user))
    question = Question("checker", (*messages, *_repair("checker", previous, faults)), _CODE_SCHEMA)
    source = await llm.ask(question, lambda reply: _code(reply, function="check", arguments=3))
    return Checker(name="check.py", language="python", source=source, protocol="function")


def _code(document: Mapping[str, Any], *, function: str, arguments: int) -> str:
    reply = read_wire(_CodeReply, document)
    source = _unfenced(reply.code)
    if faults := module_faults(source, function=function, arguments=arguments):
        raise UnusableReply(faults)
    return source


def _unfenced(code: str) -> str:
    """The module, without the Markdown fence that some models put around it even in JSON."""
    lines = code.strip().split("\n")
    if len(lines) > 2 and lines[0].startswith("```") and lines[-1].strip() == "```":
        lines = lines[1:-1]
    return "\n".join(lines).rstrip() + "\n"


def _parameter_lines(metadata: Metadata) -> list[str]:
    lines = []
    for name, parameter in metadata.parameters.items():
        meaning = metadata.meanings.get(name)
        lines.append(f"`{name}`, {parameter.minimum} to {parameter.maximum}" + (f": {meaning}" if meaning else ""))
    return lines


def _programs(problem: Problem, *, checker: bool = False) -> str:
    """A validator and the shortest usable solution, which say what an input may be; a checker that cannot be run."""
    shown: list[tuple[str, Code]] = []
    shown += [("A program that says whether an input is valid", one) for one in problem.validators[:1]]
    solutions = sorted(problem.usable_solutions, key=lambda one: len(one.source))
    shown += [("A solution that is right", one) for one in solutions[:1]]
    if checker and problem.checker is not None:
        shown.append(("The judge's own checker, which cannot be run here", problem.checker))
    short = [(words, code) for words, code in shown if len(code.source) <= MAX_PROGRAM_CHARS]
    return "\n\n".join(f"{words}:\n\n{fenced(code.source, code.language)}" for words, code in short)


def _repair(what: str, previous: Code | None, faults: Sequence[str]) -> tuple[Message, ...]:
    if previous is None:
        return ()
    listed = bullets(" ".join(fault.split())[:MAX_FAULT_CHARS] for fault in faults[:MAX_FAULTS])
    return (
        Message(role="assistant", content=fenced(previous.source, "python")),
        Message(role="user", content=fill("repair", what=what, faults=listed)),
    )

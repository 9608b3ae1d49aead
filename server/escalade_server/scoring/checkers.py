"""Checkers: programs that judge answers which are not unique, run in the sandbox as trusted code.

Guarantee: any number of answers of one environment costs one job. A checker sees bytes in files or arguments and never
shares a process with another answer; what it cannot decide (a crash, a time limit, an unknown exit code) is
`undecided`, never wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from escalade_sandbox.types import Input, Job, Limits, Program, Result, Sandbox, Status, Trust
from escalade_server.scoring.execution import run

Protocol = Literal["function", "testlib", "kattis"]
LIMITS = Limits(cpu_s=10.0, wall_s=30.0, memory_bytes=512 << 20, output_bytes=1 << 20)
_TESTLIB = {0: "accepted", 1: "wrong", 2: "wrong"}
"""Exit codes of testlib: ok, wrong answer, presentation error; 3 is the checker's own failure."""
_KATTIS = {42: "accepted", 43: "wrong"}


@dataclass(frozen=True, slots=True)
class CheckProgram:
    """A checker and how it is spoken to."""

    program: Program
    protocol: Protocol
    domain: str
    """The environment version that it belongs to."""
    arguments: tuple[str, ...] = ()
    """Further arguments, after those of the protocol."""
    limits: Limits = LIMITS
    """Of one answer."""


@dataclass(frozen=True, slots=True)
class Case:
    """One answer to judge."""

    input: str
    answer: str
    reference: str
    """An answer that is known to be right."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checker said."""

    verdict: Literal["accepted", "wrong", "undecided"]
    detail: str = ""
    """Why it is undecided; never the checker's own words."""


async def check_all(sandbox: Sandbox, checker: CheckProgram, cases: Sequence[Case]) -> list[Checked]:
    """Judge answers of one environment, in order.

    Raises:
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: The sandbox's queue is full.
    """
    if not cases:
        return []
    inputs = [_input(checker, case) for case in cases]
    job = Job(checker.program, inputs, checker.limits, trust=Trust.TRUSTED, domain=checker.domain)
    done = await run(sandbox, job)
    return [_read(checker.protocol, result) for result in done.results]


def _input(checker: CheckProgram, case: Case) -> Input:
    given, answer, reference = (_bytes(text) for text in (case.input, case.answer, case.reference))
    match checker.protocol:
        case "function":
            arguments = [text.decode() for text in (given, answer, reference)]
            return Input(stdin=json.dumps({"arguments": arguments, "seed": 0}).encode())
        case "testlib":
            files = {"input.txt": given, "output.txt": answer, "answer.txt": reference}
            return Input(arguments=(*files, *checker.arguments), files=files)
        case "kattis":
            files = {"input.txt": given, "answer.txt": reference}
            # The feedback folder is the working folder, which is wiped after every answer.
            return Input(stdin=answer, arguments=("input.txt", "answer.txt", "./", *checker.arguments), files=files)


def _bytes(text: str) -> bytes:
    ended = text if text.endswith("\n") else text + "\n"
    return ended.encode("utf-8", "replace")


def _read(protocol: Protocol, result: Result) -> Checked:
    if protocol == "function":
        said = {b"true": "accepted", b"false": "wrong"}.get(result.stdout.strip())
        said = said if result.status is Status.OK else None
    else:
        ran = result.status in (Status.OK, Status.NONZERO_EXIT, Status.INVALID_OUTPUT)
        known = _TESTLIB if protocol == "testlib" else _KATTIS
        said = known.get(result.exit_code) if ran and result.exit_code is not None else None
    if said == "accepted":
        return Checked("accepted")
    if said == "wrong":
        return Checked("wrong")
    # Not the checker's own words: they may quote the reference, and this reaches the trainer.
    return Checked("undecided", f"the checker did not decide ({result.status.value}, exit {result.exit_code})")

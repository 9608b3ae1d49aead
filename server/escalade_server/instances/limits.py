"""What programs may use: calibrated from what the references use.

Guarantee: `limits_of` is pure. At each assignment of scale parameters a program has at least twice the processor time
of the slowest reference of its language, and never more than twice what the problem itself allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, get_args

from escalade.types import ProgramLanguage
from escalade_sandbox.types import Input, Job, JobResult, Sandbox, Status, Trust
from escalade_server.errors import LevelUnavailable
from escalade_server.instances.generation import program_of, reference_limits, require_sound
from escalade_server.problems.definition import Definition, Solution
from escalade_server.scoring.comparators import agree
from escalade_server.scoring.execution import run
from escalade_server.scoring.programs import ProgramLimits

FACTOR, LEAST_S, STEP_S = 4.0, 1.0, 0.5
"""Time limit: `LEAST_S` and `FACTOR` times the slowest reference, in steps of `STEP_S`."""
SLOWER = 10.0
"""How many times slower than C++ Python is taken to be, where no reference is in Python."""
MEASURED_EACH = 3
"""References that are measured, of each language."""
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Usage:
    """What the references of one language used at most, on one input."""

    cpu_s: float
    memory_bytes: int


def limits_of(definition: Definition, measured: Mapping[str, Usage]) -> ProgramLimits:
    """The limits that follow from what was measured, of at least one language."""
    cpp, python = measured.get("cpp"), measured.get("python")
    slowest_s = {
        "cpp": cpp.cpu_s if cpp else python.cpu_s if python else 0.0,
        "python": max(python.cpu_s, cpp.cpu_s if cpp else 0.0) if python else cpp.cpu_s * SLOWER if cpp else 0.0,
    }
    peak_bytes = max(usage.memory_bytes for usage in measured.values())
    roomy = 64 * _MIB * ceil((2 * peak_bytes + 128 * _MIB) / (64 * _MIB)) if peak_bytes else 1 << 40
    return ProgramLimits(
        cpu_s={language: _time_limit_s(definition, slowest_s[language]) for language in get_args(ProgramLanguage)},
        memory_bytes=max(64 * _MIB, min(roomy, definition.memory_limit_bytes)),
    )


def _time_limit_s(definition: Definition, slowest_s: float) -> float:
    limit_s = min(LEAST_S + FACTOR * slowest_s, 2 * definition.time_limit_s)
    return STEP_S * ceil(limit_s / STEP_S)


async def measure(
    sandbox: Sandbox, *, version: str, definition: Definition, inputs: Sequence[str], truths: Sequence[str]
) -> dict[str, Usage]:
    """What the references use on these inputs, where they give the right output.

    Raises:
        LevelUnavailable: None of them does.
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: The sandbox's queue is full.
    """
    limits = reference_limits(definition)
    each = [Input(stdin=text.encode()) for text in inputs]
    chosen = _chosen(definition)
    jobs = [Job(program_of(one), each, limits, trust=Trust.TRUSTED, domain=version) for one in chosen]
    measured: dict[str, Usage] = {}
    for reference, done in zip(chosen, await asyncio.gather(*(run(sandbox, job) for job in jobs)), strict=True):
        for usage in _usages(definition, done, truths):
            known = measured.get(reference.language, usage)
            measured[reference.language] = Usage(
                max(known.cpu_s, usage.cpu_s), max(known.memory_bytes, usage.memory_bytes)
            )
    if not measured:
        await require_sound(sandbox)
        raise LevelUnavailable("No reference gives the agreed output again: programs have nothing to be held against.")
    return measured


def _chosen(definition: Definition) -> list[Solution]:
    """The first references of each language."""
    count: dict[str, int] = {}
    chosen = []
    for reference in definition.references:
        count[reference.language] = count.get(reference.language, 0) + 1
        if count[reference.language] <= MEASURED_EACH:
            chosen.append(reference)
    return chosen


def _usages(definition: Definition, done: JobResult, truths: Sequence[str]) -> list[Usage]:
    unique = definition.answer.type != "checked"
    return [
        Usage(result.cpu_ms / 1e3, result.memory_bytes)
        for result, truth in zip(done.results, truths, strict=True)
        if result.status is Status.OK and (not unique or agree(definition.answer, truth, result.stdout.decode()))
    ]


def to_document(limits: ProgramLimits, measured: Mapping[str, Usage]) -> dict[str, Any]:
    """Limits as they are stored, with what they came from."""
    used = {
        language: {"cpu_s": usage.cpu_s, "memory_bytes": usage.memory_bytes} for language, usage in measured.items()
    }
    return {"cpu_s": dict(limits.cpu_s), "memory_bytes": limits.memory_bytes, "measured": used}


def of_document(document: Mapping[str, Any]) -> ProgramLimits:
    """Stored limits."""
    return ProgramLimits(dict(document["cpu_s"]), int(document["memory_bytes"]))

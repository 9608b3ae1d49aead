"""Expressions beyond the fast path, worked out by math-verify's parser and SymPy in the sandbox, many in one job.

Guarantee: nothing of a truth enters the sandbox; what comes back is a number, or that there is none. An expression that
crashes the program or takes too long is no number and delays the others by its own limit at most; a sandbox that fails,
or that gets a known expression wrong, is an error of ours.
"""

from __future__ import annotations

import asyncio
import decimal
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from escalade_sandbox.types import Input, Job, Limits, Program, Result, Sandbox, Status, Trust
from escalade_server.errors import EscaladeError, SandboxFailed
from escalade_server.scoring import numeric
from escalade_server.scoring.execution import patiently, run
from escalade_server.scoring.numeric import Approximate, Number

AT_ONCE = 64
"""Expressions in one job."""
LIMITS = Limits(cpu_s=5.0, wall_s=20.0, memory_bytes=512 << 20, output_bytes=64 << 10)
"""Of one expression; the packages are imported once for all of a job, within the same limits."""
MISSING = "the sandbox has no math-verify, so expressions beyond the fast path cannot be read"
_PROGRAM = Program(
    "python", (Path(__file__).with_name("sandboxed") / "work_out.py").read_text("utf-8"), function="work_out"
)
_KNOWN = r"\log_{2}(8)"
"""Sent along with each job: if this is not 3, the sandbox is at fault and not the expressions."""
_MOST_DIGITS = numeric.MAX_DIGITS


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """What became of one expression."""

    number: Number | None
    """None: it has no value that can be worked out."""
    fault: str | None = None
    """Why we could not even try; the expression is not to blame."""
    missing: bool = False
    """The sandbox has no math-verify."""


async def work_out(sandbox: Sandbox, texts: Sequence[str]) -> dict[str, WorkedOut]:
    """The value of each expression; a failure of the sandbox is the fault of each expression of its job."""
    distinct = list(dict.fromkeys(texts))
    parts = [distinct[start : start + AT_ONCE] for start in range(0, len(distinct), AT_ONCE)]
    found: dict[str, WorkedOut] = {}
    for part, values in zip(parts, await asyncio.gather(*(_part(sandbox, part) for part in parts)), strict=True):
        found.update(zip(part, values, strict=True))
    return found


async def available(sandbox: Sandbox) -> bool:
    """Whether the sandbox has math-verify.

    Raises:
        SandboxFailed: It gets a known expression wrong, or cannot be reached.
    """
    return not (await _run(sandbox, []))[0].missing


async def _part(sandbox: Sandbox, texts: Sequence[str]) -> list[WorkedOut]:
    try:
        known, *values = await patiently(lambda: _run(sandbox, texts))
    except EscaladeError as fault:
        return [WorkedOut(None, fault.detail)] * len(texts)
    return [known] * len(texts) if known.missing else values


async def _run(sandbox: Sandbox, texts: Sequence[str]) -> list[WorkedOut]:
    """The values of the known expression and of the texts."""
    inputs = [
        Input(stdin=json.dumps({"arguments": [text], "seed": 0}).encode("utf-8", "replace"))
        for text in (_KNOWN, *texts)
    ]
    # The text is data to our own program, as it is to a checker.
    done = await run(sandbox, Job(_PROGRAM, inputs, LIMITS, trust=Trust.TRUSTED, domain="mathematics"))
    values = [_read(result) for result in done.results]
    if not values[0].missing and values[0].number != Fraction(3):
        words = done.results[0].stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [""]
        raise SandboxFailed(f"math-verify does not work in the sandbox ({done.results[0].status.value}) {words[0]}")
    return values


def _read(result: Result) -> WorkedOut:
    if result.status is not Status.OK:
        return WorkedOut(None)
    try:
        said: Mapping[str, Any] = json.loads(result.stdout)
        if said.get("missing"):
            return WorkedOut(None, missing=True)
        if "exact" in said:
            numerator, denominator = said["exact"]
            if max(len(numerator), len(denominator)) > _MOST_DIGITS:
                return WorkedOut(None)
            return WorkedOut(Fraction(int(numerator), int(denominator)))
        if "real" in said:
            value = numeric.PRECISE.create_decimal(said["real"])
            return WorkedOut(Approximate(value) if value.is_finite() else None)
    except (ValueError, TypeError, AttributeError, ArithmeticError, decimal.InvalidOperation):
        return WorkedOut(None)
    return WorkedOut(None)

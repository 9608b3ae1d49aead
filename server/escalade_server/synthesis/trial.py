"""One verification under way: what it is about, and where its draws come from.

Guarantee: every draw is a pure function of the version, its place and its number, so that a verification repeated on
the same version makes the same draws.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from escalade.types import Check, Evidence
from escalade_sandbox.types import Limits, Status
from escalade_server.errors import EscaladeError
from escalade_server.instances.generation import GENERATOR_LIMITS, Draft, Unmade, checker_of, draw
from escalade_server.instances.seeds import canonical, seed_at
from escalade_server.problems.definition import Definition
from escalade_server.scoring.checkers import CheckProgram
from escalade_server.settings import Thresholds
from escalade_server.synthesis.evidence import MOST
from escalade_server.synthesis.metering import Meter

LEAST_DRAWS_OF_A_JOB = 16
LEAST_HANG_S = 1.0
PARTS = 4
"""Jobs that many draws are spread over."""

Assignment = dict[str, int]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One input, and how to make it again."""

    parameters: Assignment
    seed: int
    draft: Draft

    @property
    def input(self) -> str:
        """Its text."""
        return self.draft.input


@dataclass(frozen=True, slots=True)
class Failed:
    """A draw without an input."""

    parameters: Assignment
    seed: int
    reason: str
    status: Status | None


@dataclass(slots=True)
class Trial:
    """What all checks share."""

    sandbox: Meter
    definition: Definition
    version: str
    thresholds: Thresholds
    progress: Callable[[str], None]
    checks: list[Check] = field(default_factory=list)
    generator: Meter = field(init=False)
    """Through which the generator's ordinary draws go."""
    drawn: int = 0
    failed: list[Failed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.generator = Meter(self.sandbox)

    @property
    def checker(self) -> CheckProgram | None:
        """The checker, where answers are not unique."""
        return checker_of(self.definition, self.version)

    @property
    def generator_limits(self) -> Limits:
        """A draw that takes twice the time allowed to nearly all, and a second at least, is as good as hung."""
        cpu_s = max(LEAST_HANG_S, 2 * self.thresholds.max_generator_ms / 1_000)
        return Limits(
            cpu_s=cpu_s,
            wall_s=min(GENERATOR_LIMITS.wall_s, 4 * cpu_s),
            memory_bytes=GENERATOR_LIMITS.memory_bytes,
            output_bytes=GENERATOR_LIMITS.output_bytes,
        )

    def seed(self, parameters: Mapping[str, int], number: int) -> int:
        """The seed of a place's draw."""
        return seed_at(f"verification\n{self.version}\n{canonical(parameters)}", "evaluation", number)

    def random(self, purpose: str) -> random.Random:
        """Chance that is the same in every verification of this version."""
        return random.Random(f"{self.version}\n{purpose}")

    async def draw(self, asked: Sequence[tuple[Assignment, int]]) -> list[Drawn | Failed]:
        """Ordinary draws, as instances are made; counted, and failures noted."""
        size = max(LEAST_DRAWS_OF_A_JOB, -(-len(asked) // PARTS))
        parts = [asked[start : start + size] for start in range(0, len(asked), size)]
        jobs = (
            draw(
                self.generator,
                version=self.version,
                generator=self.definition.generator,
                asked=part,
                limits=self.generator_limits,
            )
            for part in parts
        )
        drafts = [draft for part in await together(*jobs) for draft in part]
        results = [_filed(parameters, seed, draft) for (parameters, seed), draft in zip(asked, drafts, strict=True)]
        self.drawn += len(results)
        self.failed += [one for one in results if isinstance(one, Failed)]
        return results

    def conclude(
        self,
        name: str,
        passed: bool,
        finding: str,
        *,
        figure: float | None = None,
        threshold: float | None = None,
        unit: str = "",
        figures: Mapping[str, float] | None = None,
        evidence: Sequence[Evidence] = (),
    ) -> bool:
        """File a check; returns whether it passed."""
        self.checks.append(
            Check(
                name=name,
                passed=passed,
                figure=figure,
                threshold=threshold,
                unit=unit,
                figures=dict(figures or {}),
                finding=finding,
                evidence=list(evidence[:MOST]),
            )
        )
        return passed


async def together(*work: Coroutine[Any, Any, Value]) -> list[Value]:
    """Do all at once; if one fails the others are cancelled and its error is raised by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    return [task.result() for task in tasks]


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    leaves: list[BaseException] = []
    waiting: list[BaseException] = [failures]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        else:
            leaves.append(one)
    return next((one for one in leaves if isinstance(one, EscaladeError)), leaves[0])


def _filed(parameters: Assignment, seed: int, draft: Draft | Unmade) -> Drawn | Failed:
    if isinstance(draft, Draft):
        return Drawn(parameters, seed, draft)
    return Failed(parameters, seed, draft.reason, draft.status)

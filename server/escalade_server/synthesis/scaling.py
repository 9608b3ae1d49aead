"""Finds an environment's ladder: how far its scale parameters grow before prompts no longer fit.

Guarantee: the ladder ends at the largest scale at which the generator gives inputs and prompts stay inside the budget,
as far as a few draws tell. Whether every level is good is for verification to say.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from escalade_sandbox.types import Sandbox
from escalade_server.instances.generation import Draft, Unmade, draw
from escalade_server.instances.rendering import render
from escalade_server.instances.seeds import canonical, seed_at
from escalade_server.problems.definition import Definition, version_of
from escalade_server.settings import Thresholds
from escalade_server.synthesis.ladder import MAX_LEVELS, Assignment, fitting, ladder_to, narrowed
from escalade_server.synthesis.metering import Patient

DRAWS: Final = 4
"""Inputs looked at per scale."""
BUDGET_SHARE: Final = 0.9
"""Of the longest prompt allowed: verification draws more inputs than we do, and some are longer."""
MAX_COMPILED_LEVELS: Final = 12
"""Levels where each is a compilation of the generator."""


async def with_ladder(
    sandbox: Sandbox,
    definition: Definition,
    *,
    thresholds: Thresholds,
    count_tokens: Callable[[str], int] | None = None,
) -> Definition | str:
    """The definition with its ladder, or why there is none.

    Raises:
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: The sandbox's queue stayed full.
    """
    patient = Patient(sandbox)
    version = version_of(definition)
    search = fitting(definition.parameters, BUDGET_SHARE)
    first: str | None = None
    try:
        asked = next(search)
        while True:
            share, fault = await _prompt_share(patient, definition, version, asked, thresholds, count_tokens)
            first = fault if first is None else first
            asked = search.send(share)
    except StopIteration as found:
        scale: int | None = found.value
    if scale is None:
        return f"at the least scale parameters, {definition.ladder[0]}, {first}"
    most = MAX_LEVELS if definition.generator.defines_file is None else MAX_COMPILED_LEVELS
    ladder = ladder_to(definition.parameters, scale, most)
    if len(ladder) < thresholds.min_levels:
        return f"only {len(ladder)} level fits: beyond {ladder[-1]} there are no inputs, or prompts that are too long"
    return definition.model_copy(update={"ladder": ladder, "parameters": narrowed(definition.parameters, ladder[-1])})


async def _prompt_share(
    sandbox: Sandbox,
    definition: Definition,
    version: str,
    parameters: Assignment,
    thresholds: Thresholds,
    count_tokens: Callable[[str], int] | None,
) -> tuple[float, str]:
    """The longest prompt at a scale as a share of what is allowed, and in words; infinite where there is no input."""
    stream = f"scaling\n{version}\n{canonical(parameters)}"
    wanted = [(parameters, seed_at(stream, "evaluation", number)) for number in range(DRAWS)]
    drawn = await draw(sandbox, version=version, generator=definition.generator, asked=wanted)
    made = [one for one in drawn if isinstance(one, Draft)]
    if not made:
        unmade = next(one for one in drawn if isinstance(one, Unmade))
        return math.inf, f"there is no input: {unmade.reason}"
    prompts = [render(definition, one.description, name="environment")[0].content for one in made]
    longest = max(prompts, key=len)
    share = len(longest) / thresholds.max_prompt_chars
    if count_tokens is not None:
        share = max(share, count_tokens(longest) / thresholds.max_prompt_tokens)
    return share, f"the prompt has {len(longest)} characters, more than {thresholds.max_prompt_chars} allow"

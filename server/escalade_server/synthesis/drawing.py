"""Draws at the places that matter: every level, the parameters' minimum and maximum, and parameters at random.

Guarantee: what has no input is drawn again with the next seeds, as in service, but only so often that a generator
which always hangs costs seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from escalade_server.synthesis.trial import Assignment, Drawn, Failed, Trial

PROBES = 4
"""Draws after which a place that has not given one input is given up."""
MAX_BUILDS = 8
"""Different random scale parameters, where each costs a compilation."""
ROUNDS = 3
"""How often failed draws are made good with the next seeds."""


@dataclass(slots=True)
class Place:
    """Scale parameters at which draws are made."""

    name: str
    """`level 3`, `minimum` or `maximum`."""
    parameters: Assignment
    level: int | None
    """Its number in the ladder; None for the other two."""
    drawn: list[Drawn] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """Draws so far, and so the number of the next one."""
        return len(self.drawn) + len(self.failed)

    @property
    def inputs(self) -> list[str]:
        """Distinct inputs, in the order of their draws."""
        return list(dict.fromkeys(one.input for one in self.drawn))


def places_of(trial: Trial) -> list[Place]:
    """The ladder's levels, then the minimum and the maximum where they are no levels."""
    definition = trial.definition
    places = [Place(f"level {number}", dict(level), number) for number, level in enumerate(definition.ladder)]
    for name in ("minimum", "maximum"):
        parameters = {key: getattr(one, name) for key, one in definition.parameters.items()}
        if all(parameters != place.parameters for place in places):
            places.append(Place(name, parameters, None))
    return places


async def draw_more(trial: Trial, wanted: Sequence[tuple[Place, int]]) -> None:
    """So many further draws at each place, all in a few jobs."""
    asked = [
        (place, (place.parameters, trial.seed(place.parameters, place.asked + number)))
        for place, count in wanted
        for number in range(count)
    ]
    for (place, _), result in zip(asked, await trial.draw([pair for _, pair in asked]), strict=True):
        if isinstance(result, Drawn):
            place.drawn.append(result)
        else:
            place.failed.append(result)


async def probe(trial: Trial, places: Sequence[Place]) -> bool:
    """A few first draws, bottom to top; False where not one gave an input."""
    chosen = {round(index * (len(places) - 1) / (PROBES - 1)): None for index in range(PROBES)}
    await draw_more(trial, [(places[index], 1) for index in chosen])
    return any(place.drawn for place in places)


async def survey(trial: Trial, places: Sequence[Place]) -> None:
    """At least one draw everywhere, and as many in all as determinism is checked on."""
    missing = [place for place in places if not place.asked]
    await draw_more(trial, [(place, 1) for place in missing])
    left = trial.thresholds.determinism_draws - sum(place.asked for place in places)
    # The larger an input, the more of the generator it shows.
    for start in range(0, max(0, left), len(places)):
        await draw_more(trial, [(place, 1) for place in list(reversed(places))[: left - start]])


async def fill(trial: Trial, places: Sequence[Place], count: int) -> None:
    """As many inputs at each place as asked for, unless it gives none or too few."""
    for _ in range(ROUNDS):
        hopeful = [place for place in places if place.drawn or place.asked < PROBES]
        silent = [(place, PROBES - place.asked) for place in hopeful if not place.drawn]
        wanted = [(place, count - len(place.drawn)) for place in hopeful if place.drawn]
        wanted = [*silent, *(pair for pair in wanted if pair[1] > 0)]
        if not wanted:
            return
        await draw_more(trial, wanted)


async def at_random(trial: Trial, count: int) -> list[Drawn]:
    """Inputs at random scale parameters, small and large ones alike, each parameter by itself."""
    chance = trial.random("breadth")
    asked: list[tuple[Assignment, int]] = []
    # Where parameters are compiled in, each assignment costs a compilation.
    assignments = MAX_BUILDS if trial.definition.generator.defines_file is not None else count
    for number in range(count):
        if number >= assignments:
            parameters = asked[number % assignments][0]
            asked.append((parameters, trial.seed({**parameters, "breadth": number}, 0)))
            continue
        parameters = {}
        for name, one in sorted(trial.definition.parameters.items()):
            span = one.maximum - one.minimum + 1
            parameters[name] = one.minimum + min(span - 1, int(span ** chance.random()) - 1)
        asked.append((parameters, trial.seed({**parameters, "breadth": number}, 0)))
    return [one for one in await trial.draw(asked) if isinstance(one, Drawn)]

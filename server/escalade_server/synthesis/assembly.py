"""Puts an environment's definition together from a problem, its metadata and a generator.

Guarantee: pure. What a problem lacks is named before anything is asked of an LLM or run in the sandbox; a definition
that comes out is complete but for its ladder, which `scaling` finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Final

from escalade_server.problems.definition import (
    Checker,
    Definition,
    Entry,
    Generator,
    Solution,
    slug_of,
)
from escalade_server.problems.problem import USABLE_LANGUAGES, Problem, ProblemGenerator, missing_of
from escalade_server.synthesis.ladder import assignment_at
from escalade_server.synthesis.metadata import Metadata

MAX_REFERENCES: Final = 12
"""Accepted solutions of an environment; CodeContests has hundreds, and every one is run on every vote."""
MAX_WRONG: Final = 16
MAX_GENERATORS: Final = 3
"""Generators of a source that are tried, one after the other."""
TIME_FACTOR: Final = 2.0
"""A reference may take this many times the source's limit: ground truth should not hang on a slower machine."""
LEAST_TIME_S, MOST_TIME_S = 2.0, 120.0
LEAST_MEMORY_BYTES, MOST_MEMORY_BYTES = 64 << 20, 4 << 30
DEFAULT_TIME_S, DEFAULT_MEMORY_BYTES = 10.0, 512 << 20


def hopeless(problem: Problem) -> str | None:
    """Why no synthesis can make an environment of a problem; None if one may."""
    missing = missing_of(problem)
    if "solutions" in missing:
        usable = len(problem.usable_solutions)
        return (
            f"{usable} accepted solution{'' if usable == 1 else 's'} in C++ or Python: two are needed, or one and "
            "tests with answers"
        )
    return "it has no statement" if "statement" in missing else None


def source_generators(problem: Problem) -> list[ProblemGenerator]:
    """The source's generators that can be called with scale parameters, in the order in which they are tried.

    Functions come first, since they describe their input, then those with the most scale parameters.
    """
    found = [
        one
        for one in problem.generators
        if one.parameters
        and one.language in USABLE_LANGUAGES
        and (one.function is not None or one.arguments is not None)
        and any(parameter.minimum < parameter.maximum for parameter in one.parameters.values())
    ]
    found.sort(key=lambda one: (one.function is None, -len(one.parameters)))
    return found[:MAX_GENERATORS]


def runnable_checker(problem: Problem) -> Checker | None:
    """The source's checker, unless it is in a language that environments cannot use."""
    checker = problem.checker
    return checker if checker is not None and checker.language in USABLE_LANGUAGES else None


def outline(problem: Problem, metadata: Metadata, generator: Generator, checker: Checker | None = None) -> Definition:
    """The definition with the one level at which every scale parameter is least.

    Args:
        problem: The source.
        metadata: How it is posed.
        generator: The source's, whose own scale parameters count then, or one made for the metadata's.
        checker: Where answers are not unique and the source has none that can be run.
    """
    own = generator.parameters if isinstance(generator, ProblemGenerator) else {}
    parameters = {name: metadata.parameters.get(name, one) for name, one in own.items()} or metadata.parameters
    statement = problem.statement
    judged = metadata.answer.type == "checked"
    return Definition(
        statement=metadata.statement,
        full_statement=statement.text if statement is not None else metadata.statement,
        answer_instruction=metadata.answer_instruction,
        answer=metadata.answer,
        parameters=parameters,
        ladder=(assignment_at(parameters, 0),),
        generator=Generator(**{name: getattr(generator, name) for name in Generator.model_fields}),
        solutions=tuple(_plain(one) for one in (*_references(problem), *_wrong(problem))),
        checker=(runnable_checker(problem) or checker) if judged else None,
        validators=tuple(one for one in problem.validators if one.language in USABLE_LANGUAGES),
        samples=problem.samples,
        time_limit_s=_time_limit_s(problem),
        memory_limit_bytes=_memory_limit_bytes(problem),
    )


def entry_of(problem: Problem, definition: Definition, tags: Sequence[str] = ()) -> Entry:
    """The environment that a problem becomes."""
    if problem.entry is not None:
        return problem.entry.model_copy(update={"definition": definition})
    return Entry(
        slug=slug_of(problem.name),
        source_name=problem.name,
        source=problem.source,
        licence=problem.licence,
        tags=tuple(tags) or problem.tags,
        definition=definition,
    )


def _references(problem: Problem) -> list[Solution]:
    """Accepted solutions, the languages in turn: what two languages agree on is not one library's fault."""
    by_language = [
        [one for one in problem.usable_solutions if one.language == language] for language in sorted(USABLE_LANGUAGES)
    ]
    turns = chain.from_iterable(zip_longest(*by_language))
    return [one for one in turns if one is not None][:MAX_REFERENCES]


def _wrong(problem: Problem) -> list[Solution]:
    """Solutions that are wrong in a known way; of the others nothing could be demanded."""
    wrong = [
        one
        for one in problem.solutions
        if one.expected not in ("accepted", "unknown") and one.language in USABLE_LANGUAGES
    ]
    wrong.sort(key=lambda one: one.expected != "wrong_answer")
    return list(wrong[:MAX_WRONG])


def _plain(solution: Solution) -> Solution:
    return Solution(**{name: getattr(solution, name) for name in Solution.model_fields})


def _time_limit_s(problem: Problem) -> float:
    stated_s = problem.limits.time_s
    return DEFAULT_TIME_S if stated_s is None else min(MOST_TIME_S, max(LEAST_TIME_S, TIME_FACTOR * stated_s))


def _memory_limit_bytes(problem: Problem) -> int:
    stated = problem.limits.memory_bytes
    return DEFAULT_MEMORY_BYTES if stated is None else min(MOST_MEMORY_BYTES, max(LEAST_MEMORY_BYTES, stated))

"""Writes the SCALER release format: the inverse of `parse_scaler`.

Guarantee: what is written was read back first. An exact export has the version hash of its original; what the format
cannot carry is refused with the field and the reason, never changed in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from escalade_server.problems.definition import Definition, Entry, Parameter, Refusal, Solution, slug_of, version_of
from escalade_server.problems.formats.scaler import ANSWER_TYPES, LANGUAGES, parse_scaler

MAX_DIFFICULTY: Final = 2**53
"""Beyond it the format's floating-point rule skips whole numbers."""
MAX_SOLUTION_INDEX: Final = 10_000
FILLER_LANGUAGE: Final = 1
"""Readers pass over Python 2; it holds the place of solutions that were dropped, so that names keep their numbers."""

_NUMBERED: Final = re.compile(r"solution-(0|[1-9][0-9]{0,4})")
_CODES: Final = {name: code for code, name in LANGUAGES.items()}


class NotExportable(ValueError):
    """Some entries cannot be written in this format."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        first = refusals[0]
        more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
        super().__init__(f"{first.entry}: {first.field}: {first.reason}{more}")
        self.refusals = tuple(refusals)
        """One per entry that cannot be written."""


class _Fault(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


def write_scaler(entries: Sequence[Entry], *, exact: bool = True) -> str:
    """Write entries as one archive.

    Args:
        entries: What to write; names must differ.
        exact: Refuse what would come back with another version hash. Otherwise known-wrong solutions, samples,
            validators, limits and solutions' names, for which the format has no place, are left out.

    Raises:
        NotExportable: Some entry has something that the format cannot carry.
    """
    text, refusals = export_scaler(entries, exact=exact)
    if refusals:
        raise NotExportable(refusals)
    return text


def export_scaler(entries: Sequence[Entry], *, exact: bool = True) -> tuple[str, list[Refusal]]:
    """Write the entries that can be written, and say why the others cannot; see `write_scaler`."""
    archive: dict[str, Any] = {}
    slugs: set[str] = set()
    refusals: list[Refusal] = []
    for entry in entries:
        try:
            if entry.source_name in archive or slug_of(entry.source_name) in slugs:
                raise _Fault("", "two entries of this name")
            document = _document(entry)
            _check(entry, document, exact=exact)
        except _Fault as fault:
            refusals.append(Refusal(entry=entry.source_name, field=fault.field, reason=fault.reason))
        else:
            archive[entry.source_name] = document
            slugs.add(slug_of(entry.source_name))
    return json.dumps(archive, indent=1, ensure_ascii=False) + "\n", refusals


def _document(entry: Entry) -> dict[str, Any]:
    definition = entry.definition
    answer = definition.answer
    if answer.type not in ANSWER_TYPES.values() or definition.checker is not None:
        raise _Fault("answer.type", f"the format has no `{answer.type}` answers")
    if definition.generator.function != "generate_testcase" or definition.generator.language != "python":
        raise _Fault("generator", "the format has only Python functions called `generate_testcase`")
    if definition.generator.files:
        raise _Fault("generator.files", "the format has no files beside a generator")
    difficulties = _difficulties(definition)
    params: dict[str, Any] = {
        name: {"min": parameter.minimum, "max": parameter.maximum, "base": parameter.base}
        for name, parameter in definition.parameters.items()
    }
    params["difficulty"] = {"version": 1, "params": {"dmax": len(difficulties) - 1}}
    return {
        "name": entry.source_name,
        "logic_description": definition.statement,
        "raw_description": definition.full_statement,
        "solutions": _solutions(definition.solutions),
        "instruction": definition.answer_instruction,
        "generate_testcase": definition.generator.source,
        "scale_range": max(parameter.maximum - parameter.minimum for parameter in definition.parameters.values()),
        "output_type": answer.type,
        "is_output_unique": True,
        "difficulty_dict": {str(level): difficulty for level, difficulty in enumerate(difficulties)},
        "params": params,
    }


def _difficulties(definition: Definition) -> list[int]:
    """One number per level from which the format's rule makes the level again."""
    if not definition.parameters:
        raise _Fault("parameters", "the format needs a scale parameter")
    if "difficulty" in definition.parameters:
        raise _Fault("parameters.difficulty", "the format uses this name for something else")
    numbers = []
    for index, level in enumerate(definition.ladder):
        low, high = 0, MAX_DIFFICULTY
        # Every parameter grows with the number: the smallest that reaches the level in all of them is the only choice.
        while low < high:
            middle = (low + high) // 2
            if all(scaled(definition.parameters[name], middle) >= value for name, value in level.items()):
                high = middle
            else:
                low = middle + 1
        if {name: scaled(parameter, low) for name, parameter in definition.parameters.items()} != level:
            raise _Fault(f"ladder.{index}", "the format scales all parameters by one number, and none makes this level")
        numbers.append(low)
    return numbers


def scaled(parameter: Parameter, difficulty: int) -> int:
    """A parameter's value by the format's rule, in its own floating point."""
    value = difficulty * parameter.base + parameter.minimum
    return parameter.maximum if value >= parameter.maximum else max(int(value), parameter.minimum)


def _solutions(solutions: Sequence[Solution]) -> dict[str, list[Any]]:
    usable = [
        solution
        for solution in solutions
        if solution.expected == "accepted" and solution.language in _CODES and not solution.files
    ]
    placed: dict[int, Solution] = {}
    for position, solution in enumerate(usable):
        match = _NUMBERED.fullmatch(solution.name)
        placed[int(match[1]) if match else position] = solution
    if len(placed) < len(usable) or max(placed, default=0) > MAX_SOLUTION_INDEX:
        placed = dict(enumerate(usable))
    texts, languages = [], []
    for index in range(max(placed, default=-1) + 1):
        kept = placed.get(index)
        texts.append("" if kept is None else kept.source)
        languages.append(FILLER_LANGUAGE if kept is None else _CODES[kept.language])
    return {"solution": texts, "language": languages}


def _check(entry: Entry, document: Mapping[str, Any], *, exact: bool) -> None:
    """Read the document back: what does not come back as it was cannot be exported."""
    text = json.dumps({entry.source_name: document})
    entries, refusals = parse_scaler(text, source=entry.source)
    if refusals:
        raise _Fault(refusals[0].field, f"the format does not take it back: {refusals[0].reason}")
    back, definition = entries[0].definition, entry.definition
    if exact and version_of(back) != version_of(definition):
        lost = [name for name in Definition.model_fields if getattr(back, name) != getattr(definition, name)]
        raise _Fault(
            lost[0] if lost else "", "the format has no place for it; export without exactness to leave it out"
        )
    # These decide what is asked and what is right; an export that changes them is another environment.
    for name in ("statement", "full_statement", "answer_instruction", "answer", "parameters", "ladder", "generator"):
        kept = ("source", "function") if name == "generator" else None
        before, after = getattr(definition, name), getattr(back, name)
        if kept is not None:
            before, after = ([getattr(value, each) for each in kept] for value in (before, after))
        if before != after:
            raise _Fault(name, "the format would change it")

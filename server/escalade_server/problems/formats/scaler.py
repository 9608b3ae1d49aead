"""The SCALER release format: one JSON object, environment name -> entry.

Guarantee: no code of the archive runs, the cost is linear in its length, and every entry comes out exactly once: as
an `Entry`, or as a `Refusal` that names the entry, the field and the reason. One bad entry never keeps out another.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, Final

from escalade.types import AnswerSpec
from escalade.types.environments import AnswerType
from escalade_server.problems.definition import Definition, Entry, Generator, Parameter, Refusal, Solution, slug_of
from escalade_server.problems.formats.errors import ArchiveError
from escalade_server.problems.formats.instructions import answer_instruction_of, declared_tolerances

LANGUAGES: Final = {2: "cpp", 3: "python"}
"""CodeContests' language enum, as far as the sandbox speaks it (1 is Python 2, 4 is Java)."""
ANSWER_TYPES: Final[dict[str, AnswerType]] = {
    "number": "number",
    "array": "array",
    "string": "string",
    "bool": "bool",
    "matrix": "matrix",
}
UNSUPPORTED_TYPES: Final = {
    "graph": "the format does not say whether edges are directed or weighted, so two graphs cannot be compared",
    "others": "answers of mixed structure have no comparison",
}
MIN_SOLUTIONS: Final = 2
"""An oracle is an agreement, which takes two."""
MAX_LEVELS: Final = 1_000
MAX_PARAMETERS: Final = 32
MAX_NAME_CHARS: Final = 255
MAX_INTEGER: Final = 2**63 - 1

_GENERATOR: Final = re.compile(r"^[ \t]*def[ \t]+generate_testcase[ \t]*\(", re.MULTILINE)
_LEVEL: Final = re.compile(r"0|[1-9][0-9]{0,5}")


class _Fault(Exception):
    """One field of one entry cannot be used."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys came more than once."""

    repeated: tuple[str, ...] = ()


class _Unreadable:
    """A literal that JSON does not have, or a number too large to use; reported where it stands."""

    def __init__(self, text: str) -> None:
        self.text = text


def parse_scaler(text: str, *, source: str = "scaler", licence: str | None = None) -> tuple[list[Entry], list[Refusal]]:
    """Read an archive in the SCALER release format, in the archive's order.

    Args:
        text: The whole archive.
        source: What to record as the origin of its entries.
        licence: What to record as their licence; the format itself does not say.

    Raises:
        ArchiveError: The text is not JSON, or not an object of entries.
    """
    archive = _load(text)
    repeated = set(archive.repeated)
    entries: list[Entry] = []
    refusals: list[Refusal] = []
    owner_of_slug: dict[str, str] = {}
    for name, raw in archive.items():
        try:
            if name in repeated:
                raise _Fault("", "the archive has more than one entry of this name; keep one")
            entry = _entry(name, raw, source=source, licence=licence)
            if (owner := owner_of_slug.setdefault(entry.slug, name)) != name:
                raise _Fault("", f"its slug `{entry.slug}` is taken by the entry `{owner}`; rename one of them")
        except _Fault as fault:
            refusals.append(Refusal(entry=_printable(name), field=_printable(fault.field), reason=fault.reason))
        else:
            entries.append(entry)
    return entries, refusals


def _load(text: str) -> _Object:
    try:
        archive = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=_object_of_pairs,
            parse_constant=lambda constant: _Unreadable(f"{constant}, which JSON does not have"),
            parse_int=_integer_of_text,
        )
    except json.JSONDecodeError as error:
        raise ArchiveError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise ArchiveError("not an archive in the SCALER format: nested too deeply") from error
    if not isinstance(archive, _Object):
        raise ArchiveError(f"not an archive in the SCALER format: an object of entries is needed, not {_kind(archive)}")
    if not archive:
        raise ArchiveError("not an archive in the SCALER format: it has no entries")
    # One entry by itself is an easy mistake, and would otherwise be refused once per field.
    if isinstance(archive.get("generate_testcase"), str) and isinstance(archive.get("output_type"), str):
        raise ArchiveError('this is a single entry; wrap it as {"its name": {...}}')
    return archive


def _object_of_pairs(pairs: list[tuple[str, Any]]) -> _Object:
    result = _Object(pairs)
    if len(result) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        result.repeated = tuple(key for key, count in counts.items() if count > 1)
    return result


def _integer_of_text(digits: str) -> int | _Unreadable:
    # int() of very many digits is quadratic, and refused by Python from 4,300 on.
    if len(digits) > 20 or abs(value := int(digits)) > MAX_INTEGER:
        return _Unreadable(f"an integer of {len(digits.lstrip('-'))} digits, beyond 64 bits")
    return value


def _entry(name: str, raw: object, *, source: str, licence: str | None) -> Entry:
    if not name.strip():
        raise _Fault("", "its name is blank")
    if len(name) > MAX_NAME_CHARS:
        raise _Fault("", f"its name has {len(name)} characters; at most {MAX_NAME_CHARS} are allowed")
    _check_text(name, "")
    if not isinstance(raw, _Object):
        raise _Fault("", f"an object is needed, not {_kind(raw)}")
    _check_values(raw)
    if not _boolean(raw, "is_output_unique"):
        raise _Fault("is_output_unique", "answers that are not unique need a checker, which this format does not carry")
    instruction = _text(raw, "instruction", blank=True)
    parameters = _parameters(raw)
    return Entry(
        slug=slug_of(name),
        source_name=name,
        source=source,
        licence=licence,
        definition=Definition(
            statement=_text(raw, "logic_description"),
            full_statement=_text(raw, "raw_description"),
            answer_instruction=answer_instruction_of(instruction),
            answer=_answer(raw, instruction),
            parameters=parameters,
            ladder=_ladder(raw, parameters),
            generator=_generator(raw),
            solutions=_solutions(raw),
        ),
    )


def _check_values(entry: _Object) -> None:
    """Refuse what JSON or a database cannot hold, wherever in the entry it stands."""
    pending: list[tuple[str, object]] = [("", entry)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, _Unreadable):
            raise _Fault(path, f"it holds {value.text}")
        if isinstance(value, str):
            _check_text(value, path)
        elif isinstance(value, _Object):
            if value.repeated:
                raise _Fault(_join(path, value.repeated[0]), "the key stands there more than once")
            for key in value:
                _check_text(key, path)
            pending.extend((_join(path, key), item) for key, item in value.items())
        elif isinstance(value, list):
            pending.extend((_join(path, f"[{index}]"), item) for index, item in enumerate(value))


def _check_text(text: str, path: str) -> None:
    if "\x00" in text:
        raise _Fault(path, "it holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _Fault(path, f"it holds half of a surrogate pair at character {error.start}") from error


def _answer(entry: _Object, instruction: str) -> AnswerSpec:
    output_type = _text(entry, "output_type")
    if output_type in UNSUPPORTED_TYPES:
        raise _Fault("output_type", f"`{output_type}` cannot go in: {UNSUPPORTED_TYPES[output_type]}")
    if output_type not in ANSWER_TYPES:
        raise _Fault("output_type", f"`{output_type[:80]}` is unknown; use one of {', '.join(ANSWER_TYPES)}")
    answer_type = ANSWER_TYPES[output_type]
    if answer_type in ("number", "array", "matrix"):
        absolute, relative = declared_tolerances(instruction)
        return AnswerSpec(type=answer_type, absolute_tolerance=absolute, relative_tolerance=relative)
    # Contest judges compare by tokens: how the words are spaced or broken into lines is no part of the answer.
    return AnswerSpec(type=answer_type, tokens=answer_type == "string")


def _parameters(entry: _Object) -> dict[str, Parameter]:
    params = _object(entry, "params")
    # `difficulty` lies among the scale parameters but holds the constants of the authors' own curriculum.
    names = [name for name in params if name != "difficulty"]
    if not names:
        raise _Fault("params", "it has no scale parameter")
    if len(names) > MAX_PARAMETERS:
        raise _Fault("params", f"it has {len(names)} scale parameters; at most {MAX_PARAMETERS} are allowed")
    return {name: _parameter(params, name) for name in names}


def _parameter(params: _Object, name: str) -> Parameter:
    path = _join("params", name)
    if not name.strip():
        raise _Fault("params", "a scale parameter has a blank name")
    limits = _object(params, name, path)
    minimum = _integer(limits, "min", _join(path, "min"))
    maximum = _integer(limits, "max", _join(path, "max"))
    base = limits.get("base", 1.0)
    if isinstance(base, bool) or not isinstance(base, int | float):
        raise _Fault(_join(path, "base"), f"a number is needed, not {_kind(base)}")
    if not (math.isfinite(base) and base >= 0):
        raise _Fault(_join(path, "base"), f"a finite number of at least 0 is needed, not {base}")
    if minimum > maximum:
        raise _Fault(path, f"min {minimum} is above max {maximum}")
    return Parameter(minimum=minimum, maximum=maximum, base=float(base))


def _ladder(entry: _Object, parameters: dict[str, Parameter]) -> tuple[dict[str, int], ...]:
    difficulties = _object(entry, "difficulty_dict")
    if not difficulties:
        raise _Fault("difficulty_dict", "it has no level")
    if len(difficulties) > MAX_LEVELS:
        raise _Fault("difficulty_dict", f"it has {len(difficulties)} levels; at most {MAX_LEVELS} are allowed")
    for key in difficulties:
        if not _LEVEL.fullmatch(key) or int(key) >= len(difficulties):
            raise _Fault(
                _join("difficulty_dict", key), f"levels are numbered 0 to {len(difficulties) - 1} without a gap"
            )
    levels: list[dict[str, int]] = []
    previous = 0
    for number in range(len(difficulties)):
        path = f"difficulty_dict.{number}"
        difficulty = _integer(difficulties, str(number), path)
        if difficulty < previous:
            raise _Fault(path, f"{difficulty} is below {previous}; levels go from easy to hard, from 0 on")
        previous = difficulty
        level = {name: parameter.at(difficulty) for name, parameter in parameters.items()}
        # Every parameter grows with the difficulty, so that a level not yet seen is a harder one.
        if not levels or level != levels[-1]:
            levels.append(level)
    return tuple(levels)


def _generator(entry: _Object) -> Generator:
    text = _text(entry, "generate_testcase")
    if not _GENERATOR.search(text):
        raise _Fault("generate_testcase", "it does not define the function `generate_testcase`")
    return Generator(name="generate_testcase", language="python", source=text)


def _solutions(entry: _Object) -> tuple[Solution, ...]:
    solutions = _object(entry, "solutions")
    texts = _list(solutions, "solution", "solutions.solution")
    languages = _list(solutions, "language", "solutions.language")
    if len(texts) != len(languages):
        raise _Fault("solutions", f"{len(texts)} solutions but {len(languages)} languages")
    usable: dict[tuple[str, str], Solution] = {}
    for index, (text, language) in enumerate(zip(texts, languages, strict=True)):
        if isinstance(language, bool) or not isinstance(language, int):
            raise _Fault(f"solutions.language[{index}]", f"an integer is needed, not {_kind(language)}")
        if not isinstance(text, str):
            raise _Fault(f"solutions.solution[{index}]", f"a string is needed, not {_kind(text)}")
        name = LANGUAGES.get(language)
        if name is not None and text.strip():
            # A copy agrees with its original whatever both say, so that it is no second opinion.
            usable.setdefault((name, text.strip()), Solution(name=f"solution-{index}", language=name, source=text))
    if len(usable) < MIN_SOLUTIONS:
        raise _Fault(
            "solutions",
            f"{len(usable)} of {len(texts)} can be used; at least {MIN_SOLUTIONS} different ones in C++ (2) or "
            "Python 3 (3) are needed",
        )
    return tuple(usable.values())


def _text(entry: _Object, field: str, *, blank: bool = False) -> str:
    value = _required(entry, field, field)
    if not isinstance(value, str):
        raise _Fault(field, f"a string is needed, not {_kind(value)}")
    if not (blank or value.strip()):
        raise _Fault(field, "it is blank")
    return value


def _boolean(entry: _Object, field: str) -> bool:
    value = _required(entry, field, field)
    if not isinstance(value, bool):
        raise _Fault(field, f"true or false is needed, not {_kind(value)}")
    return value


def _integer(parent: _Object, field: str, path: str) -> int:
    value = _required(parent, field, path)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Fault(path, f"an integer is needed, not {_kind(value)}")
    return value


def _object(parent: _Object, field: str, path: str | None = None) -> _Object:
    path = path or field
    value = _required(parent, field, path)
    if not isinstance(value, _Object):
        raise _Fault(path, f"an object is needed, not {_kind(value)}")
    return value


def _list(parent: _Object, field: str, path: str) -> list[object]:
    value = _required(parent, field, path)
    if not isinstance(value, list):
        raise _Fault(path, f"a list is needed, not {_kind(value)}")
    return value


def _required(parent: _Object, field: str, path: str) -> object:
    if field not in parent:
        raise _Fault(path, "it is missing")
    value: object = parent[field]
    return value


def _kind(value: object) -> str:
    names: dict[type, str] = {
        type(None): "null",
        bool: "a truth value",
        int: "an integer",
        float: "a real number",
        str: "a string",
        list: "a list",
        _Object: "an object",
    }
    return value.text if isinstance(value, _Unreadable) else names[type(value)]


def _join(path: str, key: str) -> str:
    # Cut, since one long key above many values would make the cost quadratic.
    joint = "." if path and not key.startswith("[") else ""
    return f"{path}{joint}{key[:MAX_NAME_CHARS]}"[:MAX_NAME_CHARS]


def _printable(text: str) -> str:
    """The text as a response can carry it, at a readable length."""
    return text[:MAX_NAME_CHARS].encode("utf-8", "replace").decode().replace("\x00", "?")

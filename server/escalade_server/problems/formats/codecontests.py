"""CodeContests rows, as JSON Lines, a JSON array, or Parquet.

Guarantee: pure over the bytes and linear; every row comes out exactly once, as a `Problem` or as a `Refusal` that names
the row, the field and the reason. Nothing of it is run. Python 2 and Java solutions are kept as text; interactive
problems and those that read or write named files are refused by name.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

from escalade_server.problems.definition import ExpectedVerdict, Refusal, Sample
from escalade_server.problems.formats.errors import ArchiveError
from escalade_server.problems.formats.instructions import declared_tolerances
from escalade_server.problems.formats.sources import MAX_TESTS, MAX_TESTS_BYTES, Notes
from escalade_server.problems.problem import (
    Comparison,
    FixedTest,
    Limits,
    Problem,
    ProblemSolution,
    Statement,
    TestKind,
)

MAX_ROWS: Final = 200_000
MAX_ROW_BYTES: Final = 64 << 20
"""Longest line of JSON Lines, in bytes."""
MAX_ROW_GROUP_BYTES: Final = 4 << 30
"""Largest part of a Parquet file that is unpacked at once, by its own account."""
MAX_NAME_CHARS: Final = 255
MAX_TEXT_CHARS: Final = 1 << 20
MAX_SOLUTIONS: Final = 100
"""Most solutions kept of one language and verdict."""
LANGUAGES: Final = {1: "python2", 2: "cpp", 3: "python", 4: "java"}
LANGUAGE_NAMES: Final = {"PYTHON": 1, "PYTHON2": 1, "CPP": 2, "PYTHON3": 3, "JAVA": 4}

_TESTS: Final[tuple[tuple[str, TestKind], ...]] = (
    ("public_tests", "sample"),
    ("private_tests", "secret"),
    ("generated_tests", "generated"),
)
_INTERACTIVE: Final = re.compile(
    r"\bthis\s{1,4}is\s{1,4}an\s{1,4}interactive\s{1,4}(?:problem|task)\b|^[ \t]{0,9}interaction[ \t]{0,9}$",
    re.IGNORECASE | re.MULTILINE,
)
_MULTI_PASS: Final = re.compile(r"\b(?:run-twice|multi-pass)\b", re.IGNORECASE)
_SECTION: Final = re.compile(
    r"^[ \t]*(Input|Output|Examples?|Notes?|Constraints|Scoring)[ \t]{0,9}:?[ \t]{0,9}$", re.MULTILINE
)
_BATCH_ROWS: Final = 16


class _Fault(Exception):
    """One field of one row cannot be used."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


def parse_rows(
    content: bytes, *, source: str = "codecontests", licence: str | None = None
) -> tuple[list[Problem], list[Refusal]]:
    """Read rows in whichever of the encodings the bytes are.

    Args:
        content: The whole file.
        source: What to record as the origin of its problems.
        licence: What to record as their licence; rows do not say.

    Raises:
        ArchiveError: The bytes are neither JSON nor Parquet, or Parquet cannot be read here.
    """
    rows = _parquet_rows(content) if content.startswith(b"PAR1") else _json_rows(content)
    problems: list[Problem] = []
    refusals: list[Refusal] = []
    for number, row in rows:
        label = f"row {number}"
        try:
            if isinstance(row, _Fault):
                raise row
            if not isinstance(row, dict):
                raise _Fault("", f"an object is needed, not {type(row).__name__}")
            name = _text(row, "name")
            label = name[:MAX_NAME_CHARS]
            problems.append(_problem(name, row, source, licence))
        except _Fault as fault:
            refusals.append(Refusal(entry=label, field=fault.field, reason=fault.reason))
    return problems, refusals


def _json_rows(content: bytes) -> Iterator[tuple[int, object]]:
    content = content.removeprefix(codecs.BOM_UTF8)
    start = content[:64].lstrip()
    if start.startswith(b"["):
        try:
            rows = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ArchiveError(f"not JSON: {str(error)[:200]}") from None
        yield from enumerate(rows, start=1)
        return
    if not start.startswith(b"{"):
        raise ArchiveError("neither JSON Lines nor Parquet: the first line is no JSON object")
    for number, line in enumerate(io.BytesIO(content), start=1):
        if not line.strip():
            continue
        if number > MAX_ROWS:
            raise ArchiveError(f"more than {MAX_ROWS} rows; import them in parts")
        if len(line) > MAX_ROW_BYTES:
            yield number, _Fault("", f"longer than {MAX_ROW_BYTES} bytes")
            continue
        try:
            row: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            row = _Fault("", f"not JSON: {str(error)[:200]}")
        yield number, row


def _parquet_rows(content: bytes) -> Iterator[tuple[int, object]]:
    try:
        # By name, since the type checker must not need an extra either.
        pyarrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise ArchiveError("Parquet needs the extra `formats`: pip install 'escalade[formats]'") from None
    number = 0
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(content))
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        if any(group.total_byte_size > MAX_ROW_GROUP_BYTES for group in groups):
            raise ArchiveError(f"a row group of more than {MAX_ROW_GROUP_BYTES} bytes; write it in smaller ones")
        if file.metadata.num_rows > MAX_ROWS:
            raise ArchiveError(f"more than {MAX_ROWS} rows; import them in parts")
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        where = f"after row {number}: " if number else ""
        raise ArchiveError(f"not readable as Parquet: {where}{str(error)[:200]}") from None


def _problem(name: str, row: dict[str, Any], source: str, licence: str | None) -> Problem:
    if len(name) > MAX_NAME_CHARS or not name.strip():
        raise _Fault("name", f"must have 1 to {MAX_NAME_CHARS} characters")
    description = _text(row, "description")
    if not description.strip():
        raise _Fault("description", "it is blank")
    if _INTERACTIVE.search(description):
        raise _Fault("description", "interactive problems are not supported")
    if _MULTI_PASS.search(description):
        raise _Fault("description", "multi-pass problems are not supported")
    for field in ("input_file", "output_file"):
        if row.get(field):
            raise _Fault(field, "problems that read or write named files are not supported")
    notes = Notes()
    statement = _statement(description)
    tests = _tests(row, notes)
    absolute, relative = declared_tolerances(statement.output or "")
    return Problem(
        name=name,
        title=name,
        source=source,
        licence=licence,
        tags=_tags(row),
        statements=(statement,),
        samples=tuple(
            Sample(input=test.input, output=test.output)
            for test in tests
            if test.kind == "sample" and test.output is not None
        ),
        limits=_limits(row),
        comparison=Comparison(absolute_tolerance=absolute, relative_tolerance=relative),
        solutions=(
            *_solutions(row, "solutions", "accepted", notes),
            # The rows say that these fail, not how: a wrong answer, too slow, or a crash.
            *_solutions(row, "incorrect_solutions", "unknown", notes),
        ),
        tests=tests,
        notes=notes.done(),
    )


def _statement(description: str) -> Statement:
    sections = [(match.start(), match.end(), match[1]) for match in _SECTION.finditer(description)]
    task = description[: sections[0][0]].strip() if sections else None
    output = None
    for index, (_, end, title) in enumerate(sections):
        if title == "Output":
            stop = sections[index + 1][0] if index + 1 < len(sections) else len(description)
            output = description[end:stop].strip()
            break
    return Statement(language="en", markup="text", text=description.strip(), task=task or None, output=output or None)


def _tags(row: dict[str, Any]) -> tuple[str, ...]:
    tags = row.get("cf_tags") or []
    if not isinstance(tags, list):
        raise _Fault("cf_tags", "a list is needed")
    return tuple(tag[:100] for tag in tags[:100] if isinstance(tag, str) and tag and _clean(tag))


def _limits(row: dict[str, Any]) -> Limits:
    time_s: float | None = None
    limit = row.get("time_limit")
    if isinstance(limit, dict):
        seconds, nanos = (_number(limit.get(key), f"time_limit.{key}") for key in ("seconds", "nanos"))
        time_s = seconds + nanos / 1e9
    elif limit is not None:
        time_s = _number(limit, "time_limit")
    memory = _number(row.get("memory_limit_bytes"), "memory_limit_bytes")
    return Limits(time_s=time_s or None, memory_bytes=int(memory) or None)


def _number(value: object, field: str) -> float:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
        raise _Fault(field, "a number from 0 on is needed")
    return value


def _tests(row: dict[str, Any], notes: Notes) -> tuple[FixedTest, ...]:
    kept: list[FixedTest] = []
    total = left_out = 0
    for field, kind in _TESTS:
        for index, (given, expected) in enumerate(_pairs(row, field, "input", "output"), start=1):
            if not isinstance(given, str) or not isinstance(expected, str):
                raise _Fault(f"{field}[{index - 1}]", "input and output must be texts")
            size = len(given) + len(expected)
            if len(kept) >= MAX_TESTS or total + size > MAX_TESTS_BYTES or not (_clean(given) and _clean(expected)):
                left_out += 1
                continue
            total += size
            kept.append(
                FixedTest(name=f"{field.removesuffix('_tests')}/{index}", input=given, output=expected, kind=kind)
            )
    if left_out:
        notes.add("tests", f"{left_out} left out: too large, too many, or with characters that are no text")
    return tuple(kept)


def _solutions(row: dict[str, Any], field: str, expected: ExpectedVerdict, notes: Notes) -> Iterator[ProblemSolution]:
    kept: dict[str, set[str]] = {}
    left_out = 0
    for index, (language, text) in enumerate(_pairs(row, field, "language", "solution")):
        number = LANGUAGE_NAMES.get(language) if isinstance(language, str) else language
        if number == 0 or language == "UNKNOWN_LANGUAGE":
            left_out += 1
            continue
        if isinstance(number, bool) or not isinstance(number, int) or number not in LANGUAGES:
            raise _Fault(f"{field}.language[{index}]", "use 1 (Python 2), 2 (C++), 3 (Python 3) or 4 (Java)")
        if not isinstance(text, str):
            raise _Fault(f"{field}.solution[{index}]", "a text is needed")
        texts = kept.setdefault(LANGUAGES[number], set())
        usable = text.strip() and len(text) <= MAX_TEXT_CHARS and _clean(text) and len(texts) < MAX_SOLUTIONS
        # A copy agrees with its original whatever both say, so that it is no second opinion.
        if not usable or text.strip() in texts:
            left_out += 1
            continue
        texts.add(text.strip())
        yield ProblemSolution(
            name=f"{field}/{index}",
            language=LANGUAGES[number],
            source=text,
            expected=expected,
            rejected=field == "incorrect_solutions",
        )
    if left_out:
        notes.add(field, f"{left_out} left out: blank, copies, too large, too many, or in an unknown language")


def _pairs(row: dict[str, Any], field: str, first: str, second: str) -> list[tuple[object, object]]:
    """The pairs of a field that is two lists side by side, or one list of objects."""
    value = row.get(field)
    if value is None:
        return []
    if isinstance(value, list):
        if not all(isinstance(item, dict) for item in value):
            raise _Fault(field, f"objects with `{first}` and `{second}` are needed")
        return [(item.get(first), item.get(second)) for item in value]
    if not isinstance(value, dict):
        raise _Fault(field, f"an object with the lists `{first}` and `{second}` is needed")
    firsts, seconds = value.get(first), value.get(second)
    if not isinstance(firsts, list) or not isinstance(seconds, list):
        raise _Fault(field, f"the lists `{first}` and `{second}` are needed")
    if len(firsts) != len(seconds):
        raise _Fault(field, f"{len(firsts)} of `{first}` but {len(seconds)} of `{second}`")
    return list(zip(firsts, seconds, strict=True))


def _text(row: dict[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str):
        raise _Fault(field, "it is missing" if value is None else "a text is needed")
    if len(value) > MAX_TEXT_CHARS:
        raise _Fault(field, f"longer than {MAX_TEXT_CHARS} characters")
    if not _clean(value):
        raise _Fault(field, "it holds a NUL or half of a surrogate pair")
    return value


def _clean(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

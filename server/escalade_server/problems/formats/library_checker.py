"""Library Checker problems: `info.toml`, `task.md`, `gen/`, `sol/`, `verifier.cpp` and `checker.cpp`.

Guarantee: pure over the problem's bytes, linear, and total: a problem or a `PackageError` that names the file, the key
and the reason. Nothing of it is run. The constants of `[params]` are compiled in; those that end in `_MAX` are the
scale parameters, since sizes scale by overriding them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from escalade_server.problems.definition import (
    SEED,
    Checker,
    ExpectedVerdict,
    Parameter,
    Sample,
    Validator,
    header_of,
)
from escalade_server.problems.formats.package_files import PackageError
from escalade_server.problems.formats.sources import Notes, SourceFiles, is_plain, language_of, program, read_tests
from escalade_server.problems.formats.statements import statement_of
from escalade_server.problems.problem import (
    Call,
    FixedTest,
    Limits,
    Problem,
    ProblemGenerator,
    ProblemSolution,
    Statement,
    TestKind,
)

PARAMS_HEADER: Final = "params.h"
MAX_TESTS: Final = 10_000
MAX_PARAMETERS: Final = 200
MAX_INTEGER: Final = 2**63 - 1

_EXPECTED: Final[dict[str, ExpectedVerdict]] = {
    "AC": "accepted",
    "WA": "wrong_answer",
    "TLE": "time_limit",
    "RE": "runtime_error",
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_FILE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LANGUAGE_BLOCK: Final = re.compile(r"^[ \t]*@\{lang\.([a-z]{2,3})\}[ \t]*$", re.MULTILINE)
_PLACEHOLDER: Final = re.compile(r"@\{(param|keyword|example)\.([A-Za-z0-9_]{1,100})\}")
_KEYWORDS: Final = {
    "constraints": "Constraints",
    "input": "Input",
    "output": "Output",
    "sample": "Sample",
    "statement": "Problem Statement",
}
_WORDS_ONLY: Final = re.compile(r"\b(?:ouf|ans)\s{0,2}\.\s{0,2}read(?:Word|Token)\s{0,2}\(")
_MORE_THAN_WORDS: Final = re.compile(r"\binf\b|\bdouble\b|\bstod\b|\breadDouble\b|\breadReal\b|\bquitp\b")


def parse_library_checker(
    files: SourceFiles, *, source: str = "library-checker", common: Mapping[str, str] | None = None
) -> Problem:
    """Read one problem.

    Args:
        files: The problem's files.
        source: What to record as its origin.
        common: Headers that the collection shares, by plain name, such as `random.h`.

    Raises:
        PackageError: It is malformed, or of a kind that cannot become an environment.
    """
    info = _info(files)
    params = _params(files, info)
    headers = {**(common or {}), PARAMS_HEADER: header_of(params, {})}
    notes = Notes()
    tests, samples, generators = _tests(files, info, params, headers, notes)
    checker = _checker(files, headers)
    return Problem(
        name=files.entry,
        title=_title(files, info),
        source=source,
        statements=_statements(files, params),
        samples=samples,
        limits=Limits(time_s=_time_limit(files, info)),
        parameters=next((generator.parameters for generator in generators), {}),
        answer_type=None if checker is None else "checked",
        checker=checker,
        solutions=_solutions(files, info, headers, notes),
        generators=generators,
        validators=_verifier(files, headers, notes),
        tests=tests,
        notes=notes.done(),
    )


def _info(files: SourceFiles) -> dict[str, Any]:
    try:
        info = tomllib.loads(files.text("info.toml"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, PackageError):
            raise
        raise PackageError(files.entry, "info.toml", f"not TOML: {' '.join(str(error).split())[:200]}") from None
    if not is_plain(info):
        raise PackageError(files.entry, "info.toml", "holds a NUL; write plain text")
    if str(info.get("type", "")).lower() in ("interactive", "communication"):
        raise PackageError(files.entry, "info.toml: type", "interactive problems are not supported")
    return info


def _title(files: SourceFiles, info: dict[str, Any]) -> str:
    title = info.get("title", files.entry)
    if not isinstance(title, str) or not 0 < len(title.strip()) <= 200:
        raise PackageError(files.entry, "info.toml: title", "give a title of at most 200 characters")
    return title.strip()


def _time_limit(files: SourceFiles, info: dict[str, Any]) -> float | None:
    limit = info.get("timelimit")
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit < 1e6:
        raise PackageError(files.entry, "info.toml: timelimit", "must be a positive number of seconds")
    return float(limit)


def _params(files: SourceFiles, info: dict[str, Any]) -> dict[str, int | float | str]:
    params = info.get("params", {})
    if not isinstance(params, dict) or len(params) > MAX_PARAMETERS:
        raise PackageError(files.entry, "info.toml: params", f"must be a table of at most {MAX_PARAMETERS} constants")
    for name, value in params.items():
        if not _NAME.fullmatch(name):
            raise PackageError(files.entry, f"info.toml: params.{name[:80]}", "use letters, digits and `_` in its name")
        usable = isinstance(value, int | float | str) and not isinstance(value, bool)
        if not usable or len(str(value)) > 200 or (isinstance(value, int) and abs(value) > MAX_INTEGER):
            raise PackageError(files.entry, f"info.toml: params.{name}", "must be a 64-bit integer, a real or a text")
    return params


def _scale(params: Mapping[str, int | float | str]) -> dict[str, Parameter]:
    """What can be made smaller: the upper bounds, down to the lower bound of the same name."""
    scale: dict[str, Parameter] = {}
    for name, value in params.items():
        if not name.endswith("_MAX") or not isinstance(value, int):
            continue
        low = params.get(f"{name.removesuffix('_MAX')}_MIN", min(1, value))
        minimum = low if isinstance(low, int) else 1
        if minimum < value:
            scale[name] = Parameter(minimum=minimum, maximum=value)
    return scale


def _tests(
    files: SourceFiles,
    info: dict[str, Any],
    params: dict[str, int | float | str],
    headers: Mapping[str, str],
    notes: Notes,
) -> tuple[tuple[FixedTest, ...], tuple[Sample, ...], tuple[ProblemGenerator, ...]]:
    cases: list[tuple[str, str, str | None, TestKind]] = []
    generators: list[ProblemGenerator] = []
    for index, (name, number) in enumerate(_listed(files, info)):
        stem = name.rsplit(".", 1)[0]
        if name.endswith(".in"):
            for case in (f"{stem}_{i:02}" for i in range(number)):
                answer = next((p for p in (f"gen/{case}.out", f"out/{case}.out") if files.has(p)), None)
                kind: TestKind = "sample" if stem == "example" else "secret"
                cases.append((case, f"gen/{case}.in", answer, kind))
            continue
        if language_of(name) != "cpp":
            raise PackageError(files.entry, f"info.toml: tests.{index}.name", "must end in .cpp or .in")
        code = program(files, f"gen/{name}", headers=headers)
        generators.append(
            ProblemGenerator(
                **{**dict(code), "files": {**code.files, PARAMS_HEADER: headers[PARAMS_HEADER]}},
                arguments=(SEED,),
                parameters=_scale(params),
                defines=params,
                defines_file=PARAMS_HEADER,
                calls=(Call(arguments=(SEED,), count=max(1, number)),),
            )
        )
    tests = read_tests(files, cases, notes)
    samples = [Sample(input=test.input, output=test.output) for test in tests if _is_sample(test)]
    return tests, tuple(samples), tuple(_random_first(generators))


def _is_sample(test: FixedTest) -> bool:
    return test.kind == "sample" and test.output is not None


def _random_first(generators: list[ProblemGenerator]) -> list[ProblemGenerator]:
    """The plain random generator first: it is the one whose inputs are spread over all sizes."""
    return sorted(generators, key=lambda generator: (generator.name != "random.cpp", "random" not in generator.name))


def _listed(files: SourceFiles, info: dict[str, Any]) -> list[tuple[str, int]]:
    tests = info.get("tests")
    if not isinstance(tests, list) or not tests:
        raise PackageError(files.entry, "info.toml: tests", "list the tests, each with `name` and `number`")
    listed: list[tuple[str, int]] = []
    total = 0
    for index, test in enumerate(tests):
        name, number = (test.get("name"), test.get("number")) if isinstance(test, dict) else (None, None)
        if not isinstance(name, str) or not _FILE.fullmatch(name):
            raise PackageError(files.entry, f"info.toml: tests.{index}.name", "must be a file's name")
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_TESTS:
            raise PackageError(files.entry, f"info.toml: tests.{index}.number", f"must be from 0 to {MAX_TESTS}")
        total += number
        listed.append((name, number))
    if total > MAX_TESTS:
        raise PackageError(files.entry, "info.toml: tests", f"more than {MAX_TESTS} tests")
    return listed


def _solutions(
    files: SourceFiles, info: dict[str, Any], headers: Mapping[str, str], notes: Notes
) -> tuple[ProblemSolution, ...]:
    expected: dict[str, tuple[ExpectedVerdict, bool]] = {"correct.cpp": ("accepted", False)}
    listed = info.get("solutions", [])
    for index, solution in enumerate(listed if isinstance(listed, list) else []):
        name = solution.get("name") if isinstance(solution, dict) else None
        if not isinstance(name, str) or not _FILE.fullmatch(name):
            raise PackageError(files.entry, f"info.toml: solutions.{index}.name", "must be a file's name")
        if solution.get("function"):
            notes.add(f"sol/{name}", "left out: solutions that are called as a function are not supported")
            expected[name] = ("unknown", False)
            continue
        expected[name] = _verdict(files, index, solution)
    found = []
    for path in sorted(files.under("sol"), key=lambda path: path != "sol/correct.cpp"):
        name = PurePosixPath(path).name
        if language_of(name) is None or path.count("/") > 1:
            continue
        verdict, rejected = expected.get(name, ("unknown", False))
        code = program(files, path, headers=headers)
        found.append(ProblemSolution(**dict(code), expected=verdict, rejected=rejected))
    if not files.has("sol/correct.cpp"):
        raise PackageError(files.entry, "sol/correct.cpp", "this file is missing; add the author's solution")
    return tuple(found)


def _verdict(files: SourceFiles, index: int, solution: dict[str, Any]) -> tuple[ExpectedVerdict, bool]:
    """`expect` of today, or `wrong` and `allow_tle` of earlier collections."""
    expect = solution.get("expect")
    if expect is not None:
        if not isinstance(expect, str) or expect.upper() not in _EXPECTED:
            field = f"info.toml: solutions.{index}.expect"
            raise PackageError(files.entry, field, f"must be one of {', '.join(_EXPECTED)}")
        return _EXPECTED[expect.upper()], expect.upper() != "AC"
    if solution.get("wrong") is True:
        # `wrong` says that it fails, not how.
        return ("unknown" if solution.get("allow_tle") is True else "wrong_answer"), True
    return ("unknown" if solution.get("allow_tle") is True else "accepted"), False


def _verifier(files: SourceFiles, headers: Mapping[str, str], notes: Notes) -> tuple[Validator, ...]:
    if not files.has("verifier.cpp"):
        notes.add("verifier.cpp", "there is none, so inputs cannot be checked")
        return ()
    return (Validator(**dict(program(files, "verifier.cpp", headers=headers)), valid_exit=0),)


def _checker(files: SourceFiles, headers: Mapping[str, str]) -> Checker | None:
    code = program(files, "checker.cpp", headers=headers)
    # The collection's own comparison by words, which most problems copy: answers are unique then.
    if _WORDS_ONLY.search(code.source) and not _MORE_THAN_WORDS.search(code.source):
        return None
    return Checker(**dict(code), protocol="testlib")


def _statements(files: SourceFiles, params: Mapping[str, int | float | str]) -> tuple[Statement, ...]:
    text = files.text("task.md")
    parts = _LANGUAGE_BLOCK.split(text)
    languages = dict.fromkeys(name for name in parts[1::2] if name != "end") or {"en": None}

    def fill(match: re.Match[str]) -> str:
        kind, name = match[1], match[2]
        if kind == "param":
            return str(params.get(name, match[0]))
        return _KEYWORDS.get(name, name.capitalize()) if kind == "keyword" else ""

    found = []
    for language in languages:
        # `@{lang.xx}` opens a block, `@{lang.end}` returns to what all languages share.
        shown = [parts[0]]
        shown += [body for name, body in zip(parts[1::2], parts[2::2], strict=True) if name in (language, "end")]
        found.append(statement_of(language, "markdown", _PLACEHOLDER.sub(fill, "".join(shown))))
    return tuple(statement for statement in found if statement.text)

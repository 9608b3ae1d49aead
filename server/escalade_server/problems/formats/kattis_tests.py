"""Test data of Kattis packages: files, flags of groups, `generators.yaml` and `generator.sh`, all read as text.

Guarantee: pure, linear and total: a malformed file is a `PackageError` that names it; a part that is not understood is
a note. No generator and no script is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, Final

from escalade_server.problems.definition import Code
from escalade_server.problems.formats.calls import split_command, template_of
from escalade_server.problems.formats.package_files import PackageError
from escalade_server.problems.formats.sources import (
    MAX_TESTS,
    Notes,
    SourceFiles,
    language_of,
    program,
    program_folder,
    read_tests,
)
from escalade_server.problems.problem import Call, FixedTest, ProblemGenerator, TestKind

MAX_CALLS: Final = 2_000
"""Most calls read of one package."""
MAX_COUNT: Final = 1_000
"""Most inputs that one call may ask for."""

_SCRIPTS: Final = ("data/generator.sh", "data/secret/generator.sh", "generators/generator.sh")
_SCRIPT_COMMANDS: Final = frozenset({"tc", "sample"})
_KINDS: Final[dict[str, TestKind]] = {"sample": "sample", "secret": "secret"}


def fixed_tests(files: SourceFiles, notes: Notes) -> tuple[tuple[FixedTest, ...], tuple[FixedTest, ...]]:
    """The tests of `data/`, and those of them that are samples."""
    cases: list[tuple[str, str, str | None, TestKind]] = []
    special = 0
    for kind in ("sample", "secret"):
        for path in files.under(f"data/{kind}"):
            if not path.endswith(".in"):
                continue
            stem = path.removesuffix(".in")
            if files.has(f"{stem}.args") or files.under(f"{stem}.files"):
                special += 1
                continue
            answer = f"{stem}.ans"
            name = stem.removeprefix("data/")
            cases.append((name, path, answer if files.has(answer) else None, _KINDS[kind]))
    if special:
        notes.add("data", f"{special} tests left out: they come with arguments or files of their own")
    tests = read_tests(files, cases, notes)
    return tests, tuple(test for test in tests if test.kind == "sample" and test.output is not None)


def judge_flags(files: SourceFiles, settings: dict[str, Any], notes: Notes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Flags for the output validator and for the input validators: those of the secret tests, else the package's."""
    output = _words(files, "problem.yaml: validator_flags", settings.get("validator_flags"))
    validator: tuple[str, ...] = ()
    seen: set[tuple[str, ...]] = set()
    for path in _group_files(files):
        group = files.yaml(path)
        outer = path in ("data/testdata.yaml", "data/test_group.yaml")
        chosen = outer or PurePosixPath(path).parent.as_posix() == "data/secret"
        for key in ("output_validator_flags", "output_validator_args"):
            if group.get(key) is not None:
                words = _words(files, f"{path}: {key}", group[key])
                seen.add(words)
                output = words if chosen else output
        for key in ("input_validator_flags", "input_validator_args"):
            value = group.get(key)
            if value is not None and chosen:
                if isinstance(value, dict):
                    notes.add(f"{path}: {key}", "left out: arguments per input validator are not supported")
                else:
                    validator = _words(files, f"{path}: {key}", value)
    if len(seen) > 1:
        notes.add("data", "test groups ask the output validator for different things; those of data/secret are taken")
    return output, validator


def generators_of(files: SourceFiles, notes: Notes) -> tuple[tuple[ProblemGenerator, ...], tuple[FixedTest, ...]]:
    """The generators that the package calls, with their calls, and tests that `generators.yaml` itself holds."""
    calls: dict[str, list[Call]] = {}
    tests: list[FixedTest] = []
    bundles: dict[str, list[str]] = {}
    if files.has("generators/generators.yaml"):
        document = files.yaml("generators/generators.yaml")
        bundles = _bundles(files, document)
        _walk(files, document, calls, tests, notes)
    for script in _SCRIPTS:
        if files.has(script):
            _read_script(files.text(script), calls, notes, script)
    generators = []
    for name, known in calls.items():
        try:
            code = _generator(files, name, bundles.get(name))
        except PackageError as error:
            notes.add(f"generator {name}", f"left out: {error.reason}")
            continue
        testlib = "testlib.h" in code.files
        template = template_of(known, code.source, seed_last=testlib)
        generators.append(
            ProblemGenerator(
                **dict(code),
                arguments=None if template is None else template.arguments,
                parameters={} if template is None else template.parameters,
                calls=tuple(known),
            )
        )
    return tuple(generators), tuple(tests)


def _group_files(files: SourceFiles) -> list[str]:
    names = ("testdata.yaml", "test_group.yaml")
    return [path for path in files.under("data") if PurePosixPath(path).name in names]


def _words(files: SourceFiles, field: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str | int | float) for word in words):
        raise PackageError(files.entry, field, "must be a text or a list of words")
    return tuple(str(word) for word in words)


def _bundles(files: SourceFiles, document: dict[str, Any]) -> dict[str, list[str]]:
    """Generators that are named with the files they are made of."""
    named = document.get("generators") or {}
    if not isinstance(named, dict):
        raise PackageError(files.entry, "generators/generators.yaml: generators", "must map names to lists of files")
    for name, parts in named.items():
        if not isinstance(parts, list) or not parts or not all(isinstance(part, str) for part in parts):
            field = f"generators/generators.yaml: generators.{name}"
            raise PackageError(files.entry, field, "must be a list of files, the entry point first")
    return {str(name): parts for name, parts in named.items()}


def _walk(
    files: SourceFiles, document: dict[str, Any], calls: dict[str, list[Call]], tests: list[FixedTest], notes: Notes
) -> None:
    for path, kind, case in _cases(document.get("data")):
        field = f"generators/generators.yaml: {path}"
        if case is None:
            continue
        rule = {"generate": case} if isinstance(case, str) else case
        if not isinstance(rule, dict):
            raise PackageError(files.entry, field[:300], "must be a command or a mapping")
        command = rule.get("generate", rule.get("input"))
        if isinstance(command, str) and command.split():
            words = split_command(command)
            name, count = words[0].lstrip("/"), _count(rule.get("count"))
            if name.endswith(".in"):
                _copy(files, path, kind, name.removesuffix(".in"), tests, notes)
            elif sum(map(len, calls.values())) < MAX_CALLS:
                calls.setdefault(name, []).append(Call(arguments=words[1:], count=count, kind=kind))
        elif isinstance(rule.get("copy"), str):
            _copy(files, path, kind, rule["copy"], tests, notes)
        elif isinstance(rule.get("in"), str | int | float) and len(tests) < MAX_TESTS:
            answer = rule.get("ans")
            output = None if answer is None else _line(answer)
            tests.append(FixedTest(name=path, input=_line(rule["in"]), output=output, kind=kind))


def _cases(data: object) -> Iterator[tuple[str, TestKind, object]]:
    """Every test case with its path and kind; depth-first, in the document's order."""
    pending: list[tuple[str, object]] = [("", {"data": data})]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict) and "data" in value:
            children = value["data"]
            if isinstance(children, list):
                pairs = [pair for child in children if isinstance(child, dict) for pair in child.items()]
            else:
                pairs = list(children.items()) if isinstance(children, dict) else []
            numbered = isinstance(children, list)
            for index, (name, child) in reversed(list(enumerate(pairs, start=1))):
                label = f"{index}-{str(name)[:100]}" if numbered else str(name)[:100]
                pending.append((f"{path}/{label}" if path else label, child))
            continue
        kind = _KINDS.get(path.split("/")[0])
        if kind is not None and "/" in path:
            yield path, kind, value


def _count(value: object) -> int:
    if isinstance(value, list):
        return max(1, min(len(value), MAX_COUNT))
    if isinstance(value, int) and not isinstance(value, bool):
        return max(1, min(value, MAX_COUNT))
    return 1


def _copy(files: SourceFiles, name: str, kind: TestKind, stem: str, tests: list[FixedTest], notes: Notes) -> None:
    path = f"generators/{stem.lstrip('/')}"
    if not files.has(f"{path}.in"):
        notes.add(f"test {name}", f"left out: there is no {path}.in")
        return
    answer = f"{path}.ans"
    case = (name, f"{path}.in", answer if files.has(answer) else None, kind)
    if len(tests) < MAX_TESTS:
        tests.extend(read_tests(files, [case], notes))


def _line(value: object) -> str:
    text = str(value)
    return text if text.endswith("\n") or not text else text + "\n"


def _read_script(text: str, calls: dict[str, list[Call]], notes: Notes, path: str) -> None:
    """Commands `tc NAME GENERATOR ARGUMENTS...` of a testdata-tools script; the tools add `seed=...` themselves."""
    skipped = 0
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if len(words) < 3 or words[0] not in _SCRIPT_COMMANDS:
            continue
        if any(mark in word for word in words for mark in "$`;|&<>(){}\"'"):
            skipped += 1
            continue
        arguments = tuple(word for word in words[3:] if not word.startswith("seed="))
        if sum(map(len, calls.values())) < MAX_CALLS:
            kind: TestKind = "sample" if words[0] == "sample" else "secret"
            calls.setdefault(words[2], []).append(Call(arguments=(*arguments, "seed={seed}"), kind=kind))
    if skipped:
        notes.add(path, f"{skipped} commands left out: scripts are read, not run, so variables have no value")


def _generator(files: SourceFiles, name: str, bundle: list[str] | None) -> Code:
    if bundle is not None:
        code = program(files, f"generators/{bundle[0]}")
        beside = {PurePosixPath(part).name: files.source(f"generators/{part}") for part in bundle[1:]}
        return code.model_copy(update={"files": {**beside, **code.files}})
    plain = PurePosixPath(name).name
    for folder in ("generators", "data", "data_generators", "data/secret"):
        path = f"{folder}/{plain}"
        if files.has(path):
            return program(files, path)
        if files.under(path):
            return program_folder(files, path)
        for candidate in (f"{path}.py", f"{path}.cpp", f"{path}.cc"):
            if files.has(candidate) and language_of(candidate) is not None:
                return program(files, candidate)
    raise PackageError(files.entry, f"generators/{plain}", "there is no such program")

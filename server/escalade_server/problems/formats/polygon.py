"""Polygon packages: `problem.xml` and what it points at.

Guarantee: pure over the package's bytes, linear, and total: a package becomes a `Problem` or a `PackageError` that
names the file, the element and the reason. Nothing of it is run. Interactive, multi-pass and scoring problems, and
those that read or write named files, are refused by name.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from escalade_server.problems.definition import Checker, ExpectedVerdict, Sample, Validator
from escalade_server.problems.formats.calls import split_command, template_of
from escalade_server.problems.formats.package_files import PackageError
from escalade_server.problems.formats.polygon_checkers import SCORING_CHECKERS, STANDARD_CHECKERS, Standard
from escalade_server.problems.formats.sources import (
    MAX_PROGRAMS,
    Notes,
    SourceFiles,
    attach,
    is_plain,
    program,
    read_tests,
)
from escalade_server.problems.formats.statements import LANGUAGE_CODES, statement_of, statement_of_sections
from escalade_server.problems.formats.xml_tree import Element, read_xml
from escalade_server.problems.problem import (
    Call,
    Comparison,
    Limits,
    Problem,
    ProblemGenerator,
    ProblemSolution,
    Statement,
    TestKind,
)

MAX_NAME_CHARS: Final = 200
MAX_TESTS: Final = 10_000
"""Most tests read of one package's description."""

_VERDICTS: Final[dict[str, ExpectedVerdict]] = {
    "main": "accepted",
    "accepted": "accepted",
    "wrong-answer": "wrong_answer",
    "presentation-error": "wrong_answer",
    "time-limit-exceeded": "time_limit",
    "memory-limit-exceeded": "runtime_error",
}
_REJECTED: Final = frozenset(
    {
        "wrong-answer", "presentation-error", "time-limit-exceeded", "memory-limit-exceeded", "rejected", "failed",
        "time-limit-exceeded-or-memory-limit-exceeded",
    }
)  # fmt: skip
_SECTIONS: Final = ("legend", "input", "output", "notes")
_PATTERN: Final = re.compile(r"%0?(\d?)d")
_NUMBER: Final = re.compile(r"[0-9]{1,15}")


def parse_polygon(files: SourceFiles, *, source: str = "polygon") -> Problem:
    """Read one package.

    Raises:
        PackageError: It is malformed, or of a kind that cannot become an environment.
    """
    root = _root(files)
    testset = _testset(files, root)
    notes = Notes()
    statements, samples, title = _statements(files, root, notes)
    checker, standard = _checker(files, root, notes)
    generators = _generators(files, root, testset, notes)
    tests = read_tests(files, _cases(files, testset), notes)
    if not samples:
        samples = [Sample(input=test.input, output=test.output or "") for test in tests if test.kind == "sample"]
    return Problem(
        name=root.get("short-name")[:MAX_NAME_CHARS] or files.entry,
        title=(title or root.get("short-name") or files.entry)[:MAX_NAME_CHARS],
        source=source,
        tags=tuple(tag.get("value")[:100] for tag in root.find("tags", "tag") if tag.get("value"))[:100],
        statements=statements,
        samples=tuple(samples),
        limits=_limits(files, testset),
        parameters=next((generator.parameters for generator in generators if generator.parameters), {}),
        answer_type="checked" if checker is not None else standard.answer_type,
        comparison=standard.comparison,
        checker=checker,
        solutions=_solutions(files, root, notes),
        generators=generators,
        validators=_validators(files, root, notes),
        tests=tests,
        notes=notes.done(),
    )


def _root(files: SourceFiles) -> Element:
    def refuse(where: str, reason: str) -> PackageError:
        return PackageError(files.entry, f"problem.xml: {where}" if where else "problem.xml", reason)

    try:
        root = read_xml(files.content("problem.xml"))
    except ValueError as error:
        if isinstance(error, PackageError):
            raise
        raise refuse("", str(error)) from None
    if root.name != "problem":
        raise refuse("", f"a <problem> is needed, not <{root.name[:80]}>")
    if any(root.find("assets", "interactor")):
        raise refuse("interactor", "interactive problems are not supported")
    judging = root.first("judging")
    if judging is None:
        raise refuse("judging", "it is missing")
    if judging.get("run-count") not in ("", "1"):
        raise refuse("judging: run-count", "multi-pass problems are not supported")
    for attribute in ("input-file", "output-file"):
        if judging.get(attribute):
            raise refuse(f"judging: {attribute}", "problems that read or write named files are not supported")
    return root


def _testset(files: SourceFiles, root: Element) -> Element:
    """The testset called `tests`, else the first."""
    testsets = list(root.find("judging", "testset"))
    if not testsets:
        raise PackageError(files.entry, "problem.xml: testset", "it is missing")
    testset = next((each for each in testsets if each.get("name") == "tests"), testsets[0])
    tests = list(testset.find("tests", "test"))
    if len(tests) > MAX_TESTS:
        raise PackageError(files.entry, "problem.xml: tests", f"more than {MAX_TESTS} tests")
    if any(test.get("points") for test in tests):
        raise PackageError(files.entry, "problem.xml: points", "scoring problems are not supported")
    return testset


def _limits(files: SourceFiles, testset: Element) -> Limits:
    def number(name: str) -> int | None:
        element = testset.first(name)
        if element is None:
            return None
        if not _NUMBER.fullmatch(element.text.strip()) or int(element.text) == 0:
            raise PackageError(files.entry, f"problem.xml: {name}", "must be a positive whole number")
        return int(element.text)

    time_ms = number("time-limit")
    return Limits(time_s=None if time_ms is None else time_ms / 1_000, memory_bytes=number("memory-limit"))


def _statements(
    files: SourceFiles, root: Element, notes: Notes
) -> tuple[tuple[Statement, ...], list[Sample], str | None]:
    titles = {name.get("language"): name.get("value") for name in root.find("names", "name")}
    title = titles.get("english") or next(iter(titles.values()), None)
    folders = {path.split("/")[1] for path in files.under("statements") if path.count("/") > 1}
    folders |= {path.split("/")[1] for path in files.under("statement-sections") if path.count("/") > 1}
    folders -= {".html", ".pdf"}
    found: list[Statement] = []
    samples: list[Sample] = []
    for language in sorted(folders, key=lambda name: (name != "english", name)):
        code = LANGUAGE_CODES.get(language, language[:10])
        properties = _properties(files, language)
        statement = statement_of_sections(code, {name: properties.get(name, "") for name in _SECTIONS})
        if properties.get("interaction", "").strip():
            field = f"statements/{language}/problem-properties.json: interaction"
            raise PackageError(files.entry, field, "interactive problems are not supported")
        if statement is None:
            sections = {
                name: files.text(path)
                for name in _SECTIONS
                if files.has(path := f"statement-sections/{language}/{name}.tex")
            }
            statement = statement_of_sections(code, sections)
        if statement is None and files.has(path := f"statements/{language}/problem.tex"):
            statement = statement_of(code, "tex", files.text(path))
        if statement is None or not statement.text:
            notes.add(f"statements/{language}", "left out: it has no problem-properties.json and no .tex")
            continue
        found.append(statement)
        samples = samples or properties.get("sampleTests", [])
        title = title or properties.get("name")
    return tuple(found), samples, title


def _properties(files: SourceFiles, language: str) -> dict[str, Any]:
    """The texts and samples of `problem-properties.json`, blank where it has none."""
    path = f"statements/{language}/problem-properties.json"
    if not files.has(path):
        return {}
    try:
        document = json.loads(files.text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, PackageError):
            raise
        raise PackageError(files.entry, path, "not JSON") from None
    if not isinstance(document, dict):
        raise PackageError(files.entry, path, "an object is needed")
    properties: dict[str, Any] = {}
    for name in (*_SECTIONS, "name", "interaction"):
        value = document.get(name)
        properties[name] = value if isinstance(value, str) and is_plain(value) else ""
    samples = document.get("sampleTests")
    properties["sampleTests"] = [
        Sample(input=sample["input"], output=sample["output"])
        for sample in (samples if isinstance(samples, list) else [])[:50]
        if isinstance(sample, dict)
        and all(isinstance(sample.get(key), str) and is_plain(sample[key]) for key in ("input", "output"))
    ]
    return properties


def _cases(files: SourceFiles, testset: Element) -> list[tuple[str, str, str | None, TestKind]]:
    """The tests whose inputs lie in the package, samples first."""
    inputs, answers = testset.first("input-path-pattern"), testset.first("answer-path-pattern")
    if inputs is None:
        return []
    cases: list[tuple[str, str, str | None, TestKind]] = []
    for index, test in enumerate(testset.find("tests", "test"), start=1):
        path = _numbered(inputs.text, index)
        answer = None if answers is None else _numbered(answers.text, index)
        if files.has(path):
            kind: TestKind = "sample" if test.get("sample") == "true" else "secret"
            cases.append((str(index), path, answer if answer is not None and files.has(answer) else None, kind))
    return sorted(cases, key=lambda case: case[3] != "sample")


def _numbered(pattern: str, index: int) -> str:
    return _PATTERN.sub(lambda match: str(index).zfill(int(match[1] or 0)), pattern[:1_000].strip())


def _checker(files: SourceFiles, root: Element, notes: Notes) -> tuple[Checker | None, Standard]:
    checker = root.first("assets", "checker")
    if checker is None:
        raise PackageError(files.entry, "problem.xml: checker", "it is missing")
    name = checker.get("name").removeprefix("std::").removesuffix(".cpp")
    if name in SCORING_CHECKERS:
        raise PackageError(files.entry, "problem.xml: checker", "scoring problems are not supported")
    if checker.get("name").startswith("std::"):
        standard = STANDARD_CHECKERS.get(name)
        if standard is not None:
            return None, standard
        notes.add("problem.xml: checker", f"{name[:80]!r} is no standard checker known here; its source is used")
    if checker.get("type") not in ("", "testlib"):
        raise PackageError(files.entry, "problem.xml: checker", "only testlib's checkers are supported")
    source = checker.first("source")
    path = source.get("path") if source is not None else ""
    if not path and files.has("check.cpp"):
        path = "check.cpp"
    code = program(files, path)
    return Checker(**dict(code), protocol="testlib"), Standard(None, Comparison())


def _validators(files: SourceFiles, root: Element, notes: Notes) -> tuple[Validator, ...]:
    validators = []
    for source in root.find("assets", "validators", "validator", "source"):
        try:
            validators.append(Validator(**dict(program(files, source.get("path"))), valid_exit=0))
        except PackageError as error:
            notes.add(error.field, f"validator left out: {error.reason}")
    return tuple(validators)


def _solutions(files: SourceFiles, root: Element, notes: Notes) -> tuple[ProblemSolution, ...]:
    """All solutions, the author's main one first: where it cannot be used another accepted one takes its place."""
    solutions: list[ProblemSolution] = []
    elements = sorted(root.find("assets", "solutions", "solution"), key=_rank)
    for element in elements[:MAX_PROGRAMS]:
        tag, source = element.get("tag"), element.first("source")
        if source is None or tag == "do-not-run":
            continue
        path = source.get("path")
        try:
            text = files.source(path)
        except PackageError as error:
            notes.add(error.field, f"solution left out: {error.reason}")
            continue
        language = _language(source.get("type"))
        name = f"{tag or 'unknown'}/{path.rsplit('/', 1)[-1]}"
        near = path.rpartition("/")[0]
        code = attach(files, name, language, text, f"{near}/" if near else "", {})
        verdict = _VERDICTS.get(tag, "unknown")
        solutions.append(ProblemSolution(**dict(code), expected=verdict, rejected=tag in _REJECTED))
    return tuple(solutions)


def _rank(solution: Element) -> int:
    return {"main": 0, "accepted": 1}.get(solution.get("tag"), 2)


def _language(polygon_type: str) -> str:
    """Polygon's type of a source, as the sandbox names its language where it knows it."""
    name = polygon_type.lower()
    if name.startswith("cpp"):
        return "cpp"
    if name.startswith("python"):
        return "python2" if name in ("python.2", "python.pypy2") else "python"
    return name.split(".")[0].rstrip("0123456789")[:20] or "unknown"


def _generators(files: SourceFiles, root: Element, testset: Element, notes: Notes) -> tuple[ProblemGenerator, ...]:
    paths: dict[str, str] = {}
    for source in root.find("files", "executables", "executable", "source"):
        path = source.get("path")
        paths.setdefault(path.rsplit("/", 1)[-1].rsplit(".", 1)[0], path)
    calls: dict[str, list[Call]] = {}
    for test in testset.find("tests", "test"):
        words = split_command(test.get("cmd"))
        if test.get("method") == "generated" and words:
            kind: TestKind = "sample" if test.get("sample") == "true" else "secret"
            calls.setdefault(words[0], []).append(Call(arguments=words[1:], kind=kind))
    generators = []
    for name, known in calls.items():
        if name not in paths:
            notes.add(f"generator {name}", "left out: its source is not in the package")
            continue
        try:
            code = program(files, paths[name])
        except PackageError as error:
            notes.add(f"generator {name}", f"left out: {error.reason}")
            continue
        template = template_of(known, code.source, seed_last="testlib.h" in code.files)
        generators.append(
            ProblemGenerator(
                **dict(code),
                arguments=None if template is None else template.arguments,
                parameters={} if template is None else template.parameters,
                calls=tuple(known),
            )
        )
    return tuple(generators)

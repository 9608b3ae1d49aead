"""Kattis and ICPC problem packages: the legacy format, the 2023-07 draft and 2025-09.

Guarantee: pure over the package's bytes, linear, and total: a package becomes a `Problem` or a `PackageError` that
names the file, the key and the reason. Nothing of it is run. Interactive, multi-pass, scoring and submit-answer
problems are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, Final

from escalade_server.problems.definition import Checker, Code, ExpectedVerdict, Sample, Validator
from escalade_server.problems.formats.kattis_tests import fixed_tests, generators_of, judge_flags
from escalade_server.problems.formats.package_files import PackageError
from escalade_server.problems.formats.sources import (
    MAX_TEXT_BYTES,
    Notes,
    SourceFiles,
    program,
    program_folder,
    programs_in,
)
from escalade_server.problems.formats.statements import statement_of
from escalade_server.problems.problem import (
    Comparison,
    Limits,
    Problem,
    ProblemSolution,
    Statement,
)

LEGACY: Final = frozenset({"legacy", "legacy-icpc"})
NEWER: Final = frozenset({"2023-07-draft", "2025-09-draft", "2025-09", "draft"})
MAX_NAME_CHARS: Final = 200
MAX_CONSTANT_CHARS: Final = 100

_VERDICTS: Final[dict[str, ExpectedVerdict]] = {
    "accepted": "accepted",
    "wrong_answer": "wrong_answer",
    "time_limit_exceeded": "time_limit",
    "run_time_error": "runtime_error",
}
_LICENCES: Final = {"cc0": "CC0-1.0", "cc by": "CC-BY-4.0", "cc by-sa": "CC-BY-SA-4.0"}
_UNSUPPORTED: Final = ("interactive", "multi-pass", "scoring", "submit-answer")
_STATEMENT: Final = re.compile(r"problem(?:\.([a-z]{2,3}(?:-[A-Z]{2})?))?\.(md|tex|pdf)")
_PROBLEM_NAME: Final = re.compile(r"\\problemname\{([^{}]{1,300})\}")
_CONSTANT: Final = re.compile(r"\{\{([A-Za-z_]\w{0,100})\}\}|\\constant\{([A-Za-z_]\w{0,100})\}")
_SECONDS: Final = re.compile(r"\d{1,6}(?:\.\d{1,6})?")


def parse_kattis(files: SourceFiles, *, source: str = "kattis") -> Problem:
    """Read one package.

    Raises:
        PackageError: It is malformed, or of a kind that cannot become an environment.
    """
    settings = files.yaml("problem.yaml")
    legacy = _is_legacy(files, settings)
    _refuse_kinds(files, settings)
    if files.under("include"):
        raise PackageError(files.entry, "include", "problems that add code to every submission are not supported")
    notes = Notes()
    fill = _constants(files, settings)
    statements, tex_name = _statements(files, fill, notes)
    checker_flags, validator_flags = judge_flags(files, settings, notes)
    checker = _checker(files, settings, legacy, checker_flags, fill)
    tests, samples = fixed_tests(files, notes)
    generators, generated = generators_of(files, notes)
    validators = tuple(
        Validator(**_filled(code, fill), arguments=validator_flags, valid_exit=42)
        for folder in ("input_validators", "input_format_validators")
        for code in programs_in(files, folder, notes)
    )
    return Problem(
        name=files.entry,
        title=_title(files, settings, tex_name),
        source=source,
        licence=_licence(settings),
        tags=_keywords(files, settings),
        statements=statements,
        samples=tuple(Sample(input=test.input, output=test.output or "") for test in samples),
        limits=_limits(files, settings),
        parameters=next((generator.parameters for generator in generators if generator.parameters), {}),
        answer_type=None if checker is None else "checked",
        comparison=_comparison(files, checker_flags) if checker is None else Comparison(),
        checker=checker,
        solutions=_solutions(files, fill, notes),
        generators=generators,
        validators=validators,
        tests=(*tests, *generated),
        notes=notes.done(),
    )


def _is_legacy(files: SourceFiles, settings: dict[str, Any]) -> bool:
    version = settings.get("problem_format_version", "legacy")
    # YAML reads an unquoted 2025-09 as text but 2023-07 could be anything; compare as text.
    if str(version) in LEGACY:
        return True
    if str(version) in NEWER:
        return False
    known = ", ".join(sorted(LEGACY | NEWER))
    raise PackageError(
        files.entry,
        "problem.yaml: problem_format_version",
        f"{str(version)[:80]!r} is unknown; these are read: {known}",
    )


def _refuse_kinds(files: SourceFiles, settings: dict[str, Any]) -> None:
    kinds = settings.get("type", "pass-fail")
    names = {str(kind) for kind in kinds} if isinstance(kinds, list) else set(str(kinds).split())
    # The legacy key says it in one string: `custom interactive`, `custom score`.
    validation = str(settings.get("validation", "")).split()
    names |= {{"score": "scoring", "multipass": "multi-pass"}.get(word, word) for word in validation[1:]}
    for kind in _UNSUPPORTED:
        if kind in names:
            key = "type" if kind in str(kinds) else "validation"
            raise PackageError(files.entry, f"problem.yaml: {key}", f"{kind} problems are not supported")
    if unknown := sorted(names - {"pass-fail"}):
        raise PackageError(files.entry, "problem.yaml: type", f"{unknown[0][:80]!r} is unknown; only pass-fail is read")


def _title(files: SourceFiles, settings: dict[str, Any], tex_name: str | None) -> str:
    name = settings.get("name")
    if isinstance(name, dict):
        name = name.get("en") or next(iter(name.values()), None)
    if name is None:
        name = tex_name or files.entry
    if not isinstance(name, str | int | float) or not 0 < len(str(name).strip()) <= MAX_NAME_CHARS:
        raise PackageError(files.entry, "problem.yaml: name", f"give a name of at most {MAX_NAME_CHARS} characters")
    return str(name).strip()


def _licence(settings: dict[str, Any]) -> str | None:
    licence = settings.get("license")
    if not isinstance(licence, str) or licence == "unknown":
        return None
    return _LICENCES.get(licence, licence[:100])


def _keywords(files: SourceFiles, settings: dict[str, Any]) -> tuple[str, ...]:
    keywords = settings.get("keywords") or []
    words = keywords.split() if isinstance(keywords, str) else keywords
    if not isinstance(words, list):
        raise PackageError(files.entry, "problem.yaml: keywords", "must be a list of words")
    return tuple(str(word)[:100] for word in words[:100])


def _limits(files: SourceFiles, settings: dict[str, Any]) -> Limits:
    limits = settings.get("limits") or {}
    if not isinstance(limits, dict):
        raise PackageError(files.entry, "problem.yaml: limits", "must be a mapping, such as `time_limit: 2`")

    def number(key: str) -> float | None:
        value = limits.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
            raise PackageError(files.entry, f"problem.yaml: limits.{key}", "must be a positive number")
        return float(value)

    time_s, memory_mib = number("time_limit"), number("memory")
    if time_s is None and files.has(".timelimit"):
        written = files.text(".timelimit").strip()
        if not _SECONDS.fullmatch(written) or float(written) <= 0:
            raise PackageError(files.entry, ".timelimit", "must hold a positive number of seconds")
        time_s = float(written)
    return Limits(time_s=time_s, memory_bytes=None if memory_mib is None else max(1, int(memory_mib * (1 << 20))))


def _constants(files: SourceFiles, settings: dict[str, Any]) -> Callable[[str], str]:
    constants = settings.get("constants") or {}
    if not isinstance(constants, dict):
        raise PackageError(files.entry, "problem.yaml: constants", "must be a mapping of names to values")
    values: dict[str, str] = {}
    for name, value in constants.items():
        # A constant may carry several renderings of its value; `value` is the one that programs see.
        plain = value.get("value") if isinstance(value, dict) else value
        if isinstance(plain, bool) or not isinstance(plain, int | float | str) or len(str(plain)) > MAX_CONSTANT_CHARS:
            raise PackageError(files.entry, f"problem.yaml: constants.{name}", "must be a number or a short text")
        values[str(name)] = str(plain)

    def fill(text: str) -> str:
        if not values:
            return text
        filled = _CONSTANT.sub(lambda match: values.get(match[1] or match[2], match[0]), text)
        if len(filled) > 2 * MAX_TEXT_BYTES:
            raise PackageError(files.entry, "problem.yaml: constants", "filled in, they make a text far too large")
        return filled

    return fill


def _statements(
    files: SourceFiles, fill: Callable[[str], str], notes: Notes
) -> tuple[tuple[Statement, ...], str | None]:
    found: dict[str, Statement] = {}
    tex_name: str | None = None
    for folder in ("statement", "problem_statement"):
        for path in files.under(folder):
            match = _STATEMENT.fullmatch(path.removeprefix(f"{folder}/"))
            if match is None:
                continue
            if match[2] == "pdf":
                notes.add(path, "left out: a PDF's text is not read; add a .md or .tex statement")
                continue
            language = match[1] or "en"
            text = fill(files.text(path))
            named = _PROBLEM_NAME.search(text)
            if named is not None and (language == "en" or tex_name is None):
                tex_name = named[1]
            if language not in found and text.strip():
                found[language] = statement_of(language, "markdown" if match[2] == "md" else "tex", text)
    return tuple(found.values()), tex_name


def _solutions(files: SourceFiles, fill: Callable[[str], str], notes: Notes) -> tuple[ProblemSolution, ...]:
    folders = sorted({PurePosixPath(path).parts[1] for path in files.under("submissions") if path.count("/") > 1})
    # Accepted ones first, so that a bound on their number never costs a reference.
    folders.sort(key=lambda folder: folder != "accepted")
    solutions = []
    for folder in folders:
        verdict = _VERDICTS.get(folder, "unknown")
        for code in programs_in(files, f"submissions/{folder}", notes):
            fields = {**_filled(code, fill), "name": f"{folder}/{code.name}"}
            rejected = folder in _VERDICTS.keys() - {"accepted"} or folder == "rejected"
            solutions.append(ProblemSolution(**fields, expected=verdict, rejected=rejected))
    return tuple(solutions)


def _checker(
    files: SourceFiles, settings: dict[str, Any], legacy: bool, flags: tuple[str, ...], fill: Callable[[str], str]
) -> Checker | None:
    folder = "output_validators" if legacy else "output_validator"
    if not legacy and not files.under(folder):
        # The draft still used the legacy name.
        folder = "output_validators"
    custom = str(settings.get("validation", "default")).split()[:1] == ["custom"]
    paths = files.under(folder)
    if legacy and not custom:
        return None
    if not paths:
        if custom:
            raise PackageError(files.entry, folder, "the problem needs an output validator; add it")
        return None
    tops = sorted({PurePosixPath(path).relative_to(folder).parts[0] for path in paths})
    programs = [top for top in tops if not top.endswith((".h", ".hpp", ".md", ".txt"))]
    if folder == "output_validator" and any(files.has(f"{folder}/{top}") for top in programs) and len(programs) > 1:
        code = program_folder(files, folder)
    elif len(programs) == 1:
        path = f"{folder}/{programs[0]}"
        code = program(files, path) if files.has(path) else program_folder(files, path)
    else:
        raise PackageError(files.entry, folder, "several output validators are not supported; keep one")
    return Checker(**_filled(code, fill), protocol="kattis", arguments=flags)


def _comparison(files: SourceFiles, flags: tuple[str, ...]) -> Comparison:
    """Kattis's default output validator: words, and their case matters only if a flag says so."""
    values: dict[str, Any] = {"case_sensitive": False}
    words = iter(flags)
    for word in words:
        if word == "case_sensitive":
            values["case_sensitive"] = True
        elif word == "space_change_sensitive":
            values["space_sensitive"] = True
        elif word in ("float_tolerance", "float_absolute_tolerance", "float_relative_tolerance"):
            value = next(words, "")
            try:
                tolerance = float(value[:40])
            except ValueError:
                tolerance = -1.0
            if not 0 <= tolerance < 1e9:
                raise PackageError(files.entry, f"validator flags: {word}", "give a tolerance, such as `1e-6`")
            if word != "float_relative_tolerance":
                values["absolute_tolerance"] = tolerance
            if word != "float_absolute_tolerance":
                values["relative_tolerance"] = tolerance
        else:
            raise PackageError(files.entry, "validator flags", f"{word[:80]!r} is no flag of the default validator")
    return Comparison(**values)


def _filled(code: Code, fill: Callable[[str], str]) -> dict[str, Any]:
    return {
        "name": code.name,
        "language": code.language,
        "source": fill(code.source),
        "files": {name: fill(text) for name, text in code.files.items()},
    }

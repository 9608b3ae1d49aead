"""Parses our own package format: a Kattis/ICPC 2025-09 problem package plus `environment.yaml`.

Guarantee: a package becomes a complete `Entry` or an error that names the file, the key and the remedy; nothing of the
package is run, and nothing outside its folder is read. What a package holds:

    problem.yaml                      name, license, limits, keywords, as in the Kattis format
    environment.yaml                  answer, answer_instruction, parameters, ladder, tags
    statement/problem.en.md           with `## Input` and `## Output`; what stands before `## Input` goes into prompts
    submissions/<verdict>/*.cpp *.py  at least one in `accepted`
    generators/generator.py           generate_testcase(params: dict[str, int]) -> tuple[str, dict]
    input_validators/*.py *.cpp       input on standard input; exit 42 valid, anything else invalid
    output_validator/check.py         for `checked` answers: check(input: str, answer: str, reference: str) -> bool
    data/sample/*.in *.ans            worked examples
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import Field, StrictInt, ValidationError

from escalade.types import AnswerSpec
from escalade_server.problems.definition import (
    Checker,
    Code,
    Definition,
    Entry,
    ExpectedVerdict,
    Frozen,
    Generator,
    Parameter,
    Refusal,
    Sample,
    Solution,
    Validator,
    slug_of,
)
from escalade_server.problems.formats.package_files import PackageError, PackageFiles, list_package

__all__ = ["MAX_LEVELS", "PackageError", "parse_files", "parse_package", "parse_packages"]

MAX_LEVELS = 30
MAX_PACKAGES = 10_000
"""Most packages in one folder of packages."""

_LANGUAGES = {".cpp": "cpp", ".cc": "cpp", ".cxx": "cpp", ".py": "python"}
_VERDICTS: dict[str, ExpectedVerdict] = {
    "accepted": "accepted",
    "wrong_answer": "wrong_answer",
    "time_limit_exceeded": "time_limit",
    "run_time_error": "runtime_error",
    "rejected": "unknown",
    "brute_force": "unknown",
}
_PROBLEM_KEYS = frozenset(
    {
        "problem_format_version",
        "type",
        "name",
        "uuid",
        "version",
        "credits",
        "source",
        "license",
        "rights_owner",
        "embargo_until",
        "limits",
        "keywords",
        "languages",
        "allow_file_writing",
        "constants",
    }
)
_SPDX = {"cc0": "CC0-1.0", "cc by": "CC-BY-4.0", "cc by-sa": "CC-BY-SA-4.0"}
_PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

Parsed = TypeVar("Parsed")


class EnvironmentFile(Frozen):
    """What `environment.yaml` says."""

    answer: AnswerSpec
    answer_instruction: str = Field(min_length=1, max_length=2_000)
    parameters: dict[str, Parameter] = Field(min_length=1)
    ladder: tuple[dict[str, StrictInt], ...] = Field(min_length=1, max_length=MAX_LEVELS)
    tags: tuple[str, ...] = ()


def parse_packages(root: Path, *, source: str) -> tuple[list[Entry], list[Refusal]]:
    """Parse every package in a folder of packages, by name; one that cannot go in does not stop the others.

    A subfolder is a package if it holds `problem.yaml` or `environment.yaml`.

    Raises:
        PackageError: `root` is not a folder, or holds too many packages.
    """
    if not root.is_dir():
        raise PackageError(root.name, ".", "not a folder; give the folder that holds the packages")
    folders = [
        child
        for child in sorted(root.iterdir())
        if child.is_symlink() or any((child / name).is_file() for name in ("problem.yaml", "environment.yaml"))
    ]
    if len(folders) > MAX_PACKAGES:
        raise PackageError(root.name, ".", f"more than {MAX_PACKAGES} packages; import them in parts")
    entries: list[Entry] = []
    refusals: list[Refusal] = []
    for folder in folders:
        try:
            entries.append(parse_package(folder, source=source))
        except PackageError as error:
            refusals.append(Refusal(entry=error.entry, field=error.field, reason=error.reason))
    return entries, refusals


def parse_package(folder: Path, *, source: str) -> Entry:
    """Parse one package folder; the folder's name becomes the environment's slug.

    Raises:
        PackageError: Something is missing, malformed, unsafe or beyond the limits.
    """
    return parse_files(list_package(folder), source=source)


def parse_files(files: PackageFiles, *, source: str) -> Entry:
    """Parse one package whose files are listed already, wherever they lie.

    Raises:
        PackageError: As `parse_package`.
    """
    if slug_of(files.entry) != files.entry:
        raise PackageError(files.entry, ".", f"rename the folder to a slug such as `{slug_of(files.entry)}`")
    problem = _problem_settings(files)
    environment = _environment(files)
    statement, full_statement = _statements(files)
    fields: dict[str, Any] = {
        "statement": statement,
        "full_statement": full_statement,
        "answer_instruction": environment.answer_instruction.strip(),
        "answer": environment.answer,
        "parameters": environment.parameters,
        "ladder": environment.ladder,
        "generator": Generator(name="generator.py", language="python", source=files.text("generators/generator.py")),
        "solutions": _solutions(files),
        "checker": _checker(files, environment.answer),
        "validators": _validators(files),
        "samples": _samples(files),
        **_limits(files, problem),
    }
    definition = _checked(files.entry, "problem.yaml", lambda: Definition(**fields))
    keywords = problem.get("keywords") or []
    if not isinstance(keywords, list):
        raise PackageError(files.entry, "problem.yaml: keywords", "must be a list of words")
    return Entry(
        slug=files.entry,
        source_name=files.entry,
        source=source,
        licence=_licence(problem),
        tags=environment.tags or tuple(str(word) for word in keywords),
        definition=definition,
    )


def _problem_settings(files: PackageFiles) -> dict[str, Any]:
    settings = files.yaml("problem.yaml")

    def refuse(key: str, reason: str) -> PackageError:
        return PackageError(files.entry, f"problem.yaml: {key}", reason)

    if unknown := sorted(settings.keys() - _PROBLEM_KEYS):
        raise refuse(unknown[0], "the 2025-09 format has no such key; remove it")
    if (version := settings.get("problem_format_version")) != "2025-09":
        raise refuse("problem_format_version", f"is {version!r}; write `problem_format_version: 2025-09`")
    kinds = settings.get("type", "pass-fail")
    unsupported = sorted(str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind != "pass-fail")
    if unsupported:
        raise refuse("type", f"{unsupported[0]} problems are not supported; only pass-fail ones are")
    name = settings.get("name")
    if isinstance(name, dict):
        name = name.get("en")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 200:
        raise refuse("name", "give the problem's English name, at most 200 characters")
    return {**settings, "name": name.strip()}


def _licence(problem: dict[str, Any]) -> str | None:
    licence = problem.get("license", "unknown")
    return None if licence in (None, "unknown") else _SPDX.get(str(licence), str(licence))


def _limits(files: PackageFiles, problem: dict[str, Any]) -> dict[str, Any]:
    limits = problem.get("limits") or {}
    if not isinstance(limits, dict):
        raise PackageError(files.entry, "problem.yaml: limits", "must be a mapping, such as `time_limit: 2`")
    found: dict[str, Any] = {}
    for key, field, factor in (("time_limit", "time_limit_s", 1), ("memory", "memory_limit_bytes", 1 << 20)):
        value = limits.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
            unit = "seconds" if key == "time_limit" else "MiB"
            raise PackageError(files.entry, f"problem.yaml: limits.{key}", f"give a positive number of {unit}")
        found[field] = value if factor == 1 else int(value * factor)
    return found


def _environment(files: PackageFiles) -> EnvironmentFile:
    name = "environment.yaml"
    document = files.yaml(name)
    answer = document.get("answer")
    # AnswerSpec is lenient because it is also read from newer servers; here a misspelt key would be lost in silence.
    if isinstance(answer, dict) and (unknown := sorted(set(answer) - set(AnswerSpec.model_fields), key=str)):
        raise PackageError(files.entry, f"{name}: answer.{unknown[0]}", "an answer has no such key; remove it")
    environment = _checked(files.entry, name, lambda: EnvironmentFile(**document))
    for parameter, bounds in environment.parameters.items():
        if not _PARAMETER_NAME.fullmatch(parameter):
            raise PackageError(
                files.entry, f"{name}: parameters.{parameter}", "use letters, digits and `_` in its name"
            )
        if bounds.minimum > bounds.maximum:
            raise PackageError(files.entry, f"{name}: parameters.{parameter}", "minimum is above maximum")
    for index, level in enumerate(environment.ladder):
        field = f"{name}: ladder.{index}"
        if level.keys() != environment.parameters.keys():
            wanted = ", ".join(environment.parameters)
            raise PackageError(files.entry, field, f"give each scale parameter once: {wanted}")
        for parameter, value in level.items():
            bounds = environment.parameters[parameter]
            if not bounds.minimum <= value <= bounds.maximum:
                limits = f"{bounds.minimum} to {bounds.maximum}"
                raise PackageError(files.entry, f"{field}.{parameter}", f"{value} is outside its range of {limits}")
        before = environment.ladder[index - 1] if index else None
        if before and (level == before or any(level[parameter] < before[parameter] for parameter in level)):
            raise PackageError(files.entry, field, "must grow: no parameter below the level before, one above it")
    return environment


def _statements(files: PackageFiles) -> tuple[str, str]:
    name = "statement/problem.en.md"
    full = files.text(name).strip()
    # `\s*$` with MULTILINE may run over line ends; `[ \t]*$` keeps a heading on its own line.
    headings = {title: re.search(rf"^##[ \t]+{title}[ \t]*$", full, re.MULTILINE) for title in ("Input", "Output")}
    for title, found in headings.items():
        if found is None:
            raise PackageError(files.entry, name, f"add a section `## {title}`")
    at = headings["Input"]
    assert at is not None
    statement = full[: at.start()].strip()
    if not statement:
        raise PackageError(files.entry, name, "describe the task before `## Input`")
    return statement, full


def _programs(files: PackageFiles, folder: str) -> list[Code]:
    programs = []
    for path in files.under(folder):
        inside = PurePosixPath(path).relative_to(folder)
        if len(inside.parts) > 1:
            raise PackageError(files.entry, path, "programs of several files are not supported; make it one file")
        language = _LANGUAGES.get(inside.suffix)
        if language is None:
            raise PackageError(files.entry, path, f"unknown language; use one of {', '.join(sorted(_LANGUAGES))}")
        programs.append(Code(name=inside.name, language=language, source=files.text(path)))
    return programs


def _solutions(files: PackageFiles) -> tuple[Solution, ...]:
    folders = {PurePosixPath(path).parts[1] for path in files.under("submissions") if path.count("/") > 1}
    if unknown := sorted(folders - _VERDICTS.keys()):
        known = ", ".join(_VERDICTS)
        raise PackageError(files.entry, f"submissions/{unknown[0]}", f"no such verdict; use one of {known}")
    solutions = tuple(
        Solution(name=f"{folder}/{code.name}", language=code.language, source=code.source, expected=verdict)
        for folder, verdict in _VERDICTS.items()
        for code in _programs(files, f"submissions/{folder}")
    )
    if not any(solution.expected == "accepted" for solution in solutions):
        raise PackageError(files.entry, "submissions/accepted", "add at least one accepted solution")
    return solutions


def _validators(files: PackageFiles) -> tuple[Validator, ...]:
    validators = tuple(Validator(**dict(code)) for code in _programs(files, "input_validators"))
    if not validators:
        raise PackageError(files.entry, "input_validators", "add a program that exits 42 on a valid input")
    return validators


def _checker(files: PackageFiles, answer: AnswerSpec) -> Checker | None:
    path = "output_validator/check.py"
    present = files.under("output_validator")
    if answer.type != "checked":
        if present:
            raise PackageError(files.entry, "output_validator", "remove it, or make the answer type `checked`")
        return None
    if present != [path]:
        raise PackageError(files.entry, path, "a checked answer needs this file, and nothing beside it")
    source = files.text(path)
    if not re.search(r"^def check\(", source, re.MULTILINE):
        raise PackageError(files.entry, path, "define `check(input: str, answer: str, reference: str) -> bool`")
    return Checker(name="check.py", language="python", source=source, protocol="function")


def _samples(files: PackageFiles) -> tuple[Sample, ...]:
    inputs = [path for path in files.under("data/sample") if path.endswith(".in")]
    return tuple(
        Sample(input=files.text(path), output=files.text(path.removesuffix(".in") + ".ans")) for path in inputs
    )


def _checked(entry: str, file: str, build: Callable[[], Parsed]) -> Parsed:
    """Turn pydantic's first complaint into ours."""
    try:
        return build()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PackageError(entry, f"{file}: {where}" if where else file, first["msg"]) from None

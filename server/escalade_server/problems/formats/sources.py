"""The files of one problem inside an archive, and the programs among them.

Guarantee: pure over the archive's bytes, linear in what is read, and total: what cannot be used is a `PackageError`
that names the file and the remedy, or a note beside what goes in. No program is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, Final

from escalade_server.problems.definition import Code
from escalade_server.problems.formats.archives import Archive
from escalade_server.problems.formats.errors import ArchiveError
from escalade_server.problems.formats.package_files import PackageError, PackageFiles, YamlFault, load_mapping
from escalade_server.problems.problem import FixedTest, TestKind

MAX_TEXT_BYTES: Final = 1 << 20
"""Largest program, statement or test that is read, in bytes."""
MAX_YAML_BYTES: Final = 128 << 10
"""Reading YAML costs up to some twenty microseconds per byte."""
MAX_READ_BYTES: Final = 64 << 20
"""Most that is read of one problem; headers count once for every program that includes them."""
MAX_TESTS: Final = 200
"""Most fixed tests kept of one problem, samples first."""
MAX_TESTS_BYTES: Final = 8 << 20
"""Most that the kept tests of one problem may hold together."""
MAX_PROGRAMS: Final = 300
"""Most programs kept of one folder."""
MAX_HEADERS_BYTES: Final = 4 << 20
"""Most that the headers of one program may hold together, in characters."""
MAX_NOTES: Final = 50
"""Most notes kept of one problem."""
TESTLIB: Final = "testlib.h"
OWN_HEADERS: Final = (TESTLIB, "testlib_random.h", "testlib_stream.h")
"""Our own testlib, in the files it is made of."""

_SUFFIXES: Final = {
    ".cpp": "cpp", ".cc": "cpp", ".cxx": "cpp", ".c++": "cpp",
    ".py": "python", ".py3": "python", ".py2": "python2",
    ".c": "c", ".java": "java", ".kt": "kotlin", ".go": "go", ".rs": "rust", ".cs": "csharp", ".js": "javascript",
    ".pas": "pascal", ".dpr": "pascal", ".rb": "ruby", ".hs": "haskell", ".scala": "scala", ".swift": "swift",
    ".php": "php", ".pl": "prolog", ".d": "d", ".ml": "ocaml", ".lua": "lua", ".ts": "typescript",
}  # fmt: skip
_HEADERS: Final = frozenset({".h", ".hpp", ".hh", ".hxx", ".inc"})
_INCLUDE: Final = re.compile(r"""^([ \t]*#[ \t]*include[ \t]*)["<]([^">\n]{1,200})[">]""", re.MULTILINE)
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_SHEBANG_PYTHON2: Final = re.compile(r"#![^\n]{0,100}python2")
_KATTIS_NAME: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,254}|\.timelimit")


@dataclass(frozen=True)
class SourceFiles(PackageFiles):
    """The files of one problem, by their path below its folder."""

    archive: Archive
    prefix: str
    budget: list[int] = field(default_factory=lambda: [MAX_READ_BYTES], compare=False)
    """What may still be read, in bytes."""

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self.sizes_bytes

    def content(self, path: str, limit_bytes: int = MAX_TEXT_BYTES) -> bytes:
        """The bytes of one file.

        Raises:
            PackageError: It is absent, too large or damaged.
        """
        if path not in self.sizes_bytes:
            raise PackageError(self.entry, path, "this file is missing; add it to the package")
        if self.sizes_bytes[path] > limit_bytes:
            raise PackageError(self.entry, path, f"larger than {limit_bytes} bytes; make the file smaller")
        self.budget[0] -= self.sizes_bytes[path]
        if self.budget[0] < 0:
            raise PackageError(self.entry, path, f"more than {MAX_READ_BYTES} bytes in all; make the package smaller")
        try:
            return self.archive.read(f"{self.prefix}{path}")
        except ArchiveError as error:
            raise PackageError(self.entry, path, error.reason) from None

    def text(self, path: str) -> str:
        """The text of one file, its line ends made plain newlines.

        Raises:
            PackageError: As `content`, or it is no plain UTF-8 text.
        """
        try:
            text = self.content(path).decode("utf-8")
        except UnicodeDecodeError:
            raise PackageError(self.entry, path, "not UTF-8 text; save it as UTF-8") from None
        text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        if "\0" in text:
            raise PackageError(self.entry, path, "holds a NUL; save it as plain UTF-8 text")
        return text

    def source(self, path: str) -> str:
        """A program's text; comments in an older encoding do not keep it out.

        Raises:
            PackageError: As `content`.
        """
        text = self.content(path).decode("utf-8", "replace").removeprefix("\ufeff")
        return text.replace("\r\n", "\n").replace("\0", "\ufffd")

    def yaml(self, path: str) -> dict[str, Any]:
        """One YAML file that holds a mapping.

        Raises:
            PackageError: As `text`, or the YAML cannot be used.
        """
        if self.sizes_bytes.get(path, 0) > MAX_YAML_BYTES:
            raise PackageError(self.entry, path, f"larger than {MAX_YAML_BYTES} bytes; make the file smaller")
        try:
            document = load_mapping(self.text(path))
        except YamlFault as fault:
            raise PackageError(self.entry, path, str(fault)) from None
        if not is_plain(document):
            raise PackageError(self.entry, path, "holds a NUL or half of a surrogate pair; write plain text")
        return document


def is_plain(value: object) -> bool:
    """Whether all texts of a document can be stored: escapes can spell characters that no text file may hold."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, str) and ("\0" in item or (not item.isascii() and _SURROGATE.search(item))):
            return False
    return True


@dataclass
class Notes:
    """What was left out of one problem so far, and why."""

    kept: list[str] = field(default_factory=list)
    dropped: int = 0

    def add(self, what: str, why: str) -> None:
        """Note one thing."""
        if len(self.kept) < MAX_NOTES:
            self.kept.append(f"{what[:200]}: {why[:300]}")
        else:
            self.dropped += 1

    def done(self) -> tuple[str, ...]:
        """All notes."""
        more = (f"{self.dropped} further notes",) if self.dropped else ()
        return (*self.kept, *more)


def files_below(archive: Archive, folder: str, *, kattis_names: bool = False) -> SourceFiles:
    """The files of the problem in a folder of the archive.

    Args:
        archive: Where they lie.
        folder: The problem's folder; empty for the archive itself.
        kattis_names: Leave out names that the Kattis format does not know, as it asks.

    Raises:
        PackageError: The folder holds something that is not read, such as a link.
    """
    prefix = f"{folder}/" if folder else ""
    stem = re.sub(r"(\.tar\.gz|\.[A-Za-z0-9]{1,4})$", "", archive.name)
    entry = PurePosixPath(folder).name if folder else stem or archive.name
    for path in archive.refused_below(prefix):
        raise PackageError(entry, path[len(prefix) :], archive.refused[path])
    sizes_bytes = {path[len(prefix) :]: archive.sizes_bytes[path] for path in archive.below(prefix)}
    if kattis_names:
        sizes_bytes = {
            path: size
            for path, size in sizes_bytes.items()
            if all(_KATTIS_NAME.fullmatch(part) for part in path.split("/"))
        }
    return SourceFiles(entry, Path(), sizes_bytes, archive, prefix)


def language_of(path: str, source: str = "") -> str | None:
    """The language of a program's file by its name, as the sandbox names it where it knows it; None: no program."""
    language = _SUFFIXES.get(PurePosixPath(path).suffix.lower())
    return "python2" if language == "python" and _SHEBANG_PYTHON2.match(source) else language


def program(files: SourceFiles, path: str, *, headers: Mapping[str, str] | None = None) -> Code:
    """One program of a single file, with the headers that it includes.

    Args:
        files: The problem's files.
        path: The program's file.
        headers: Texts of headers by plain name, for those that do not lie beside the program.

    Raises:
        PackageError: It is absent, too large, or in no language that is known by its file name.
    """
    source = files.source(path)
    language = language_of(path, source)
    if language is None:
        raise PackageError(files.entry, path, "its name is that of no programming language")
    beside = str(PurePosixPath(path).parent)
    near = "" if beside == "." else f"{beside}/"
    return attach(files, PurePosixPath(path).name, language, source, near, headers or {})


def program_folder(files: SourceFiles, folder: str) -> Code:
    """One program that is given as a folder: one source file of a language, with headers or modules beside it.

    Raises:
        PackageError: There is no single entry point, or it needs a build script.
    """
    paths = files.under(folder)
    names = {str(PurePosixPath(path).relative_to(folder)): path for path in paths}
    if "build" in names or "run" in names:
        raise PackageError(files.entry, folder, "build scripts are not run; make it one C++ or Python file")
    sources = [name for name in names if language_of(name) is not None]
    python = [name for name in sources if language_of(name) == "python"]
    main: str | None = sources[0] if len(sources) == 1 else None
    if main is None and len(python) == len(sources):
        main = next((name for name in ("__main__.py", "main.py") if name in names), None)
    if main is None:
        raise PackageError(files.entry, folder, "programs of several source files are not supported; make it one file")
    if main == "__main__.py" and "main.py" in names:
        raise PackageError(
            files.entry, folder, "what begins is run as main.py here; give the module main.py another name"
        )
    if len(python) > 1:
        source = files.source(names[main])
        modules = {name: files.source(path) for name, path in names.items() if name != main and "/" not in name}
        label = PurePosixPath(folder).name + ".py"
        return Code(name=label, language="python", source=source, files=modules)
    code = program(files, names[main])
    return code.model_copy(update={"name": f"{PurePosixPath(folder).name}/{main}"})


def programs_in(files: SourceFiles, folder: str, notes: Notes) -> list[Code]:
    """The programs of a folder, each a file or a folder; those that cannot be used are noted."""
    found: list[Code] = []
    tops = {PurePosixPath(path).relative_to(folder).parts[0] for path in files.under(folder)}
    if len(tops) > MAX_PROGRAMS:
        notes.add(folder, f"{len(tops) - MAX_PROGRAMS} programs left out: more than {MAX_PROGRAMS}")
    for top in sorted(tops)[:MAX_PROGRAMS]:
        path = f"{folder}/{top}"
        if files.has(path) and language_of(top) is None:
            if PurePosixPath(top).suffix.lower() not in _HEADERS | {".yaml", ".md", ".txt"}:
                notes.add(path, "left out: its name is that of no programming language")
            continue
        try:
            code = program(files, path) if files.has(path) else program_folder(files, path)
        except PackageError as error:
            notes.add(error.field, f"left out: {error.reason}")
            continue
        found.append(code)
    return found


def attach(files: SourceFiles, name: str, language: str, source: str, near: str, headers: Mapping[str, str]) -> Code:
    """A program with the headers it includes, each by its plain name; testlib.h is ours where the package has none.

    Raises:
        PackageError: The headers are too large.
    """
    if language != "cpp":
        return Code(name=name, language=language, source=source)
    attached: dict[str, str] = {}
    pending = [source]
    missing: set[str] = set()
    total = 0
    while pending:
        for wanted in includes_of(pending.pop()):
            plain = PurePosixPath(wanted).name
            if plain in attached or plain in missing:
                continue
            text = _header(files, near, wanted, plain, headers)
            if text is None:
                missing.add(plain)
                continue
            attached[plain] = text
            total += len(text)
            if total > MAX_HEADERS_BYTES:
                raise PackageError(files.entry, near + name, f"includes more than {MAX_HEADERS_BYTES} characters")
            pending.append(text)
    flat = {header: _flatten(text, attached) for header, text in attached.items()}
    return Code(name=name, language=language, source=_flatten(source, attached), files=flat)


def includes_of(source: str) -> list[str]:
    """The names of the files that a C++ text includes, in order, without repetition."""
    return list(dict.fromkeys(match[2] for match in _INCLUDE.finditer(source)))


@cache
def own_header(name: str) -> str:
    """A file of our own testlib, for packages that bring none."""
    return resources.files("escalade_server.problems").joinpath("testlib", name).read_text("utf-8")


def _header(files: SourceFiles, near: str, wanted: str, plain: str, headers: Mapping[str, str]) -> str | None:
    path = near + wanted
    if ".." not in path.split("/") and files.has(path):
        return files.source(path)
    if plain in headers:
        return headers[plain]
    if plain in OWN_HEADERS:
        elsewhere = sorted(path for path in files.sizes_bytes if PurePosixPath(path).name == plain)
        return files.source(elsewhere[0]) if elsewhere else own_header(plain)
    return None


def _flatten(source: str, attached: Mapping[str, str]) -> str:
    """Includes of attached files by their plain names, since all lie in one folder in the sandbox."""

    def renamed(match: re.Match[str]) -> str:
        plain = PurePosixPath(match[2]).name
        return f'{match[1]}"{plain}"' if plain in attached else match[0]

    return _INCLUDE.sub(renamed, source)


def read_tests(
    files: SourceFiles, cases: Iterable[tuple[str, str, str | None, TestKind]], notes: Notes
) -> tuple[FixedTest, ...]:
    """Fixed tests, within the bounds.

    Args:
        files: The problem's files.
        cases: For each test its name, its input's path, its answer's path if there is one, and its kind.
        notes: Says how many were left out.
    """
    kept: list[FixedTest] = []
    total = left_out = 0
    for name, input_path, answer_path, kind in cases:
        size = files.sizes_bytes.get(input_path, 0) + files.sizes_bytes.get(answer_path or "", 0)
        if len(kept) >= MAX_TESTS or total + size > MAX_TESTS_BYTES:
            left_out += 1
            continue
        try:
            answer = None if answer_path is None else files.text(answer_path)
            kept.append(FixedTest(name=name, input=files.text(input_path), output=answer, kind=kind))
        except PackageError:
            left_out += 1
            continue
        total += size
    if left_out:
        notes.add("tests", f"{left_out} left out: too large, too many, or no UTF-8 text")
    return tuple(kept)

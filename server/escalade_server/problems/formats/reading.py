"""Reads every problem of a folder or archive, whatever mixture of formats it holds.

Guarantee: no code runs and nothing is written. Every problem that is recognised comes out exactly once, as a `Problem`
or as a `Refusal` that names it, the field and the reason; one bad problem never keeps out another, and nothing that a
file holds raises anything but `ArchiveError`, and that only for the archive as a whole.

How a problem is recognised: `environment.yaml` beside `problem.yaml` is our own package, `problem.yaml` alone a Kattis
package, `problem.xml` a Polygon package, `info.toml` a Library Checker problem, `*.jsonl`, `*.parquet` CodeContests
rows, `*.json` an archive in the SCALER release format or CodeContests rows. Archives inside an archive are opened once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import ValidationError

from escalade_server.problems.definition import Entry, Refusal
from escalade_server.problems.formats.archives import Archive, Bounds, is_archive, open_bytes, open_file, open_path
from escalade_server.problems.formats.codecontests import parse_rows
from escalade_server.problems.formats.errors import ArchiveError
from escalade_server.problems.formats.kattis import parse_kattis
from escalade_server.problems.formats.library_checker import parse_library_checker
from escalade_server.problems.formats.package import PackageError, parse_files
from escalade_server.problems.formats.polygon import parse_polygon
from escalade_server.problems.formats.scaler import parse_scaler
from escalade_server.problems.formats.sources import SourceFiles, files_below
from escalade_server.problems.problem import Problem, problem_of_entry

FORMATS: Final = ("scaler", "codecontests", "kattis", "polygon", "library-checker", "escalade")
"""Every import format by name; `escalade` is our own package."""
NESTED_BOUNDS: Final = Bounds(archive_bytes=128 << 20, total_bytes=256 << 20, files=20_000)
"""What an archive inside an archive may hold."""
MAX_PROBLEMS: Final = 200_000

_PACKED: Final = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b")
_ROWS: Final = (".jsonl", ".ndjson", ".parquet")
_MARKERS: Final = {
    "environment.yaml": "escalade",
    "problem.yaml": "kattis",
    "problem.xml": "polygon",
    "info.toml": "library-checker",
}
"""What makes a folder a problem, the first that applies."""


@dataclass
class Found:
    """What an archive holds, in the order of its paths."""

    problems: list[Problem] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def read_path(path: Path, *, only: str | None = None) -> Found:
    """Read a folder, an archive, or one file of rows or of a SCALER release.

    Args:
        path: Where it lies.
        only: Read this format alone (one of `FORMATS`); None reads all.

    Raises:
        ArchiveError: It cannot be opened, or holds no problem at all.
    """
    if path.is_dir() or is_archive(path.name):
        return read_archive(open_path(path), only=only)
    return read_archive(open_file(path), only=only)


def read_bytes(name: str, content: bytes, *, only: str | None = None) -> Found:
    """Read an archive, or one file of rows or of a SCALER release, that is in memory.

    Args:
        name: For messages; the ending tells a file's kind where its content does not.
        content: What it holds.
        only: Read this format alone (one of `FORMATS`); None reads all.

    Raises:
        ArchiveError: It is none of these, or holds no problem at all.
    """
    if content.startswith(_PACKED) or content[257:262] == b"ustar" or is_archive(name):
        return read_archive(open_bytes(name, content), only=only)
    path = _file_name(name, content, only)
    return read_archive(Archive(name, {path: len(content)}, {}, Bounds(), lambda _: content), only=only)


def _file_name(name: str, content: bytes, only: str | None) -> str:
    """The name by which a single file's kind is told."""
    plain = PurePosixPath(name.replace("\\", "/")).name or "file"
    if plain.endswith((*_ROWS, ".json")):
        return plain
    if content.startswith(b"PAR1"):
        return f"{plain}.parquet"
    lines = content.lstrip(b"\xef\xbb\xbf \t\r\n").split(b"\n", 1)
    rows = lines[0].rstrip().startswith(b"{") and lines[0].rstrip().endswith(b"}") and only != "scaler"
    return f"{plain}.jsonl" if rows or only == "codecontests" else f"{plain}.json"


def read_archive(archive: Archive, *, only: str | None = None) -> Found:
    """Read every problem of an open archive.

    Raises:
        ArchiveError: It holds no problem at all, or too many.
    """
    if only is not None and only not in FORMATS:
        raise ArchiveError(f"the format {only[:80]!r} is unknown; use one of {', '.join(FORMATS)}")
    found = Found()
    _read(archive, found, only, nested=False)
    if not found.problems and not found.refusals:
        wanted = f"in the format {only}" if only else f"in any of the formats {', '.join(FORMATS)}"
        raise ArchiveError(f"{archive.name}: no problem {wanted}")
    return _without_repeats(found)


def _read(archive: Archive, found: Found, only: str | None, *, nested: bool) -> None:
    folders = _problem_folders(archive)
    for folder, kind in folders.items():
        if only in (None, kind):
            label = "/".join(part for part in (archive.name if nested or not folder else "", folder) if part)
            _collect(found, archive, folder, kind, label)
    for path in archive.below(""):
        if _inside(path, folders):
            continue
        if len(found.problems) + len(found.refusals) > MAX_PROBLEMS:
            raise ArchiveError(f"{archive.name}: more than {MAX_PROBLEMS} problems; import it in parts")
        if is_archive(path) and not nested:
            _read_nested(archive, path, found, only)
        elif path.endswith(_ROWS) and only in (None, "codecontests"):
            _add_rows(found, path, archive)
        elif path.endswith(".json") and only in (None, "codecontests", "scaler"):
            _add_json(found, path, archive, only)
    for path in archive.refused_below(""):
        if not _inside(path, folders):
            found.refusals.append(Refusal(entry=path, field="", reason=archive.refused[path]))


def _problem_folders(archive: Archive) -> dict[str, str]:
    """The folders that are problems, with their formats; none lies inside another."""
    marked: dict[str, str] = {}
    for path in archive.below(""):
        folder, _, name = path.rpartition("/")
        kind = _MARKERS.get(name)
        order = list(_MARKERS.values())
        if kind is not None and (folder not in marked or order.index(kind) < order.index(marked[folder])):
            marked[folder] = kind
    outermost: dict[str, str] = {}
    for folder in sorted(marked, key=lambda name: (name.count("/"), name)):
        if folder == "" or not _inside(folder, outermost):
            outermost[folder] = marked[folder]
            if folder == "":
                break
    return outermost


def _inside(path: str, folders: dict[str, str]) -> bool:
    return "" in folders or any(str(parent) in folders for parent in PurePosixPath(path).parents)


def _problem(archive: Archive, folder: str, kind: str) -> Problem:
    files = files_below(archive, folder, kattis_names=kind in ("escalade", "kattis"))
    if kind == "escalade":
        return problem_of_entry(parse_files(files, source="escalade"))
    if kind == "kattis":
        return parse_kattis(files)
    if kind == "polygon":
        return parse_polygon(files)
    return parse_library_checker(files, common=_common_headers(archive, folder))


def _common_headers(archive: Archive, folder: str) -> dict[str, str]:
    """Headers of the nearest `common/` beside or above a problem's folder."""
    parents = [str(parent) for parent in PurePosixPath(folder).parents] if folder else []
    for parent in parents:
        prefix = "common/" if parent == "." else f"{parent}/common/"
        paths = [path for path in archive.below(prefix) if path.endswith((".h", ".hpp")) and path.count("/") < 16]
        if paths:
            shared = SourceFiles(folder, Path(), {path: archive.sizes_bytes[path] for path in paths}, archive, "")
            return {PurePosixPath(path).name: shared.source(path) for path in paths[:50]}
    return {}


def _read_nested(archive: Archive, path: str, found: Found, only: str | None) -> None:
    name = PurePosixPath(path).name
    try:
        inner = open_bytes(name, archive.read(path), NESTED_BOUNDS)
        before = len(found.problems) + len(found.refusals)
        _read(inner, found, only, nested=True)
    except ArchiveError as error:
        found.refusals.append(Refusal(entry=path, field="", reason=error.reason))
        return
    if before == len(found.problems) + len(found.refusals) and only is None:
        found.refusals.append(Refusal(entry=path, field="", reason="an archive without a problem in a known format"))


def _add_rows(found: Found, path: str, archive: Archive) -> None:
    try:
        problems, refusals = parse_rows(archive.read(path))
    except ArchiveError as error:
        found.refusals.append(Refusal(entry=path, field="", reason=error.reason))
        return
    found.problems += problems
    found.refusals += refusals


def _add_json(found: Found, path: str, archive: Archive, only: str | None) -> None:
    try:
        content = archive.read(path)
    except ArchiveError as error:
        found.refusals.append(Refusal(entry=path, field="", reason=error.reason))
        return
    if content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        if only in (None, "codecontests"):
            _add_rows(found, path, archive)
        return
    if only not in (None, "scaler"):
        return
    try:
        entries, refusals = parse_scaler(content.decode("utf-8"))
    except (ArchiveError, UnicodeDecodeError) as error:
        reason = error.reason if isinstance(error, ArchiveError) else "not UTF-8 text"
        found.refusals.append(Refusal(entry=path, field="", reason=reason))
        return
    found.problems += [problem_of_entry(entry) for entry in entries]
    found.refusals += refusals


def _collect(found: Found, archive: Archive, folder: str, kind: str, label: str) -> None:
    try:
        found.problems.append(_problem(archive, folder, kind))
    except PackageError as error:
        found.refusals.append(Refusal(entry=label, field=_printable(error.field), reason=_printable(error.reason)))
    except ValidationError as error:
        # What the models refuse although the parser let it pass, such as half of a surrogate pair.
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        found.refusals.append(Refusal(entry=label, field=_printable(where), reason=_printable(first["msg"])))


def _printable(text: str) -> str:
    return text[:300].encode("utf-8", "replace").decode().replace("\0", "?")


def _without_repeats(found: Found) -> Found:
    """Names are unique within a source: the first of each stays."""
    kept = Found(refusals=found.refusals)
    for problem, repeated in _marked(found.problems):
        if repeated:
            reason = "another problem of this source has the same name; rename one of them"
            kept.refusals.append(Refusal(entry=problem.name, field="name", reason=reason))
        else:
            kept.problems.append(problem)
    return kept


def _marked(problems: list[Problem]) -> Iterator[tuple[Problem, bool]]:
    seen: set[tuple[str, str]] = set()
    for problem in problems:
        key = (problem.source, problem.name)
        yield problem, key in seen
        seen.add(key)


def entries_of(found: Found) -> list[Entry]:
    """The complete environments among what was found."""
    return [problem.entry for problem in found.problems if problem.entry is not None]

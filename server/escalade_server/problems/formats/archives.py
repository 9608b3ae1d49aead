"""Opens a folder, a .zip or a .tar(.gz) as a table of files, without writing any of it.

Guarantee: nothing is written, no link is followed and no more than the bounds is held in memory. A name that leads out
of the archive, a link, a device, an encrypted or oversized member and an archive that grows too much are refused before
any member is used: for a .zip or .tar as a whole, in a folder one by one. Arbitrary bytes give a table or an
`ArchiveError`, never another exception.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, cast

from escalade_server.problems.formats.errors import ArchiveError

KEPT_HIDDEN = frozenset({".timelimit"})
"""Hidden files that mean something in a problem package; the others are as good as absent."""
SUFFIXES = (".zip", ".kpp", ".tar", ".tar.gz", ".tgz")
"""Names of archives that are opened."""

_JUNK = frozenset({"__MACOSX", "__pycache__"})
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_ENCRYPTED = 0x1
# What the standard library's readers raise on bytes that are not what they claim to be.
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ArithmeticError,
    LookupError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one archive may hold."""

    archive_bytes: int = 512 << 20
    """Size of the .zip or .tar(.gz) itself."""
    total_bytes: int = 512 << 20
    """All members of a .zip or .tar(.gz) together, unpacked."""
    file_bytes: int = 256 << 20
    """One member, unpacked."""
    files: int = 50_000
    """Members, folders included."""
    ratio: int = 200
    """Unpacked size over packed size, of a member and of the whole, above `small_bytes`."""
    small_bytes: int = 1 << 20
    """Below this unpacked size the ratio says nothing."""
    depth: int = 16
    """Folders above a file."""
    name_chars: int = 1_024


@dataclass(frozen=True)
class Archive:
    """Files by their path inside the archive, with `/`."""

    name: str
    sizes_bytes: Mapping[str, int]
    refused: Mapping[str, str]
    """Paths in a folder that are not read, such as links, and why."""
    bounds: Bounds
    _fetch: Callable[[str], bytes] = field(repr=False)

    def below(self, prefix: str) -> list[str]:
        """The paths that start with a prefix, sorted."""
        return _range(self._paths, prefix)

    def refused_below(self, prefix: str) -> list[str]:
        """The refused paths that start with a prefix, sorted."""
        return _range(self._refused_paths, prefix)

    @cached_property
    def _paths(self) -> list[str]:
        return sorted(self.sizes_bytes)

    @cached_property
    def _refused_paths(self) -> list[str]:
        return sorted(self.refused)

    def read(self, path: str) -> bytes:
        """The content of one file.

        Raises:
            ArchiveError: There is no such file, or it is damaged or larger than it said.
        """
        if path not in self.sizes_bytes:
            raise ArchiveError(f"{path}: {self.refused.get(path, 'there is no such file')}")
        try:
            content = self._fetch(path)
        except _BROKEN as error:
            raise ArchiveError(f"{path}: cannot be read: {error}") from error
        if len(content) > self.bounds.file_bytes:
            raise ArchiveError(f"{path}: larger than {self.bounds.file_bytes} bytes")
        return content


def open_path(path: Path, bounds: Bounds | None = None) -> Archive:
    """Open a folder or an archive file.

    Raises:
        ArchiveError: It is absent, a link, unsafe, beyond the bounds, damaged, or of no known kind.
    """
    bounds = bounds or Bounds()
    try:
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            return _open_folder(path, bounds)
        if not stat.S_ISREG(status.st_mode):
            raise ArchiveError(f"{path.name}: a link or special file; give the folder or archive itself")
        if status.st_size > bounds.archive_bytes:
            raise ArchiveError(f"{path.name}: larger than {bounds.archive_bytes} bytes; import it in parts")
        content = _read_file(path, bounds.archive_bytes)
    except OSError as error:
        raise ArchiveError(f"{path.name}: cannot be read: {error.strerror or error}") from error
    return open_bytes(path.name, content, bounds)


def open_file(path: Path, bounds: Bounds | None = None) -> Archive:
    """A table of one plain file, whatever it holds.

    Raises:
        ArchiveError: It is absent, a link, no plain file, or beyond the bounds.
    """
    bounds = bounds or Bounds()
    try:
        status = path.lstat()
    except OSError as error:
        raise ArchiveError(f"{path.name}: cannot be read: {error.strerror or error}") from error
    if not stat.S_ISREG(status.st_mode):
        raise ArchiveError(f"{path.name}: a link or special file; give the file itself")
    if status.st_size > bounds.file_bytes:
        raise ArchiveError(f"{path.name}: larger than {bounds.file_bytes} bytes; import it in parts")
    return Archive(path.name, {path.name: status.st_size}, {}, bounds, lambda _: _read_file(path, bounds.file_bytes))


def open_bytes(name: str, content: bytes, bounds: Bounds | None = None) -> Archive:
    """Open an archive that is in memory, by what it holds and not by its name.

    Raises:
        ArchiveError: It is unsafe, beyond the bounds, damaged, or of no known kind.
    """
    bounds = bounds or Bounds()
    if len(content) > bounds.archive_bytes:
        raise ArchiveError(f"{name}: larger than {bounds.archive_bytes} bytes; import it in parts")
    try:
        if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _open_zip(name, content, bounds)
        if content.startswith(b"\x1f\x8b"):
            return _open_tar(name, gzip.GzipFile(fileobj=io.BytesIO(content)), len(content), bounds)
        if content[257:262] == b"ustar":
            return _open_tar(name, io.BytesIO(content), len(content), bounds)
    except _BROKEN as error:
        raise ArchiveError(
            f"{name}: damaged, or not the archive that it looks like: {error}; unpack a single file first"
        ) from error
    raise ArchiveError(f"{name}: of no known kind; give a folder, a .zip, a .tar or a .tar.gz")


def is_archive(path: str) -> bool:
    """Whether a file's name is that of an archive."""
    return path.lower().endswith(SUFFIXES)


def _open_zip(name: str, content: bytes, bounds: Bounds) -> Archive:
    # The reader lives as long as the table: its members are unpacked when they are asked for.
    reader = zipfile.ZipFile(io.BytesIO(content))
    members = reader.infolist()
    if len(members) > bounds.files:
        raise ArchiveError(f"{name}: more than {bounds.files} members")
    kept: dict[str, zipfile.ZipInfo] = {}
    table = _Table(name, bounds)
    for member in members:
        path = table.path(member.orig_filename)
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(f"{name}: {path}: a link or special file")
        if member.is_dir():
            continue
        if member.flag_bits & _ENCRYPTED:
            raise ArchiveError(f"{name}: {path}: encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArchiveError(f"{name}: {path}: compressed in a way that is not supported; use deflate")
        if member.file_size > bounds.small_bytes and member.file_size > bounds.ratio * max(1, member.compress_size):
            raise ArchiveError(f"{name}: {path}: unpacks to more than {bounds.ratio} times its size")
        table.add(path, member.file_size)
        kept[path] = member
    table.check_ratio(len(content))

    def fetch(path: str) -> bytes:
        with reader.open(kept[path]) as file:
            return file.read(bounds.file_bytes + 1)

    return Archive(name, table.visible(), {}, bounds, fetch)


def _open_tar(name: str, stream: io.BufferedIOBase, packed_bytes: int, bounds: Bounds) -> Archive:
    contents: dict[str, bytes] = {}
    table = _Table(name, bounds)
    # Whatever the headers claim, no more than this leaves the decompressor.
    bounded = _BoundedReader(name, stream, bounds.total_bytes + (bounds.files << 10))
    count = 0
    with tarfile.open(fileobj=cast("IO[bytes]", bounded), mode="r|") as reader:
        for member in reader:
            count += 1
            if count > bounds.files:
                raise ArchiveError(f"{name}: more than {bounds.files} members")
            if member.isdir():
                if member.name.strip("./"):
                    table.path(member.name)
                continue
            path = table.path(member.name)
            if not member.isreg() or member.issparse():
                raise ArchiveError(f"{name}: {path}: a link or special file")
            table.add(path, member.size)
            file = reader.extractfile(member)
            contents[path] = file.read() if file is not None else b""
    table.check_ratio(packed_bytes)
    visible = table.visible()
    kept = {path: contents[path] for path in visible}
    return Archive(name, visible, {}, bounds, kept.__getitem__)


class _BoundedReader:
    """A stream that ends in an error where it grows beyond its bound."""

    def __init__(self, name: str, stream: io.BufferedIOBase, limit_bytes: int) -> None:
        self._name, self._stream, self._left = name, stream, limit_bytes

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        content = self._stream.read(min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise ArchiveError(f"{self._name}: unpacks to more than is allowed")
        return content


class _Table:
    """Members so far, and the rules on names and sizes that every kind of archive shares."""

    def __init__(self, name: str, bounds: Bounds) -> None:
        self._name, self._bounds = name, bounds
        self._sizes_bytes: dict[str, int] = {}
        self._total_bytes = 0

    def path(self, raw: str) -> str:
        """A member's name as a path inside the archive."""
        shown = raw[:200].encode("ascii", "backslashreplace").decode()
        if len(raw) > self._bounds.name_chars:
            raise ArchiveError(f"{self._name}: {shown}...: a name of more than {self._bounds.name_chars} characters")
        try:
            raw.encode()
        except UnicodeEncodeError:
            raise ArchiveError(f"{self._name}: {shown}: a name that is not UTF-8") from None
        if _CONTROL.search(raw) or _DRIVE.match(raw) or raw.startswith("/"):
            raise ArchiveError(f"{self._name}: {shown}: an absolute name, or one with a backslash or control character")
        parts = [part for part in raw.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise ArchiveError(f"{self._name}: {shown}: a name that leads out of the archive")
        if not parts:
            raise ArchiveError(f"{self._name}: a member without a name")
        if len(parts) > self._bounds.depth:
            raise ArchiveError(f"{self._name}: {shown}: deeper than {self._bounds.depth} folders")
        return "/".join(parts)

    def add(self, path: str, size_bytes: int) -> None:
        """Count one member."""
        if path in self._sizes_bytes:
            raise ArchiveError(f"{self._name}: {path}: two members of this name")
        if not 0 <= size_bytes <= self._bounds.file_bytes:
            raise ArchiveError(f"{self._name}: {path}: larger than {self._bounds.file_bytes} bytes")
        self._total_bytes += size_bytes
        if self._total_bytes > self._bounds.total_bytes:
            raise ArchiveError(f"{self._name}: unpacks to more than {self._bounds.total_bytes} bytes")
        self._sizes_bytes[path] = size_bytes

    def check_ratio(self, packed_bytes: int) -> None:
        """Refuse what grows too much as a whole."""
        large = self._total_bytes > self._bounds.small_bytes
        if large and self._total_bytes > self._bounds.ratio * packed_bytes:
            raise ArchiveError(f"{self._name}: unpacks to more than {self._bounds.ratio} times its size")

    def visible(self) -> dict[str, int]:
        """The files that are not hidden, by name."""
        return {path: self._sizes_bytes[path] for path in sorted(self._sizes_bytes) if not _hidden(path)}


def _open_folder(folder: Path, bounds: Bounds) -> Archive:
    sizes_bytes: dict[str, int] = {}
    refused: dict[str, str] = {}
    table = _Table(folder.name, bounds)
    pending = [""]
    seen = 0
    while pending:
        inside = pending.pop()
        with os.scandir(folder / inside) as listing:
            children = list(listing)
        for child in children:
            seen += 1
            if seen > bounds.files:
                raise ArchiveError(f"{folder.name}: more than {bounds.files} files and folders; import it in parts")
            path = f"{inside}/{child.name}" if inside else child.name
            if _hidden(child.name):
                continue
            try:
                table.path(path)
            except ArchiveError as error:
                refused[path.encode("utf-8", "replace").decode()] = error.reason
                continue
            status = child.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                pending.append(path)
            elif not stat.S_ISREG(status.st_mode):
                refused[path] = "a link or special file; put a plain file in its place"
            elif status.st_size > bounds.file_bytes:
                refused[path] = f"larger than {bounds.file_bytes} bytes"
            else:
                sizes_bytes[path] = status.st_size

    def fetch(path: str) -> bytes:
        return _read_file(folder / path, bounds.file_bytes)

    return Archive(folder.name, dict(sorted(sizes_bytes.items())), refused, bounds, fetch)


def _range(paths: list[str], prefix: str) -> list[str]:
    start = bisect_left(paths, prefix)
    # No path holds this last character of all, so that everything with the prefix comes before it.
    return paths[start : bisect_left(paths, prefix + "\U0010ffff", start)]


def _read_file(path: Path, limit_bytes: int) -> bytes:
    # The name was looked at a moment ago; O_NOFOLLOW refuses a link put in the file's place since.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        return file.read(limit_bytes + 1)


def _hidden(path: str) -> bool:
    return any(
        part in _JUNK or (part.startswith(".") and part not in KEPT_HIDDEN and part not in (".", ".."))
        for part in path.split("/")
    )

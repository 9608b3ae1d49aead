"""Compiled programs, by the hash of everything that they were made from.

Guarantee: an entry is found again only by the same source, files, commands, limits, toolchain and trust; a descriptor
that was handed out stays valid however much is evicted. What the compiler refused is remembered too, what it had no
time for is not. A folder, if there is one, keeps entries for later processes; damaged files in it are as good as none.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

from escalade_sandbox.languages import Language
from escalade_sandbox.types import Compilation, Limits, Program, Status, Trust

MOST_BYTES = 256 << 20
MOST_ENTRIES = 256
"""Each may hold a descriptor."""
MOST_DISK_BYTES = 2 << 30
PIECE_BYTES = 1 << 20


def key_of(language: Language, program: Program, limits: Limits, toolchain: str, trust: Trust) -> str:
    """Return the name under which the compiled program is kept.

    Trust is part of it, so that nothing that a candidate's container produced ever runs as a reference; so are the
    compiler's limits, so that a verdict never depends on what was compiled before under others.
    """
    digest = hashlib.sha256()
    numbers = [float(value) for value in asdict(limits).values()]
    parts = [toolchain, trust.value, language.name, json.dumps([language.standards, numbers]), program.source]
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    for name, data in sorted(program.files.items()):
        digest.update(len(name.encode()).to_bytes(8, "big") + name.encode() + len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compilation, and the program if it succeeded."""

    compilation: Compilation
    descriptor: int | None = None
    """A sealed file in memory; whoever holds the artifact closes it."""
    size_bytes: int = 0

    def read(self) -> bytes:
        """Return the program's bytes."""
        return b"" if self.descriptor is None else os.pread(self.descriptor, self.size_bytes, 0)

    def pieces(self) -> Iterator[bytes]:
        """Return the program's bytes, of which never more than a piece is in this process's own memory."""
        if self.descriptor is not None:
            for start in range(0, self.size_bytes, PIECE_BYTES):
                yield os.pread(self.descriptor, PIECE_BYTES, start)

    def copy(self, *, cached: bool) -> Artifact:
        """Return the same with a descriptor of its own."""
        descriptor = None if self.descriptor is None else os.dup(self.descriptor)
        return Artifact(replace(self.compilation, cached=cached), descriptor, self.size_bytes)

    def close(self) -> None:
        """Release the descriptor."""
        if self.descriptor is not None:
            os.close(self.descriptor)


def make_artifact(compilation: Compilation, binary: bytes | memoryview | None) -> Artifact:
    """Put a program into a file in memory that can be executed and read, and never changed."""
    return Artifact(compilation) if binary is None else _sealed(compilation, [binary])


def _sealed(compilation: Compilation, pieces: Iterable[bytes | memoryview]) -> Artifact:
    fd = os.memfd_create("program", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(fd, rest) :]
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        return Artifact(compilation, fd, os.fstat(fd).st_size)
    except BaseException:
        os.close(fd)
        raise


class CompileCache:
    """Least recently used goes first."""

    def __init__(self, folder: Path | None = None, *, most_bytes: int = MOST_BYTES) -> None:
        self._entries: OrderedDict[str, Artifact] = OrderedDict()
        self._folder = folder
        self._most_bytes = most_bytes
        self._size_bytes = 0

    @property
    def has_folder(self) -> bool:
        """Whether `load` can find anything."""
        return self._folder is not None

    def get(self, key: str) -> Artifact | None:
        """Return what is in memory; the caller closes it."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry.copy(cached=True)

    def put(self, key: str, artifact: Artifact) -> None:
        """Keep a copy, unless another compilation might end otherwise."""
        if artifact.compilation.status is Status.COMPILE_LIMIT or key in self._entries:
            return
        self._entries[key] = artifact.copy(cached=True)
        self._size_bytes += artifact.size_bytes
        while len(self._entries) > MOST_ENTRIES or (self._size_bytes > self._most_bytes and len(self._entries) > 1):
            _, evicted = self._entries.popitem(last=False)
            self._size_bytes -= evicted.size_bytes
            evicted.close()

    def clear(self) -> None:
        """Forget what is in memory."""
        for entry in self._entries.values():
            entry.close()
        self._entries.clear()
        self._size_bytes = 0

    def load(self, key: str) -> Artifact | None:
        """Read from the folder; blocking."""
        if self._folder is None:
            return None
        path = self._folder / key
        digest = hashlib.sha256()

        def digested(file: BinaryIO) -> Iterator[bytes]:
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
                yield piece

        try:
            with path.open("rb") as file:
                fields = json.loads(file.readline())
                expected, built = fields.pop("sha256"), fields.pop("built")
                compilation = Compilation(**fields | {"status": Status(fields["status"])})
                artifact = _sealed(compilation, digested(file))
            os.utime(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if digest.hexdigest() == expected and built:
            return artifact
        artifact.close()
        return Artifact(compilation) if digest.hexdigest() == expected else None

    def save(self, key: str, artifact: Artifact) -> None:
        """Write to the folder, if there is one and it can be written; blocking."""
        if self._folder is None or artifact.compilation.status is Status.COMPILE_LIMIT:
            return
        digest = hashlib.sha256()
        for piece in artifact.pieces():
            digest.update(piece)
        header = asdict(artifact.compilation) | {
            "built": artifact.descriptor is not None,
            "sha256": digest.hexdigest(),
        }
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".new-", delete=False) as file:
                file.write(json.dumps(header).encode() + b"\n")
                file.writelines(artifact.pieces())
            os.replace(file.name, self._folder / key)
            self._prune(self._folder)

    @staticmethod
    def _prune(folder: Path) -> None:
        files = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(folder))
        excess = sum(size for _, size, _ in files) - MOST_DISK_BYTES
        for _, size, path in files:
            if excess <= 0:
                return
            os.unlink(path)
            excess -= size

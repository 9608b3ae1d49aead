"""Files that are there whole or not at all.

Guarantee: rows go to `NAME.part`, which is renamed once it is complete and on the disk, and removed where it fails;
memory holds a few thousand rows, whatever the file's length.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Protocol

from escalade.exports.shapes import Row

ROWS_AT_ONCE = 2_048
"""Rows of one group of a Parquet file."""


class ExportFailed(Exception):
    """An export cannot begin or go on; its text says why and what to do."""


class Rows(Protocol):
    """Where rows go."""

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows."""

    def finish(self) -> None:
        """Write what is left."""


class JsonLines:
    """One row a line, in UTF-8."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        for row in rows:
            self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

    def finish(self) -> None:
        """Nothing is left."""


class Parquet:
    """Columns, compressed; the first rows say of which types."""

    def __init__(self, file: IO[bytes]) -> None:
        self._arrow: Any = import_module("pyarrow")
        self._parquet: Any = import_module("pyarrow.parquet")
        self._file, self._waiting = file, list[Row]()
        self._writer: Any = None

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows, or keep them until there are enough."""
        self._waiting += rows
        while len(self._waiting) >= ROWS_AT_ONCE:
            self._write(self._waiting[:ROWS_AT_ONCE])
            del self._waiting[:ROWS_AT_ONCE]

    def finish(self) -> None:
        """Write what is left, and the file's end."""
        self._write(self._waiting)
        self._writer.close()

    def _write(self, rows: list[Row]) -> None:
        schema = None if self._writer is None else self._writer.schema
        table = self._arrow.Table.from_pylist(rows, schema=schema)
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(self._file, table.schema, compression="zstd")
        self._writer.write_table(table)


FORMATS: dict[str, type[JsonLines] | type[Parquet]] = {".jsonl": JsonLines, ".parquet": Parquet}


def require_format(path: Path) -> None:
    """Check that a file of this name can be written.

    Raises:
        ExportFailed: Its ending is unknown, its folder is not there, or a package is missing.
    """
    if path.suffix not in FORMATS:
        raise ExportFailed(f"{path}: name the file .jsonl or .parquet, for that is what it will be")
    if not path.parent.is_dir():
        raise ExportFailed(f"{path.parent} is no folder: make it first")
    if path.suffix == ".parquet":
        try:
            import_module("pyarrow.parquet")
        except ImportError as error:
            raise ExportFailed(
                f"Parquet needs {error.name}: run `pip install 'escalade[formats]'`, or write a .jsonl file"
            ) from None


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the name at the end, replacing what had it.

    Raises:
        ExportFailed: It cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise ExportFailed(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Digest of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Reads the text files of one package folder, and nothing outside it.

Guarantee: no link is followed, no path leaves the folder, and no more than the limits below is ever held in memory;
what breaks a rule is a `PackageError` that names the file and the remedy. Nothing is run.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MAX_FILES = 1_000
"""Most files and folders that one package may have."""
MAX_FILE_BYTES = 1 << 20
"""Largest file that is read, in bytes."""
MAX_READ_BYTES = 16 << 20
"""Most that is read of one package, in bytes."""
MAX_DEPTH = 6
"""Deepest folder below the package's own."""
MAX_NESTING = 20
"""Deepest nesting of a YAML document."""

_FILE_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,254}")
_IGNORED_FOLDERS = frozenset({"__pycache__"})
# PyYAML's constructors answer a tag on a value that it does not fit (`!!int ""`) with whatever went wrong.
_YAML_FAULTS = (
    yaml.YAMLError,
    RecursionError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


class PackageError(ValueError):
    """A package that cannot go in.

    Attributes:
        entry: The package's folder name.
        field: The file, or the file and the path of the key, at fault.
        reason: What is wrong and what to do about it.
    """

    def __init__(self, entry: str, field: str, reason: str) -> None:
        super().__init__(f"{entry}: {field}: {reason}")
        self.entry, self.field, self.reason = entry, field, reason


@dataclass(frozen=True)
class PackageFiles:
    """The files of one package folder, by their path inside it (with `/`)."""

    entry: str
    folder: Path
    sizes_bytes: dict[str, int]

    def under(self, folder: str) -> list[str]:
        """Paths of all files in `folder`, sorted, those in its subfolders too."""
        return sorted(path for path in self.sizes_bytes if path.startswith(f"{folder}/"))

    def text(self, path: str) -> str:
        """The text of one file, its line ends made plain newlines so that every checkout has the same version hash.

        Raises:
            PackageError: The file is absent, too large, or no UTF-8 text.
        """
        if path not in self.sizes_bytes:
            raise PackageError(self.entry, path, "this file is missing; add it to the package")
        if self.sizes_bytes[path] > MAX_FILE_BYTES:
            raise PackageError(self.entry, path, f"larger than {MAX_FILE_BYTES} bytes; make the file smaller")
        try:
            # The folder was listed a moment ago; O_NOFOLLOW refuses a link put in the file's place since.
            descriptor = os.open(self.folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise PackageError(self.entry, path, f"cannot be read: {error.strerror}") from None
        if len(content) > MAX_FILE_BYTES:
            raise PackageError(self.entry, path, f"larger than {MAX_FILE_BYTES} bytes; make the file smaller")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise PackageError(self.entry, path, "not UTF-8 text; save it as UTF-8") from None
        if "\0" in text or text.startswith("\ufeff"):
            raise PackageError(self.entry, path, "holds a NUL or a byte-order mark; save it as plain UTF-8 text")
        return text.replace("\r\n", "\n")

    def yaml(self, path: str) -> dict[str, Any]:
        """One YAML file that holds a mapping.

        Raises:
            PackageError: As `text`, or the YAML is malformed, too deep, no mapping, or has an alias or a repeated key.
        """
        try:
            return load_mapping(self.text(path))
        except YamlFault as fault:
            raise PackageError(self.entry, path, str(fault)) from None


class YamlFault(Exception):
    """A YAML text that cannot be used; the message says why."""


def load_mapping(text: str) -> dict[str, Any]:
    """Read one YAML document that holds a mapping with text keys.

    Raises:
        YamlFault: The YAML is malformed, too deep, no mapping, or has an alias or a repeated key.
    """
    try:
        document = yaml.load(text, _plain_loader())
    except _YAML_FAULTS as error:
        line = " ".join(str(error).split())[:300]
        raise YamlFault(f"not readable as YAML: {line}") from None
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise YamlFault("must be a mapping with text keys, `key: value` on each line")
    return document


def list_package(folder: Path) -> PackageFiles:
    """List a package's files without reading them.

    Files whose names the Kattis format does not know (such as `.git`) are as good as absent.

    Raises:
        PackageError: The folder is absent or a link, holds a link or special file, or is beyond the limits.
    """
    entry = folder.name
    if folder.is_symlink() or not folder.is_dir():
        raise PackageError(entry, ".", "not a folder; give the package's own folder, not a link to it")
    sizes_bytes: dict[str, int] = {}
    seen = 0
    pending: list[tuple[str, int]] = [("", 0)]
    while pending:
        inside, depth = pending.pop()
        try:
            children = sorted(os.scandir(folder / inside), key=lambda child: child.name)
        except OSError as error:
            raise PackageError(entry, inside or ".", f"cannot be listed: {error.strerror}") from None
        for child in children:
            path = f"{inside}/{child.name}" if inside else child.name
            if not _FILE_NAME.fullmatch(child.name) or child.name in _IGNORED_FOLDERS:
                continue
            seen += 1
            if seen > MAX_FILES:
                raise PackageError(entry, ".", f"more than {MAX_FILES} files; remove what the package does not need")
            status = child.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                if depth == MAX_DEPTH:
                    raise PackageError(entry, path, f"deeper than {MAX_DEPTH} folders; flatten the package")
                pending.append((path, depth + 1))
            elif stat.S_ISREG(status.st_mode):
                sizes_bytes[path] = status.st_size
            else:
                raise PackageError(entry, path, "a link or special file; put a plain file in its place")
    read_bytes = sum(size for path, size in sizes_bytes.items() if not path.startswith("data/secret/"))
    if read_bytes > MAX_READ_BYTES:
        raise PackageError(entry, ".", f"more than {MAX_READ_BYTES} bytes in all; make the package smaller")
    return PackageFiles(entry, folder, sizes_bytes)


def _plain_loader() -> type[yaml.SafeLoader]:
    """A safe loader that also refuses aliases (which let a small file become a huge one) and repeated keys."""

    class Loader(yaml.SafeLoader):
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases are not allowed; write the value out")
            self.depth += 1
            if self.depth > MAX_NESTING:
                raise yaml.YAMLError(f"nested deeper than {MAX_NESTING}")
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            counts = Counter(str(key.value) for key, _ in node.value)
            repeated = {name for name, count in counts.items() if count > 1}
            if repeated:
                raise yaml.YAMLError(f"key given twice: {', '.join(sorted(repeated))}")
            return super().construct_mapping(node, deep)

    return Loader

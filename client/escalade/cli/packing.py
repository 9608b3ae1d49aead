"""Archives as bytes, folders packed.

Guarantee: a folder's files go in under their own paths, and only plain files: links and devices are named and left out.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from escalade.cli import output
from escalade.cli.app import CommandError

MAX_ARCHIVE_BYTES = 46 << 20
"""In base64 it is below the 64 MiB that a server takes by default."""
_ENDINGS = (".zip", ".kpp", ".tar", ".tar.gz", ".tgz")


def is_packed(path: Path) -> bool:
    """Whether a path is an archive or a folder, rather than one file of text."""
    return path.is_dir() or path.name.lower().endswith(_ENDINGS)


def packed(path: Path) -> tuple[str, bytes]:
    """A name and the bytes to send.

    Raises:
        CommandError: It cannot be read, or is too large.
    """
    try:
        name, content = (
            (f"{path.resolve().name}.tar.gz", _folder(path)) if path.is_dir() else (path.name, path.read_bytes())
        )
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}; check the path") from None
    if len(content) > MAX_ARCHIVE_BYTES:
        raise CommandError(
            f"{path} has {len(content) >> 20} MiB packed, more than {MAX_ARCHIVE_BYTES >> 20}: import it in parts"
        )
    return name, content


def _folder(folder: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                output.note(f"left out, a link or special file: {path}")
            elif path.is_file() and not any(part.is_symlink() for part in path.parents if folder in part.parents):
                archive.add(path, arcname=str(path.relative_to(folder)), recursive=False)
    return content.getvalue()

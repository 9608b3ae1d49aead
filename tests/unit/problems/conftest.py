import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from escalade_server.problems.formats.archives import Archive, open_bytes
from escalade_server.problems.formats.sources import SourceFiles, files_below

FORMATS = Path(__file__).resolve().parents[2] / "fixtures" / "formats"

Pack = Callable[[Mapping[str, str | bytes]], Archive]


@pytest.fixture(scope="session")
def formats() -> Path:
    """The fixtures of all import formats."""
    return FORMATS


@pytest.fixture(scope="session")
def pack() -> Pack:
    """Makes an archive of texts by path."""

    def make(files: Mapping[str, str | bytes]) -> Archive:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path, content in files.items():
                archive.writestr(path, content)
        return open_bytes("problem.zip", buffer.getvalue())

    return make


@pytest.fixture(scope="session")
def sources(pack: Pack) -> Callable[[Mapping[str, str | bytes]], SourceFiles]:
    """Makes the files of one problem of texts by path."""
    return lambda files: files_below(pack(files), "")


@pytest.fixture(scope="session")
def texts(formats: Path) -> Callable[[str], dict[str, str]]:
    """The files of a fixture's folder, to be changed by a test."""

    def read(folder: str) -> dict[str, str]:
        root = formats / folder
        return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}

    return read

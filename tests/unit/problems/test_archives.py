"""Archives: what opens, and what is refused before any of it is used."""

import contextlib
import gzip
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalade_server.problems.formats.archives import Bounds, open_bytes, open_path
from escalade_server.problems.formats.errors import ArchiveError

FILES = {"a/one.txt": b"1\n", "a/b/two.txt": b"2\n" * 100, "three": b""}
BOUNDS = Bounds(archive_bytes=1 << 20, total_bytes=50_000, file_bytes=20_000, files=50, small_bytes=1_000, depth=5)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def special(kind: bytes, target: str = "a/one.txt") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("odd")
        member.type, member.linkname = kind, target
        archive.addfile(member)
    return buffer.getvalue()


@pytest.mark.parametrize("content", [zipped(FILES), tarred(FILES), tarred(FILES, "w")], ids=["zip", "tar.gz", "tar"])
def test_an_archive_in_memory_gives_its_files(content):
    archive = open_bytes("archive", content)
    assert {path: archive.read(path) for path in archive.sizes_bytes} == FILES
    assert dict(archive.sizes_bytes) == {path: len(text) for path, text in FILES.items()}


def test_a_folder_gives_its_files_and_names_what_it_does_not_read(tmp_path: Path):
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(30_000))
    archive = open_path(tmp_path, BOUNDS)
    assert {path: archive.read(path) for path in archive.sizes_bytes} == FILES
    assert set(archive.refused) == {"link", "pipe", "large"}
    with pytest.raises(ArchiveError, match="link or special file"):
        archive.read("link")


def test_a_link_put_in_a_listed_files_place_is_not_followed(tmp_path: Path):
    (tmp_path / "file").write_text("fine")
    archive = open_path(tmp_path)
    (tmp_path / "file").unlink()
    (tmp_path / "file").symlink_to("/etc/passwd")
    with pytest.raises(ArchiveError, match="cannot be read"):
        archive.read("file")


def test_the_way_to_an_archive_may_not_be_a_link(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ArchiveError, match="a link or special file"):
        open_path(tmp_path / "link")


NAMES = ["../out", "a/../../out", "/etc/passwd", "a\\..\\out", "C:/out", "a/\x01b", "a/b/c/d/e/f/g", "x" * 2_000]


@pytest.mark.parametrize("name", NAMES)
def test_a_zip_with_a_name_that_leads_out_is_refused(name):
    with pytest.raises(ArchiveError, match=r"name|deeper"):
        open_bytes("bad.zip", zipped({"good": b"1", name: b"2"}), BOUNDS)


@pytest.mark.parametrize("name", NAMES)
def test_a_tar_with_a_name_that_leads_out_is_refused(name):
    with pytest.raises(ArchiveError, match=r"name|deeper"):
        open_bytes("bad.tar.gz", tarred({"good": b"1", name: b"2"}), BOUNDS)


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE],
    ids=["symlink", "hardlink", "character device", "block device", "fifo", "sparse"],
)
def test_a_tar_with_a_special_member_is_refused(kind):
    with pytest.raises(ArchiveError):
        open_bytes("bad.tar.gz", special(kind))


def test_a_zip_with_a_link_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ArchiveError, match="a link or special file"):
        open_bytes("bad.zip", buffer.getvalue())


def test_bounds_hold_for_each_file_for_the_whole_and_for_the_count():
    noise = os.urandom(20_001)
    for pack in (lambda files: zipped(files, zipfile.ZIP_STORED), tarred):
        with pytest.raises(ArchiveError, match="larger than 20000 bytes"):
            open_bytes("bad", pack({"one": noise}), BOUNDS)
        with pytest.raises(ArchiveError, match="unpacks to more than 50000 bytes"):
            open_bytes("bad", pack({str(i): noise[:15_000] for i in range(4)}), BOUNDS)
        with pytest.raises(ArchiveError, match="more than 50 members"):
            open_bytes("bad", pack({str(i): b"" for i in range(51)}), BOUNDS)


def test_bombs_are_refused_by_their_ratio():
    bounds = Bounds(small_bytes=1_000)
    zeros = bytes(10 << 20)
    with pytest.raises(ArchiveError, match="200 times its size"):
        open_bytes("bomb.zip", zipped({"zeros": zeros}), bounds)
    with pytest.raises(ArchiveError, match="200 times its size"):
        open_bytes("bomb.tar.gz", tarred({"zeros": zeros}), bounds)


def test_a_tar_header_that_claims_a_huge_extension_ends_at_the_bound():
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 1 << 40
    content = gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20))
    with pytest.raises(ArchiveError):
        open_bytes("bad.tar.gz", content, BOUNDS)


def test_two_members_of_one_name_are_refused():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("twice"))
    with pytest.raises(ArchiveError, match="two members"):
        open_bytes("bad.tar", buffer.getvalue())


def test_hidden_files_are_as_good_as_absent_but_those_that_mean_something():
    content = zipped({".git/config": b"", "__MACOSX/a": b"", "p/.timelimit": b"2", "p/.DS_Store": b"", "p/a": b""})
    assert sorted(open_bytes("a.zip", content).sizes_bytes) == ["p/.timelimit", "p/a"]


def test_what_is_below_a_folder_is_found_without_its_neighbours():
    archive = open_bytes("a.zip", zipped({"a/x": b"", "a-b": b"", "a/y": b"", "b": b"", "aa/z": b""}))
    assert archive.below("a/") == ["a/x", "a/y"]
    assert archive.below("") == ["a-b", "a/x", "a/y", "aa/z", "b"]


VALID = [zipped(FILES), tarred(FILES), tarred(FILES, "w")]


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=600), start=st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08\x00"]))
def test_arbitrary_bytes_are_a_table_or_an_archive_error(content, start):
    opens(start + content)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_archive_is_a_table_or_an_archive_error(data):
    content = bytearray(data.draw(st.sampled_from(VALID)))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    opens(bytes(content[: data.draw(st.integers(1, len(content)))]))


def opens(content: bytes) -> None:
    with contextlib.suppress(ArchiveError):
        archive = open_bytes("any", content, BOUNDS)
        for path in archive.sizes_bytes:
            archive.read(path)

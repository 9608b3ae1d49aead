"""`escalade import`: splitting, reporting, refusing."""

import gzip
import json

import pytest
from fake_api import KEY, Fault
from hypothesis import given
from hypothesis import strategies as st

from escalade.cli.imports import MAX_PART_CHARS, MAX_PART_ENTRIES, split_entries


@pytest.fixture
def archive(tmp_path):
    def write(content):
        path = tmp_path / "archive.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def parts(api):
    return [json.loads(request.body["content"]) for request in api.requests if request.path == "/v1/imports"]


def counts(result):
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    return {row[0]: int(row[1]) for row in rows[1:5]}


def test_an_archive_goes_in_in_parts_and_again_unchanged(cli, api, archive):
    entries = {f"entry {i}": {"n": i} for i in range(40)}
    path = archive(entries)
    first = cli("import", "scaler", path)
    assert first.exit_code == 0, first.stderr
    assert counts(first) == {"created": 40, "updated": 0, "unchanged": 0, "refused": 0}
    assert [len(part) for part in parts(api)] == [16, 16, 8]
    assert {name: entry for part in parts(api) for name, entry in part.items()} == entries
    assert api.requests[0].body["filename"] == "archive.json"
    assert counts(cli("import", "scaler", path))["unchanged"] == 40


def test_a_dry_run_stores_nothing(cli, api, archive):
    result = cli("import", "scaler", archive({"a": {}}), "--dry-run")
    assert counts(result)["would be created"] == 1
    assert api.imported == set()


def test_a_refused_entry_is_named_with_its_reason_and_the_status_says_so(cli, api, archive):
    api.refuse_entries["bad"] = ("params.n.max", "must be above min")
    result = cli("import", "scaler", archive({"good": {}, "bad": {}}))
    assert result.exit_code == 1
    assert counts(result) == {"created": 1, "updated": 0, "unchanged": 0, "refused": 1}
    assert result.stdout.splitlines()[-1].split("\t") == ["bad", "params.n.max", "must be above min"]


def test_progress_is_drawn_on_a_terminal(cli, archive):
    result = cli("import", "scaler", archive({"a": {}}), terminal=True)
    assert result.exit_code == 0
    assert "importing" in result.stderr
    assert "importing" not in result.stdout


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "object of entries is needed"),
        (b"[1, 2]", "object of entries is needed"),
        (b"{}", "no entries"),
        (b'{"a": {}', "line 1 column 9"),
        (b'{"a": {}} x', "unexpected text"),
        (b'{"a" {}}', "colon"),
        (b'{"a": {} "b": {}}', "comma"),
        (b"{a: 1}", "entry's name"),
        (b'{"a": {"b": }}', "line 1 column"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (gzip.compress(b"{}"), "not UTF-8"),
    ],
)
def test_an_unreadable_archive_is_one_line_that_names_the_file(cli, api, archive, content, reason):
    path = archive(content)
    result = cli("import", "scaler", path)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert str(path) in line
    assert reason in line
    assert api.requests == []


@pytest.mark.parametrize("format", ["scaler", "auto"])
def test_a_path_that_is_not_there_is_one_line(cli, tmp_path, format):
    result = cli("import", format, tmp_path / "missing.json")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "No such file" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_byte_order_mark_is_no_obstacle(cli, archive):
    assert cli("import", "scaler", archive(b'\xef\xbb\xbf{"a": {}}')).exit_code == 0


def test_an_import_that_stops_midway_says_how_far_it_came(cli, api, archive):
    path = archive({f"entry {i}": {} for i in range(40)})
    api.fail_next(*[None] * 2, *[Fault(500, "disk_full", "the disk is full")])
    result = cli("import", "scaler", path)
    assert result.exit_code == 1
    assert counts(result)["created"] == 32
    assert "stopped after 2 of 3 parts" in result.stderr
    assert "error: the disk is full" in result.stderr


def test_a_failed_job_is_an_error(cli, api, archive):
    api.job_error = "the database went away"
    result = cli("import", "scaler", archive({"a": {}}))
    assert result.exit_code == 1
    assert "failed on the server: the database went away (job_0)" in result.stderr


def test_entries_of_one_name_and_odd_literals_reach_the_server_as_written():
    text = '{"a": {"x": NaN},\n "b": 1e999, "a" : {"x": 1.50, "x": 2}}'
    (part,) = split_entries(text)
    assert part.text == '{"a": {"x": NaN},"a" : {"x": 1.50, "x": 2},"b": 1e999}'
    assert part.entries == 3


def test_a_single_entry_without_its_name_is_sent_whole():
    text = json.dumps({"generate_testcase": "def f(): pass", "output_type": "number"})
    assert [part.text for part in split_entries(text)] == [text]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.text().filter(lambda name: name != "generate_testcase"), values, min_size=1, max_size=60),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)
def test_the_parts_together_are_the_archive(entries, indent, ascii_only):
    text = json.dumps(entries, indent=indent, ensure_ascii=ascii_only)
    pieces = [(json.loads(part.text), part.entries) for part in split_entries(text)]
    joined = [pair for piece, _ in pieces for pair in piece.items()]
    assert joined == list(entries.items())
    assert all(len(piece) == count <= MAX_PART_ENTRIES for piece, count in pieces)


def test_parts_are_bounded_in_length_but_for_a_single_large_entry():
    half = "x" * (MAX_PART_CHARS // 2)
    text = json.dumps({"a": half, "b": half, "c": half * 3, "d": half})
    assert [list(json.loads(part.text)) for part in split_entries(text)] == [["a"], ["b"], ["c"], ["d"]]


def test_the_key_is_in_no_output(cli, archive):
    result = cli("import", "scaler", archive({"a": {}}))
    assert KEY not in result.output

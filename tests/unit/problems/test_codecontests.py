"""CodeContests rows, as JSON Lines, JSON and Parquet."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalade_server.problems.definition import Refusal
from escalade_server.problems.formats.codecontests import MAX_SOLUTIONS, parse_rows
from escalade_server.problems.formats.errors import ArchiveError
from escalade_server.problems.formats.sources import MAX_TESTS
from escalade_server.problems.problem import Comparison, missing_of


@pytest.fixture
def content(formats: Path) -> bytes:
    return (formats / "codecontests" / "rows.jsonl").read_bytes()


@pytest.fixture
def row(content: bytes) -> dict:
    return json.loads(content.splitlines()[0])


def one(row: dict):
    problems, refusals = parse_rows(json.dumps(row).encode())
    assert refusals == []
    return problems[0]


def refusal(row: dict) -> Refusal:
    problems, refusals = parse_rows(json.dumps(row).encode())
    assert problems == []
    return refusals[0]


def test_every_row_comes_out_once(content):
    problems, refusals = parse_rows(content)
    assert [problem.name for problem in problems] == ["903_A. Ferry Queue", "903_B. Mean Slope"]
    assert [(refusal.entry, refusal.field) for refusal in refusals] == [
        ("903_C. Secret Word", "description"),
        ("row 4", ""),
        ("903_D. Odd Language", "solutions.language[1]"),
        ("903_E. From a File", "input_file"),
    ]


def test_the_statement_its_samples_and_its_limits(row):
    problem = one(row)
    assert problem.statement.task.endswith("How many trips does it make?")
    assert problem.statement.output == "Print the number of trips."
    assert [(sample.input, sample.output) for sample in problem.samples] == [("3 5\n2 3 4\n", "2\n")]
    assert (problem.limits.time_s, problem.limits.memory_bytes) == (2.5, 256_000_000)
    assert problem.tags == ("greedy", "math")
    assert missing_of(problem) == ("answer_type", "parameters", "generator")


def test_tests_keep_their_kind(row):
    kinds = [(test.name, test.kind) for test in one(row).tests]
    assert kinds == [
        ("public/1", "sample"),
        ("private/1", "secret"),
        ("generated/1", "generated"),
        ("generated/2", "generated"),
    ]


def test_solutions_keep_their_language_and_copies_go(row):
    problem = one(row)
    assert [(solution.name, solution.language) for solution in problem.solutions] == [
        ("solutions/0", "python"), ("solutions/1", "cpp"), ("solutions/2", "python2"), ("solutions/3", "java"),
        ("incorrect_solutions/0", "python"),
    ]  # fmt: skip
    assert [solution.name for solution in problem.usable_solutions] == ["solutions/0", "solutions/1"]
    assert any("1 left out" in note for note in problem.notes)


def test_rejected_solutions_do_not_say_how_they_fail(row):
    wrong = one(row).solutions[-1]
    assert (wrong.expected, wrong.rejected) == ("unknown", True)


def test_a_declared_tolerance_and_absent_limits(content):
    problems, _ = parse_rows(content)
    assert problems[1].comparison == Comparison(absolute_tolerance=1e-6, relative_tolerance=1e-6)
    assert (problems[1].limits.time_s, problems[1].limits.memory_bytes) == (None, None)


def test_a_json_array_and_lists_of_objects_read_the_same(row):
    listed = dict(row)
    for field, names in (("public_tests", ("input", "output")), ("solutions", ("language", "solution"))):
        pairs = zip(*(row[field][name] for name in names), strict=True)
        listed[field] = [dict(zip(names, pair, strict=True)) for pair in pairs]
    named = {**row, "solutions": {**row["solutions"], "language": ["PYTHON3", "CPP", "PYTHON", "JAVA", "PYTHON3"]}}
    for other in (listed, named):
        problems, _ = parse_rows(json.dumps([other]).encode())
        assert problems[0] == one(row)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": 3}, "name"),
        ({"name": " "}, "name"),
        ({"description": None}, "description"),
        ({"description": " "}, "description"),
        ({"description": "\ud800"}, "description"),
        ({"description": "Guess it.\n\nInteraction\n\nAsk."}, "description"),
        ({"description": "This is a run-twice problem."}, "description"),
        ({"time_limit": {"seconds": "2"}}, "time_limit.seconds"),
        ({"memory_limit_bytes": -1}, "memory_limit_bytes"),
        ({"public_tests": {"input": ["1"], "output": []}}, "public_tests"),
        ({"public_tests": {"input": [1], "output": ["1"]}}, "public_tests[0]"),
        ({"private_tests": 3}, "private_tests"),
        ({"solutions": {"language": [True], "solution": ["x"]}}, "solutions.language[0]"),
        ({"solutions": {"language": [3], "solution": [None]}}, "solutions.solution[0]"),
        ({"cf_tags": "dp"}, "cf_tags"),
    ],
)
def test_a_malformed_field_is_named(row, change, field):
    assert refusal({**row, **change}).field == field


def test_large_rows_are_kept_within_bounds(row):
    many = {
        **row,
        "solutions": {"language": [3] * 500, "solution": [f"print({i})" for i in range(500)]},
        "generated_tests": {"input": [f"{i}\n" for i in range(900)], "output": ["1\n"] * 900},
    }
    problem = one(many)
    assert len(problem.usable_solutions) == MAX_SOLUTIONS
    assert len(problem.tests) == MAX_TESTS
    assert len(problem.notes) == 2


def test_what_is_no_archive_of_rows_is_refused():
    for content in (b"", b"hello", b"[1,", b"PAR"):
        with pytest.raises(ArchiveError):
            parse_rows(content)


def test_parquet_without_its_extra_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ArchiveError, match=r"escalade\[formats\]"):
        parse_rows(b"PAR1....PAR1")


def test_parquet_reads_as_json_lines_do(content):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    lines = [line for number, line in enumerate(content.splitlines(), start=1) if number != 4]
    table = pyarrow.Table.from_pylist([json.loads(line) for line in lines])
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, row_group_size=2)
    assert parse_rows(buffer.getvalue()) == parse_rows(b"\n".join(lines))


def test_damaged_parquet_is_refused(content):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist([json.loads(content.splitlines()[0])]), buffer)
    for damaged in (buffer.getvalue()[:-20], b"PAR1" + bytes(100) + b"PAR1", b"PAR1"):
        with pytest.raises(ArchiveError, match="not readable as Parquet"):
            parse_rows(damaged)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "name",
    "description",
    "public_tests",
    "solutions",
    "incorrect_solutions",
    "time_limit",
    "cf_tags",
    "input_file",
]


@settings(max_examples=200, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3))
def test_any_value_in_any_field_gives_a_problem_or_a_refusal(formats, changes):
    row = json.loads((formats / "codecontests" / "rows.jsonl").read_bytes().splitlines()[0])
    problems, refusals = parse_rows(json.dumps({**row, **changes}).encode())
    assert len(problems) + len(refusals) == 1


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_give_rows_or_an_archive_error(content):
    lines = b'{"name": "x"}\n' + content
    problems, refusals = parse_rows(lines)
    assert problems == []
    assert len(refusals) >= 1


def test_the_servers_image_brings_what_parquet_needs():
    root = Path(__file__).resolve().parents[3]
    [program] = re.findall(
        r'^RUN python -c "(.*?)" > requirements.txt', (root / "server/Dockerfile").read_text(), re.M | re.S
    )
    asked = [sys.executable, "-c", program.replace("\\\n", "")]
    names = {re.match(r"[\w.-]+", line)[0] for line in subprocess.check_output(asked, cwd=root, text=True).splitlines()}
    assert {"pyarrow", "fastapi", "typer", "httpx"} <= names
    constraints = (root / "constraints.txt").read_text().lower().replace("_", "-")
    assert names <= {line.partition("==")[0] for line in constraints.splitlines()}

"""Polygon packages: what goes in, and what is refused with which words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalade_server.problems.definition import Parameter
from escalade_server.problems.formats.package_files import PackageError
from escalade_server.problems.formats.polygon import parse_polygon
from escalade_server.problems.formats.polygon_checkers import STANDARD_CHECKERS
from escalade_server.problems.formats.xml_tree import read_xml
from escalade_server.problems.problem import Comparison, missing_of


@pytest.fixture
def bead_row(sources, texts):
    return parse_polygon(sources(texts("polygon/bead-row")))


@pytest.fixture
def even_split(sources, texts):
    return parse_polygon(sources(texts("polygon/even-split")))


def refused(sources, files) -> tuple[str, str]:
    with pytest.raises(PackageError) as caught:
        parse_polygon(sources(files))
    return caught.value.field, caught.value.reason


def test_metadata_limits_and_samples(bead_row):
    assert (bead_row.name, bead_row.title, bead_row.tags) == ("bead-row", "Bead Row", ("implementation", "strings"))
    assert (bead_row.limits.time_s, bead_row.limits.memory_bytes) == (1.5, 268_435_456)
    assert [(sample.input, sample.output) for sample in bead_row.samples] == [("5\n1 1 2 2 2\n", "3 2\n")]
    assert missing_of(bead_row) == ()


def test_statements_come_from_properties_from_tex_and_from_sections(bead_row, even_split):
    assert bead_row.statement.task.startswith("Mia threads")
    assert bead_row.statement.output == "Print the two lengths."
    english, russian = even_split.statements
    assert english.task.startswith("Write the even number")
    assert english.output == "Print the two numbers."
    assert (russian.language, russian.output) == ("ru", "Выведите два числа.")


def test_the_main_solution_comes_first_and_others_stand_by(bead_row, even_split):
    assert [solution.name for solution in even_split.solutions] == [
        "main/main.cpp", "accepted/first.py", "accepted/middle.cpp", "rejected/odd.py",
    ]  # fmt: skip
    assert (even_split.solutions[-1].expected, even_split.solutions[-1].rejected) == ("unknown", True)
    assert [solution.language for solution in bead_row.solutions] == ["cpp", "python", "python", "java"]
    assert [solution.expected for solution in bead_row.solutions][2:] == ["wrong_answer", "unknown"]


def test_a_standard_checker_becomes_a_comparison(bead_row):
    assert bead_row.checker is None
    assert (bead_row.answer_type, bead_row.comparison) == ("array", Comparison())


@pytest.mark.parametrize(("name", "answer_type"), [("icmp", "number"), ("yesno", "bool"), ("uncmp", "multiset")])
def test_standard_checkers_by_name(sources, texts, name, answer_type):
    files = texts("polygon/bead-row")
    files["problem.xml"] = files["problem.xml"].replace("std::ncmp.cpp", f"std::{name}.cpp")
    problem = parse_polygon(sources(files))
    assert (problem.answer_type, problem.comparison) == (answer_type, STANDARD_CHECKERS[name].comparison)


def test_a_checker_of_its_own_uses_testlib(even_split):
    assert (even_split.checker.protocol, even_split.answer_type) == ("testlib", "checked")
    assert "testlib.h" in even_split.checker.files


def test_options_and_named_positions_become_scale_parameters(bead_row, even_split):
    (options,) = bead_row.generators
    assert options.arguments == ("-n", "{n}", "-colours", "{colours}", "{seed}")
    assert options.parameters["colours"] == Parameter(minimum=3, maximum=20)
    (positions,) = even_split.generators
    assert positions.arguments == ("{n}", "{seed}")
    assert [call.arguments for call in positions.calls] == [("10", "1"), ("5000", "2")]


@pytest.mark.parametrize(
    ("old", "new", "field", "word"),
    [
        ("<assets>", "<assets><interactor/>", "problem.xml: interactor", "interactive"),
        ('input-file=""', 'input-file="a.in"', "problem.xml: judging: input-file", "named files"),
        ("<judging ", '<judging run-count="2" ', "problem.xml: judging: run-count", "multi-pass"),
        ('sample="true"', 'points="5.0"', "problem.xml: points", "scoring"),
        ("std::ncmp.cpp", "std::pointscmp.cpp", "problem.xml: checker", "scoring"),
        ("1500", "soon", "problem.xml: time-limit", "whole number"),
        ("<problem ", "<!DOCTYPE problem><problem ", "problem.xml", "document type"),
        ("</problem>", "", "problem.xml", "not XML"),
        ("encoding=\"utf-8\"", "encoding=\"klingon\"", "problem.xml", "encoding"),
    ],
)  # fmt: skip
def test_what_cannot_go_in_is_refused_by_name(sources, texts, old, new, field, word):
    files = texts("polygon/bead-row")
    assert old in files["problem.xml"]
    files["problem.xml"] = files["problem.xml"].replace(old, new)
    found, reason = refused(sources, files)
    assert found == field
    assert word in reason


def test_an_interaction_section_is_refused(sources, texts):
    files = texts("polygon/bead-row")
    path = "statements/english/problem-properties.json"
    files[path] = files[path].replace('"interaction": null', '"interaction": "Ask."')
    assert "interactive" in refused(sources, files)[1]


def test_a_missing_solution_is_noted_and_the_others_go_in(sources, texts):
    files = texts("polygon/bead-row")
    del files["solutions/main.cpp"]
    problem = parse_polygon(sources(files))
    assert [solution.name for solution in problem.usable_solutions] == ["accepted/runs.py"]
    assert any("solutions/main.cpp" in note for note in problem.notes)


def test_xml_that_is_too_deep_is_refused():
    with pytest.raises(ValueError, match="nested deeper"):
        read_xml(b"<a>" * 50 + b"</a>" * 50)


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_tree_or_a_value_error(content):
    try:
        name = read_xml(content).name
    except ValueError as error:
        name = str(error)
    assert name


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_bytes_in_any_file_give_a_problem_or_a_refusal(sources, texts, data):
    files: dict[str, str | bytes] = dict(texts(data.draw(st.sampled_from(["polygon/bead-row", "polygon/even-split"]))))
    path = data.draw(st.sampled_from(["problem.xml", *sorted(files)]))
    content = str(files[path]).encode()
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, min(len(content), start + 30)))
    files[path] = content[:start] + data.draw(st.binary(max_size=30)) + content[stop:]
    try:
        text = parse_polygon(sources(files)).title
    except PackageError as error:
        text = error.reason
    assert text

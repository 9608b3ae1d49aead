"""Library Checker problems: what goes in, and what is refused with which words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalade_server.problems.definition import Parameter, header_of
from escalade_server.problems.formats.library_checker import parse_library_checker
from escalade_server.problems.formats.package_files import PackageError
from escalade_server.problems.problem import missing_of

TOTALS = "library-checker/sums/range_totals"
DIVISOR = "library-checker/numbers/any_divisor"


@pytest.fixture
def totals(sources, texts):
    return parse_library_checker(sources(texts(TOTALS)), common={"rng.h": "// shared\n"})


@pytest.fixture
def divisor(sources, texts):
    return parse_library_checker(sources(texts(DIVISOR)))


def test_metadata_and_statement_in_both_languages(totals):
    assert (totals.title, totals.limits.time_s) == ("Range Totals", 2.0)
    english = totals.statement
    assert english.language == "en"
    assert "Given are $N$ numbers" in english.text
    assert "$1 \\leq N \\leq 50000$" in english.text
    assert "数列" not in english.text
    assert "@{" not in english.text
    assert [statement.language for statement in totals.statements] == ["en", "ja"]


def test_upper_bounds_are_the_scale_parameters(totals, divisor):
    assert totals.parameters == {
        "N_MAX": Parameter(minimum=1, maximum=50_000),
        "Q_MAX": Parameter(minimum=1, maximum=50_000),
        "A_MAX": Parameter(minimum=0, maximum=1_000_000_000),
    }
    assert divisor.parameters == {"X_MAX": Parameter(minimum=4, maximum=1_000_000)}


def test_generators_take_the_seed_and_compile_the_constants_in(totals):
    first, second = totals.generators
    assert (first.name, second.name) == ("random.cpp", "full.cpp")
    assert (first.arguments, first.calls[0].count) == (("{seed}",), 5)
    assert first.files["rng.h"] == "// shared\n"
    assert "#define N_MAX (long long)50000\n" in first.files["params.h"]
    assert '#include "params.h"' in first.source
    smaller = header_of(first.defines, {"N_MAX": 7})
    assert "#define N_MAX (long long)7\n" in smaller
    assert "#define Q_MAX (long long)50000\n" in smaller


def test_verdicts_of_today_and_of_earlier_collections(totals, divisor):
    assert {solution.name: solution.expected for solution in totals.solutions} == {
        "correct.cpp": "accepted", "second.cpp": "accepted", "naive.cpp": "time_limit", "wa.cpp": "wrong_answer",
    }  # fmt: skip
    assert totals.solutions[0].name == "correct.cpp"
    assert {solution.name: solution.expected for solution in divisor.solutions} == {
        "correct.cpp": "accepted", "one.cpp": "wrong_answer",
    }  # fmt: skip
    assert missing_of(divisor) == ("solutions",)


def test_a_checker_that_only_compares_words_means_unique_answers(totals, divisor):
    assert totals.checker is None
    assert (divisor.checker.protocol, divisor.answer_type) == ("testlib", "checked")


def test_samples_come_from_example_files(totals):
    assert [(sample.input, sample.output) for sample in totals.samples] == [("3 2\n1 2 3\n0 3\n1 2\n", "6\n2\n")]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("[[tests]]", "[[others]]", "info.toml: tests"),
        ('name = "random.cpp"', 'name = "../random.cpp"', "info.toml: tests.0.name"),
        ("number = 3", "number = -3", "info.toml: tests.0.number"),
        ("number = 3", "number = 30_000", "info.toml: tests.0.number"),
        ("timelimit = 1", "timelimit = 'soon'", "info.toml: timelimit"),
        ("X_MIN = 4", "X_MIN = [4]", "info.toml: params.X_MIN"),
        ("X_MIN = 4", "'X MIN' = 4", "info.toml: params.X MIN"),
        ("wrong = true", "expect = 'MAYBE'", "info.toml: solutions.0.expect"),
        ("title =", "title", "info.toml"),
        ("title =", "type = 'interactive'\ntitle =", "info.toml: type"),
    ],
)
def test_what_cannot_go_in_is_refused_by_key(sources, texts, old, new, field):
    files = texts(DIVISOR)
    assert old in files["info.toml"]
    files["info.toml"] = files["info.toml"].replace(old, new)
    with pytest.raises(PackageError) as caught:
        parse_library_checker(sources(files))
    assert caught.value.field == field


@pytest.mark.parametrize("path", ["info.toml", "task.md", "checker.cpp", "sol/correct.cpp", "gen/random.cpp"])
def test_a_missing_file_is_named(sources, texts, path):
    files = texts(DIVISOR)
    del files[path]
    with pytest.raises(PackageError) as caught:
        parse_library_checker(sources(files))
    assert caught.value.field == path


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_bytes_in_any_file_give_a_problem_or_a_refusal(sources, texts, data):
    files: dict[str, str | bytes] = dict(texts(DIVISOR))
    path = data.draw(st.sampled_from(["info.toml", *sorted(files)]))
    content = str(files[path]).encode()
    start = data.draw(st.integers(0, len(content)))
    files[path] = content[:start] + data.draw(st.binary(max_size=30)) + content[start + data.draw(st.integers(0, 20)) :]
    try:
        text = parse_library_checker(sources(files)).title
    except PackageError as error:
        text = error.reason
    assert text

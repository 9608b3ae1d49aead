"""Kattis packages: what goes in, and what is refused with which words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalade_server.problems.definition import Parameter
from escalade_server.problems.formats.kattis import parse_kattis
from escalade_server.problems.formats.package_files import PackageError
from escalade_server.problems.problem import Call, Comparison, missing_of

LEGACY = "name: X\n"
NEW = "problem_format_version: 2025-09\nname: X\nuuid: u\n"


@pytest.fixture
def giftbags(sources, texts):
    return parse_kattis(sources(texts("kattis/giftbags")))


@pytest.fixture
def ropepieces(sources, texts):
    return parse_kattis(sources(texts("kattis/ropepieces")))


@pytest.fixture
def meanwalk(sources, texts):
    return parse_kattis(sources(texts("kattis/meanwalk")))


def refused(sources, files) -> tuple[str, str]:
    with pytest.raises(PackageError) as caught:
        parse_kattis(sources(files))
    return caught.value.field, caught.value.reason


def test_metadata_and_limits_of_a_new_package(giftbags):
    assert (giftbags.title, giftbags.source, giftbags.licence) == ("Gift Bags", "kattis", "CC0-1.0")
    assert giftbags.tags == ("arithmetic", "simulation")
    assert (giftbags.limits.time_s, giftbags.limits.memory_bytes) == (2.0, 256 << 20)
    assert missing_of(giftbags) == ("answer_type",)


def test_limits_keywords_and_title_of_a_legacy_package(ropepieces):
    assert (ropepieces.title, ropepieces.licence, ropepieces.tags) == (
        "Rope Pieces",
        "CC-BY-SA-4.0",
        ("greedy", "numbers"),
    )
    assert (ropepieces.limits.time_s, ropepieces.limits.memory_bytes) == (3.0, 512 << 20)


def test_constants_are_filled_into_statements_and_programs(giftbags):
    assert "a_i \\le 1000$" in giftbags.statement.text
    assert "smallest = 1000;" in giftbags.solutions[0].source
    assert "<= 1000 for each" in giftbags.validators[0].source


def test_the_task_and_the_output_section_are_set_apart_in_markdown_and_tex(giftbags, ropepieces, meanwalk):
    assert giftbags.statement.task.endswith("at the least?")
    assert giftbags.statement.output == "Print the number of sweets she must take out."
    assert ropepieces.statement.task.endswith("Any such cut will do.")
    assert "illustration" not in ropepieces.statement.text
    assert meanwalk.statement.output == "Print the mean."
    assert [statement.language for statement in meanwalk.statements] == ["de", "en"]
    assert meanwalk.statement.language == "en"


def test_solutions_carry_the_verdict_of_their_folder(giftbags, meanwalk):
    verdicts = {solution.name: (solution.expected, solution.rejected) for solution in giftbags.solutions}
    assert verdicts == {
        "accepted/fold.cpp": ("accepted", False),
        "accepted/sorted.py": ("accepted", False),
        "time_limit_exceeded/counting.py": ("time_limit", True),
        "wrong_answer/first.py": ("wrong_answer", True),
    }
    assert (meanwalk.solutions[-1].expected, meanwalk.solutions[-1].rejected) == ("unknown", True)


def test_generators_yaml_gives_calls_parameters_and_tests(giftbags):
    (generator,) = giftbags.generators
    assert generator.arguments == ("--n", "{n}", "--most", "{most}", "--seed", "{seed}")
    assert generator.parameters == {
        "n": Parameter(minimum=5, maximum=200),
        "most": Parameter(minimum=10, maximum=1000),
    }
    assert generator.calls[1] == Call(arguments=("--n", "40", "--most", "100", "--seed", "{seed}"), count=3)
    found = {test.name: (test.input, test.output, test.kind) for test in giftbags.tests}
    assert found["sample/1"] == ("3\n4 2 5\n", "5\n", "sample")
    assert found["secret/4-equal"] == ("4\n7 7 7 7\n", "0\n", "secret")


def test_a_generator_script_is_read_and_not_run(ropepieces):
    (generator,) = ropepieces.generators
    assert generator.arguments == ("n={n}", "d={d}", "seed={seed}")
    assert [call.kind for call in generator.calls] == ["sample", "secret", "secret"]
    assert ropepieces.parameters["n"] == Parameter(minimum=7, maximum=1_000_000)
    assert any("variables have no value" in note for note in ropepieces.notes)


def test_an_output_validator_becomes_a_checker_with_its_flags(ropepieces):
    assert (ropepieces.checker.protocol, ropepieces.checker.arguments) == ("kattis", ("strict",))
    assert ropepieces.answer_type == "checked"


def test_the_default_validators_flags_become_a_comparison(meanwalk, giftbags):
    assert meanwalk.comparison == Comparison(case_sensitive=False, absolute_tolerance=1e-6, relative_tolerance=1e-6)
    assert giftbags.comparison == Comparison(case_sensitive=False)


def test_validators_exit_42_and_bring_our_testlib_where_the_package_has_none(meanwalk, ropepieces):
    (validator,) = meanwalk.validators
    assert validator.valid_exit == 42
    assert set(validator.files) == {"testlib.h", "testlib_random.h", "testlib_stream.h"}
    assert any(note.startswith("input_validators/format.ctd") for note in meanwalk.notes)
    assert len(ropepieces.validators) == 1


def test_the_packages_own_testlib_is_preferred(sources, texts):
    files = texts("kattis/meanwalk") | {"input_validators/check/testlib.h": "// theirs\n"}
    (validator,) = parse_kattis(sources(files)).validators
    assert validator.files == {"testlib.h": "// theirs\n"}


def test_a_program_given_as_a_folder_brings_its_headers(ropepieces):
    (cpp,) = [solution for solution in ropepieces.solutions if solution.language == "cpp"]
    assert cpp.name == "accepted/halves/main.cpp"
    assert set(cpp.files) == {"half.h"}


@pytest.mark.parametrize(
    ("settings", "field", "kind"),
    [
        (NEW + "type: interactive\n", "problem.yaml: type", "interactive"),
        (NEW + "type: [pass-fail, multi-pass]\n", "problem.yaml: type", "multi-pass"),
        (NEW + "type: [scoring, interactive]\n", "problem.yaml: type", "interactive"),
        (NEW + "type: pass-fail interactive\n", "problem.yaml: type", "interactive"),
        (NEW + "type: submit-answer\n", "problem.yaml: type", "submit-answer"),
        (LEGACY + "type: scoring\n", "problem.yaml: type", "scoring"),
        (LEGACY + "validation: custom interactive\n", "problem.yaml: validation", "interactive"),
        (LEGACY + "validation: custom score\n", "problem.yaml: validation", "scoring"),
    ],
)
def test_kinds_that_cannot_go_in_are_refused_by_name(sources, settings, field, kind):
    assert refused(sources, {"problem.yaml": settings}) == (field, f"{kind} problems are not supported")


@pytest.mark.parametrize(
    ("files", "field"),
    [
        ({"problem.yaml": "problem_format_version: 2031-01\nname: X\n"}, "problem.yaml: problem_format_version"),
        ({"problem.yaml": "a: *b\n"}, "problem.yaml"),
        ({"problem.yaml": "- a\n"}, "problem.yaml"),
        ({"problem.yaml": NEW + "limits: 3\n"}, "problem.yaml: limits"),
        ({"problem.yaml": NEW + "limits: {time_limit: -1}\n"}, "problem.yaml: limits.time_limit"),
        ({"problem.yaml": NEW + "constants: {a: [1]}\n"}, "problem.yaml: constants.a"),
        ({"problem.yaml": LEGACY + "validation: custom\n"}, "output_validators"),
        ({"problem.yaml": LEGACY + "validator_flags: float_tolerance x\n"}, "validator flags: float_tolerance"),
        ({"problem.yaml": LEGACY + "validator_flags: what\n"}, "validator flags"),
        ({"problem.yaml": LEGACY, ".timelimit": "soon\n"}, ".timelimit"),
        ({"problem.yaml": LEGACY, "include/cpp/grader.cpp": "int main() {}\n"}, "include"),
        (
            {"problem.yaml": NEW, "generators/generators.yaml": "generators: 3\n"},
            "generators/generators.yaml: generators",
        ),
        ({"problem.yaml": b"name: \xff\n"}, "problem.yaml"),
    ],
)
def test_a_malformed_package_is_refused_by_file_and_key(sources, files, field):
    found, reason = refused(sources, files)
    assert found == field
    assert reason


def test_several_output_validators_are_refused(sources):
    files = {
        "problem.yaml": LEGACY + "validation: custom\n",
        "output_validators/a.py": "",
        "output_validators/b.py": "",
    }
    assert refused(sources, files)[0] == "output_validators"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_bytes_in_any_file_give_a_problem_or_a_refusal(sources, texts, data):
    files: dict[str, str | bytes] = dict(texts(data.draw(st.sampled_from(["kattis/giftbags", "kattis/ropepieces"]))))
    path = data.draw(st.sampled_from(sorted(files)))
    text = files[path]
    assert isinstance(text, str)
    cut = data.draw(st.integers(0, len(text)))
    files[path] = text[:cut].encode() + data.draw(st.binary(max_size=40)) + text[cut:].encode()
    gives(sources, files)


@settings(max_examples=150, deadline=None)
@given(settings_text=st.text(max_size=80), tree=st.text(alphabet="-: {}[]\"'!&*|>\n abint01", max_size=80))
def test_any_yaml_gives_a_problem_or_a_refusal(sources, settings_text, tree):
    gives(sources, {"problem.yaml": LEGACY + settings_text, "data/testdata.yaml": tree})
    gives(sources, {"problem.yaml": NEW, "generators/generators.yaml": f"data:\n  secret:\n    {tree}"})


def gives(sources, files) -> None:
    try:
        problem = parse_kattis(sources(files))
    except PackageError as error:
        problem = None
        text = error.field + error.reason
    else:
        text = problem.title
    assert text


def test_escapes_that_no_text_may_hold_are_refused(sources):
    for escape in ("\\0", "\\ud800"):
        assert refused(sources, {"problem.yaml": f'name: "x{escape}"\n'})[0] == "problem.yaml"


def test_constants_cannot_make_a_text_huge(sources):
    files = {
        "problem.yaml": NEW + f"constants: {{a: {'x' * 100}}}\n",
        "statement/problem.en.md": "{{a}}" * 60_000,
    }
    assert refused(sources, files)[0] == "problem.yaml: constants"

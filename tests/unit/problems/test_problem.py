"""The normalised problem: what it lacks, and how its generators are called."""

import pytest

from escalade_server.problems.definition import MAX_SEED, Parameter, Sample, arguments_of, files_of
from escalade_server.problems.problem import (
    Call,
    FixedTest,
    Problem,
    ProblemGenerator,
    ProblemSolution,
    Statement,
    missing_of,
)

PYTHON = ProblemSolution(name="a.py", language="python", source="print(1)\n")
CPP = ProblemSolution(name="b.cpp", language="cpp", source="int main() {}\n")
GENERATOR = ProblemGenerator(
    name="gen.cpp",
    language="cpp",
    source="int main() {}\n",
    files={"params.h": "#define N_MAX (long long)9\n", "rng.h": ""},
    arguments=("-n={n}", "{seed}", "x{n}y{seed}"),
    parameters={"n": Parameter(minimum=1, maximum=9)},
    defines={"N_MAX": 9, "MOD": 998244353, "EPS": 1e-9, "NAME": 'a"b'},
    defines_file="params.h",
    calls=(Call(arguments=("-n=3",)),),
)
COMPLETE = Problem(
    name="x",
    title="X",
    source="test",
    statements=(Statement(language="en", markup="markdown", text="Do it."),),
    samples=(Sample(input="1\n", output="1\n"),),
    answer_type="number",
    parameters=GENERATOR.parameters,
    generators=(GENERATOR,),
    solutions=(PYTHON, CPP),
)


def test_a_complete_problem_lacks_nothing():
    assert missing_of(COMPLETE) == ()


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"statements": ()}, "statement"),
        ({"answer_type": None}, "answer_type"),
        ({"parameters": {}}, "parameters"),
        ({"generators": ()}, "generator"),
        ({"generators": (GENERATOR.model_copy(update={"arguments": None}),)}, "generator"),
        ({"solutions": (PYTHON,)}, "solutions"),
        ({"solutions": (PYTHON, CPP.model_copy(update={"language": "java"}))}, "solutions"),
        ({"solutions": (PYTHON, CPP.model_copy(update={"expected": "unknown"}))}, "solutions"),
        ({"solutions": (PYTHON,), "tests": (FixedTest(name="1", input="1\n"),)}, "solutions"),
    ],
)
def test_what_is_missing_is_named(change, missing):
    assert missing_of(COMPLETE.model_copy(update=change)) == (missing,)


def test_one_solution_and_tests_with_answers_are_enough():
    tests = (FixedTest(name="1", input="1\n", output="1\n"),)
    assert missing_of(COMPLETE.model_copy(update={"solutions": (PYTHON,), "tests": tests})) == ()


def test_the_english_statement_is_preferred():
    german = Statement(language="de", markup="tex", text="Tu es.")
    british = Statement(language="en-GB", markup="tex", text="Do it.")
    assert COMPLETE.model_copy(update={"statements": (german, british)}).statement == british
    assert COMPLETE.model_copy(update={"statements": (german,)}).statement == german


def test_a_command_line_takes_parameters_and_a_seed_of_31_bits():
    assert arguments_of(GENERATOR, {"n": 5}, 7) == ("-n=5", "7", "x5y7")
    assert arguments_of(GENERATOR, {"n": 5}, MAX_SEED + 3) == ("-n=5", "3", "x5y3")
    with pytest.raises(ValueError, match="give the scale parameter n"):
        arguments_of(GENERATOR, {}, 7)
    without = GENERATOR.model_copy(update={"arguments": None})
    assert arguments_of(without, {"n": 5, "m": 2}, MAX_SEED + 3) == ("--m=2", "--n=5", str(MAX_SEED + 3))


def test_scale_parameters_override_the_constants_of_their_name():
    files = files_of(GENERATOR, {"N_MAX": 4, "n": 2})
    assert files["params.h"].splitlines() == [
        "#define N_MAX (long long)4",
        "#define MOD (long long)998244353",
        "#define EPS 1e-09",
        '#define NAME "a\\"b"',
    ]
    assert files["rng.h"] == ""
    plain = GENERATOR.model_copy(update={"defines_file": None})
    assert files_of(plain, {"N_MAX": 4}) == plain.files

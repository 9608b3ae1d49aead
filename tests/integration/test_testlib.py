"""Our own testlib.h compiled: generators, validators and checkers, and the programs of the format fixtures."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from escalade_server.problems.definition import Code, header_of
from escalade_server.problems.formats.reading import read_path
from escalade_server.problems.formats.sources import OWN_HEADERS, own_header
from escalade_server.problems.problem import Problem

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")

FORMATS = Path(__file__).resolve().parents[1] / "fixtures" / "formats"
TIMEOUT_S = 120

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Code], Run]:
    """Compiles a program once, as the sandbox does: all files in one folder, no paths."""
    known: dict[str, Path] = {}

    def compile_code(code: Code) -> Run:
        key = repr((code.source, sorted(code.files.items())))
        if key not in known:
            folder = tmp_path_factory.mktemp("program")
            (folder / "main.cpp").write_text(code.source)
            for name, text in code.files.items():
                (folder / name).write_text(text)
            command = ["g++", "-std=gnu++17", "-O1", "-Wall", "-o", "program", "main.cpp"]
            made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
            assert made.returncode == 0, made.stderr[:3_000]
            known[key] = folder / "program"
        path = known[key]

        def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
            command = [str(path), *arguments]
            return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)

        return run

    return compile_code


def own(body: str) -> Code:
    source = f'#include "testlib.h"\nusing namespace std;\n{body}\n'
    return Code(name="main.cpp", language="cpp", source=source, files={name: own_header(name) for name in OWN_HEADERS})


@pytest.fixture(scope="session")
def generate(compiled) -> Run:
    return compiled(
        own("""
        int main(int argc, char* argv[]) {
            registerGen(argc, argv, 1);
            int n = opt<int>("n"), size = opt<int>(1);
            string kind = opt<string>("kind", "plain");
            println(n, size, kind, has_opt("flag"), opt<double>("x", 0.5));
            println(rnd.perm(n, 1));
            println(rnd.distinct(n, 1, n));
            println(rnd.partition(n, 100LL, 2LL));
            vector<int> drawn;
            for (int i = 0; i < 200; ++i) {
                drawn.push_back(rnd.next(-3, 3));
                long long wide = rnd.next(-1000000000000LL, 1000000000000LL);
                ensuref(-1000000000000LL <= wide && wide <= 1000000000000LL, "wide");
                ensure(0 <= rnd.next() && rnd.next() < 1);
                ensure(rnd.next(7) < 7 && rnd.next(7u) < 7u && rnd.next((size_t)7) < 7);
                ensure('a' <= rnd.next('a', 'c') && rnd.next('a', 'c') <= 'c');
                ensure(rnd.wnext(1, 9, 5) >= 1 && rnd.wnext(9, -2) < 9);
                ensure(rnd.next(0.5, 1.0) >= 0.5);
            }
            println(drawn);
            println(rnd.next("[a-c]{4}-(yes|no)[0-9]?"));
            println(rnd.any(drawn) <= 3);
            shuffle(drawn.begin(), drawn.end());
            println(drawn.begin(), drawn.begin() + 3);
        }""")
    )


def test_a_generators_output_is_a_function_of_its_arguments(generate):
    first, again, other = (generate("8", "-n", "5", "--flag", "-x=2.5", seed) for seed in ("1", "1", "2"))
    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    assert first.stdout != other.stdout
    lines = first.stdout.splitlines()
    assert lines[0] == "5 8 plain 1 2.5"
    assert sorted(map(int, lines[1].split())) == [1, 2, 3, 4, 5]
    assert sorted(map(int, lines[2].split())) == [1, 2, 3, 4, 5]
    parts = list(map(int, lines[3].split()))
    assert sum(parts) == 100
    assert min(parts) >= 2
    assert set(map(int, lines[4].split())) == set(range(-3, 4))


def test_a_generator_without_its_option_fails_and_says_which(generate):
    result = generate("8")
    assert result.returncode == 3
    assert "there is no option n" in result.stderr


@pytest.fixture(scope="session")
def validate(compiled) -> Run:
    return compiled(
        own("""
        int main(int argc, char* argv[]) {
            registerValidation(argc, argv);
            int n = inf.readInt(1, 5, "n");
            inf.readSpace();
            inf.readToken("[a-z]{1,3}|-", "word");
            inf.readEoln();
            for (int i = 0; i < n; ++i) {
                setTestCase(i + 1);
                if (i > 0) inf.readSpace();
                inf.readLong(-10, 10000000000LL, "a");
            }
            unsetTestCase();
            inf.readEoln();
            inf.readStrictDouble(0, 1, 1, 3, "p");
            inf.readEoln();
            ensuref(inf.readLine() != "never", "the last line must not be never");
            inf.readEof();
        }""")
    )


def test_a_validator_takes_what_is_valid(validate):
    for text in ("2 abc\n-10 10000000000\n0.5\nany text\n", "1 -\n0\n1.000\n\n"):
        result = validate(stdin=text)
        assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "text",
    [
        "", "6 abc\n1\n", "0 abc\n", "02 abc\n1 2\n0.5\nx\n", "+1 a\n1\n0.5\nx\n", "1  a\n1\n0.5\nx\n",
        "1 abcd\n1\n0.5\nx\n", "1 a \n1\n0.5\nx\n", "2 a\n1\n0.5\nx\n", "1 a\n-11\n0.5\nx\n", "1 a\n-0\n0.5\nx\n",
        "1 a\n99999999999999999999\n0.5\nx\n", "1 a\n1\n0.1234\nx\n", "1 a\n1\nnan\nx\n", "1 a\n1\n0.5\nnever\n",
        "1 a\n1\n0.5\nx", "1 a\n1\n0.5\nx\n\n", "1 a\r\n1\n0.5\nx\n",
    ],
)  # fmt: skip
def test_a_validator_refuses_what_is_not(validate, text):
    result = validate(stdin=text)
    assert result.returncode == 3
    assert result.stderr.startswith("FAIL ")


@pytest.fixture(scope="session")
def check(compiled, tmp_path_factory) -> Run:
    run = compiled(
        own("""
        int readAnswer(InStream& in) {
            int value = in.readInt(1, 100, "answer");
            if (value % 2 != 0) in.quitf(_wa, "%d is odd", value);
            return value;
        }
        int main(int argc, char* argv[]) {
            registerTestlibCmd(argc, argv);
            double limit = inf.readDouble();
            int jury = readAnswer(ans), theirs = readAnswer(ouf);
            if (!doubleCompare(jury, theirs, limit)) quitf(_wa, "expected %d, found %d", jury, theirs);
            quitf(_ok, "%s", englishEnding(1).c_str());
        }""")
    )
    folder = tmp_path_factory.mktemp("judge")

    def judge(given: str, answer: str, reference: str) -> subprocess.CompletedProcess[str]:
        for name, text in (("in", given), ("out", answer), ("ans", reference)):
            (folder / name).write_text(text)
        return run(*(str(folder / name) for name in ("in", "out", "ans")))

    return judge


@pytest.mark.parametrize(
    ("answer", "reference", "status"),
    [
        ("10\n", "10\n", 0), ("  10 ", "10", 0), ("10\r\n\r\n", "10\n", 0),
        ("12\n", "10\n", 1), ("11\n", "10\n", 1), ("200\n", "10\n", 1),
        ("ten\n", "10\n", 2), ("10 10\n", "10\n", 2), ("99999999999\n", "10\n", 2), ("", "10\n", 2),
        ("10\n", "11\n", 3), ("10\n", "", 3),
    ],
)  # fmt: skip
def test_a_checkers_verdicts_are_its_exit_status(check, answer, reference, status):
    assert check("0.001\n", answer, reference).returncode == status


PROBLEMS = {problem.name: problem for problem in read_path(FORMATS).problems}


def arguments(problem: Problem, seed: int) -> list[str]:
    generator = problem.generators[0]
    assert generator.arguments is not None
    values = {name: str(parameter.minimum) for name, parameter in problem.parameters.items()} | {"seed": str(seed)}
    return [argument.format_map(values) for argument in generator.arguments]


@pytest.mark.parametrize("name", ["bead-row", "even-split", "range_totals", "any_divisor"])
def test_the_programs_of_a_fixture_agree_with_each_other(compiled, tmp_path, name):
    problem = PROBLEMS[name]
    generator = problem.generators[0]
    if generator.defines_file is not None:
        # Small sizes by overriding the constants that are compiled in, which is how this format scales.
        small = {name: min(parameter.maximum, 20) for name, parameter in problem.parameters.items()}
        files = {**generator.files, generator.defines_file: header_of(generator.defines, small)}
        generator = generator.model_copy(update={"files": files})
    references = [solution for solution in problem.usable_solutions if solution.language == "cpp"]
    # `even-split`'s main solution needs another system: the others take its place.
    references = [solution for solution in references if "windows.h" not in solution.source]
    assert references
    for seed in (1, 2, 3):
        made = compiled(generator)(*arguments(problem, seed))
        assert made.returncode == 0, made.stderr
        assert compiled(problem.validators[0])(stdin=made.stdout).returncode == problem.validators[0].valid_exit
        outputs = [compiled(solution)(stdin=made.stdout).stdout for solution in references]
        assert all(output.split() for output in outputs)
        if problem.checker is None:
            assert len({tuple(output.split()) for output in outputs}) == 1
            continue
        for label, text in (("in", made.stdout), ("out", outputs[-1]), ("ans", outputs[0])):
            (tmp_path / label).write_text(text)
        judged = compiled(problem.checker)(*(str(tmp_path / label) for label in ("in", "out", "ans")))
        assert judged.returncode == 0, judged.stderr

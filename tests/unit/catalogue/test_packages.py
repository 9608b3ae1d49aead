"""Every built-in problem: its parts fit together, its solutions agree, and its wrong solution is wrong."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import escalade_server
from escalade.types import AnswerSpec, AnswerType
from escalade_server.problems.definition import Code, Definition
from escalade_server.problems.formats.package import parse_package, parse_packages

CATALOGUE = Path(escalade_server.__file__).parent / "catalogue"
SLUGS = sorted(folder.name for folder in CATALOGUE.iterdir() if (folder / "problem.yaml").is_file())
SEEDS_PER_LEVEL = 3
VALID, INVALID = 42, 43
"""Exit statuses of validators, as the Kattis format has them."""
TIMEOUT_S = 120

# One process runs one Python program on many inputs; each input has fresh globals, as in a process of its own.
RUN_PYTHON = """
import io, json, sys
source, inputs = json.load(sys.stdin)
code, results = compile(source, "program", "exec"), []
for text in inputs:
    sys.stdin, sys.stdout, status = io.StringIO(text), io.StringIO(), 0
    try:
        exec(code, {"__name__": "__main__"})
    except SystemExit as end:
        status = end.code or 0
    except Exception:
        status = 1
    results.append([status, sys.stdout.getvalue()])
json.dump(results, sys.__stdout__)
"""
RUN_GENERATOR = """
import json, random, sys
source, ladder, seeds = json.load(sys.stdin)
space = {"__name__": "generator"}
exec(compile(source, "generator", "exec"), space)
results = []
for parameters in ladder:
    for seed in range(seeds):
        random.seed(seed)
        results.append(space["generate_testcase"](dict(parameters)))
json.dump(results, sys.stdout)
"""
RUN_CHECKER = """
import json, sys
source, cases = json.load(sys.stdin)
space = {"__name__": "checker"}
exec(compile(source, "checker", "exec"), space)
json.dump([space["check"](*case) for case in cases], sys.stdout)
"""


def in_python(program: str, *given: object, hash_seed: int = 0) -> list:
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(given),
        env={"PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return json.loads(done.stdout)


def run(code: Code, inputs: list[str], folder: Path) -> list[tuple[int, str]]:
    if code.language == "python":
        return [(status, output) for status, output in in_python(RUN_PYTHON, code.source, inputs)]
    program = folder / "program"
    source = folder / "program.cpp"
    source.write_text(code.source)
    subprocess.run(["g++", "-std=gnu++17", "-O0", "-o", program, source], check=True, timeout=TIMEOUT_S)
    results = []
    for text in inputs:
        done = subprocess.run([program], input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        results.append((done.returncode, done.stdout))
    return results


def canonical(answer: AnswerSpec, output: str) -> object:
    """One form for all outputs that mean the same answer."""
    words = output.split()
    if answer.type == "number" and "." in output:
        return pytest.approx(float(output), rel=1e-6, abs=1e-6)
    if answer.type == "multiset":
        return sorted(words)
    if answer.type == "graph":
        edges = [line.split() for line in output.splitlines()]
        return sorted(edge if answer.directed else [*sorted(edge[:2]), *edge[2:]] for edge in edges)
    return words


def judge(definition: Definition, inputs: list[str], outputs: list[str], references: list[str]) -> list[bool]:
    if definition.checker:
        return in_python(RUN_CHECKER, definition.checker.source, list(zip(inputs, outputs, references, strict=True)))
    answer = definition.answer
    pairs = zip(outputs, references, strict=True)
    return [canonical(answer, output) == canonical(answer, reference) for output, reference in pairs]


@pytest.mark.parametrize("slug", SLUGS)
def test_the_package_has_all_its_parts(slug: str) -> None:
    entry = parse_package(CATALOGUE / slug, source="catalogue")
    definition = entry.definition
    assert entry.licence in ("CC0-1.0", "Apache-2.0")
    assert entry.tags
    assert 10 <= len(definition.ladder) <= 30
    assert {solution.language for solution in definition.references} == {"cpp", "python"}
    assert any(solution.expected == "wrong_answer" for solution in definition.solutions)
    assert definition.validators
    assert len(definition.samples) >= 2


@pytest.mark.parametrize("slug", SLUGS)
def test_solutions_agree_and_the_wrong_one_is_caught(slug: str, tmp_path: Path) -> None:
    definition = parse_package(CATALOGUE / slug, source="catalogue").definition
    made = in_python(RUN_GENERATOR, definition.generator.source, list(definition.ladder), SEEDS_PER_LEVEL)
    inputs = [sample.input for sample in definition.samples] + [text for text, _ in made]
    for validator in definition.validators:
        assert {status for status, _ in run(validator, inputs, tmp_path)} == {VALID}
        broken = [text + "17\n" for text in inputs[:4]] + ["", "%\n"]
        assert VALID not in {status for status, _ in run(validator, broken, tmp_path)}
    first, *others = (run(solution, inputs, tmp_path) for solution in definition.references)
    references = [output for _, output in first]
    samples = [sample.output for sample in definition.samples]
    assert all(judge(definition, inputs[: len(samples)], references[: len(samples)], samples))
    for results in [first, *others]:
        assert {status for status, _ in results} == {0}
        assert all(judge(definition, inputs, [output for _, output in results], references))
    for solution in definition.solutions:
        if solution.expected == "wrong_answer":
            outputs = [output for _, output in run(solution, inputs, tmp_path)]
            assert not all(judge(definition, inputs, outputs, references))


@pytest.mark.parametrize("slug", SLUGS)
def test_the_generator_depends_on_the_seed_alone(slug: str) -> None:
    definition = parse_package(CATALOGUE / slug, source="catalogue").definition
    made = [
        in_python(RUN_GENERATOR, definition.generator.source, list(definition.ladder), SEEDS_PER_LEVEL, hash_seed=seed)
        for seed in (1, 2)
    ]
    assert made[0] == made[1]
    texts = [text for text, _ in made[0]]
    assert len(set(texts)) > len(texts) * 0.8


CHECKED = [
    slug for slug in SLUGS if parse_package(CATALOGUE / slug, source="catalogue").definition.answer.type == "checked"
]


@pytest.mark.parametrize("slug", CHECKED)
def test_a_checker_reads_lists_in_any_notation_and_refuses_everything_else(slug: str) -> None:
    definition = parse_package(CATALOGUE / slug, source="catalogue").definition
    assert definition.checker
    sample = definition.samples[-1]
    words = sample.output.split()
    right = [sample.output, sample.output.strip(), f"[{', '.join(words)}]", f"({','.join(words)})"]
    wrong = ["", " ", "[]", "none", "-1", "0", "1" * 5_000, f"{sample.output} 99999", f"{sample.output} x", "1.5"]
    cases = [(sample.input, answer, sample.output) for answer in right + wrong]
    assert in_python(RUN_CHECKER, definition.checker.source, cases) == [True] * len(right) + [False] * len(wrong)


@pytest.mark.parametrize("slug", CHECKED)
def test_a_checker_is_also_a_kattis_output_validator(slug: str, tmp_path: Path) -> None:
    folder = CATALOGUE / slug / "data" / "sample"
    expected = (folder / "1.ans").read_text()
    for output, status in ((expected, VALID), ("nonsense", INVALID)):
        done = subprocess.run(
            [
                sys.executable,
                CATALOGUE / slug / "output_validator/check.py",
                folder / "1.in",
                folder / "1.ans",
                tmp_path,
            ],
            input=output,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == status


def test_the_catalogue_spreads_over_topics_and_answer_types() -> None:
    entries = [parse_package(CATALOGUE / slug, source="catalogue") for slug in SLUGS]
    assert len(entries) == 46
    assert {entry.definition.answer.type for entry in entries} == set(get_args(AnswerType))
    assert any(entry.definition.answer.absolute_tolerance for entry in entries)
    assert len(CHECKED) >= 8
    tags = {tag for entry in entries for tag in entry.tags}
    assert tags >= {"arithmetic", "number-theory", "strings", "parsing", "sorting", "dp", "graphs", "trees", "geometry"}
    assert tags >= {"combinatorics", "games", "intervals", "data-structures", "bit-tricks", "simulation"}


def test_the_catalogue_names_are_unique() -> None:
    entries, refusals = parse_packages(CATALOGUE, source="catalogue")
    assert refusals == []
    assert [entry.slug for entry in entries] == SLUGS
    assert len({entry.source_name for entry in entries}) == len(entries)

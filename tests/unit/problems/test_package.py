"""Our own package format: what goes in, and what is refused with which words."""

import os
from pathlib import Path

import pytest

from escalade_server.problems.definition import version_of
from escalade_server.problems.formats.package import PackageError, parse_package, parse_packages

PROBLEM = """\
problem_format_version: 2025-09
name: Sum of Two
uuid: 00000000-0000-4000-8000-000000000000
license: cc0
limits: {time_limit: 1.5, memory: 64}
keywords: [arithmetic]
"""
ENVIRONMENT = """\
answer: {type: number}
answer_instruction: Give the sum.
parameters:
  n: {minimum: 1, maximum: 50}
  m: {minimum: 1, maximum: 9}
ladder:
  - {n: 1, m: 1}
  - {n: 5, m: 1}
  - {n: 5, m: 2}
"""
FILES = {
    "problem.yaml": PROBLEM,
    "environment.yaml": ENVIRONMENT,
    "statement/problem.en.md": "Add a and b.\n\n## Input\n\nTwo numbers.\n\n## Output\n\nTheir sum.\n",
    "submissions/accepted/a.py": "print(sum(map(int, input().split())))\n",
    "submissions/accepted/b.cpp": "int main() {}\n",
    "submissions/wrong_answer/c.py": "print(0)\n",
    "input_validators/validator.py": "raise SystemExit(42)\n",
    "generators/generator.py": "def generate_testcase(params):\n    return '1 2\\n', {'a': 1, 'b': 2}\n",
    "data/sample/1.in": "1 2\n",
    "data/sample/1.ans": "3\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "sum-of-two", FILES)


def write(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def refusal(folder: Path) -> tuple[str, str]:
    with pytest.raises(PackageError) as caught:
        parse_package(folder, source="test")
    assert caught.value.entry == folder.name
    return caught.value.field, caught.value.reason


def test_a_package_becomes_an_entry(folder: Path) -> None:
    entry = parse_package(folder, source="catalogue")
    assert (entry.slug, entry.source_name, entry.source) == ("sum-of-two", "sum-of-two", "catalogue")
    assert (entry.licence, entry.tags) == ("CC0-1.0", ("arithmetic",))
    definition = entry.definition
    assert definition.statement == "Add a and b."
    assert "## Output" in definition.full_statement
    assert definition.ladder == ({"n": 1, "m": 1}, {"n": 5, "m": 1}, {"n": 5, "m": 2})
    assert [(s.name, s.language, s.expected) for s in definition.solutions] == [
        ("accepted/a.py", "python", "accepted"),
        ("accepted/b.cpp", "cpp", "accepted"),
        ("wrong_answer/c.py", "python", "wrong_answer"),
    ]
    assert (definition.time_limit_s, definition.memory_limit_bytes) == (1.5, 64 << 20)
    assert [(sample.input, sample.output) for sample in definition.samples] == [("1 2\n", "3\n")]


def test_line_ends_and_the_place_of_the_folder_do_not_change_the_version(folder: Path, tmp_path: Path) -> None:
    windows = {path: text.replace("\n", "\r\n") for path, text in FILES.items()}
    other = tmp_path / "elsewhere" / "sum-of-two"
    for path, text in windows.items():
        (other / path).parent.mkdir(parents=True, exist_ok=True)
        (other / path).write_bytes(text.encode())
    first, second = (parse_package(place, source="test").definition for place in (folder, other))
    assert version_of(first) == version_of(second)


def test_files_with_names_unknown_to_the_format_are_ignored(folder: Path) -> None:
    before = parse_package(folder, source="test")
    write(
        folder, {"submissions/accepted/.hidden.py": "x", "generators/__pycache__/generator.pyc": "x", ".git/HEAD": "x"}
    )
    assert parse_package(folder, source="test") == before


@pytest.mark.parametrize(
    "path", ["problem.yaml", "environment.yaml", "statement/problem.en.md", "generators/generator.py"]
)
def test_a_missing_file_is_named(folder: Path, path: str) -> None:
    (folder / path).unlink()
    field, reason = refusal(folder)
    assert field == path
    assert "missing" in reason


@pytest.mark.parametrize(
    ("path", "text", "field"),
    [
        ("problem.yaml", PROBLEM + "colour: red\n", "problem.yaml: colour"),
        ("problem.yaml", PROBLEM + "type: interactive\n", "problem.yaml: type"),
        ("problem.yaml", PROBLEM + "type: [pass-fail, multi-pass]\n", "problem.yaml: type"),
        ("problem.yaml", PROBLEM.replace("2025-09", "legacy"), "problem.yaml: problem_format_version"),
        ("problem.yaml", PROBLEM.replace("Sum of Two", "' '"), "problem.yaml: name"),
        ("problem.yaml", PROBLEM.replace("1.5", "soon"), "problem.yaml: limits.time_limit"),
        ("problem.yaml", PROBLEM.replace("1.5", "9000"), "problem.yaml: time_limit_s"),
        ("problem.yaml", PROBLEM + "name: Again\n", "problem.yaml"),
        ("problem.yaml", "[" * 500, "problem.yaml"),
        ("problem.yaml", "name: &a [x]\nkeywords: *a\n", "problem.yaml"),
        ("problem.yaml", "- name\n", "problem.yaml"),
        ("problem.yaml", "name: \x00\n", "problem.yaml"),
        ("environment.yaml", ENVIRONMENT.replace("number", "colour"), "environment.yaml: answer.type"),
        (
            "environment.yaml",
            ENVIRONMENT.replace("{type: number}", "{type: number, tolerance: 1}"),
            "environment.yaml: answer.tolerance",
        ),
        ("environment.yaml", ENVIRONMENT + "hint: none\n", "environment.yaml: hint"),
        ("environment.yaml", ENVIRONMENT.replace("{n: 1, m: 1}", "{n: 0, m: 1}"), "environment.yaml: ladder.0.n"),
        ("environment.yaml", ENVIRONMENT.replace("{n: 1, m: 1}", "{n: 1}"), "environment.yaml: ladder.0"),
        ("environment.yaml", ENVIRONMENT.replace("{n: 1, m: 1}", "{n: true, m: 1}"), "environment.yaml: ladder.0.n"),
        ("environment.yaml", ENVIRONMENT.replace("{n: 5, m: 2}", "{n: 5, m: 1}"), "environment.yaml: ladder.2"),
        ("environment.yaml", ENVIRONMENT.replace("{n: 5, m: 2}", "{n: 4, m: 2}"), "environment.yaml: ladder.2"),
        ("environment.yaml", ENVIRONMENT.replace("maximum: 9", "maximum: 0"), "environment.yaml: parameters.m"),
        ("environment.yaml", ENVIRONMENT.replace("number", "checked"), "output_validator/check.py"),
        ("statement/problem.en.md", "Add.\n\n## Input\n\nTwo.\n", "statement/problem.en.md"),
        ("statement/problem.en.md", "## Input\n\nTwo.\n\n## Output\n\nOne.\n", "statement/problem.en.md"),
        ("output_validator/check.py", "def check(input, answer, reference): ...\n", "output_validator"),
        ("submissions/accepted/d.java", "class D {}\n", "submissions/accepted/d.java"),
        ("submissions/accepted/e/main.py", "print(1)\n", "submissions/accepted/e/main.py"),
        ("submissions/brilliant/d.py", "print(1)\n", "submissions/brilliant"),
    ],
)
def test_what_is_wrong_is_refused_by_file_and_key(folder: Path, path: str, text: str, field: str) -> None:
    write(folder, {path: text})
    assert refusal(folder)[0] == field


def test_a_checked_answer_takes_its_checker_along(folder: Path) -> None:
    write(folder, {"environment.yaml": ENVIRONMENT.replace("number", "checked")})
    source = "def check(input, answer, reference):\n    return answer == reference\n"
    write(folder, {"output_validator/check.py": source})
    checker = parse_package(folder, source="test").definition.checker
    assert checker is not None
    assert (checker.protocol, checker.language, checker.source) == ("function", "python", source)
    write(folder, {"output_validator/check.py": "# nothing here\n"})
    assert refusal(folder)[0] == "output_validator/check.py"


def test_a_package_without_accepted_solution_or_validator_is_refused(folder: Path) -> None:
    (folder / "input_validators/validator.py").unlink()
    assert refusal(folder)[0] == "input_validators"
    for solution in (folder / "submissions/accepted").iterdir():
        solution.unlink()
    assert refusal(folder)[0] == "submissions/accepted"


def test_links_are_refused_wherever_they_point(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    link = folder / "data" / "sample" / "2.in"
    link.symlink_to(secret)
    assert refusal(folder)[0] == "data/sample/2.in"
    link.unlink()
    (folder / "include").symlink_to(tmp_path, target_is_directory=True)
    assert refusal(folder)[0] == "include"
    (folder / "include").unlink()
    alias = tmp_path / "alias"
    alias.symlink_to(folder, target_is_directory=True)
    assert refusal(alias)[0] == "."


def test_a_pipe_in_the_package_is_refused_instead_of_read(folder: Path) -> None:
    os.mkfifo(folder / "data" / "sample" / "2.in")
    assert refusal(folder)[0] == "data/sample/2.in"


def test_sizes_depth_and_counts_are_bounded(folder: Path) -> None:
    write(folder, {"data/sample/1.in": "1" * ((1 << 20) + 1)})
    assert refusal(folder)[0] == "data/sample/1.in"
    write(folder, {"data/sample/1.in": "1 2\n", "a/b/c/d/e/f/g/h.txt": "x"})
    assert "deeper" in refusal(folder)[1]
    write(folder, {f"attachments/{i}.txt": "" for i in range(1000)})
    assert "more than 1000 files" in refusal(folder)[1]


def test_one_bad_package_does_not_stop_the_others(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "bad-one", FILES | {"environment.yaml": "answer: {type: number}\n"})
    write(tmp_path / "Bad Name", FILES)
    write(tmp_path / "no-package", {"README.md": "not a package"})
    entries, refusals = parse_packages(tmp_path, source="test")
    assert [entry.slug for entry in entries] == ["sum-of-two"]
    assert [(refused.entry, refused.field) for refused in refusals] == [
        ("Bad Name", "."),
        ("bad-one", "environment.yaml: answer_instruction"),
    ]


def test_a_folder_that_is_not_there_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="not a folder"):
        parse_packages(tmp_path / "absent", source="test")

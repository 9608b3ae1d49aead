"""The author's loop: `escalade new` makes a package that `escalade check` verifies, and a broken one is told why."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from escalade_server.commands import register
from escalade_server.problems.formats.package import parse_package


def escalade(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    made = escalade("new", str(tmp_path / "my-problem"))
    assert made.exit_code == 0, made.output
    return tmp_path / "my-problem"


def check(package: Path, *more: str) -> Result:
    return escalade("check", str(package), "--sandbox", "process", *more)


def test_a_new_package_verifies_as_it_is(package: Path) -> None:
    assert parse_package(package, source="local").slug == "my-problem"
    done = check(package)
    assert done.exit_code == 0, done.output
    assert "my-problem: verified" in done.output


def test_a_generator_that_breaks_the_statement_is_told_with_the_input_at_fault(package: Path) -> None:
    generator = package / "generators" / "generator.py"
    generator.write_text(generator.read_text().replace("randint(1, heaviest)", "randint(0, heaviest)"))
    done = check(package, "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["verdict"] == "rejected"
    [validator] = [one for one in report["checks"] if one["name"] == "validator"]
    assert not validator["passed"]
    assert any(" 0" in one["input"] or "\n0" in one["input"] for one in validator["evidence"])


def test_a_malformed_package_is_one_line_that_names_the_file(package: Path) -> None:
    (package / "environment.yaml").write_text("answer: {type: number}\n")
    done = check(package)
    assert done.exit_code == 1
    assert "environment.yaml" in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_a_test_that_is_no_text_is_one_line_that_names_the_file(package: Path) -> None:
    (package / "data" / "secret").mkdir(parents=True, exist_ok=True)
    (package / "data" / "secret" / "1.in").write_bytes(b"\xff\xfe")
    (package / "data" / "secret" / "1.ans").write_text("1\n")
    done = check(package)
    assert done.exit_code == 1
    assert done.output.strip().endswith("data/secret/1.in is not UTF-8 text")
    assert len(done.output.strip().splitlines()) == 1


def test_nothing_is_written_over(package: Path) -> None:
    again = escalade("new", str(package))
    assert again.exit_code == 1
    assert "is there already" in again.output
    odd = escalade("new", str(package.parent / "My Problem"))
    assert odd.exit_code == 1
    assert "'my-problem'" in odd.output

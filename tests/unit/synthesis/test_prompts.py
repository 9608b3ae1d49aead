"""The template files."""

from importlib import resources

import pytest

from escalade_server.synthesis.prompts import bullets, fenced, fill


def test_every_template_is_there_and_its_dollars_are_places():
    names = {path.name for path in resources.files("escalade_server.synthesis.prompts").iterdir()}
    assert {name for name in names if name.endswith(".md")} == {
        "again.md", "repair.md", "metadata_system.md", "metadata_user.md", "generator_system.md", "generator_user.md",
        "checker_system.md", "checker_user.md",
    }  # fmt: skip
    assert "generate_testcase(params: dict) -> tuple[str, dict]" in fill("generator_system")
    assert "check(input: str, answer: str, reference: str) -> bool" in fill("checker_system")


def test_values_are_put_in_as_they_are():
    assert "costs $5 and ${name}" in fill("again", faults="costs $5 and ${name}")


def test_a_value_too_few_or_too_many_is_an_error():
    with pytest.raises(KeyError):
        fill("again")
    with pytest.raises(ValueError, match="no place for more"):
        fill("again", faults="", more="")


def test_nothing_in_a_block_ends_it():
    assert fenced("a\n```\nb", "python") == "````python\na\n```\nb\n````"
    assert bullets(["a", "b"]) == "- a\n- b"

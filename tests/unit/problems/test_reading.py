"""A folder that mixes every format: what goes in, what does not, and why."""

import io
import shutil
import tarfile
import zipfile

import pytest

from escalade_server.problems.definition import version_of
from escalade_server.problems.formats.errors import ArchiveError
from escalade_server.problems.formats.package import parse_package
from escalade_server.problems.formats.reading import FORMATS, entries_of, read_archive, read_path
from escalade_server.problems.problem import Problem, missing_of, problem_of_entry

PROBLEMS = {
    ("escalade", "odd-sum"),
    ("kattis", "giftbags"),
    ("kattis", "meanwalk"),
    ("kattis", "ropepieces"),
    ("polygon", "bead-row"),
    ("polygon", "even-split"),
    ("library-checker", "any_divisor"),
    ("library-checker", "range_totals"),
    ("codecontests", "903_A. Ferry Queue"),
    ("codecontests", "903_B. Mean Slope"),
    ("scaler", "902_B. Steps of the Tower"),
}
REFUSALS = {
    ("escalade/no-ladder", "environment.yaml: ladder"),
    ("kattis/brokenyaml", "problem.yaml"),
    ("kattis/guessnumber", "problem.yaml: type"),
    ("kattis/partialpoints", "problem.yaml: type"),
    ("kattis/twicethrough", "problem.yaml: type"),
    ("polygon/by-points", "problem.xml: points"),
    ("polygon/from-a-file", "problem.xml: judging: input-file"),
    ("polygon/hidden-cell", "problem.xml: interactor"),
    ("polygon/laughing", "problem.xml"),
    ("library-checker/numbers/bad_params", "info.toml: params.N_MAX"),
    ("library-checker/numbers/no_tests", "info.toml: tests"),
    ("903_C. Secret Word", "description"),
    ("row 4", ""),
    ("903_D. Odd Language", "solutions.language[1]"),
    ("903_E. From a File", "input_file"),
    ("902_C. Any Tower", "is_output_unique"),
}


def named(problems: list[Problem]) -> set[tuple[str, str]]:
    return {(problem.source, problem.name) for problem in problems}


def test_a_folder_that_mixes_all_formats(formats):
    found = read_path(formats)
    assert named(found.problems) == PROBLEMS
    assert len(found.problems) == len(PROBLEMS)
    assert {(refusal.entry, refusal.field) for refusal in found.refusals} == REFUSALS
    assert len(found.refusals) == len(REFUSALS)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_the_same_as_an_archive(formats, tmp_path, kind):
    path = tmp_path / f"all.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in formats.rglob("*"):
                archive.write(file, file.relative_to(formats))
    else:
        with tarfile.open(path, "w:gz") as archive:
            archive.add(formats, ".")
    found = read_path(path)
    assert named(found.problems) == PROBLEMS
    assert {(refusal.entry, refusal.field) for refusal in found.refusals} == REFUSALS


def test_archives_inside_a_folder_are_opened_and_bad_ones_refused(formats, tmp_path):
    with zipfile.ZipFile(tmp_path / "bead-row-7.zip", "w") as archive:
        for file in (formats / "polygon" / "bead-row").rglob("*"):
            archive.write(file, file.relative_to(formats / "polygon" / "bead-row"))
    with zipfile.ZipFile(tmp_path / "escape.zip", "w") as archive:
        archive.writestr("../problem.yaml", "name: X\n")
    (tmp_path / "broken.tar.gz").write_bytes(b"\x1f\x8b" + bytes(20))
    with zipfile.ZipFile(tmp_path / "nothing.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing here\n")
    found = read_path(tmp_path)
    assert named(found.problems) == {("polygon", "bead-row")}
    assert {refusal.entry for refusal in found.refusals} == {"escape.zip", "broken.tar.gz", "nothing.zip"}


def test_a_link_in_a_package_refuses_that_package_alone(formats, tmp_path):
    shutil.copytree(formats / "kattis", tmp_path / "kattis")
    (tmp_path / "kattis" / "giftbags" / "data" / "secret" / "passwd.in").symlink_to("/etc/passwd")
    (tmp_path / "elsewhere").symlink_to("/etc")
    found = read_path(tmp_path)
    assert ("kattis", "giftbags") not in named(found.problems)
    assert ("kattis", "meanwalk") in named(found.problems)
    reasons = {refusal.entry: refusal.field for refusal in found.refusals}
    assert reasons["kattis/giftbags"] == "data/secret/passwd.in"
    assert "elsewhere" in reasons


def test_one_format_alone(formats):
    for name in FORMATS:
        found = read_path(formats, only=name)
        assert named(found.problems) == {each for each in PROBLEMS if each[0] == name}
    with pytest.raises(ArchiveError, match="is unknown"):
        read_path(formats, only="word")


def test_one_file_alone(formats):
    assert len(read_path(formats / "codecontests" / "rows.jsonl").problems) == 2
    assert len(read_path(formats / "scaler" / "small.json").problems) == 1


def test_nothing_recognised_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing\n")
    with pytest.raises(ArchiveError, match="no problem in any of the formats"):
        read_path(tmp_path)
    with pytest.raises(ArchiveError):
        read_path(tmp_path / "absent.zip")


def test_a_repeated_name_is_refused_and_the_first_stays(pack):
    files = {f"{folder}/x/problem.yaml": f"name: {folder}\n" for folder in ("a", "b")}
    found = read_archive(pack(files))
    assert [problem.title for problem in found.problems] == ["a"]
    assert [(refusal.entry, refusal.field) for refusal in found.refusals] == [("x", "name")]


def test_a_problem_inside_a_problem_belongs_to_the_outer_one(pack):
    found = read_archive(pack({"a/problem.yaml": "name: outer\n", "a/attachments/problem.xml": "<x/>"}))
    assert [problem.title for problem in found.problems] == ["outer"]
    assert found.refusals == []


def test_our_own_package_has_the_same_version_from_a_folder_and_from_an_archive(formats):
    entry = parse_package(formats / "escalade" / "odd-sum", source="escalade")
    (found,) = entries_of(read_path(formats / "escalade"))
    assert version_of(found.definition) == version_of(entry.definition)


def test_a_complete_environment_is_a_problem_that_lacks_nothing(formats):
    entry = parse_package(formats / "escalade" / "odd-sum", source="escalade")
    problem = problem_of_entry(entry)
    assert missing_of(problem) == ()
    assert [solution.rejected for solution in problem.solutions] == [False, False, True]
    assert missing_of(problem.model_copy(update={"entry": None})) == ()


def test_no_program_of_an_archive_runs_on_import(pack, tmp_path):
    trap = tmp_path / "trap"
    code = f"open({str(trap)!r}, 'w')\n"
    files = {
        "p/problem.yaml": "name: Trap\nvalidation: custom\n",
        "p/problem_statement/problem.md": "Trap.\n",
        "p/output_validators/v.py": code,
        "p/input_validators/v.py": code,
        "p/submissions/accepted/a.py": code,
        "p/data/generator.sh": f"touch {trap}\ntc one gen $(touch {trap})\n",
        "p/data/gen.py": code,
    }
    found = read_archive(pack(files))
    assert len(found.problems) == 1
    assert not trap.exists()


def test_a_packed_archive_of_archives_is_opened_once(pack):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("p/problem.yaml", "name: deep\n")
    middle = io.BytesIO()
    with zipfile.ZipFile(middle, "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
    found = read_archive(pack({"middle.zip": middle.getvalue(), "near.zip": inner.getvalue()}))
    assert [problem.title for problem in found.problems] == ["deep"]
    assert [refusal.entry for refusal in found.refusals] == ["middle.zip"]

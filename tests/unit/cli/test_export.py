"""`escalade export` against the fake API: what is written, what is asked for, and what goes wrong."""

import hashlib
import json
import shlex
import sys
from pathlib import Path

import pyarrow.parquet
import pytest
from fake_api import ROUTES, Fault, Refusal, make_instances

from escalade.cli.export import command_of
from escalade.exports import Request


class Key:
    """What the key may do, and how many instances the lowest level has."""

    admin = True
    distinct = 10**6


@pytest.fixture
def key():
    found = Key()

    def revealing(api, request, name):
        if request.body.get("reveal_answers") and not found.admin:
            raise Refusal(403, "scope_missing", "`reveal_answers` needs a key with the scope `admin`.")
        status, answer = make_instances(api, request, name)
        for number, one in enumerate(answer["instances"]):
            if one["level"] == 0 and number >= found.distinct:
                one["messages"] = answer["instances"][0]["messages"]
            if request.body.get("reveal_answers"):
                one["answer"] = f"{number}\n"
        return status, answer

    route = ("POST", "/v1/environments/([^/]+)/instances", revealing)
    ROUTES.insert(0, route)
    yield found
    ROUTES.remove(route)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "out" / "data.jsonl"


@pytest.fixture
def export(cli, key, file):
    file.parent.mkdir()
    return lambda *arguments, **options: cli("export", *arguments, **options)


def rows(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def manifest(file):
    return json.loads(file.with_name(file.name + ".manifest.json").read_text())


def test_every_level_of_every_environment_is_written_with_a_manifest(export, file):
    result = export(file, "--count", 2)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{file}: 24 rows of 4 environments (Apache-2.0)\n"
    found = rows(file)
    assert [(one["environment"], one["level"], one["draw"], one["answer"]) for one in found[:4]] == [
        ("edit-distance", 0, 0, "0"), ("edit-distance", 0, 1, "1"), ("edit-distance", 1, 0, "0"),
        ("edit-distance", 1, 1, "1"),
    ]  # fmt: skip
    made = manifest(file)
    assert (made["rows"], made["file"], made["answers"], made["split"]) == (24, "data.jsonl", True, "train")
    assert made["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert [one["name"] for one in made["environments"]] == ["edit-distance", "knapsack", "sort-it", "tree-walk"]
    assert made["environments"][0]["levels"][1] == {"level": 1, "parameters": {"n": 4}, "rows": 2, "repeats": 0}
    assert (made["environments"][0]["version"], made["licences"]) == ("9f" * 32, ["Apache-2.0"])
    assert sorted(path.name for path in file.parent.iterdir()) == ["data.jsonl", "data.jsonl.manifest.json"]


def test_what_is_chosen_is_asked_for_in_the_version_that_was_there_first(export, file, api):
    chosen = ("--environment", "knapsack", "--levels", "1-", "--count", 3, "--seed", 9)
    assert export(file, *chosen, "--split", "evaluation", "--template", "compact", "--no-answers").exit_code == 0
    asked = [request.body for request in api.requests if request.path.endswith("/instances")]
    assert asked == [
        {"level": level, "count": 3, "seed": 9, "split": "evaluation", "version": "9f" * 32, "mode": "answer",
         "template": "compact", "reveal_answers": False}
        for level in (1, 2)
    ]  # fmt: skip
    assert {(one["split"], one["seed"], "answer" in one) for one in rows(file)} == {("evaluation", 9, False)}


def test_many_instances_are_asked_for_in_growing_numbers(export, file, api):
    assert export(file, "--environment", "knapsack", "--levels", 0, "--count", 300, "--answers").exit_code == 0
    assert [one.body["count"] for one in api.requests if one.path.endswith("/instances")] == [64, 256, 300]
    assert [one["draw"] for one in rows(file)] == list(range(300))


def test_the_command_of_the_manifest_makes_the_same_rows_again(export, file, monkeypatch):
    assert export(file, "--tag", "dp", "--levels", "0,2", "--count", 2, "--shape", "verl").exit_code == 0
    words = shlex.split(manifest(file)["command"])
    assert words[:3] == ["escalade", "export", "data.jsonl"]
    (file.parent / "again").mkdir()
    monkeypatch.chdir(file.parent / "again")
    assert export(*words[2:]).exit_code == 0
    assert (file.parent / "again" / "data.jsonl").read_bytes() == file.read_bytes()


def test_the_command_holds_every_choice():
    request = Request(
        shape="trl", environments=("a", "b"), levels="0-3", count=5, seed=6, split="evaluation", template="compact",
        answers=False,
    )  # fmt: skip
    assert command_of(Path("x.jsonl"), request) == (
        "escalade export x.jsonl --shape trl --environment a --environment b --levels 0-3 --count 5 --seed 6 "
        "--split evaluation --template compact --no-answers"
    )
    assert "--tag dp --answer-type number --source scaler" in command_of(
        Path("x.jsonl"), Request(tag="dp", answer_type="number", source="scaler")
    )


def test_a_key_without_the_right_gets_no_answers_and_is_told(export, file, key):
    key.admin = False
    result = export(file, "--count", 1)
    assert result.exit_code == 0
    assert "without answers: they need an admin key" in result.stderr
    assert not any("answer" in one for one in rows(file))
    assert manifest(file)["answers"] is False


def test_answers_that_are_demanded_and_not_to_be_had_are_an_error(export, file, key):
    key.admin = False
    result = export(file, "--count", 1, "--answers")
    assert (result.exit_code, list(file.parent.iterdir())) == (1, [])
    assert "needs a key with the scope `admin`" in result.stderr


def test_repeated_prompts_are_left_out_and_counted(export, file, key):
    key.distinct = 3
    result = export(file, "--environment", "knapsack", "--levels", "0-1", "--count", 100)
    assert "97 repeated prompts left out" in result.stderr
    assert [one["draw"] for one in rows(file) if one["level"] == 0] == [0, 1, 2]
    levels = manifest(file)["environments"][0]["levels"]
    assert [(one["rows"], one["repeats"]) for one in levels] == [(3, 97), (100, 0)]


@pytest.mark.parametrize("shape", ["trl", "trl-chat", "verl", "openai"])
def test_parquet_holds_the_same_rows(export, file, shape):
    assert export(file, "--count", 3, "--shape", shape).exit_code == 0
    columns = file.with_suffix(".parquet")
    assert export(columns, "--count", 3, "--shape", shape).exit_code == 0
    assert pyarrow.parquet.read_table(columns).to_pylist() == rows(file)
    assert manifest(columns)["sha256"] == hashlib.sha256(columns.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--environment", "nothing"], "there is no environment 'nothing'"),
        (["--tag", "nothing"], "no environment passes these filters"),
        (["--levels", "0-7"], "edit-distance has levels 0 to 2, and 0-7 is not on its ladder"),
        (["--levels", "low"], "write them as 0-3"),
        (["--environment", "knapsack", "--tag", "dp"], "names of environments or filters, not both"),
    ],
)
def test_a_choice_that_cannot_be_made_is_one_line_and_writes_nothing(export, file, api, arguments, words):
    result = export(file, *arguments)
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(file.parent.iterdir()) == []
    assert not any(request.path.endswith("/instances") for request in api.requests)


def test_files_that_cannot_be_written_are_named_before_anything_is_asked(export, file, api, monkeypatch):
    assert "name the file .jsonl or .parquet" in export(file.with_suffix(".csv")).stderr
    assert "is no folder: make it first" in export(file.parent / "missing" / "x.jsonl").stderr
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "run `pip install 'escalade[formats]'`, or write a .jsonl" in export(file.with_suffix(".parquet")).stderr
    assert api.requests == []


def test_an_existing_file_is_replaced_only_where_that_is_said(export, file):
    file.write_text("mine")
    result = export(file, "--count", 1)
    assert (result.exit_code, file.read_text()) == (1, "mine")
    assert "say --overwrite" in result.stderr
    assert export(file, "--count", 1, "--overwrite").exit_code == 0
    assert len(rows(file)) == 12


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_server_that_fails_in_the_middle_leaves_no_file(export, file, api, suffix):
    api.fail_next(*[None] * 6, Fault(500, "broken", "the disk is full"))
    result = export(file.with_suffix(suffix), "--count", 2)
    assert (result.exit_code, list(file.parent.iterdir())) == (1, [])
    assert "the disk is full" in result.stderr
    assert len(api.requests) > 6

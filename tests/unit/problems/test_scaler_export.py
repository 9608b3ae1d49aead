"""The SCALER release format, written and read back."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade_server.problems.builtin import load_catalogue
from escalade_server.problems.definition import Entry, Parameter, Sample, Solution, version_of
from escalade_server.problems.formats.scaler import parse_scaler
from escalade_server.problems.formats.scaler_export import NotExportable, export_scaler, write_scaler

SMALL = Path(__file__).resolve().parents[2] / "fixtures" / "scaler-small.json"


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    found, _ = parse_scaler(SMALL.read_text(encoding="utf-8"))
    return found


def changed(entry: Entry, **fields) -> Entry:
    return entry.model_copy(update={"definition": entry.definition.model_copy(update=fields)})


def test_an_export_comes_back_with_the_same_version(entries):
    back, refusals = parse_scaler(write_scaler(entries))
    assert refusals == []
    assert [entry.source_name for entry in back] == [entry.source_name for entry in entries]
    assert [version_of(entry.definition) for entry in back] == [version_of(entry.definition) for entry in entries]


def test_an_export_has_the_fields_of_a_release(entries):
    archive = json.loads(write_scaler(entries))
    release = json.loads(SMALL.read_text(encoding="utf-8"))
    for name, written in archive.items():
        assert written.keys() == release[name].keys() or written.keys() <= release[name].keys() | {"scale_range"}
        assert written["params"].keys() == release[name]["params"].keys()


def test_what_has_no_place_is_refused_when_exact_and_left_out_when_not(entries):
    wrong = Solution(name="wrong", language="python", source="print(0)\n", expected="wrong_answer")
    entry = changed(
        entries[0], solutions=(*entries[0].definition.solutions, wrong), samples=(Sample(input="1", output="1"),)
    )
    with pytest.raises(NotExportable) as caught:
        write_scaler([entry])
    assert [refusal.entry for refusal in caught.value.refusals] == [entry.source_name]
    back, _ = parse_scaler(write_scaler([entry], exact=False))
    assert version_of(back[0].definition) == version_of(entries[0].definition)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"answer": {"type": "permutation"}}, "answer.type"),
        ({"ladder": ({"n": 5}, {"n": 4})}, "difficulty_dict.1"),
        ({"answer_instruction": "Print it. It is preferred to use cin."}, "answer_instruction"),
    ],
)
def test_what_the_format_would_change_is_refused_either_way(entries, fields, field):
    entry = entries[0]
    document = entry.definition.model_dump() | fields
    if "ladder" in fields:
        document["parameters"] = {"n": {"minimum": 1, "maximum": 9}}
    definition = type(entry.definition).model_validate(document)
    text, refusals = export_scaler([entry.model_copy(update={"definition": definition}), entries[1]], exact=False)
    assert [refusal.field for refusal in refusals] == [field]
    assert list(json.loads(text)) == [entries[1].source_name]


def test_parameters_that_grow_apart_cannot_be_written(entries):
    entry = changed(
        entries[0],
        parameters={"n": Parameter(minimum=1, maximum=9), "m": Parameter(minimum=1, maximum=9)},
        ladder=({"n": 1, "m": 1}, {"n": 5, "m": 2}),
    )
    _, refusals = export_scaler([entry])
    assert refusals[0].field == "ladder.1"


def test_every_built_in_problem_is_written_or_refused_with_a_reason():
    catalogue = load_catalogue()
    text, refusals = export_scaler(catalogue, exact=False)
    assert len(json.loads(text)) + len(refusals) == len(catalogue)
    assert all(refusal.field and refusal.reason for refusal in refusals)


@given(
    minimum=st.integers(0, 50),
    steps=st.lists(st.integers(1, 400), min_size=1, max_size=12),
    base=st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 0.1]),
    cap=st.integers(1, 2_000),
)
def test_ladders_made_by_the_formats_rule_come_back(minimum, steps, base, cap):
    archive = json.loads(SMALL.read_text(encoding="utf-8"))
    name, raw = next(iter(archive.items()))
    total, difficulties = 0, {}
    for level, step in enumerate(steps):
        total += step
        difficulties[str(level)] = total
    raw["params"] = {
        "n": {"min": minimum, "max": minimum + cap, "base": 1.0},
        "m": {"min": minimum, "max": minimum + 2 * cap, "base": base},
        "difficulty": {"version": 1, "params": {}},
    }
    raw["difficulty_dict"] = difficulties
    first, _ = parse_scaler(json.dumps({name: raw}))
    back, _ = parse_scaler(write_scaler(first))
    assert version_of(back[0].definition) == version_of(first[0].definition)

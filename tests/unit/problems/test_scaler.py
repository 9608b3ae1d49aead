"""The SCALER release format: what goes in, what is refused and why, and that neither depends on the other."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade_server.problems.definition import Entry, Refusal, version_of
from escalade_server.problems.formats.errors import ArchiveError
from escalade_server.problems.formats.instructions import answer_instruction_of, declared_tolerances
from escalade_server.problems.formats.scaler import parse_scaler

ROOT = Path(__file__).resolve().parents[3]
SMALL = ROOT / "tests" / "fixtures" / "scaler-small.json"
RELEASED = ROOT.parent / "shared" / "data" / "scaler-8" / "SCALER-8.json"
LAMPS, SHELF, BADGE, BEETLE, CRATES = (
    "901_A. Lamps in the Corridor",
    "902_B. Views Along the Shelf",
    "903_C. Badge Letters",
    "q00904 Round Trip of a Beetle",
    "905_E. Two Crates",
)

Document = dict[str, Any]


@pytest.fixture
def small() -> Document:
    document: Document = json.loads(SMALL.read_text())
    return document


def by_name(text: str) -> dict[str, Entry]:
    entries, refusals = parse_scaler(text)
    assert refusals == []
    return {entry.source_name: entry for entry in entries}


def refusal_of(document: Document, name: str = SHELF) -> Refusal:
    """The refusal of one entry; all the others must have gone in."""
    entries, refusals = parse_scaler(json.dumps(document))
    assert [entry.source_name for entry in entries] == [other for other in document if other != name]
    (refusal,) = refusals
    assert refusal.entry == name
    return refusal


def test_every_entry_of_the_fixture_goes_in_under_its_slug():
    entries = by_name(SMALL.read_text())
    assert {name: entry.slug for name, entry in entries.items()} == {
        LAMPS: "901-a-lamps-in-the-corridor",
        SHELF: "902-b-views-along-the-shelf",
        BADGE: "903-c-badge-letters",
        BEETLE: "q00904-round-trip-of-a-beetle",
        CRATES: "905-e-two-crates",
    }
    assert {name: entry.definition.answer.type for name, entry in entries.items()} == {
        LAMPS: "number",
        SHELF: "array",
        BADGE: "string",
        BEETLE: "number",
        CRATES: "number",
    }
    assert {(entry.source, entry.licence) for entry in entries.values()} == {("scaler", None)}


def test_source_and_licence_are_recorded_as_given():
    entries, _ = parse_scaler(SMALL.read_text(), source="upload", licence="CC-BY-4.0")
    assert {(entry.source, entry.licence) for entry in entries} == {("upload", "CC-BY-4.0")}


def test_statements_and_generator_are_taken_over_as_they_are(small):
    definition = by_name(SMALL.read_text())[SHELF].definition
    assert definition.statement == small[SHELF]["logic_description"]
    assert definition.full_statement == small[SHELF]["raw_description"]
    assert definition.answer_instruction == small[SHELF]["instruction"]
    assert definition.generator.source == small[SHELF]["generate_testcase"]
    assert (definition.generator.language, definition.generator.function) == ("python", "generate_testcase")


def test_solutions_in_languages_we_do_not_run_are_dropped_and_the_others_keep_their_numbers():
    solutions = by_name(SMALL.read_text())[LAMPS].definition.solutions
    assert [(solution.name, solution.language) for solution in solutions] == [
        ("solution-0", "cpp"),
        ("solution-1", "python"),
        ("solution-4", "python"),
    ]


def test_a_copy_of_a_solution_is_no_second_opinion(small):
    small[SHELF]["solutions"] = {"solution": ["print(1)", "print(1)\n"], "language": [3, 3]}
    refusal = refusal_of(small)
    assert refusal.field == "solutions"
    assert refusal.reason.startswith("1 of 2 can be used")


def test_a_repeated_level_is_dropped():
    ladder = by_name(SMALL.read_text())[LAMPS].definition.ladder
    assert [level["n"] for level in ladder] == [1, 2, 3, 4, 6, 9, 14, 23, 37, 61, 101, 120]


def test_levels_scale_by_base_round_down_and_stop_at_the_maximum(small):
    small[SHELF]["params"] = {
        "n": {"min": 1, "max": 10, "base": 1.0},
        "m": {"min": 3, "max": 8, "base": 0.5},
        "fixed": {"min": 7, "max": 7, "base": 2},
        "difficulty": {"version": 1},
    }
    small[SHELF]["difficulty_dict"] = {"1": 1, "0": 0, "2": 6, "3": 50, "4": 60}
    assert by_name(json.dumps(small))[SHELF].definition.ladder == (
        {"n": 1, "m": 3, "fixed": 7},
        {"n": 2, "m": 3, "fixed": 7},
        {"n": 7, "m": 6, "fixed": 7},
        {"n": 10, "m": 8, "fixed": 7},
    )


@given(
    difficulties=st.lists(st.integers(0, 10**6), min_size=1, max_size=40).map(sorted),
    limits=st.tuples(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6)).map(sorted),
    base=st.floats(0, 1e9),
)
def test_every_ladder_rises_within_its_limits(difficulties, limits, base):
    document = json.loads(SMALL.read_text())
    minimum, maximum = limits
    document[SHELF]["params"] = {"n": {"min": minimum, "max": maximum, "base": base}}
    document[SHELF]["difficulty_dict"] = {str(index): value for index, value in enumerate(difficulties)}
    levels = [level["n"] for level in by_name(json.dumps(document))[SHELF].definition.ladder]
    assert levels == sorted(set(levels))
    assert minimum <= levels[0]
    assert levels[-1] <= maximum


def test_a_changed_generator_changes_the_version_of_its_entry_alone(small):
    before = {name: version_of(entry.definition) for name, entry in by_name(json.dumps(small)).items()}
    small[SHELF]["generate_testcase"] += "\n"
    after = {name: version_of(entry.definition) for name, entry in by_name(json.dumps(small)).items()}
    assert [name for name in before if before[name] != after[name]] == [SHELF]


def change(**fields: object) -> Callable[[Document], None]:
    return lambda entry: entry.update(fields)


def without(field: str) -> Callable[[Document], None]:
    return lambda entry: entry.pop(field)


FAULTS: list[tuple[Callable[[Document], Any], str, str]] = [
    *((without(field), field, "it is missing") for field in ("logic_description", "raw_description", "instruction")),
    *((without(field), field, "it is missing") for field in ("generate_testcase", "output_type", "solutions")),
    *((without(field), field, "it is missing") for field in ("is_output_unique", "difficulty_dict", "params")),
    (change(logic_description=7), "logic_description", "a string is needed, not an integer"),
    (change(raw_description="  \n"), "raw_description", "it is blank"),
    (change(is_output_unique="yes"), "is_output_unique", "true or false is needed, not a string"),
    (change(is_output_unique=False), "is_output_unique", "need a checker"),
    (change(output_type="colour"), "output_type", "`colour` is unknown; use one of number, array, string"),
    (change(output_type="graph"), "output_type", "directed"),
    (change(output_type="others"), "output_type", "mixed structure"),
    (change(generate_testcase="def other(p):\n    return '', {}"), "generate_testcase", "does not define"),
    (change(params=[]), "params", "an object is needed, not a list"),
    (change(params={"difficulty": {}}), "params", "no scale parameter"),
    (change(params={f"n{index}": {} for index in range(33)}), "params", "33 scale parameters; at most 32"),
    (change(params={" ": {"min": 1, "max": 2}}), "params", "blank name"),
    (change(params={"n": 3}), "params.n", "an object is needed, not an integer"),
    (change(params={"n": {"min": 9, "max": 2, "base": 1.0}}), "params.n", "min 9 is above max 2"),
    (change(params={"n": {"max": 2}}), "params.n.min", "it is missing"),
    (change(params={"n": {"min": 1, "max": 2.5}}), "params.n.max", "an integer is needed, not a real number"),
    (change(params={"n": {"min": 1, "max": 2, "base": "1"}}), "params.n.base", "a number is needed, not a string"),
    (change(params={"n": {"min": 1, "max": 2, "base": -1}}), "params.n.base", "at least 0"),
    (change(difficulty_dict={}), "difficulty_dict", "no level"),
    (change(difficulty_dict={str(index): index for index in range(1_001)}), "difficulty_dict", "1001 levels"),
    (change(difficulty_dict={"0": 0, "2": 1}), "difficulty_dict.2", "numbered 0 to 1"),
    (change(difficulty_dict={"0": 0, "one": 1}), "difficulty_dict.one", "numbered 0 to 1"),
    (change(difficulty_dict={"0": 0, "1": True}), "difficulty_dict.1", "an integer is needed, not a truth value"),
    (change(difficulty_dict={"0": 3, "1": 2}), "difficulty_dict.1", "2 is below 3"),
    (change(difficulty_dict={"0": -1}), "difficulty_dict.0", "-1 is below 0"),
    (change(solutions={"solution": ["a", "b"], "language": [2]}), "solutions", "2 solutions but 1 languages"),
    (change(solutions={"solution": ["a"]}), "solutions.language", "it is missing"),
    (change(solutions={"solution": "a", "language": [2]}), "solutions.solution", "a list is needed, not a string"),
    (change(solutions={"solution": ["a", 1], "language": [2, 3]}), "solutions.solution[1]", "not an integer"),
    (change(solutions={"solution": ["a", "b"], "language": [2, None]}), "solutions.language[1]", "not null"),
    (change(solutions={"solution": ["a", "b"], "language": [2, 1]}), "solutions", "1 of 2 can be used"),
    (change(solutions={"solution": ["a", "  "], "language": [2, 3]}), "solutions", "1 of 2 can be used"),
    (change(solutions={"solution": [], "language": []}), "solutions", "0 of 0 can be used"),
    (change(extra=[{"deep": float("nan")}]), "extra[0].deep", "NaN, which JSON does not have"),
    (change(extra=float("-inf")), "extra", "-Infinity"),
    (change(params={"n": {"min": 1, "max": 10**30}}), "params.n.max", "31 digits, beyond 64 bits"),
    (change(instruction="a\x00b"), "instruction", "NUL"),
    (change(instruction="a\ud800b"), "instruction", "half of a surrogate pair at character 1"),
]


@pytest.mark.parametrize(("fault", "field", "reason"), FAULTS)
def test_a_malformed_entry_is_refused_by_field_and_the_others_go_in(small, fault, field, reason):
    fault(small[SHELF])
    refusal = refusal_of(small)
    assert refusal.field == field
    assert reason in refusal.reason


@pytest.mark.parametrize("value", [None, 3, "text", [], True])
def test_an_entry_that_is_no_object_is_refused(small, value):
    small[SHELF] = value
    assert refusal_of(small).reason.startswith("an object is needed, not ")


def test_a_key_that_stands_twice_in_an_entry_refuses_it(small):
    text = SMALL.read_text().replace('"output_type": "array"', '"output_type": "array", "output_type": "number"')
    entries, (refusal,) = parse_scaler(text)
    assert len(entries) == len(small) - 1
    assert refusal == Refusal(entry=SHELF, field="output_type", reason="the key stands there more than once")


def test_two_entries_of_one_name_are_both_refused_since_neither_is_the_right_one(small):
    texts = [f"{json.dumps(name)}: {json.dumps(small[name])}" for name in (SHELF, LAMPS, SHELF)]
    entries, (refusal,) = parse_scaler("{" + ",".join(texts) + "}")
    assert [entry.source_name for entry in entries] == [LAMPS]
    assert (refusal.entry, refusal.reason) == (SHELF, "the archive has more than one entry of this name; keep one")


def test_the_second_of_two_entries_with_one_slug_is_refused(small):
    other = "902 B: views, along the shelf!"
    small[other] = copy.deepcopy(small[SHELF])
    refusal = refusal_of(small, other)
    assert (
        refusal.reason == f"its slug `902-b-views-along-the-shelf` is taken by the entry `{SHELF}`; rename one of them"
    )


def test_a_refused_entry_takes_no_slug(small):
    broken = copy.deepcopy(small[SHELF])
    del broken["params"]
    entries, refusals = parse_scaler(json.dumps({"902 b: views along the shelf": broken, **small}))
    assert SHELF in [entry.source_name for entry in entries]
    assert [refusal.field for refusal in refusals] == ["params"]


@pytest.mark.parametrize(("name", "shown"), [("  ", "  "), ("x" * 300, "x" * 255), ("a\ud800", "a?"), ("a\x00", "a?")])
def test_an_unusable_name_is_refused_and_shown_as_text(small, name, shown):
    small[name] = small[SHELF]
    entries, (refusal,) = parse_scaler(json.dumps(small))
    assert len(entries) == len(small) - 1
    assert refusal.entry == shown


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON: Expecting value at line 1 column 1"),
        ('{"a": 1,\n oops}', "at line 2 column 2"),
        ("[1, 2]", "an object of entries is needed, not a list"),
        ('"text"', "an object of entries is needed, not a string"),
        ("NaN", "not NaN"),
        ("9" * 5_000, "an integer of 5000 digits"),
        ("{}", "no entries"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_text_that_is_no_archive_is_refused_whole(text, reason):
    with pytest.raises(ArchiveError) as caught:
        parse_scaler(text)
    assert reason in caught.value.reason


def test_a_single_entry_is_told_how_to_become_an_archive(small):
    with pytest.raises(ArchiveError, match="wrap it"):
        parse_scaler(json.dumps(small[SHELF]))


def test_a_byte_order_mark_is_passed_over():
    assert by_name("\ufeff" + SMALL.read_text()) == by_name(SMALL.read_text())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(field=st.sampled_from(sorted(json.loads(SMALL.read_text())[SHELF])), value=JSON)
def test_whatever_a_field_holds_the_entry_comes_out_exactly_once_and_the_others_go_in(field, value):
    document = json.loads(SMALL.read_text())
    document[SHELF][field] = value
    entries, refusals = parse_scaler(json.dumps(document))
    assert sorted([entry.source_name for entry in entries] + [refusal.entry for refusal in refusals]) == sorted(
        document
    )
    assert {refusal.entry for refusal in refusals} <= {SHELF}


@pytest.mark.parametrize(
    ("instruction", "kept"),
    [
        ("Print x. Do not use %lld in C++. It is preferred to use cin, cout streams.", "Print x."),
        ("Print x.\n\nNote that it is large, so you should use 64-bit integer type to store it.", "Print x."),
        ("Print x. Use long long. If there is none, print -1.", "Print x. If there is none, print -1."),
        ("Print the hash as an unsigned 64-bit integer, using hexadecimal digits.", None),
        ("Print how long the download of the C++ compiler takes. Use one decimal.", None),
        ("Print a line.\n\n  * 'L': left.\n  * 'R': right.", None),
        ("You may use long long.", None),
        ("", None),
    ],
)
def test_only_advice_to_programmers_is_left_out(instruction, kept):
    assert answer_instruction_of(instruction) == (instruction if kept is None else kept)


@pytest.mark.parametrize(
    ("instruction", "tolerances"),
    [
        ("If the absolute error or relative error is $ 10 ^ {-9} $ or less, it is correct.", (1e-9, 1e-9)),
        ("Your absolute or relative error must not exceed 10^{-6}.", (1e-6, 1e-6)),
        ("The absolute error must not exceed 10 - 4.", (1e-4, None)),
        ("Output with a relative error of at most 1e-6.", (None, 1e-6)),
        ("Absolute or relative error: 10<sup>-7</sup>.", (1e-7, 1e-7)),
        ("The relative error may be 1e-9 and the absolute error 1E-4.", (1e-4, 1e-9)),
        ("Any value with an absolute error below 0.001 is fine.", (1e-3, None)),
        ("Print it to 10^{-6}. The absolute error matters.", (None, None)),
        ("Print the number of errors modulo 10^9.", (None, None)),
        ("Print an integer.", (None, None)),
        ("The absolute error must be below 10^{-400}.", (None, None)),
    ],
)
def test_a_tolerance_is_read_where_an_absolute_or_relative_error_is_declared(instruction, tolerances):
    assert declared_tolerances(instruction) == tolerances


@given(st.text())
def test_reading_an_instruction_never_fails_and_invents_nothing(instruction):
    kept = answer_instruction_of(instruction)
    assert set(kept) <= set(instruction)
    assert all(value is None or 0 < value < 1 for value in declared_tolerances(instruction))


@pytest.mark.skipif(not RELEASED.exists(), reason=f"the released data {RELEASED} is not on this machine")
def test_all_eight_released_environments_go_in():
    entries = by_name(RELEASED.read_text())
    assert {name: len(entry.definition.ladder) for name, entry in entries.items()} == {
        "1003_F. Abbreviation": 22,
        "285_C. Building Permutation": 23,
        "1200_A. Hotelier": 18,
        "p02158 Rings": 19,
        "158_D. Ice Sculptures": 24,
        "1195_B. Sport Mafia": 21,
        "632_A. Grandma Laura and Apples": 30,
        "883_C. Downloading B++": 21,
    }
    assert entries["883_C. Downloading B++"].slug == "883-c-downloading-b"
    assert entries["883_C. Downloading B++"].definition.ladder[1] == {"f": 3, "a1": 3, "a2": 3}
    assert entries["1200_A. Hotelier"].definition.answer.type == "string"
    assert entries["p02158 Rings"].definition.answer.absolute_tolerance == 1e-9
    assert "%lld" not in entries["285_C. Building Permutation"].definition.answer_instruction
    assert "64-bit" not in entries["632_A. Grandma Laura and Apples"].definition.answer_instruction
    assert all(len(entry.definition.references) >= 8 for entry in entries.values())

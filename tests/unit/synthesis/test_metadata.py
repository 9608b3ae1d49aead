"""Metadata from a source, and from an LLM's reply."""

import copy
import json
from pathlib import Path

import pytest

from escalade_server.errors import ProblemUnsuited
from escalade_server.problems.builtin import load_catalogue
from escalade_server.problems.definition import Checker, Parameter, Sample
from escalade_server.problems.formats.polygon_checkers import STANDARD_CHECKERS
from escalade_server.problems.formats.reading import read_path
from escalade_server.problems.problem import (
    Comparison,
    FixedTest,
    Problem,
    Statement,
    problem_of_entry,
)
from escalade_server.scoring.comparators import compare
from escalade_server.synthesis.metadata import (
    METADATA_SCHEMA,
    answer_of,
    facts_of,
    read_metadata,
    stated_metadata,
    unstated,
)
from escalade_server.synthesis.replies import UnusableReply

STATEMENT = Statement(
    language="en",
    markup="markdown",
    text="Add. ## Input n numbers ## Output the sum",
    task="Add.",
    output="Print the sum.",
)
REPLY = {
    "obstacle": None,
    "statement": "Add the numbers of the list a, which has n members.",
    "answer_instruction": "Give the sum.",
    "answer": {
        "type": "number", "unique": True, "absolute_tolerance": None, "relative_tolerance": None,
        "case_sensitive": True, "true_word": None, "false_word": None,
        "directed": False, "weighted": False, "counts": False,
    },
    "parameters": [{"name": "n", "meaning": "how many\nnumbers", "minimum": 2, "maximum": 100, "base": 1}],
    "tags": ["Arithmetic", "number theory", "arithmetic"],
}  # fmt: skip


def problem(**changes):
    fields = {"name": "sum", "title": "Sum", "source": "codecontests", "statements": (STATEMENT,)}
    return Problem(**(fields | changes))


def reply(path="", value=None):
    """The good reply with one field changed: `reply("parameters.0.minimum", 5)`; `...` removes it."""
    changed = copy.deepcopy(REPLY)
    if path:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        at = changed
        for part in parents:
            at = at[part]
        if value is ...:
            del at[last]
        else:
            at[last] = value
    return changed


def without_task():
    return problem(statements=(STATEMENT.model_copy(update={"task": None}),))


def test_a_good_reply_is_metadata():
    made = read_metadata(reply(), without_task())
    assert made.statement == "Add the numbers of the list a, which has n members."
    assert made.answer_instruction == "Give the sum."
    assert made.answer.type == "number"
    assert made.unique
    assert made.parameters == {"n": Parameter(minimum=2, maximum=100, base=1.0)}
    assert made.meanings == {"n": "how many numbers"}
    assert made.tags == ("arithmetic", "number-theory")


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("statement", ..., "statement: Field required"),
        ("statement", "  ", "statement: it is blank"),
        ("statement", "x" * 30_001, "statement: 30001 characters"),
        ("answer_instruction", "", "answer_instruction: it is blank"),
        ("answer.type", "integer", "answer.type: "),
        ("answer", "number", "answer: "),
        ("answer.absolute_tolerance", 2, "answer.absolute_tolerance: 2"),
        ("answer.relative_tolerance", -1, "answer.relative_tolerance: -1"),
        ("answer.type", "bool", "answer.true_word, answer.false_word: a bool needs both"),
        ("parameters", [], "parameters: 0 of them"),
        ("parameters", REPLY["parameters"] * 7, "parameters: 7 of them"),
        ("parameters", REPLY["parameters"] * 2, "parameters[1].name: 'n' is there twice"),
        ("parameters.0.name", "number of items", "parameters[0].name"),
        ("parameters.0.minimum", "two", "parameters[0].minimum"),
        ("parameters.0.minimum", 101, "parameters[0].minimum: 101 is above the maximum 100"),
        ("parameters.0.minimum", 100, "none of them can grow"),
        ("parameters.0.maximum", 10**30, "parameters[0]: its range goes beyond"),
        ("parameters.0.base", -1, "parameters[0].base"),
        ("parameters.0.base", 0, "none of them can grow"),
        ("tags", None, "tags: "),
    ],
)
def test_a_fault_names_its_field(path, value, fault):
    with pytest.raises(UnusableReply) as raised:
        read_metadata(reply(path, value), without_task())
    assert any(fault in one for one in raised.value.faults), raised.value.faults


def test_all_faults_are_told_at_once():
    bad = reply("answer_instruction", "") | {"parameters": []}
    with pytest.raises(UnusableReply) as raised:
        read_metadata(bad, without_task())
    assert len(raised.value.faults) == 2


def test_an_obstacle_is_passed_on_and_needs_no_other_field():
    with pytest.raises(ProblemUnsuited, match="hangs on a picture"):
        read_metadata({"obstacle": "The task hangs on a\npicture."}, problem())


def test_bool_words_matter_only_for_bools():
    answer = REPLY["answer"] | {"type": "bool", "true_word": "YES", "false_word": "NO", "case_sensitive": False}
    made = read_metadata(reply("answer", answer), without_task())
    assert (made.answer.true_word, made.answer.false_word, made.answer.case_sensitive) == ("YES", "NO", False)
    array = read_metadata(reply("answer", answer | {"type": "array"}), without_task())
    assert array.answer.true_word is None


@pytest.mark.parametrize(("words", "fault"), [(("YES", "YES"), "both are"), (("NOT SO", "SO"), "single words")])
def test_bool_words_that_cannot_be_told_apart_or_read_are_refused(words, fault):
    answer = REPLY["answer"] | {"type": "bool", "true_word": words[0], "false_word": words[1]}
    with pytest.raises(UnusableReply, match=fault):
        read_metadata(reply("answer", answer), without_task())


def test_graphs_keep_their_kind_and_matrices_their_tolerance():
    graph = REPLY["answer"] | {"type": "graph", "directed": True, "weighted": True, "counts": True}
    made = read_metadata(reply("answer", graph), without_task()).answer
    assert (made.type, made.directed, made.weighted, made.counts) == ("graph", True, True, False)
    matrix = REPLY["answer"] | {"type": "matrix", "absolute_tolerance": 1e-4, "directed": True}
    made = read_metadata(reply("answer", matrix), without_task()).answer
    assert (made.type, made.absolute_tolerance, made.directed) == ("matrix", 1e-4, False)


def test_answers_that_are_not_unique_are_checked_unless_the_judge_compares():
    loose = reply("answer", REPLY["answer"] | {"unique": False})
    assert read_metadata(loose, without_task()).answer.type == "checked"
    # Kattis packages without a checker are judged word by word, whatever the LLM thinks.
    assert read_metadata(loose, problem(source="kattis")).answer.type == "number"


def test_the_source_wins_over_the_reply():
    checker = Checker(name="c", language="cpp", source="", protocol="testlib")
    sides = {"side": Parameter(minimum=1, maximum=9)}
    made = read_metadata(reply(), problem(checker=checker, parameters=sides, tags=("sums",)))
    assert made.statement == "Add."
    assert made.answer.type == "checked"
    assert made.parameters == sides
    assert made.tags == ("sums", "arithmetic", "number-theory")
    tolerant = problem(source="kattis", comparison=Comparison(absolute_tolerance=1e-3, case_sensitive=False))
    answer = read_metadata(reply("answer", REPLY["answer"] | {"relative_tolerance": 1e-9}), tolerant).answer
    assert (answer.absolute_tolerance, answer.relative_tolerance, answer.case_sensitive) == (1e-3, None, False)


def test_parameters_of_the_source_are_not_asked_for_again():
    sides = {"side": Parameter(minimum=1, maximum=9)}
    assert read_metadata(reply("parameters", []), problem(parameters=sides)).parameters == sides


def test_the_catalogue_has_every_kind_of_answer_that_only_complete_entries_state():
    assert {entry.definition.answer.type for entry in load_catalogue()} >= {"bool", "matrix", "graph", "checked"}


@pytest.mark.parametrize("entry", load_catalogue(), ids=lambda entry: entry.slug)
def test_a_complete_entry_needs_no_llm(entry):
    whole = problem_of_entry(entry)
    made = stated_metadata(whole)
    assert made is not None
    assert (made.answer, made.parameters) == (entry.definition.answer, entry.definition.parameters)
    assert unstated(whole) == ()


def test_a_source_that_says_everything_needs_no_llm():
    sides = {"n": Parameter(minimum=1, maximum=9)}
    whole = problem(source="polygon", answer_type="number", parameters=sides)
    made = stated_metadata(whole)
    assert made is not None
    assert (made.statement, made.answer_instruction, made.answer.type) == ("Add.", "Print the sum.", "number")
    assert unstated(whole) == ()
    lacking = problem(source="polygon", statements=(STATEMENT.model_copy(update={"task": None}),))
    assert stated_metadata(lacking) is None
    assert unstated(lacking) == (
        "the task apart from its input and output format", "the type of the answer", "scale parameters",
    )  # fmt: skip


def shown(*outputs, source="kattis", **comparison):
    tests = tuple(FixedTest(name=str(place), input="", output=output) for place, output in enumerate(outputs[1:]))
    samples = (Sample(input="", output=outputs[0]),)
    sides = {"n": Parameter(minimum=1, maximum=9)}
    made = stated_metadata(
        problem(source=source, samples=samples, tests=tests, parameters=sides, comparison=Comparison(**comparison))
    )
    return made and made.answer


def test_outputs_that_the_judge_compares_tell_their_form():
    assert shown("1\n", "2\n", "-3.5\n").type == "number"
    assert shown("1\n", "2\n", "impossible\n").type == "number"
    assert shown("1 2\n", "3 4 5\n", "6\n7\n") is None
    assert shown("1 2\n", "3 4 5\n", "6\n").type == "array"
    assert shown("1 2\n", "3 4 5\n", "6\n", unordered=True).type == "multiset"
    assert shown("1\n2\n", "3\n", "4\n").type == "array"
    assert shown("Yes\n", "no\n", "YES \n").type == "bool"
    assert shown("Alice\n", "Bob\n", "Alice \n").type == "string"
    assert shown("a b\n", "c\n", "d 1\n").tokens
    assert not shown("a b\n", "c\n", "d 1\n", space_sensitive=True).tokens
    assert shown("2\n1 2\n", "3\n4 5 6\n", "1\n9\n") is None
    assert shown("1\n").type == "number"
    assert shown("Yes\n", "Yes\n").type == "string"
    assert shown("\n", "1\n") is None
    assert shown("1\n", "2\n", "3\n", source="codecontests") is None


def test_comparisons_become_answer_specs():
    assert answer_of("array", Comparison(absolute_tolerance=1e-4)).absolute_tolerance == 1e-4
    assert answer_of("number", Comparison(), "An absolute error of 10^-3 is fine.").absolute_tolerance == 1e-3
    assert answer_of("bool", Comparison(case_sensitive=False)).case_sensitive is False
    assert answer_of("string", Comparison(case_sensitive=False, space_sensitive=True)).tokens is False
    assert answer_of("permutation", Comparison()).type == "permutation"


FORMS = Path(__file__).resolve().parents[2] / "fixtures" / "formats"
EXPECTED = {
    "odd-sum": {"type": "number"},
    # The default judge of Kattis takes letters in any case.
    "giftbags": {"type": "number", "case_sensitive": False},
    "meanwalk": {
        "type": "number", "case_sensitive": False, "absolute_tolerance": 1e-6, "relative_tolerance": 1e-6,
    },
    "ropepieces": {"type": "checked"},
    "bead-row": {"type": "array"},
    "even-split": {"type": "checked"},
    "any_divisor": {"type": "checked"},
    "range_totals": {"type": "array"},
    "902_B. Steps of the Tower": {"type": "number"},
}  # fmt: skip


def test_every_format_says_of_answers_what_its_judge_does():
    found = read_path(FORMS).problems
    said = {}
    for one in found:
        # Parameters and a task apart are another matter; given those, what does the source say of answers?
        task = Statement(language="en", markup="text", text="x", task="x", output="x")
        whole = one.model_copy(
            update={
                "parameters": one.parameters or {"n": Parameter(minimum=1, maximum=2)},
                "statements": (task.model_copy(update={"output": (one.statement and one.statement.output) or "x"}),),
            }
        )
        made = stated_metadata(whole)
        if made is not None:
            said[one.name] = made.answer.model_dump(exclude_defaults=True)
    assert said == EXPECTED
    # CodeContests rows do not say whether answers are unique.
    assert {one.source for one in found if one.name not in said} == {"codecontests"}


@pytest.mark.parametrize(
    ("checker", "truth", "right", "wrong"),
    [
        ("icmp", "7\n", "7", "8"),
        ("hcmp", f"{10**40}\n", str(10**40), str(10**40 + 1)),
        ("ncmp", "1 2 3\n", "[1, 2, 3]", "[1, 3, 2]"),
        ("uncmp", "1 2 3\n", "[3, 1, 2]", "[1, 2, 2]"),
        ("wcmp", "one two\n", "one two", "one Two"),
        ("yesno", "YES\n", "yes", "no"),
        ("nyesno", "YES NO YES\n", "[yes, no, yes]", "[yes, yes, yes]"),
        ("rcmp4", "0.5\n", "0.50009", "0.5009"),
        ("rcmp6", "0.5\n", "0.5000009", "0.500009"),
        ("rcmp9", "0.5\n", "0.5000000009", "0.500000009"),
        ("acmp", "100\n", "100.000001", "100.00001"),
        ("rncmp", "0.5 1.5\n", "[0.50001, 1.5]", "[0.5001, 1.5]"),
    ],
)
def test_standard_checkers_of_polygon_judge_answers_as_they_judge_outputs(checker, truth, right, wrong):
    standard = STANDARD_CHECKERS[checker]
    made = stated_metadata(
        problem(
            source="polygon",
            answer_type=standard.answer_type,
            comparison=standard.comparison,
            parameters={"n": Parameter(minimum=1, maximum=9)},
            samples=(Sample(input="", output=truth),),
        )
    )
    assert made is not None
    assert compare(made.answer, truth, right).verdict == "accepted"
    assert compare(made.answer, truth, wrong).verdict == "wrong"


def test_a_word_in_place_of_a_number_is_read_as_the_judge_reads_it():
    lenient = shown("1\n", "impossible\n", case_sensitive=False)
    assert compare(lenient, "impossible\n", "IMPOSSIBLE").verdict == "accepted"
    assert compare(shown("1\n", "impossible\n"), "impossible\n", "IMPOSSIBLE").verdict == "wrong"


def test_facts_are_what_the_source_says():
    checker = Checker(name="c", language="cpp", source="", protocol="testlib")
    assert facts_of(problem()) == []
    assert "not unique" in facts_of(problem(checker=checker))[0]
    assert "word by word" in facts_of(problem(source="kattis"))[0]
    facts = " ".join(
        facts_of(
            problem(
                source="polygon", answer_type="number", comparison=Comparison(relative_tolerance=1e-6),
                parameters={"n": Parameter(minimum=1, maximum=9)},
            )
        )
    )  # fmt: skip
    assert "`number`" in facts
    assert "relative error of 1e-06" in facts
    assert "`n` is a scale parameter from 1 to 9" in facts


def test_the_schema_asks_for_all_that_is_read():
    text = json.dumps(METADATA_SCHEMA)
    assert "$ref" not in text
    assert METADATA_SCHEMA["required"] == list(REPLY)
    assert METADATA_SCHEMA["properties"]["answer"]["required"] == list(REPLY["answer"])

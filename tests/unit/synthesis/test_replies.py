"""The JSON object in an LLM's reply."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from escalade_server.synthesis.replies import UnusableReply, object_in, read_wire, schema_of

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=10,
)
objects = st.dictionaries(st.text("abc", min_size=1, max_size=3), values, min_size=1, max_size=4)
prose = st.text("abc .,:`\n[]", max_size=40)


@given(objects, prose, prose)
def test_an_object_is_found_whatever_stands_around_it(document, before, after):
    assert object_in(f"{before}{json.dumps(document)}{after}") == document


@given(st.text('{}[]":,\\ a1', max_size=200))
def test_any_text_is_read_or_refused_with_a_reason(text):
    try:
        outcome = object_in(text)
    except UnusableReply as unusable:
        outcome = unusable.faults
    # An object of the text, or at least one sentence.
    assert isinstance(outcome, dict) or all(fault.strip() for fault in outcome)
    assert outcome != ()


def test_the_last_of_several_objects_counts_and_thoughts_do_not():
    assert object_in('{"a": 1} or rather {"a": 2}') == {"a": 2}
    assert object_in('<think>{"long": "enough to be a candidate"}</think>{"a": 2}') == {"a": 2}
    assert object_in('the set {n} gives {"a": 2}') == {"a": 2}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ('{"parameters": [{"name": "n"}], "statement": "cut of', "broken"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ('{"a": ' + "9" * 5_000 + "}", "broken"),
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": ["\\ud800"]}', "surrogate"),
        ('{"a": ' * 100_000, "broken"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(text, fault):
    with pytest.raises(UnusableReply, match=fault):
        object_in(text)


class Part(BaseModel):
    size: int


class Whole(BaseModel):
    title: str
    parts: list[Part]
    note: str | None


def test_every_field_at_fault_is_named():
    with pytest.raises(UnusableReply) as raised:
        read_wire(Whole, {"parts": [{"size": 1}, {"size": "big"}]})
    assert [fault.partition(":")[0] for fault in raised.value.faults] == ["title", "parts[1].size", "note"]


def test_schemas_are_what_strict_endpoints_take():
    schema = schema_of(Whole)
    part = {
        "type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"],
        "additionalProperties": False,
    }  # fmt: skip
    assert schema == {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "parts": {"type": "array", "items": part},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["title", "parts", "note"],
        "additionalProperties": False,
    }

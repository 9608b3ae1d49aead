"""Prompts.

Guarantee: a pure function of the definition and the instance's description; any change of the text raises
`problems.definition.RENDERER`, and so makes new environment versions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from escalade.types import AnswerSpec, Message, Template
from escalade_server.problems.definition import Definition

_FORMS: dict[str, str] = {
    "number": "a single number, for example \\boxed{42}",
    "bool": "one word, for example \\boxed{YES}",
    "string": "the bare text without quotes, for example \\boxed{abc}",
    "array": "a list in brackets, for example \\boxed{[1, 2, 3]}",
    "multiset": "a list in brackets, in any order, for example \\boxed{[1, 2, 3]}",
    "permutation": "a list in brackets, for example \\boxed{[2, 1, 3]}",
    "matrix": "a list of rows, for example \\boxed{[[1, 2], [3, 4]]}",
    "graph": "a list of edges, for example \\boxed{[[1, 2], [2, 3]]}",
    "checked": "just what the task asks for, for example \\boxed{1 2 3}",
}


def render(
    definition: Definition, description: Mapping[str, Any], *, name: str, template: Template = "full"
) -> list[Message]:
    """The conversation that asks for an instance's answer."""
    if template == "compact":
        return [Message(role="user", content="\n".join([name, *map(_bare, description.values())]))]
    parts = [
        definition.statement.strip(),
        "Input:\n" + "\n".join(f"{name} = {_value(value)}" for name, value in description.items()),
        definition.answer_instruction.strip(),
        f"Think it through, then end with the final answer in \\boxed{{}}: {answer_form(definition.answer)}.",
    ]
    return [Message(role="user", content="\n\n".join(part for part in parts if part))]


def answer_form(spec: AnswerSpec) -> str:
    """How the answer is to be written, in words."""
    if spec.type == "bool" and spec.true_word and spec.false_word:
        return f"\\boxed{{{spec.true_word}}} or \\boxed{{{spec.false_word}}}"
    return _FORMS[spec.type]


def _bare(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

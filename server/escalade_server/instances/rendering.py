"""Prompts.

Guarantee: pure functions of the definition, the instance's description, and in program mode the limits that were
measured for its scale parameters; any change of the text that asks for answers raises `problems.definition.RENDERER`,
and so makes new environment versions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from escalade.types import AnswerSpec, Message, ProgramLanguage, Template
from escalade_server.problems.definition import Definition
from escalade_server.scoring.programs import ProgramLimits

_LANGUAGES: dict[ProgramLanguage, str] = {"python": "Python 3", "cpp": "C++17"}
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

# Made once: `json.dumps` makes a new encoder whenever it is given options.
_READABLE = json.JSONEncoder(ensure_ascii=False)
_DENSE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


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


def render_program(
    definition: Definition,
    parameters: Mapping[str, int],
    limits: ProgramLimits,
    languages: Sequence[ProgramLanguage],
) -> list[Message]:
    """The conversation that asks for a program; the same for every instance of an assignment."""
    samples = [
        f"Example {number}, input:\n```\n{sample.input.rstrip()}\n```\nOutput:\n```\n{sample.output.rstrip()}\n```"
        for number, sample in enumerate(definition.samples, 1)
    ]
    named = [language for language in _LANGUAGES if language in languages]
    times = ", ".join(f"{limits.cpu_s[language]:g} s of processor time in {_LANGUAGES[language]}" for language in named)
    sizes = ", ".join(f"{name} = {value}" for name, value in parameters.items())
    tags = " or ".join(f"```{language}" for language in named)
    untagged = "with `#include` or `int main(` in it as C++, any other as Python" if len(named) > 1 else "as it is"
    parts = [
        definition.full_statement.strip(),
        *samples,
        f"Write a program in {' or '.join(_LANGUAGES[language] for language in named)} that reads such an input from "
        "standard input and writes the answer, and nothing else, to standard output. It will be run on hidden inputs "
        f"of this size: {sizes}. For each input it has {times}, and {limits.memory_bytes >> 20} MiB of memory.",
        f"Think it through, then end with the whole program in one fenced code block that begins with {tags}. The last "
        f"such block counts; a block without a language is taken {untagged}.",
    ]
    return [Message(role="user", content="\n\n".join(parts))]


def answer_form(spec: AnswerSpec) -> str:
    """How the answer is to be written, in words."""
    if spec.type == "bool" and spec.true_word and spec.false_word:
        return f"\\boxed{{{spec.true_word}}} or \\boxed{{{spec.false_word}}}"
    return _FORMS[spec.type]


def _bare(value: Any) -> str:
    return value if isinstance(value, str) else _DENSE.encode(value)


def _value(value: Any) -> str:
    return _READABLE.encode(value)

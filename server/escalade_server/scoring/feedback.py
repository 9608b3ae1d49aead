"""Hints on the form of an answer, for trainers that show them to the model.

Guarantee: pure, and told nothing of the truth: a hint depends on the completion, the answer's declaration and the run's
rules alone, so that no hint can leak an answer. Its words are ours but for a few characters of the answer's type.
"""

from __future__ import annotations

import re

from escalade.types import AnswerSpec, ExtractionSettings
from escalade_server.scoring.comparators import is_bool, is_too_long
from escalade_server.scoring.expressions import Undecided, Unreadable, read_number
from escalade_server.scoring.extraction import Extraction
from escalade_server.scoring.readings import Atom, Group, read_edges, read_group

_WAYS = {
    "boxed": r"in \boxed{...}",
    "answer_tag": "between <answer> and </answer>",
    "final_line": "on a line that begins with `Final answer:`",
    "fenced": "in a fenced block",
}
_EXAMPLES = {
    "array": "a list such as [1, 2, 3]",
    "multiset": "a list such as [1, 2, 3], in any order",
    "permutation": "a permutation such as [2, 3, 1]",
    "matrix": "a matrix such as [[1, 2], [3, 4]]",
}
_COMMA = re.compile(r"[0-9],[ ]?+[0-9]")
_HINT_CHARS = 100_000
"""Longer answers get no hint on their content."""


def form_hint(completion: str, rules: ExtractionSettings, found: Extraction) -> str | None:
    """What is wrong with how the answer is given; None if nothing is."""
    if found.text is None:
        return _missing(completion, rules, found)
    if found.format == "boxed" and found.boxes > 1:
        return f"{found.boxes} boxed answers; the last one counts"
    if rules.boxed and found.format != "boxed" and r"\boxed" in completion:
        return r"no balanced \boxed{...} after the thought; another form was read in its place"
    return None


def _missing(completion: str, rules: ExtractionSettings, found: Extraction) -> str:
    if found.boxes > 1:
        return f"{found.boxes} boxed answers where exactly one is allowed"
    if rules.think and completion.rfind("<think>") > completion.rfind("</think>"):
        return "the thought never ends: no </think>, and no answer after it"
    thought = completion.rfind("</think>") if rules.think else -1
    if rules.boxed and r"\boxed" in completion:
        if completion.rfind(r"\boxed") < thought:
            return "no answer after </think>; what is boxed inside the thought does not count"
        return r"a \boxed{ that is never closed"
    ways = [words for name, words in _WAYS.items() if getattr(rules, name)]
    return f"no answer found; give it {' or '.join(ways)}"


def shape_hint(spec: AnswerSpec, text: str) -> str | None:
    """What is wrong with the answer as one of its type; None if nothing is, or if that cannot be told from here.

    For answers that were not accepted: one may be right in a form that this does not know.
    """
    if is_too_long(text):
        return "the answer is longer than 1 MB"
    if len(text) > _HINT_CHARS:
        return None
    if not text.strip():
        return "the answer is empty"
    match spec.type:
        case "number":
            return _number_hint(text)
        case "bool":
            words = f"`{spec.true_word or 'yes'}` or `{spec.false_word or 'no'}`"
            return None if is_bool(spec, text) else f"expected {words} and nothing else"
        case "array" | "multiset" | "permutation" | "matrix":
            return _list_hint(spec, text)
        case "graph":
            return _graph_hint(spec, text)
    return None


def _number_hint(text: str) -> str | None:
    try:
        read_number(text)
    except Unreadable as refusal:
        if not any(letter.isdigit() for letter in text):
            return "expected a number, read text"
        if _COMMA.search(text):
            return "expected a number: a comma that may group digits or separate numbers"
        return f"expected a number: {refusal}"
    except Undecided:
        return "work the expression out and give its value"
    return None


def _list_hint(spec: AnswerSpec, text: str) -> str | None:
    expected = f"expected {_EXAMPLES[spec.type]}"
    try:
        group = read_group(text)
    except Unreadable as refusal:
        return f"{expected}: {refusal}"
    atoms = list(group.atoms())
    if len(atoms) > 2 and not group.bracket and not any(letter.isdigit() for letter in text):
        return f"{expected}, read text"
    if spec.type == "matrix":
        return _rows_hint(group, expected)
    if spec.type in ("multiset", "permutation") and group.nested():
        return f"{expected}, read a nested list"
    if spec.type == "permutation" and _repeats(atoms):
        return f"{expected}: an element occurs twice"
    return None


def _rows_hint(group: Group, expected: str) -> str | None:
    if not any(isinstance(item, Group) for item in group.items):
        return None
    rows = group.rows()
    if rows is None:
        return f"{expected}: not a list of rows"
    if len({len(row) for row in rows}) > 1:
        return f"{expected}: the rows are not equally long"
    return None


def _repeats(atoms: list[Atom]) -> bool:
    return len({atom.text for atom in atoms}) < len(atoms)


def _graph_hint(spec: AnswerSpec, text: str) -> str | None:
    edge = "(from, to" if spec.directed else "(vertex, vertex"
    expected = f"expected edges such as [{edge}{', weight' if spec.weighted else ''}), ...]"
    try:
        read_edges(text, weighted=spec.weighted, directed=spec.directed)
    except Unreadable as refusal:
        return f"{expected}: {refusal}"
    return None

r"""An answer as a program would print it, for checkers, which know nothing of LaTeX or Markdown.

Guarantee: pure, total and linear. Decoration goes where it carries no meaning, by the rules that typed answers are read
by; marks that the reference's own output holds are never decoration. Where that output is numbers alone, a list is
written as tokens, a row to a line. An answer that no rule fits goes to the checker as it stands.
"""

from __future__ import annotations

import re

from escalade_server.scoring.expressions import Unreadable
from escalade_server.scoring.outputs import own_marks, reading_limit
from escalade_server.scoring.readings import Group, read_group
from escalade_server.scoring.text import mathematical, unwrapped, without_spacing

_LISTED = re.compile(r"[\[\](){},;&\\]|->|=>")
_GROUPED = re.compile(r"[-+]?+[0-9]{1,3}(?:,[0-9]{3})++(?:\.[0-9]++)?+")
"""One number or a list of two and more: nobody can tell."""
_TOKEN = re.compile(r"[0-9.eE+/-]++")


def printed(answer: str, truth: str) -> str:
    """The answer without its decoration.

    Args:
        answer: As the completion has it.
        truth: What the reference printed for the same input; an answer need not equal it.
    """
    plain = mathematical(answer)
    if plain is None:
        return answer
    keep = own_marks(truth)
    plain = unwrapped(without_spacing(plain), keep)
    if keep or not truth.strip() or not _LISTED.search(plain) or _GROUPED.fullmatch(plain):
        return plain
    try:
        group = read_group(plain, limit=reading_limit(truth))
    except Unreadable:
        return plain
    rows = group.rows() if any(isinstance(item, Group) for item in group.items) else [list(group.atoms())]
    if rows is None or not all(_TOKEN.fullmatch(atom.text) for row in rows for atom in row):
        return plain
    return "\n".join(" ".join(atom.text for atom in row) for row in rows)

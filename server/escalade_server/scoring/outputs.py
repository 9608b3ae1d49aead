"""Reading what a reference program printed where a list, a table or edges are expected.

Guarantee: pure, total and linear. Tokens are taken as they stand; a first line counts as a length (or dimensions, or
counts) only where the rest has that length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from escalade_server.scoring.expressions import Unreadable
from escalade_server.scoring.readings import Group, read_group

Row = Sequence[str]

_LISTED = re.compile(r"[\[({][^\[\](){}]*+[\])}]|[\[({][^,]*+,.*+(?<=[\])}])|[^\[\](){},]*+,[^\[\](){}]*+", re.DOTALL)
_NUMERIC = re.compile(r"[0-9.eE+/\s-]*+")


def output_lines(output: str) -> list[list[str]]:
    """The tokens of each line of a program's output that has any."""
    return [tokens for line in output.split("\n") if (tokens := line.split())]


def rows_of(output: str) -> list[list[str]]:
    """The rows of tokens a program printed, as lines or as a list in brackets."""
    text = output.strip()
    if _LISTED.fullmatch(text) and (text[0] in "[({" or _NUMERIC.fullmatch(text.replace(",", " "))):
        try:
            group = read_group(output)
        except Unreadable:
            return output_lines(output)
        rows = group.rows() if any(isinstance(item, Group) for item in group.items) else None
        if rows is None:
            return [[atom.text for atom in group.atoms()]]
        return [[atom.text for atom in row] for row in rows]
    if text == "0" and "\n" in output.lstrip().rstrip(" \t")[1:-1]:
        return [["0"], []]  # a length of nothing, and its empty line
    return output_lines(output)


def reading_limit(truth: str) -> int:
    """Most elements, brackets and line ends worth reading: no way to write the truth takes as many."""
    return 10_000 + 8 * (truth.count(" ") + truth.count("\n") + truth.count(","))


def own_marks(truth: str) -> str:
    """What is no decoration in an answer: the marks of elements that are words, such as the rows of a grid."""
    return "" if _NUMERIC.fullmatch(truth) else truth


def whole(token: str) -> int | None:
    """A count or a label as a program prints it; None of anything else."""
    return int(token) if token.isascii() and token.isdigit() and len(token) <= 9 else None


def without_length(rows: Sequence[Row]) -> Sequence[Row] | None:
    """The rows after a first line that is their number of tokens, or of rows."""
    if len(rows) < 2 or len(rows[0]) != 1:
        return None
    length = whole(rows[0][0])
    return rows[1:] if length in (sum(len(row) for row in rows[1:]), len(rows) - 1) else None


def without_dimensions(rows: Sequence[Row]) -> Sequence[Row] | None:
    """The rows after a first line that is their dimensions, or their number."""
    if len(rows) < 2 or len(rows[0]) > 2:
        return None
    sizes = [whole(token) for token in rows[0]]
    if sizes[0] != len(rows) - 1 or (len(sizes) == 2 and any(len(row) != sizes[1] for row in rows[1:])):
        return None
    return rows[1:]


def edge_tables(rows: Sequence[Row], width: int, *, counts: bool) -> list[Sequence[Row]]:
    """The readings of a program's output as edges of `width` tokens: as they stand, and after a line of counts.

    A first line of as many tokens as an edge is counts only where `counts` says so: `3 2` before two more edges would
    else make an answer without it right.
    """
    rows = [row for row in rows if row]
    after = without_counts(rows, width) if counts or (rows and len(rows[0]) != width) else None
    return [table for table in (rows, after) if table is not None and all(len(row) == width for row in table)]


def without_counts(rows: Sequence[Row], width: int) -> Sequence[Row] | None:
    """The rows after a first line `edges` or `vertices edges`."""
    if not rows or len(rows[0]) > 2 or len(rows[0]) == width == 1 or whole(rows[0][-1]) != len(rows) - 1:
        return None
    return rows[1:]

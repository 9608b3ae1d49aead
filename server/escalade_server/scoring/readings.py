r"""Reading lists, tables and edges as people and models write them.

Guarantee: pure, total and linear in the text. A comma always separates; where elements could be grouped in two ways
(`1 2, 3`, `[1,234, 5,678]`) the text is refused. Layout becomes nested groups of atoms, nothing is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from escalade_server.scoring.expressions import Unreadable
from escalade_server.scoring.text import mathematical, plain_words, unwrapped, without_spacing

MAX_DEPTH = 6
MAX_ELEMENTS = 2_000_000
"""More than a text of the size allowed can hold."""


@dataclass(frozen=True, slots=True)
class Atom:
    """One element: a number or a word."""

    text: str
    quoted: bool = False
    """Written as a string, so that it may hold spaces."""


@dataclass(frozen=True, slots=True)
class Group:
    """Elements in order."""

    items: tuple[Atom | Group, ...]
    bracket: str
    """`[`, `(` or `{` as written, `matrix` for an environment, `` for lines and rows of layout."""
    column: bool = False
    """Written as several rows of one element each."""

    def atoms(self) -> Iterator[Atom]:
        """Every atom inside, in order."""
        for item in self.items:
            if isinstance(item, Atom):
                yield item
            else:
                yield from item.atoms()

    def nested(self) -> bool:
        """Whether a bracketed group stands inside this one."""
        return any(isinstance(item, Group) and (item.bracket or item.nested()) for item in self.items)

    def rows(self) -> list[list[Atom]] | None:
        """The elements of each group inside; an atom beside a group, or a third level, has no rows: None."""
        rows: list[list[Atom]] = []
        for item in self.items:
            if isinstance(item, Atom) or not all(isinstance(cell, Atom) for cell in item.items):
                return None
            rows.append([cell for cell in item.items if isinstance(cell, Atom)])
        return rows


_BEGIN = re.compile(r"\\begin\{(?:[bpB]?matrix\*?|smallmatrix|array|aligned|cases|gathered)\}(?:\{[lcr|]*+\})?+")
_END = re.compile(r"\\end\{[A-Za-z]*+\*?\}")
_LAYOUT = re.compile(
    r"(?P<keep>\\\\)|(?P<row>\\cr(?![A-Za-z]))|(?P<brace>\\[{}])|(?P<space>\\[ ,;:!]|\\q?quad(?![A-Za-z]))|(?P<arrow>->"
    r"|\\(?:to|rightarrow|longrightarrow|Rightarrow|mapsto)(?![A-Za-z]))"
    r"|\\(?P<bracket>lbrace|rbrace|lbrack|rbrack|langle|rangle)(?![A-Za-z])"
)
_BRACKETS = {"lbrace": "{", "rbrace": "}", "lbrack": "[", "rbrack": "]", "langle": "(", "rangle": ")"}
_ATOM = (
    r"(?:\\[A-Za-z]++(?:\[[0-9]*+\])?+(?:[ ]*+\{[^{}]*+\})*+|[\^_]\{[^{}]*+\}|\{,\}"
    r"|[^ \t\r\n\x02-\x04,;&()\[\]{}\"'\\]|(?<=[A-Za-z0-9])')++"
)
_TOKEN = re.compile(
    r"(?P<string>\"(?:[^\"\\]++|\\.)*+\"|'(?:[^'\\\n]++|\\.)*+')"
    r"|(?P<words>\\(?:text|mathrm|texttt|textbf|mathtt|mathbf|textit)[ ]*+\{(?P<inside>[^{}]*+)\})"
    r"|(?P<open>[\[({]|\x02)|(?P<close>[\])}]|\x03)|(?P<comma>,)|(?P<cell>&)|(?P<row>;|\\\\(?:\[[0-9.]++[a-z]{2}\])?+|\r?+\n)"
    rf"|(?P<space>[ \t\r\x04]++)|(?P<atom>{_ATOM})"
)
_PAIR = {"[": "])", "(": ")]", "{": "}", "\x02": "\x03"}
_THOUSANDS = re.compile(r"[0-9],(?=[0-9]{3}(?![0-9]))")
_PRODUCT = re.compile(r"(?<![ ])[ ]*+\\(cdot|times)(?![A-Za-z])[ ]*+(?=[0-9\\])")
_THIN = re.compile(r"[0-9]\\,[0-9]{3}(?![0-9])")
_LOOSE = re.compile(r"(?<![\])}]), |, (?!\\?[\[({])")
"""A comma and a space that stand elsewhere than between two brackets."""
_TIGHT = re.compile(r",(?![ \t\r\n])")
_BRACKETED = re.compile(r"[\[\](){}\\\"'&]")
_ARRAY_CALL = re.compile(r"(?:np\.|numpy\.)?+(?:array|list|tuple|set|Counter)(?=\()")


def read_group(text: str, keep: str = "", limit: int = MAX_ELEMENTS) -> Group:
    """Read a list, a table or a nesting of them; one bare element is a group of one.

    Args:
        text: An answer, or a program's output.
        keep: Marks that are no decoration, because the elements are made of them.
        limit: Most elements and brackets to read.

    Raises:
        Unreadable: Brackets do not match, separators are mixed, characters have no plain meaning, or there are more
            elements than the limit.
    """
    plain = mathematical(text)
    if plain is None:
        raise Unreadable("characters with no plain meaning")
    plain = unwrapped(without_spacing(plain), keep)
    if not plain:
        raise Unreadable("empty")
    if plain in (r"\emptyset", r"\varnothing"):
        return Group((), "{")
    tight = len(_TIGHT.findall(plain))
    if _THIN.search(plain):
        raise Unreadable("a thin space that may group digits")
    if tight and _LOOSE.search(plain) and len(_THOUSANDS.findall(plain)) == tight:
        raise Unreadable("commas that may group digits")
    return _parse(_layout(plain), limit)


def read_edges(text: str, *, weighted: bool, directed: bool, limit: int = MAX_ELEMENTS) -> list[list[str]]:
    """Read edges: pairs (with weights, triples) of vertex names, as lists, lines, or `1-2` and `1 -> 2`.

    Raises:
        Unreadable: They are none, or a bare `-` leaves the direction open.
    """
    plain = mathematical(text)
    if plain is None:
        raise Unreadable("characters with no plain meaning")
    if not weighted:
        joined, links = _LINK.subn(r"(\1,\3)", plain)
        if links and directed and any(match[2] in ("-", "--") for match in _LINK.finditer(plain)):
            raise Unreadable("edges without a direction")
        plain = joined
    width = 3 if weighted else 2
    lines = [] if _BRACKETED.search(plain) else [line.split() for line in re.split(r"[,;\n]", unwrapped(plain))]
    if lines and all(len(line) == width for line in lines):
        return lines  # 1 2, 2 3
    group = read_group(plain, limit=limit)
    if all(isinstance(item, Atom) for item in group.items) and len(group.items) in (0, width):
        rows = [list(group.atoms())] if group.items else []
    else:
        found = group.rows()
        if found is None:
            raise Unreadable("not a list of edges")
        rows = found
        if directed and any(isinstance(item, Group) and item.bracket == "{" for item in group.items):
            raise Unreadable("sets have no direction")
    if len(rows) > 1 and len(rows[0]) == 1 and rows[0][0].text == str(len(rows) - 1):
        rows = rows[1:]  # the number of edges, given first
    if any(len(row) != width for row in rows):
        raise Unreadable("not a list of edges")
    return [[atom.text for atom in row] for row in rows]


_LINK = re.compile(
    r"(?<![A-Za-z0-9_])([A-Za-z0-9_]++)[ \t]*+"
    r"(->|--|-|\\to(?![A-Za-z])|\\rightarrow(?![A-Za-z]))[ \t]*+([A-Za-z0-9_]++)"
)


def _layout(text: str) -> str:
    """Brackets and spaces in place of the commands for them.

    Three control characters, which no answer may hold, stand for the two ends of an environment and for an arrow.
    """
    text = _ARRAY_CALL.sub("", text)
    text = text.replace("~", " ").replace("$", " ")
    if not ("\\" in text or "->" in text):
        return text
    text = _PRODUCT.sub(r"\\\1", text)
    text = _END.sub("\x03", _BEGIN.sub("\x02", text)).replace("\\hline", " ")
    return _LAYOUT.sub(_plain_layout, text)


def _plain_layout(match: re.Match[str]) -> str:
    if match["keep"]:
        return match[0]
    if match["row"]:
        return r"\\"
    if match["brace"]:
        return match[0][1]
    if match["bracket"]:
        return _BRACKETS[match["bracket"]]
    return " \x04 " if match["arrow"] else " "


class _Level:
    """A group being read: finished rows, and the row in progress."""

    def __init__(self, opening: str) -> None:
        self.opening = opening
        self.rows: list[list[Atom | Group]] = []
        self.row: list[Atom | Group] = []
        self.commas = 0
        self.gaps = 0
        self.after_comma = False

    def add(self, item: Atom | Group) -> None:
        """Append an element to the row."""
        if self.row and not self.after_comma:
            self.gaps += 1
        self.row.append(item)
        self.after_comma = False

    def comma(self) -> None:
        """Note a comma or a cell mark."""
        if self.after_comma or not self.row:
            raise Unreadable("an element is missing")
        self.commas += 1
        self.after_comma = True

    def end_row(self, *, hard: bool) -> None:
        """Start another row; a line end after a comma only wraps the line."""
        if self.after_comma and not hard:
            return
        if self.row:
            if self.commas and self.gaps:
                raise Unreadable("commas and spaces both separate")
            self.rows.append(self.row)
        self.row, self.after_comma = [], False
        self.commas, self.gaps = 0, 0

    def group(self) -> Group:
        """The group, closed."""
        bracket = "matrix" if self.opening == "\x02" else self.opening
        self.after_comma = False  # one trailing comma is a tuple's
        self.end_row(hard=True)
        if len(self.rows) == 1:
            return Group(tuple(self.rows[0]), bracket)
        if all(len(row) == 1 for row in self.rows):
            return Group(tuple(row[0] for row in self.rows), bracket, column=bool(self.rows))
        return Group(tuple(Group(tuple(row), "") for row in self.rows), bracket)


def _parse(text: str, limit: int) -> Group:
    levels = [_Level("")]
    offset = count = 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        if match is None:
            raise Unreadable("not a list")
        offset, kind, level = match.end(), match.lastgroup, levels[-1]
        count += kind not in ("space", "comma", "cell")
        if count > limit:
            raise Unreadable("far too many elements")
        if kind == "atom":
            level.add(Atom(plain_words(match[0]) if "\\_" in match[0] else match[0]))
        elif kind == "comma" or kind == "cell":
            level.comma()
        elif kind == "row":
            level.end_row(hard=not match[0].endswith("\n"))
        elif kind == "open":
            if len(levels) > MAX_DEPTH:
                raise Unreadable("nested too deeply")
            levels.append(_Level(match[0]))
        elif kind == "close":
            if len(levels) == 1 or match[0] not in _PAIR[levels[-1].opening]:
                raise Unreadable("brackets do not match")
            closed = levels.pop().group()
            levels[-1].add(closed)
        elif kind == "string":
            level.add(Atom(match[0][1:-1], quoted=True))
        elif kind == "words":
            level.add(Atom(plain_words(match["inside"].strip()), quoted=True))
    if len(levels) > 1:
        raise Unreadable("brackets do not match")
    whole = levels[0].group()
    while len(whole.items) == 1 and isinstance(whole.items[0], Group):
        whole = whole.items[0]
    return whole

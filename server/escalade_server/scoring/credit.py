"""How much of a wrong list is right.

Guarantee: pure and total, at most n log n in the elements. The share counts right elements over those of the longer of
truth and answer, so that listing every candidate earns nothing; it is below 1 for every answer that was judged wrong.
Numbers, words and bools have no parts: their share is 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from escalade.types import AnswerSpec, AnswerType
from escalade_server.scoring import numeric
from escalade_server.scoring.elements import Element, Tolerance, element, same_number, tolerance_of
from escalade_server.scoring.expressions import NOTHING_KNOWN, Known, Undecided, Unreadable
from escalade_server.scoring.numeric import Number
from escalade_server.scoring.outputs import (
    Row,
    edge_tables,
    own_marks,
    reading_limit,
    rows_of,
    without_dimensions,
    without_length,
)
from escalade_server.scoring.readings import Atom, Group, read_edges, read_group
from escalade_server.scoring.tables import (
    Numbers,
    edges_by_ends,
    flat_rows,
    is_tolerant,
    number_key,
    same_element,
    word_key,
)


@dataclass(frozen=True, slots=True)
class Share:
    """How much of an answer is right, and how much of it a guess would get right."""

    right: float
    chance: float
    """What the commonest element in every place would get; for a permutation, what a random one gets on average."""


NONE = Share(0.0, 0.0)


def share(spec: AnswerSpec, truth: str, answer: str, known: Known = NOTHING_KNOWN) -> Share:
    """How much of an answer that was judged wrong is right."""
    count = _COUNTS.get(spec.type)
    if count is None:
        return NONE
    try:
        return count(_Reader(spec, truth, known), truth, answer)
    except (Unreadable, Undecided):
        return NONE


class _Reader:
    """What comparing elements of one answer takes."""

    def __init__(self, spec: AnswerSpec, truth: str, known: Known) -> None:
        self.spec = spec
        self.rows = rows_of(truth)
        self.tolerance: Tolerance = tolerance_of(spec)
        self.tolerant = is_tolerant(spec, [row[2:] for row in self.rows] if spec.type == "graph" else self.rows)
        self.numbers = Numbers(known)

    def same(self, token: str, atom: Atom) -> bool:
        """Whether an element is the truth's; one that cannot be read is not."""
        if token == atom.text:
            return True
        try:
            return same_element(self.spec, element(token), atom, self.tolerance, self.tolerant, self.numbers)
        except (Unreadable, Undecided):
            return False

    def in_common(self, tokens: Row, atoms: Sequence[Atom]) -> int:
        """How many elements can be paired, in any order."""
        words: Counter[str] = Counter()
        expected: list[Element] = []
        for token in tokens:
            truth = element(token)
            if truth.number is None:
                words[word_key(self.spec, token)] += 1
            else:
                expected.append(truth)
        pairs, found = 0, []
        for atom in atoms:
            word = word_key(self.spec, atom.text)
            if words[word]:
                words[word] -= 1
                pairs += 1
                continue
            try:
                found.append(self.numbers.read(atom))
            except (Unreadable, Undecided):
                continue
        return pairs + (self._near(expected, found) if self.tolerant else _equal(expected, found))

    def _near(self, expected: list[Element], found: list[Number]) -> int:
        """How many numbers can be paired within the tolerance, both sides from the smallest on."""
        expected.sort(key=_size)
        found.sort(key=numeric.to_decimal)
        pairs = place = 0
        for truth in expected:
            while place < len(found):
                if same_number(truth, found[place], self.tolerance, tolerant=True):
                    pairs, place = pairs + 1, place + 1
                    break
                if numeric.to_decimal(found[place]) > _size(truth):
                    break
                place += 1
        return pairs


def _size(truth: Element) -> Decimal:
    return numeric.to_decimal(truth.number) if truth.number is not None else Decimal(0)


def _equal(expected: Sequence[Element], found: Sequence[Number]) -> int:
    wanted = Counter(number_key(truth.number) for truth in expected if truth.number is not None)
    return (wanted & Counter(number_key(number) for number in found)).total()


def _of(right: int, longest: int, chance: float) -> Share:
    """The share, short of all: a wrong answer whose elements are all right is wrong in its arrangement."""
    return Share(min(right, longest - 1) / longest, chance) if longest else NONE


def _commonest(tokens: Row) -> float:
    return max(Counter(tokens).values()) / len(tokens) if len(tokens) > 1 else 0.0


def _best(shares: Sequence[Share]) -> Share:
    return max(shares, key=lambda one: one.right, default=NONE)


def _lists(reader: _Reader) -> list[list[str]]:
    shapes = (reader.rows, without_length(reader.rows))
    return [[token for row in rows for token in row] for rows in shapes if rows is not None]


def _array(reader: _Reader, truth: str, answer: str) -> Share:
    atoms = list(read_group(answer, own_marks(truth), reading_limit(truth)).atoms())
    return _best(
        [
            _of(
                sum(reader.same(token, atom) for token, atom in zip(tokens, atoms, strict=False)),
                max(len(tokens), len(atoms)),
                _commonest(tokens),
            )
            for tokens in _lists(reader)
        ]
    )


def _multiset(reader: _Reader, truth: str, answer: str) -> Share:
    group = read_group(answer, own_marks(truth), reading_limit(truth))
    if group.nested():
        return NONE
    atoms = list(group.atoms())
    return _best(
        [
            _of(reader.in_common(tokens, atoms), max(len(tokens), len(atoms)), _commonest(tokens))
            for tokens in _lists(reader)
        ]
    )


def _permutation(reader: _Reader, truth: str, answer: str) -> Share:
    group = read_group(answer, limit=reading_limit(truth))
    atoms = list(group.atoms())
    if group.nested():
        return NONE
    return _best(
        [
            _of(
                sum(reader.same(token, atom) for token, atom in zip(tokens, atoms, strict=True)),
                len(tokens),
                1 / len(tokens),
            )
            for tokens in _lists(reader)
            # What repeats or leaves out an element is no permutation.
            if tokens and len(tokens) == len(atoms) == reader.in_common(tokens, atoms)
        ]
    )


def _matrix(reader: _Reader, truth: str, answer: str) -> Share:
    group = read_group(answer, own_marks(truth), reading_limit(truth))
    nested = any(isinstance(item, Group) for item in group.items)
    rows = group.rows() if nested else flat_rows(group, reader.rows)
    if rows is None:
        return NONE
    found = []
    for candidate in (reader.rows, without_dimensions(reader.rows)):
        if candidate is not None:
            right = sum(
                reader.same(token, cell)
                for wanted, given in zip(candidate, rows, strict=False)
                for token, cell in zip(wanted, given, strict=False)
            )
            tokens = [token for row in candidate for token in row]
            found.append(_of(right, max(len(tokens), sum(map(len, rows))), _commonest(tokens)))
    return _best(found)


def _graph(reader: _Reader, truth: str, answer: str) -> Share:
    spec = reader.spec
    edges = read_edges(answer, weighted=spec.weighted, directed=spec.directed, limit=reading_limit(truth))
    given = edges_by_ends(spec, edges)
    width = 3 if spec.weighted else 2
    found = []
    for candidate in edge_tables(reader.rows, width, counts=spec.counts):
        right = sum(
            reader.in_common(weights, [Atom(weight) for weight in given.get(ends, [])])
            for ends, weights in edges_by_ends(spec, candidate).items()
        )
        found.append(_of(right, max(len(candidate), len(edges)), 0.0))
    return _best(found)


_COUNTS: dict[AnswerType, Callable[[_Reader, str, str], Share]] = {
    "array": _array,
    "multiset": _multiset,
    "permutation": _permutation,
    "matrix": _matrix,
    "graph": _graph,
}

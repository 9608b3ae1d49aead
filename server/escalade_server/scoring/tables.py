"""Comparison of arrays, multisets, permutations, matrices and graphs.

Guarantee: pure and total, at most n log n in the elements. A line with the length (of a matrix, its dimensions; of a
graph, its counts) that the program printed first is optional in the answer, and only where the rest has that length.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence

from escalade.types import AnswerSpec
from escalade_server.scoring import numeric
from escalade_server.scoring.elements import (
    Element,
    Tolerance,
    agreeing,
    element,
    not_a_number,
    same_number,
    same_word,
    suspects,
    tolerance_of,
)
from escalade_server.scoring.expressions import NOTHING_KNOWN, Known, Undecided, Unreadable, read_number
from escalade_server.scoring.numeric import Number
from escalade_server.scoring.outputs import (
    Row,
    edge_tables,
    output_lines,
    own_marks,
    reading_limit,
    rows_of,
    whole,
    without_counts,
    without_dimensions,
    without_length,
)
from escalade_server.scoring.readings import Atom, Group, read_edges, read_group
from escalade_server.scoring.text import folded

MAX_WORKED_OUT = 5_000
"""Most elements of one answer that are expressions; plain literals have no limit."""


def same_array(spec: AnswerSpec, truth: str, answer: str, known: Known = NOTHING_KNOWN) -> bool:
    """Whether an answer lists the program's tokens in order; a nested answer must have the output's rows.

    Raises:
        Unreadable: The answer is no list of such elements.
        Undecided: An element is beyond the grammar.
    """
    if answer.split() == truth.split():
        return True  # as printed, in whatever alphabet
    group = read_group(answer, own_marks(truth), reading_limit(truth))
    return _same_list(spec, rows_of(truth), group, _in_order, known)


def same_multiset(spec: AnswerSpec, truth: str, answer: str, known: Known = NOTHING_KNOWN) -> bool:
    """Whether an answer lists the program's tokens in any order, each as often.

    Raises:
        Unreadable: The answer is no list of such elements.
        Undecided: An element is beyond the grammar.
    """
    group = read_group(answer, own_marks(truth), reading_limit(truth))
    if group.nested():
        raise Unreadable("a nested list")
    return _same_list(spec, rows_of(truth), group, _in_any_order, known)


def same_permutation(spec: AnswerSpec, truth: str, answer: str, known: Known = NOTHING_KNOWN) -> bool:
    """Whether an answer is the program's permutation, in one-line or two-line notation.

    Raises:
        Unreadable: The answer is no permutation, or may be in cycle notation.
        Undecided: An element is beyond the grammar.
    """
    group = read_group(answer, limit=reading_limit(truth))
    if group.nested() or (group.bracket == "(" and len(group.items) > 1 and "," not in answer):
        raise Unreadable("it may be in cycles")
    rows = group.rows()
    if rows and len(rows) == 2 and len(rows[0]) == len(rows[1]) and group.bracket == "matrix":
        places = [cell.text for cell in rows[0]]
        if places == sorted(places, key=lambda place: (len(place), place)):
            group = Group(tuple(rows[1]), "")
    return _same_list(spec, rows_of(truth), group, _in_order, known)


def same_matrix(spec: AnswerSpec, truth: str, answer: str, known: Known = NOTHING_KNOWN) -> bool:
    """Whether an answer has the program's rows, each with its elements.

    Raises:
        Unreadable: The answer is no matrix of such elements.
        Undecided: An element is beyond the grammar.
    """
    if answer.strip() and output_lines(answer) == output_lines(truth):
        return True  # as printed, in whatever alphabet
    group, expected = read_group(answer, own_marks(truth), reading_limit(truth)), rows_of(truth)
    rows = group.rows() if any(isinstance(item, Group) for item in group.items) else flat_rows(group, expected)
    if rows is None:
        raise Unreadable("not a matrix")
    tolerant, tolerance = is_tolerant(spec, expected), tolerance_of(spec)
    numbers = Numbers(known)
    shapes = [candidate for candidate in (expected, without_dimensions(expected)) if candidate is not None]
    for candidate in shapes:
        if [len(row) for row in candidate] == [len(row) for row in rows] and all(
            _in_order(spec, row, cells, tolerance, tolerant, numbers)
            for row, cells in zip(candidate, rows, strict=True)
        ):
            return True
    _check_readable(expected, [cell for row in rows for cell in row], numbers)
    return False


def same_graph(spec: AnswerSpec, truth: str, answer: str, known: Known = NOTHING_KNOWN) -> bool:
    """Whether an answer has the program's edges, each as often, in any order.

    Raises:
        Unreadable: The answer is no list of edges of the declared kind.
        Undecided: A weight is beyond the grammar.
    """
    given = read_edges(answer, weighted=spec.weighted, directed=spec.directed, limit=reading_limit(truth))
    expected = rows_of(truth)
    width = 3 if spec.weighted else 2
    tolerant, tolerance = is_tolerant(spec, [row[2:] for row in expected]), tolerance_of(spec)
    numbers = Numbers(known)
    for candidate in edge_tables(expected, width, counts=spec.counts):
        wanted, found = edges_by_ends(spec, candidate), edges_by_ends(spec, given)
        if {ends: len(weights) for ends, weights in wanted.items()} == {
            ends: len(weights) for ends, weights in found.items()
        } and all(
            _in_any_order(spec, weights, [Atom(weight) for weight in found[ends]], tolerance, tolerant, numbers)
            for ends, weights in wanted.items()
        ):
            return True
    return False


def parts(spec: AnswerSpec, truth: str, answer: str) -> list[str]:
    """The elements of an answer, as it writes them; of a graph, the weights.

    Raises:
        Unreadable: It is no such list.
    """
    limit = reading_limit(truth)
    if spec.type == "graph":
        edges = read_edges(answer, weighted=spec.weighted, directed=spec.directed, limit=limit)
        return [weight for edge in edges for weight in edge[2:]]
    keep = "" if spec.type == "permutation" else own_marks(truth)
    return [atom.text for atom in read_group(answer, keep, limit).atoms()]


def agree_in_order(spec: AnswerSpec, first: str, second: str) -> bool:
    """Whether two programs printed the same tokens in the same order, on whichever lines."""
    one, other = first.split(), second.split()
    if one == other:
        return not any(not_a_number(token) for token in suspects(first))
    flat = [[token for row in rows_of(output) for token in row] for output in (first, second)]
    return _agree_rows(spec, flat[:1], flat[1:])


def agree_by_rows(spec: AnswerSpec, first: str, second: str) -> bool:
    """Whether two programs printed the same rows."""
    rows = [[row for row in rows_of(output) if row] for output in (first, second)]
    return _agree_rows(spec, rows[0], rows[1])


def agree_in_any_order(spec: AnswerSpec, first: str, second: str) -> bool:
    """Whether two programs printed the same tokens, each as often."""
    one, other = first.split(), second.split()
    if len(one) != len(other) or any(not_a_number(token) for token in one):
        return False
    tolerant = is_tolerant(spec, [one]) or is_tolerant(spec, [other])
    try:
        return _in_any_order(spec, one, [Atom(token) for token in other], tolerance_of(spec), tolerant, Numbers())
    except (Unreadable, Undecided):
        return False


def agree_on_edges(spec: AnswerSpec, first: str, second: str) -> bool:
    """Whether two programs printed the same edges, in any order; lines of another width must be equal as they stand."""
    one, other = ([row for row in rows_of(output) if row] for output in (first, second))
    if one == other:
        return not any(not_a_number(token) for row in one for token in row)
    width = 3 if spec.weighted else 2
    heads = [[row for row in rows[:1] if spec.counts or len(row) != width] for rows in (one, other)]
    body = one[len(heads[0]) :], other[len(heads[1]) :]
    if heads[0] != heads[1] or len(body[0]) != len(body[1]) or any(len(row) != width for rows in body for row in rows):
        return False
    if not heads[0] and width == 2 and one and one[0] != other[0] and _has_counts(one) and _has_counts(other):
        return False  # the first lines may be counts, which do not commute
    wanted, found = edges_by_ends(spec, body[0]), edges_by_ends(spec, body[1])
    return wanted.keys() == found.keys() and all(
        agree_in_any_order(spec, " ".join(weights), " ".join(found[ends])) if spec.weighted else weights == found[ends]
        for ends, weights in wanted.items()
    )


def _has_counts(rows: list[list[str]]) -> bool:
    """Whether the first line may be the numbers of vertices and edges: no vertex then has a higher number."""
    body = without_counts(rows, 2)
    if body is None:
        return False
    named = {name for row in body for name in row}
    return all(whole(name) is not None for name in [rows[0][0], *named]) and all(
        int(name) <= int(rows[0][0]) for name in named
    )


class Numbers:
    """Atoms read as numbers; expressions are worked out once each."""

    def __init__(self, known: Known = NOTHING_KNOWN) -> None:
        self._read: dict[str, Number] = {}
        self._known = known

    def read(self, atom: Atom) -> Number:
        """The number an atom is.

        Raises:
            Unreadable: It is none; a leading zero may be the rest of a grouped number.
            Undecided: It is beyond the grammar.
        """
        digits = atom.text.lstrip("+-")
        if digits[:1] == "0" and len(digits) > 1 and digits.isdigit() and not atom.quoted:
            raise Unreadable("a leading zero")
        number = numeric.literal(atom.text) or self._read.get(atom.text)
        if number is None:
            if len(self._read) >= MAX_WORKED_OUT:
                raise Unreadable("too many elements to work out")
            number = self._read[atom.text] = read_number(atom.text, self._known)
        return number


Match = Callable[[AnswerSpec, Row, Sequence[Atom], Tolerance, bool, Numbers], bool]


def _same_list(spec: AnswerSpec, rows: Sequence[Row], group: Group, match: Match, known: Known) -> bool:
    atoms = list(group.atoms())
    tolerant, tolerance, numbers = is_tolerant(spec, rows), tolerance_of(spec), Numbers(known)
    for candidate in (rows, without_length(rows)):
        if candidate is None or (group.nested() and _shape(group) != [len(row) for row in candidate]):
            continue
        tokens = [token for row in candidate for token in row]
        if len(tokens) == len(atoms) and match(spec, tokens, atoms, tolerance, tolerant, numbers):
            return True
        if [cell.text for cell in atoms] == [" ".join(row) for row in candidate]:
            return True  # quoted elements that hold spaces
    _check_readable(rows, atoms, numbers)
    return False


def _in_order(
    spec: AnswerSpec, tokens: Row, atoms: Sequence[Atom], tolerance: Tolerance, tolerant: bool, numbers: Numbers
) -> bool:
    if len(tokens) != len(atoms):
        return False
    return all(
        token == atom.text or same_element(spec, element(token), atom, tolerance, tolerant, numbers)
        for token, atom in zip(tokens, atoms, strict=True)
    )


def same_element(
    spec: AnswerSpec, truth: Element, atom: Atom, tolerance: Tolerance, tolerant: bool, numbers: Numbers
) -> bool:
    """Whether an element of an answer is the truth's.

    Raises:
        Unreadable: The truth is a number, and this is none.
        Undecided: It is beyond the grammar, or too close to tell.
    """
    if truth.number is None:
        return same_word(spec, truth.text, atom.text)
    return same_number(truth, numbers.read(atom), tolerance, tolerant=tolerant)


def _in_any_order(
    spec: AnswerSpec, tokens: Row, atoms: Sequence[Atom], tolerance: Tolerance, tolerant: bool, numbers: Numbers
) -> bool:
    if len(tokens) != len(atoms):
        return False
    if sorted(tokens) == sorted(atom.text for atom in atoms):
        return True
    elements = [element(token) for token in tokens]
    words = Counter(word_key(spec, truth.text) for truth in elements if truth.number is None)
    found: list[Atom] = []
    for atom in atoms:
        word = word_key(spec, atom.text)
        if words[word]:
            words[word] -= 1
        else:
            found.append(atom)
    expected = [truth for truth in elements if truth.number is not None]
    if len(found) != len(expected):
        return False
    values = [numbers.read(atom) for atom in found]
    if not tolerant:
        if any(isinstance(value, numeric.Approximate) for value in values):
            raise Undecided("an irrational value among exact ones")
        exact = [truth.number for truth in expected if truth.number is not None]
        if all(isinstance(number, numeric.Literal) for numbers in (exact, values) for number in numbers):
            return Counter(exact) == Counter(values)
        return Counter(map(number_key, exact)) == Counter(map(number_key, values))
    # Sorted pairing is right for one tolerance: if any pairing stays within it, this one does.
    expected.sort(key=lambda truth: numeric.to_decimal(truth.number) if truth.number is not None else 0)
    values.sort(key=numeric.to_decimal)
    return all(
        same_number(truth, value, tolerance, tolerant=True) for truth, value in zip(expected, values, strict=True)
    )


def word_key(spec: AnswerSpec, text: str) -> str:
    """What words that are the same have in common."""
    return text if spec.case_sensitive else folded(text)


def number_key(number: Number) -> Hashable:
    """What exact numbers that are equal have in common."""
    try:
        return numeric.to_fraction(number) if not isinstance(number, numeric.Approximate) else number
    except numeric.TooLarge:
        return number


def _check_readable(rows: Sequence[Row], atoms: Sequence[Atom], numbers: Numbers) -> None:
    """Tell an answer that is no such list from a wrong one.

    Raises:
        Unreadable: Every element of the truth is a number, and one of the answer is not.
        Undecided: An element is beyond the grammar.
    """
    if all(element(token).number is not None for row in rows for token in row):
        for atom in atoms:
            numbers.read(atom)


def _agree_rows(spec: AnswerSpec, first: Sequence[Row], second: Sequence[Row]) -> bool:
    if [len(row) for row in first] != [len(row) for row in second]:
        return False
    tolerance = tolerance_of(spec)
    tolerant = is_tolerant(spec, first) or is_tolerant(spec, second)
    return all(
        agreeing(spec, element(one), element(other), tolerance, tolerant=tolerant)
        if one != other
        else not not_a_number(one)
        for row, others in zip(first, second, strict=True)
        for one, other in zip(row, others, strict=True)
    )


def is_tolerant(spec: AnswerSpec, rows: Sequence[Row]) -> bool:
    """Whether a tolerance applies: it is declared, or one element is printed as a real."""
    if spec.absolute_tolerance is not None or spec.relative_tolerance is not None:
        return True
    return any(("." in token or "e" in token or "E" in token) and element(token).real for row in rows for token in row)


def _shape(group: Group) -> list[int] | None:
    rows = group.rows()
    return None if rows is None else [len(row) for row in rows]


def flat_rows(group: Group, expected: Sequence[Row]) -> list[list[Atom]]:
    """The rows of a matrix written without brackets around them."""
    atoms = list(group.atoms())
    if len(expected) > 1 and all(atom.quoted for atom in atoms):
        return [[Atom(word) for word in atom.text.split()] for atom in atoms]  # a string for each row of a grid
    return [[atom] for atom in atoms] if group.column else [atoms]


def edges_by_ends(spec: AnswerSpec, rows: Sequence[Row]) -> dict[tuple[str, ...], list[str]]:
    """The weights of the edges between each two vertices; without weights, a one for each."""
    edges: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in rows:
        ends = (row[0], row[1]) if spec.directed else tuple(sorted(row[:2]))
        edges[ends].append(row[2] if len(row) > 2 else "1")
    return edges

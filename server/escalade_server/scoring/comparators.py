"""Typed comparison of an answer with a reference program's output.

Guarantee: pure and total; integers and rationals compare exactly at any size, reals within the tolerance, and an answer
that can be read in two ways is refused. No detail says anything of the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from escalade.types import AnswerSpec, AnswerType
from escalade_server.scoring import tables
from escalade_server.scoring.elements import agreeing, not_a_number, same_number, scalar, suspects, tolerance_of
from escalade_server.scoring.expressions import NOTHING_KNOWN, Known, Undecided, Unreadable, bare, read_number
from escalade_server.scoring.numeric import Approximate
from escalade_server.scoring.text import folded, forms, plain_words

MAX_ANSWER_BYTES = 1_000_000
MAX_HARD_PARTS = 64
"""Most elements of one answer that are worked out elsewhere."""

_TRUE = frozenset({"yes", "true", "1", "y", "t"})
_FALSE = frozenset({"no", "false", "0", "n", "f"})


class _NoTruth(ValueError):
    """The reference's output is not of the answer's type."""


@dataclass(frozen=True)
class Comparison:
    """What comparing an answer with the truth came to."""

    verdict: Literal["accepted", "wrong", "unreadable", "too_long", "undecided", "no_truth"]
    """`undecided`: it may be right, but reading it takes more than the fast path; `no_truth`: there is nothing of the
    answer's type to compare it with, which is the environment's fault."""
    detail: str = ""
    """Why it was refused, for the operator; never the truth."""


_QUOTES = (('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("``", "''"))
_LISTS = frozenset({"array", "multiset", "permutation", "matrix", "graph"})
ACCEPTED, WRONG = Comparison("accepted"), Comparison("wrong")


def compare(spec: AnswerSpec, truth: str, answer: str, known: Known = NOTHING_KNOWN) -> Comparison:
    """Compare an extracted answer with the reference program's raw output.

    Args:
        spec: The answer's declaration.
        truth: The reference program's output.
        answer: What was extracted.
        known: What texts that this cannot read were found to be elsewhere.
    """
    if is_too_long(answer):
        return Comparison("too_long", "over 1 MB")
    try:
        if spec.type in _LISTS and any(not_a_number(token) for token in suspects(truth)):
            raise _NoTruth("the reference printed no number")
        return ACCEPTED if _SAME[spec.type](spec, truth, answer, known) else WRONG
    except Unreadable as refusal:
        return Comparison("unreadable", str(refusal))
    except Undecided as refusal:
        return Comparison("undecided", str(refusal))
    except _NoTruth as refusal:
        return Comparison("no_truth", str(refusal))


def beyond(spec: AnswerSpec, truth: str, answer: str) -> list[str]:
    """The parts of an undecided answer whose exact value takes more than the fast path; none if they are too many."""
    if spec.type in ("bool", "string", "checked"):
        return []
    texts = [answer]
    if spec.type != "number" or len(truth.split()) > 1:
        try:
            texts = tables.parts(spec, truth, answer)
        except Unreadable:
            return []
    hard: dict[str, None] = {}
    for text in texts:
        try:
            if isinstance(read_number(text), Approximate):
                hard[bare(text)] = None
        except Undecided:
            hard[bare(text)] = None
        except Unreadable:
            continue
        if len(hard) > MAX_HARD_PARTS:
            return []
    return list(hard)


def is_too_long(answer: str) -> bool:
    """Whether an answer is refused by its size."""
    return len(answer) > MAX_ANSWER_BYTES or (
        not answer.isascii() and len(answer.encode("utf-8", "surrogatepass")) > MAX_ANSWER_BYTES
    )


def is_bool(spec: AnswerSpec, answer: str) -> bool:
    """Whether an answer is one of the two words."""
    return any(_polarity(spec, form) is not None for form in forms(answer))


def agree(spec: AnswerSpec, first: str, second: str) -> bool:
    """Whether two reference programs gave the same answer; no output agrees with NaN or with nothing at all."""
    return _AGREE[spec.type](spec, first, second)


def _same_number(spec: AnswerSpec, truth: str, answer: str, known: Known) -> bool:
    expected = scalar(truth.strip())
    if expected.number is None:
        tokens = truth.split()
        if len(tokens) > 1 and all(scalar(token).number is not None for token in tokens):
            return tables.same_array(spec, truth, answer, known)
        if not tokens or not_a_number(tokens[0]):
            raise _NoTruth("the reference printed no number")
        return _same_string(spec, truth, answer, known)
    tolerance = tolerance_of(spec)
    return same_number(expected, read_number(answer, known), tolerance, tolerant=tolerance.declared or expected.real)


def _same_bool(spec: AnswerSpec, truth: str, answer: str, known: Known) -> bool:
    expected = _polarity(spec, truth.strip())
    if expected is None:
        tokens = truth.split()
        if len(tokens) > 1 and all(_polarity(spec, token) is not None for token in tokens):
            return tables.same_array(spec.model_copy(update={"case_sensitive": False}), truth, answer)
        raise _NoTruth("the reference printed no such word")
    for form in forms(answer):
        given = _polarity(spec, form)
        if given is not None:
            return given == expected
    raise Unreadable("not one of the two words")


def _polarity(spec: AnswerSpec, text: str) -> bool | None:
    text = text.strip().strip("\"'")
    # Whatever the declaration says of strings, a word in another case means the same unless it is then the other word.
    any_case = folded(spec.true_word or "") != folded(spec.false_word or "") or not spec.case_sensitive
    for value, declared, usual in ((True, spec.true_word, _TRUE), (False, spec.false_word, _FALSE)):
        if declared is None:
            if folded(text) in usual:
                return value
        elif text == declared or (any_case and folded(text) == folded(declared)):
            return value
    return None


def _same_string(spec: AnswerSpec, truth: str, answer: str, known: Known) -> bool:
    expected = _settled(spec, truth)
    return any(_settled(spec, candidate) == expected for candidate in _candidates(answer, truth))


def _candidates(answer: str, truth: str) -> Iterator[str]:
    """The answer, and what it says without decoration; a mark that the truth itself holds is no decoration."""
    for form in forms(answer, keep=truth):
        yield form
        plain = plain_words(form)
        if plain != form:
            yield plain
        for opening, closing in _QUOTES:
            if len(form) > 1 and form.startswith(opening) and form.endswith(closing) and opening not in truth:
                yield form[len(opening) : -len(closing)]


def _settled(spec: AnswerSpec, text: str) -> str | list[str]:
    if not spec.case_sensitive:
        text = folded(text)
    if spec.tokens:
        return text.split()
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


def _no_comparison(spec: AnswerSpec, truth: str, answer: str, known: Known) -> bool:
    raise _NoTruth("only a checker could decide")


def _agree_number(spec: AnswerSpec, first: str, second: str) -> bool:
    one, other = scalar(first.strip()), scalar(second.strip())
    if one.number is None or other.number is None:
        return bool(first.strip()) and tables.agree_in_order(spec, first, second)
    tolerance = tolerance_of(spec)
    tolerant = tolerance.declared or one.real or other.real
    return agreeing(spec, one, other, tolerance, tolerant=tolerant)


def _agree_bool(spec: AnswerSpec, first: str, second: str) -> bool:
    one, other = _polarity(spec, first), _polarity(spec, second)
    if one is None or other is None:
        return bool(first.strip()) and tables.agree_in_order(spec, first, second)
    return one == other


def _agree_string(spec: AnswerSpec, first: str, second: str) -> bool:
    return _settled(spec, first) == _settled(spec, second)


_SAME: dict[AnswerType, Callable[[AnswerSpec, str, str, Known], bool]] = {
    "number": _same_number,
    "bool": _same_bool,
    "string": _same_string,
    "array": tables.same_array,
    "multiset": tables.same_multiset,
    "permutation": tables.same_permutation,
    "matrix": tables.same_matrix,
    "graph": tables.same_graph,
    "checked": _no_comparison,
}
_AGREE: dict[AnswerType, Callable[[AnswerSpec, str, str], bool]] = {
    "number": _agree_number,
    "bool": _agree_bool,
    "string": _agree_string,
    "array": tables.agree_in_order,
    "multiset": tables.agree_in_any_order,
    "permutation": tables.agree_in_order,
    "matrix": tables.agree_by_rows,
    "graph": tables.agree_on_edges,
    "checked": _agree_string,
}

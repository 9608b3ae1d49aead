"""When two reference programs agree."""

from __future__ import annotations

import pytest

from escalade.types import AnswerSpec
from escalade_server.scoring.comparators import agree


@pytest.mark.parametrize(
    ("kind", "first", "second", "expected"),
    [
        ("number", "3\n", "3", True),
        ("number", "3 \r\n\n", "3", True),
        ("number", "3", "4", False),
        ("number", "9" * 5000, "9" * 5000, True),
        ("number", "9" * 5000, "9" * 4999 + "8", False),
        ("number", "100000000000000000000", "100000000000000000001", False),
        ("number", "48.6090201099", "48.609020109912345\n", True),
        ("number", "48", "48.00000000001", True),
        ("number", "48.6", "48.7", False),
        ("number", "1e+09", "1000000000", True),
        ("number", "1000000007.0", "1000000008.0", False),
        ("number", "Impossible", "Impossible\n", True),
        ("number", "Impossible", "-1", False),
        ("number", "nan", "nan", False),
        ("number", "", "", False),
        ("string", "0101\n", "0101", True),
        ("string", "0101", "101", False),
        ("string", "a b", "a  b", False),
        ("string", "a \nb\n", "a\nb", True),
        ("array", "1 2 3 \n", "1 2 3", True),
        ("array", "1 2 3", "1 2", False),
        ("array", "1 2", "2 1", False),
        ("array", "0.5 1", "0.50000000001 1.0", True),
        ("array", "007 1", "7 1", False),
        ("array", "nan 1", "nan 1", False),
        ("multiset", "3 1 2", "1 2 3", True),
        ("multiset", "1 1 2", "1 2 2", False),
        ("multiset", "0.1 0.2", "0.2000000001 0.1", True),
        ("matrix", "1 2\n3 4", "1 2 \n3 4\n", True),
        ("matrix", "1 2\n3 4", "1 2 3 4", False),
        ("graph", "2\n1 2\n2 3", "2\n3 2\n2 1", True),
        ("graph", "1 2\n2 3", "1 2\n1 3", False),
        ("graph", "1 2\n2 3\n3 4", "2 1\n3 2\n3 4", True),
        ("graph", "1 2\n2 3\n4 3", "4 3\n1 2\n2 3", True),
        ("graph", "1 2\n3 2\n3 4", "3 2\n2 1\n3 4", True),
        ("graph", "4 2\n1 2\n3 4", "5 2\n1 2\n3 4", False),
        ("graph", "4 2\n1 2\n3 4", "4 2\n3 4\n2 1", True),
        ("permutation", "2 1 3", "2 1 3\n", True),
        ("bool", "YES", "Yes\n", True),
        ("bool", "YES", "NO", False),
    ],
)
def test_references_agree(kind, first, second, expected):
    assert agree(AnswerSpec(type=kind), first, second) is expected
    assert agree(AnswerSpec(type=kind), second, first) is expected


def test_directed_edges_do_not_turn_round():
    assert not agree(AnswerSpec(type="graph", directed=True), "1 2", "2 1")


def test_a_declared_tolerance_rules_both_ways():
    spec = AnswerSpec(type="number", absolute_tolerance=0.5)
    assert agree(spec, "10", "10.5")
    assert not agree(spec, "10", "10.6")

"""Polygon's standard checkers by name, as what they mean: a comparison and, where it follows, an answer type.

Guarantee: data only. A problem that names one of these has unique answers up to the comparison, so that no checker
needs to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from escalade.types.environments import AnswerType
from escalade_server.problems.problem import Comparison


@dataclass(frozen=True, slots=True)
class Standard:
    """What one standard checker compares."""

    answer_type: AnswerType | None
    comparison: Comparison


def _real(tolerance: float, answer_type: AnswerType | None = None, *, relative: bool = True) -> Standard:
    relative_tolerance = tolerance if relative else None
    comparison = Comparison(absolute_tolerance=tolerance, relative_tolerance=relative_tolerance)
    return Standard(answer_type, comparison)


STANDARD_CHECKERS: Final = {
    # One integer, of a machine's or of any size.
    "icmp": Standard("number", Comparison()),
    "hcmp": Standard("number", Comparison()),
    # Integers in order, and in any order.
    "ncmp": Standard("array", Comparison()),
    "uncmp": Standard("multiset", Comparison(unordered=True)),
    # Words, lines, and whole files.
    "wcmp": Standard(None, Comparison()),
    "lcmp": Standard(None, Comparison()),
    "fcmp": Standard(None, Comparison(space_sensitive=True)),
    "yesno": Standard("bool", Comparison(case_sensitive=False)),
    "nyesno": Standard("array", Comparison(case_sensitive=False)),
    # Real numbers, one or several.
    "acmp": _real(1.5e-6, "number", relative=False),
    "dcmp": _real(1e-6, "number"),
    "rcmp": _real(1.5e-6, "number", relative=False),
    "rcmp4": _real(1e-4),
    "rcmp6": _real(1e-6),
    "rcmp9": _real(1e-9),
    "rncmp": _real(1.5e-5, relative=False),
}
"""By Polygon's name without `std::` and `.cpp`."""
SCORING_CHECKERS: Final = frozenset({"pointscmp", "pointsinfo"})
"""Checkers that give points instead of a verdict."""

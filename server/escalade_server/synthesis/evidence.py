"""Evidence for a person: short excerpts of what was drawn and printed.

Guarantee: pure; an excerpt is at most `MAX_EXCERPT_CHARS` long and storable (no NUL, no lone surrogates), and says
where it was cut.
"""

from __future__ import annotations

from collections.abc import Mapping

from escalade.types import MAX_EXCERPT_CHARS, Evidence

MOST = 3
"""Examples that one check keeps."""


def excerpt(text: str, around: int = 0) -> str:
    """At most `MAX_EXCERPT_CHARS` of a text, the part around a place."""
    clean = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if len(clean) <= MAX_EXCERPT_CHARS:
        return clean
    room = MAX_EXCERPT_CHARS - 40
    start = max(0, min(around - room // 2, len(clean) - room))
    before = f"[{start} chars] ... " if start else ""
    rest = len(clean) - start - room
    after = f" ... [{rest} more chars]" if rest else ""
    return before + clean[start : start + room] + after


def example(
    note: str,
    *,
    subject: str | None = None,
    parameters: Mapping[str, int] | None = None,
    seed: int | None = None,
    input: str | None = None,
    expected: str | None = None,
    got: str | None = None,
) -> Evidence:
    """One example, its texts cut; two outputs are cut around their first difference."""
    around = first_difference(expected, got) if expected is not None and got is not None else 0
    return Evidence(
        note=excerpt(note),
        subject=subject,
        parameters=None if parameters is None else dict(parameters),
        seed=seed,
        input=None if input is None else excerpt(input),
        expected=None if expected is None else excerpt(expected, around),
        got=None if got is None else excerpt(got, around),
    )


def first_difference(one: str, other: str) -> int:
    """Where two texts part."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


def percent(share: float) -> str:
    """A share in words."""
    return f"{100 * share:.3g}%"

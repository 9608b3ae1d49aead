"""Who is in the batches that were proposed last.

Guarantee: refills of a batch (more groups for the same cursor) see what it already holds, so that a policy whose
definition forbids duplicates keeps that promise over the whole batch; also where a trainer that works ahead has asked
for up to `KEPT` - 1 further batches meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from escalade_server.curriculum.types import Proposal

KEPT: Final = 8
"""Batches that are remembered."""


@dataclass(frozen=True, slots=True)
class Batches:
    """The environments of the batches begun last, one entry per group, by cursor; the newest comes last."""

    latest: tuple[tuple[int, tuple[int, ...]], ...] = ()
    kept: int = KEPT
    """1 in runs that were begun by the first version, whose logs would else not replay."""

    @property
    def environments(self) -> tuple[int, ...]:
        """Those of the newest batch."""
        return self.latest[-1][1] if self.latest else ()

    def held(self, cursor: int) -> Counter[int]:
        """Groups per environment that the batch of this cursor holds already."""
        return Counter(dict(self.latest).get(cursor, ()))

    def with_proposals(self, cursor: int, proposals: Iterable[Proposal]) -> Batches:
        """These with groups added to the batch of this cursor, which may be a new one."""
        added = tuple(proposal.environment for proposal in proposals)
        known = dict(self.latest)
        known[cursor] = known.get(cursor, ()) + added
        return Batches(tuple(known.items())[-self.kept :], self.kept)

    def dump(self) -> list[Any]:
        """The batches as JSON values."""
        if self.kept == 1:
            cursor, environments = self.latest[-1] if self.latest else (None, ())
            return [cursor, list(environments)]
        return [[cursor, list(environments)] for cursor, environments in self.latest]


def load_batches(document: Sequence[Any]) -> Batches:
    """What `Batches.dump` wrote; `[cursor, environments]` is of a run that keeps one."""
    if document and not isinstance(document[0], list):
        cursor, environments = document
        return Batches(() if cursor is None else ((cursor, tuple(environments)),), 1)
    return Batches(tuple((cursor, tuple(environments)) for cursor, environments in document))


def begins(cursor: int, last: int | None, *, ahead: bool) -> bool:
    """Whether a batch is asked for rather than a refill, given the last cursor that was one.

    Args:
        cursor: What is asked for.
        last: None before the first batch.
        ahead: A trainer that works ahead may refill a batch after the next one. The first version took that for a new
            batch, and its logs replay only if that is done again.
    """
    return last is None or (cursor > last if ahead else cursor != last)

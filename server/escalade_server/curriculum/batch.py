"""Who is in the batch that was proposed last.

Guarantee: refills of a batch (more groups for the same cursor) see what it already holds, so that a policy whose
definition forbids duplicates keeps that promise over the whole batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from escalade_server.curriculum.types import Proposal


@dataclass(frozen=True, slots=True)
class Batch:
    """The environments of one batch, one entry per group."""

    cursor: int | None = None
    environments: tuple[int, ...] = ()

    def held(self, cursor: int) -> Counter[int]:
        """Groups per environment that the batch of this cursor holds already."""
        return Counter(self.environments if cursor == self.cursor else ())

    def with_proposals(self, cursor: int, proposals: Iterable[Proposal]) -> Batch:
        """The batch of this cursor with these groups added; another cursor starts a new one."""
        before = self.environments if cursor == self.cursor else ()
        return Batch(cursor, before + tuple(proposal.environment for proposal in proposals))

    def dump(self) -> list[Any]:
        """The batch as JSON values."""
        return [self.cursor, list(self.environments)]


def load_batch(document: Sequence[Any]) -> Batch:
    """What `Batch.dump` wrote."""
    return Batch(document[0], tuple(document[1]))

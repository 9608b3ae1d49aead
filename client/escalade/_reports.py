"""Splitting of big reports, and putting their answers together again.

Guarantee: no I/O. No part holds more than `MAX_ITEMS` items or, but for a single item that is larger by itself, more
than the limit's bytes; the merged outcomes are in the order of the items given, and of no other items.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import Generic

from escalade._fields import AttemptFields, ProgramFields, ScoreItemFields, ScoringFields
from escalade._requests import (
    TOO_LONG,
    Answer,
    Call,
    checked_items,
    encode,
    json_post,
    program_settings,
    scoring_settings,
)
from escalade.errors import InvalidRequest
from escalade.types import AttemptReport, AttemptResults, ProgramSettings, ScoreItem, ScoreList, ScoringSettings

MAX_ITEMS = 512
"""Most items in one request: enough to spread the cost of a request, few enough that several overlap."""
MAX_BODY_BYTES = 4 * 2**20
"""Body of one request, in bytes, until a shorter one is refused."""
LEAST_BODY_BYTES = 2**18
"""Shorter ones are sent only in halves of what was refused: one long item must not make all later requests short."""


@dataclass
class Limit:
    """Longest body that a client sends; it learns what the server, or a proxy before it, refuses."""

    size_bytes: int = MAX_BODY_BYTES


@dataclass(frozen=True)
class Part(Generic[Answer]):
    """Some of the items that are sent in one request."""

    start: int
    """Place of its first item among all."""
    items: Sequence[bytes]
    make: Callable[[int, Sequence[bytes]], Call[Answer]]
    """Builds the call, given the place of the first item and the items."""

    @property
    def call(self) -> Call[Answer]:
        """The request."""
        return self.make(self.start, self.items)

    def halves(self) -> list[Part[Answer]]:
        """Cut it in two."""
        half = len(self.items) // 2
        return [replace(self, items=self.items[:half]), replace(self, start=self.start + half, items=self.items[half:])]


def report(run_id: str, attempts: Iterable[AttemptReport | AttemptFields], limit: Limit) -> list[Part[AttemptResults]]:
    """Build the parts that together report these attempts, in order."""
    sent = checked_items(AttemptReport, attempts, "attempts")

    def make(start: int, items: Sequence[bytes]) -> Call[AttemptResults]:
        part = sent[start : start + len(items)]

        def parse(body: bytes) -> AttemptResults:
            results = AttemptResults.model_validate_json(body)
            # Which rollout a report without an index is, the server says.
            answered = [
                (outcome.group, None if one.rollout is None else outcome.rollout)
                for one, outcome in zip(part, results.outcomes, strict=False)
            ]
            _require_same([(one.group, one.rollout) for one in part], answered, len(results.outcomes))
            return results

        return json_post(("runs", run_id, "attempts"), parse, b'{"attempts":[' + b",".join(items) + b"]}")

    return _parts([encode(attempt) for attempt in sent], make, limit)


def score(
    items: Iterable[ScoreItem | ScoreItemFields],
    program: ProgramSettings | ProgramFields | None,
    scoring: ScoringSettings | ScoringFields | None,
    limit: Limit,
) -> list[Part[ScoreList]]:
    """Build the parts that together score these items, in order."""
    sent = checked_items(ScoreItem, items, "items")
    settings = b"" if program is None else b',"program":' + encode(program_settings(program))
    settings += b"" if scoring is None else b',"scoring":' + encode(scoring_settings(scoring))

    def make(start: int, items: Sequence[bytes]) -> Call[ScoreList]:
        def parse(body: bytes) -> ScoreList:
            scores = ScoreList.model_validate_json(body)
            asked = [one.instance for one in sent[start : start + len(items)]]
            _require_same(asked, [outcome.instance for outcome in scores.outcomes], len(scores.outcomes))
            return scores

        return json_post(("scores",), parse, b'{"items":[' + b",".join(items) + b"]" + settings + b"}")

    return _parts([encode(item) for item in sent], make, limit)


def sending(
    parts: Sequence[Part[Answer]], limit: Limit
) -> Generator[Sequence[Part[Answer]], Sequence[Answer | BaseException], list[Answer]]:
    """Yield parts to be sent side by side, and be sent what came of each; one that is too long goes again in halves.

    Returns the answers in the order of the items.

    Raises:
        EscaladeError: The first failure, after all parts were sent.
    """
    came: dict[int, Answer | BaseException] = {}
    while parts:
        replies = yield parts
        halves: list[Part[Answer]] = []
        for part, reply in zip(parts, replies, strict=True):
            if isinstance(reply, InvalidRequest) and reply.status == TOO_LONG and len(part.items) > 1:
                limit.size_bytes = min(limit.size_bytes, max(LEAST_BODY_BYTES, sum(map(len, part.items)) // 2))
                halves += part.halves()
            else:
                came[part.start] = reply
        parts = halves
    answers: list[Answer] = []
    for start in sorted(came):
        reply = came[start]
        if isinstance(reply, BaseException):
            raise reply
        answers.append(reply)
    return answers


def merge_results(parts: Sequence[AttemptResults]) -> AttemptResults:
    """Join the answers to the parts of one report."""
    return AttemptResults(
        outcomes=list(chain.from_iterable(part.outcomes for part in parts)),
        # Two parts that race for the last rollouts of a group may both see it closed.
        closed=list(dict.fromkeys(chain.from_iterable(part.closed for part in parts))),
    )


def merge_scores(parts: Sequence[ScoreList]) -> ScoreList:
    """Join the answers to the parts of one list of items."""
    return ScoreList(outcomes=list(chain.from_iterable(part.outcomes for part in parts)))


def split(items: Sequence[bytes], max_items: int = MAX_ITEMS, max_bytes: int = MAX_BODY_BYTES) -> Iterator[list[bytes]]:
    """Cut a list of encoded items into parts, in order, none empty."""
    part: list[bytes] = []
    size_bytes = 0
    for item in items:
        if part and (len(part) >= max_items or size_bytes + len(item) > max_bytes):
            yield part
            part, size_bytes = [], 0
        part.append(item)
        size_bytes += len(item) + 1
    if part:
        yield part


def _parts(
    items: Sequence[bytes], make: Callable[[int, Sequence[bytes]], Call[Answer]], limit: Limit
) -> list[Part[Answer]]:
    cuts = list(split(items, max_bytes=limit.size_bytes))
    starts = accumulate(map(len, cuts), initial=0)
    return [Part(start, cut, make) for start, cut in zip(starts, cuts, strict=False)]


def _require_same(sent: Sequence[object], answered: Sequence[object], outcomes: int) -> None:
    """Refuse an answer that is not to these items: zipped with them, it would give rewards to the wrong rollouts."""
    if outcomes != len(sent):
        raise ValueError(f"{outcomes} outcomes for {len(sent)} items")
    if list(sent) != list(answered):
        raise ValueError("outcomes of other items than were sent")

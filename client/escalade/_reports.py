"""Splitting of big reports, and putting their answers together again.

Guarantee: pure. No part holds more than `MAX_ITEMS` items or, but for a single item that is larger by itself, more
than `MAX_BODY_BYTES`; the merged outcomes are in the order of the items given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from pydantic import BaseModel

from escalade._fields import ProgramFields, ScoringFields
from escalade._requests import Answer, Call, encode, json_post, program_settings, scoring_settings
from escalade.types import AttemptReport, AttemptResults, ProgramSettings, ScoreItem, ScoreList, ScoringSettings

MAX_ITEMS = 512
"""Most items in one request: enough to spread the cost of a request, few enough that several overlap."""
MAX_BODY_BYTES = 4 * 2**20
"""Body of one request, in bytes."""


def report(run_id: str, attempts: Iterable[AttemptReport]) -> list[Call[AttemptResults]]:
    """Build the calls that together report these attempts, in order."""
    calls = []
    for part in split([encode(attempt) for attempt in attempts]):
        parse = _complete(AttemptResults.model_validate_json, lambda results: results.outcomes, len(part))
        calls.append(json_post(("runs", run_id, "attempts"), parse, b'{"attempts":[' + b",".join(part) + b"]}"))
    return calls


def score(
    items: Iterable[ScoreItem],
    program: ProgramSettings | ProgramFields | None,
    scoring: ScoringSettings | ScoringFields | None,
) -> list[Call[ScoreList]]:
    """Build the calls that together score these items, in order."""
    calls = []
    settings = b"" if program is None else b',"program":' + encode(program_settings(program))
    settings += b"" if scoring is None else b',"scoring":' + encode(scoring_settings(scoring))
    for part in split([encode(item) for item in items]):
        parse = _complete(ScoreList.model_validate_json, lambda scores: scores.outcomes, len(part))
        calls.append(json_post(("scores",), parse, b'{"items":[' + b",".join(part) + b"]" + settings + b"}"))
    return calls


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


def _complete(
    parse: Callable[[bytes], Answer], outcomes: Callable[[Answer], Sequence[BaseModel]], expected: int
) -> Callable[[bytes], Answer]:
    """Refuse an answer that leaves items out: zipped with the items, it would give rewards to the wrong rollouts."""

    def parse_all(body: bytes) -> Answer:
        answer = parse(body)
        if len(outcomes(answer)) != expected:
            raise ValueError(f"{len(outcomes(answer))} outcomes for {expected} items")
        return answer

    return parse_all

"""Verification of real environments: the released eight of SCALER, and every built-in one.

Fewer draws than in service, since it is the checks that are tested here; `benchmarks/verification.py` runs with all.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from escalade_sandbox.types import Sandbox
from escalade_server.problems.builtin import load_catalogue
from escalade_server.problems.definition import Entry, version_of
from escalade_server.problems.formats.scaler import parse_scaler
from escalade_server.settings import Thresholds
from escalade_server.synthesis.reports import summary
from escalade_server.synthesis.verification import Verification, verify

RELEASED = Path(__file__).resolve().parents[3] / "shared" / "data" / "scaler-8" / "SCALER-8.json"
FEW_DRAWS = Thresholds(
    determinism_draws=8,
    breadth_draws=30,
    level_draws=6,
    depth_draws=40,
    depth_draws_at_most=160,
    min_distinct_inputs=4,
)
MANY_VOTES = FEW_DRAWS.model_copy(update={"breadth_draws": 100})
"""For the released ones: some of their solutions differ on one input in fifty."""
LONGEST_S = 900.0
"""One verification takes seconds; whatever takes so long hangs."""
DISSENTERS = {
    "1003-f-abbreviation": [],
    "285-c-building-permutation": [],
    "1200-a-hotelier": ["solution-7"],
    "p02158-rings": [],
    "158-d-ice-sculptures": [],
    "1195-b-sport-mafia": ["solution-1"],
    "632-a-grandma-laura-and-apples": ["solution-7", "solution-8", "solution-9"],
    "883-c-downloading-b": [],
}


class Ahead:
    """Verifies entries in their order, the next one while one is waited for, so that every slot has work."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._tasks: dict[str, asyncio.Task[Verification]] = {}

    async def __call__(self, entry: Entry, following: Sequence[Entry], thresholds: Thresholds) -> Verification:
        for one in (entry, *following):
            if one.slug not in self._tasks:
                self._tasks[one.slug] = asyncio.create_task(self._verify(one, thresholds))
        return await self._tasks[entry.slug]

    async def _verify(self, entry: Entry, thresholds: Thresholds) -> Verification:
        version = version_of(entry.definition)
        async with asyncio.timeout(LONGEST_S):
            return await verify(self._sandbox, definition=entry.definition, version=version, thresholds=thresholds)

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        for task in self._tasks.values():
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await task


@pytest.fixture(scope="module")
async def verified(sandbox: Sandbox) -> AsyncIterator[Ahead]:
    ahead = Ahead(sandbox)
    yield ahead
    await ahead.close()


def released() -> dict[str, Entry]:
    if not RELEASED.is_file():
        pytest.skip(f"{RELEASED} is not there")
    entries, refused = parse_scaler(RELEASED.read_text())
    assert refused == []
    return {entry.slug: entry for entry in entries}


def behind(slug: str, slugs: Sequence[str]) -> list[str]:
    """The one that is asked for next."""
    place = slugs.index(slug) + 1
    return list(slugs[place : place + 1])


@pytest.mark.long
@pytest.mark.parametrize("slug", sorted(DISSENTERS))
async def test_seven_of_the_released_eight_verify_and_one_makes_impossible_inputs(verified: Ahead, slug: str) -> None:
    entries = released()
    entry = entries[slug]
    done = await verified(entry, [entries[one] for one in behind(slug, sorted(DISSENTERS))], MANY_VOTES)
    report = done.report
    assert report.dissenters == DISSENTERS[slug], summary(report)
    if slug.startswith("632-a"):
        assert report.verdict == "rejected"
        (failed,) = [check for check in report.checks if not check.passed]
        assert failed.name == "agreement"
        assert failed.finding.startswith("7 of 10 usable solutions agree")
        assert "generator makes inputs that the problem does not allow" in failed.finding
        assert "7 to 3" in failed.evidence[0].note
        assert failed.evidence[0].expected != failed.evidence[0].got
        return
    assert report.verdict == "verified", summary(report)
    kept = [one.name for one in done.definition.references]
    assert kept == [one.name for one in report.solutions if one.standing == "agrees"]
    # A solution that wants a library which is not there, for instance, is absent, and the report says why.
    gone = [one for one in report.solutions if one.standing != "agrees"]
    assert all(one.detail for one in gone)
    assert [one.name for one in gone if one.standing == "dissents"] == DISSENTERS[slug]
    assert len(done.definition.ladder) + len(report.dropped_levels) == len(entry.definition.ladder)


@pytest.mark.parametrize("slug", [entry.slug for entry in load_catalogue()])
async def test_every_built_in_problem_verifies(verified: Ahead, slug: str) -> None:
    entries = {entry.slug: entry for entry in load_catalogue()}
    entry = entries[slug]
    done = await verified(entry, [entries[one] for one in behind(slug, list(entries))], FEW_DRAWS)
    assert done.report.verdict == "verified", summary(done.report)
    assert done.definition == entry.definition, summary(done.report)

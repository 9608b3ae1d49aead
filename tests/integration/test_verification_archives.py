"""Verification of real environments: the released eight of SCALER, and every built-in one.

Fewer draws than in service, since it is the checks that are tested here; `benchmarks/verification.py` runs with all.
"""

from pathlib import Path

import pytest

from escalade_sandbox.types import Sandbox
from escalade_server.problems.builtin import load_catalogue
from escalade_server.problems.definition import Entry, version_of
from escalade_server.problems.formats.scaler import parse_scaler
from escalade_server.settings import Thresholds
from escalade_server.synthesis.reports import summary
from escalade_server.synthesis.verification import Verification, verify

pytestmark = pytest.mark.long
RELEASED = Path(__file__).resolve().parents[3] / "shared" / "data" / "scaler-8" / "SCALER-8.json"
THRESHOLDS = Thresholds(determinism_draws=16, breadth_draws=100, level_draws=8, depth_draws=60, depth_draws_at_most=240)
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


async def verified(sandbox: Sandbox, entry: Entry) -> Verification:
    version = version_of(entry.definition)
    return await verify(sandbox, definition=entry.definition, version=version, thresholds=THRESHOLDS)


def released(slug: str) -> Entry:
    if not RELEASED.is_file():
        pytest.skip(f"{RELEASED} is not there")
    entries, refused = parse_scaler(RELEASED.read_text())
    assert refused == []
    return next(entry for entry in entries if entry.slug == slug)


@pytest.mark.parametrize("slug", sorted(DISSENTERS))
async def test_seven_of_the_released_eight_verify_and_one_makes_impossible_inputs(sandbox: Sandbox, slug: str) -> None:
    entry = released(slug)
    done = await verified(sandbox, entry)
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


@pytest.mark.parametrize("entry", load_catalogue(), ids=lambda entry: entry.slug)
async def test_every_built_in_problem_verifies(sandbox: Sandbox, entry: Entry) -> None:
    done = await verified(sandbox, entry)
    assert done.report.verdict == "verified", summary(done.report)
    assert done.definition == entry.definition, summary(done.report)

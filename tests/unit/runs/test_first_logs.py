"""Logs of the first version, recorded by it: refills after the next batch was issued, closed groups, strata."""

import json
from pathlib import Path

import pytest

from escalade_server.runs.state import begin, dump, fold, load

LOGS = json.loads((Path(__file__).resolve().parents[2] / "fixtures" / "first-logs.json").read_text())


@pytest.mark.parametrize("policy", LOGS)
def test_a_run_that_the_first_version_began_replays(policy):
    state = None
    for number, (kind, payload) in enumerate(LOGS[policy]["log"]):
        state = fold(state, kind, payload)
        if number == 20:
            state = load(dump(state))
    assert state.batches == 14


@pytest.mark.parametrize("policy", [policy for policy in LOGS if "state" in LOGS[policy]])
def test_a_state_that_the_first_version_stored_goes_on(policy):
    again = load(json.dumps(LOGS[policy]["state"]))
    state = None
    for kind, payload in LOGS[policy]["log"]:
        state = fold(state, kind, payload)
    assert dump(again) == dump(state)


def test_a_run_that_is_begun_now_remembers_more():
    payload = LOGS["bayes"]["log"][0][1]
    assert begin(payload).curriculum.batches.kept == 1
    assert begin(payload | {"ahead": True}).curriculum.batches.kept > 1

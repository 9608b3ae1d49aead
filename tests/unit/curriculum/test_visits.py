"""Groups of one environment and batch become one visit, whatever the order they close in."""

import itertools

import pytest

from escalade_server.curriculum import visits
from escalade_server.curriculum.types import ClosedGroup, PolicyError


def group(cursor, environment, right, scored=8, level=2):
    return ClosedGroup(cursor=cursor, environment=environment, level=level, right=right, scored=scored, rollouts=8)


def test_a_visit_completes_when_the_last_of_its_groups_closes():
    ledger = visits.expect({}, 4, [7, 7, 9])
    ledger, complete = visits.close(ledger, [group(4, 7, 3)], 10)
    assert complete == []
    ledger, complete = visits.close(ledger, [group(4, 9, 1)], 10)
    assert [(visit.environment, visit.right, visit.scored) for visit in complete] == [(9, 1, 8)]
    ledger, complete = visits.close(ledger, [group(4, 7, 5)], 10)
    assert [(visit.environment, visit.right, visit.scored) for visit in complete] == [(7, 8, 16)]
    assert ledger == {}


def test_batches_do_not_mix():
    ledger = visits.expect(visits.expect({}, 1, [0, 0]), 2, [0])
    ledger, complete = visits.close(ledger, [group(1, 0, 1), group(2, 0, 2)], 1)
    assert [(visit.cursor, visit.right) for visit in complete] == [(2, 2)]
    assert ledger[1, 0].proposed == 2


def test_the_order_of_closing_does_not_change_the_visit():
    groups = [group(1, 0, 3, level=2), group(1, 0, 8, level=1), group(1, 0, 0, level=2)]
    outcomes = set()
    for order in itertools.permutations(groups):
        _, complete = visits.close(visits.expect({}, 1, [0, 0, 0]), order, 1)
        outcomes.add(tuple(complete))
    assert len(outcomes) == 1


def test_a_group_with_less_than_half_scored_closes_but_does_not_count():
    ledger = visits.expect({}, 1, [0, 0])
    _, (visit,) = visits.close(ledger, [group(1, 0, 3, scored=3), group(1, 0, 2, scored=4)], 1)
    assert (visit.right, visit.scored) == (2, 4)
    _, (visit,) = visits.close(visits.expect({}, 1, [0]), [group(1, 0, 0, scored=0)], 1)
    assert visit.groups == ()


def test_a_group_nobody_proposed_is_a_visit_of_its_own():
    _, (visit,) = visits.close({}, [group(1, 0, 3)], 1)
    assert visit.right == 3


def test_the_ledger_given_is_left_alone():
    before = visits.expect({}, 1, [0, 0])
    copy = dict(before)
    visits.close(before, [group(1, 0, 3)], 1)
    visits.expect(before, 1, [0])
    assert before == copy


def test_a_ledger_survives_json():
    ledger, _ = visits.close(visits.expect({}, 4, [7, 7, 9]), [group(4, 7, 3)], 10)
    assert visits.load_ledger(visits.dump_ledger(ledger)) == ledger


@pytest.mark.parametrize("bad", [group(1, 5, 1), group(1, 0, 9), group(1, 0, -1), group(1, 0, 3, scored=2)])
def test_impossible_groups_are_refused(bad):
    with pytest.raises(PolicyError):
        visits.close({}, [bad], 5)

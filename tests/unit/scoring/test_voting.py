"""Majorities: the largest camp wins, the absent have no voice."""

from operator import eq

from hypothesis import given
from hypothesis import strategies as st

from escalade_server.scoring.voting import camps_of, split, tally, vote


def test_the_largest_camp_wins_and_the_others_dissent():
    found = vote({0: "5", 1: "6", 3: "6", 4: "6"}, eq)
    assert found is not None
    assert (found.output, found.majority, found.dissenters) == ("6", {1, 3, 4}, {0})
    assert split(found) == "3 to 1"


def test_of_two_camps_of_one_size_the_earlier_solution_s_wins():
    found = vote({1: "a", 2: "b"}, eq)
    assert found is not None
    assert found.output == "a"


def test_nobody_s_vote_is_none():
    assert vote({}, eq) is None


def test_a_tally_names_the_first_dissent_and_passes_over_absence():
    votes = [vote({0: "1", 1: "1", 2: "1"}, eq), None, vote({0: "1", 1: "1", 2: "2"}, eq), vote({0: "1", 1: "1"}, eq)]
    assert tally(votes, 2) == tally(votes, 2)
    third = tally(votes, 2)
    assert (third.answered, third.dissents, third.example) == (2, 1, 2)
    assert (tally(votes, 0).answered, tally(votes, 0).dissents) == (3, 0)


@given(st.dictionaries(st.integers(0, 9), st.sampled_from("abc"), min_size=1))
def test_camps_part_the_solutions(outputs):
    camps = camps_of(outputs, eq)
    assert sorted(number for camp in camps for number in camp) == sorted(outputs)
    assert all(len({outputs[number] for number in camp}) == 1 for camp in camps)
    assert len(camps) == len(set(outputs.values()))

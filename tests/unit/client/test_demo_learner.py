"""The simulated learner and its answers, judged by the server's own comparators."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade.demo import learner
from escalade.demo.answers import boxed, right_answer, wrong_answer
from escalade.types import AnswerSpec
from escalade_server.scoring.judging import Question, judge

words = st.text("abcXYZ019", min_size=1, max_size=12)
integers = st.integers(-(10**30), 10**30).map(str)
short_lists = st.lists(st.integers(-99, 99).map(str), min_size=1, max_size=8)


def lines(tokens):
    return f"{len(tokens)}\n{' '.join(tokens)}\n"


def matrix(rows):
    return "".join(" ".join(row) + "\n" for row in rows)


truths = st.one_of(
    st.tuples(st.just("number"), integers.map("{}\n".format)),
    st.tuples(st.just("number"), st.floats(-1e6, 1e6).map("{:.6f}\n".format)),
    st.tuples(st.just("number"), st.sampled_from(["IMPOSSIBLE\n", "-1\n", "0\n"])),
    st.tuples(st.just("bool"), st.sampled_from(["YES\n", "NO\n", "Yes\n", "true\n", "1\n", "0\n"])),
    st.tuples(st.just("string"), words.map("{}\n".format)),
    st.tuples(st.sampled_from(["array", "multiset"]), short_lists.map(lines)),
    st.tuples(st.sampled_from(["array", "multiset"]), short_lists.map(lambda tokens: " ".join(tokens) + "\n")),
    st.tuples(
        st.just("permutation"), st.permutations(range(1, 7)).map(lambda order: " ".join(map(str, order)) + "\n")
    ),
    st.tuples(
        st.just("matrix"),
        st.integers(1, 4).flatmap(
            lambda width: st.lists(
                st.lists(st.integers(0, 9).map(str), min_size=width, max_size=width), min_size=2, max_size=4
            )
        ).map(matrix),
    ),
    st.tuples(
        st.just("graph"),
        st.lists(
            st.tuples(st.integers(1, 5), st.integers(6, 9)).map(lambda ends: [str(end) for end in ends]),
            min_size=1, max_size=5,
        ).map(matrix),
    ),
)  # fmt: skip


@given(truths, st.randoms(use_true_random=False))
def test_right_answers_are_accepted_and_wrong_ones_are_read_and_refused(truth, rng):
    answer_type, output = truth
    spec = AnswerSpec(type=answer_type)
    assert judge(Question(spec, output, learner.answer(1.0, answer_type, output, rng).text)).verdict == "accepted"
    assert judge(Question(spec, output, learner.answer(0.0, answer_type, output, rng).text)).verdict == "wrong"


@pytest.mark.parametrize(
    ("answer_type", "truth", "expected"),
    [
        ("number", "3\n", "3"),
        ("array", "4\n1 2 3 4\n", "[1, 2, 3, 4]"),
        ("array", "1 2\n", "[1, 2]"),
        ("bool", "YES\n", "YES"),
        ("string", " a b\n", "a b"),
        ("matrix", "1 2\n3 4\n", "[[1, 2], [3, 4]]"),
        ("number", "NONE\n", "NONE"),
    ],
)
def test_the_truth_is_written_as_a_model_would(answer_type, truth, expected):
    assert right_answer(answer_type, truth) == expected


def test_a_wrong_number_is_near_the_right_one():
    rng = random.Random(1)
    found = {int(wrong_answer("number", "40\n", rng)) for _ in range(200)}
    assert 40 not in found
    assert max(abs(value - 40) for value in found) <= 3
    assert all(int(wrong_answer("number", "0\n", rng)) > 0 for _ in range(50))


def test_a_wrong_permutation_is_one():
    rng = random.Random(2)
    for _ in range(50):
        wrong = re.findall(r"\d+", wrong_answer("permutation", "3\n3 1 2\n", rng))
        assert sorted(wrong) == ["1", "2", "3"]
        assert wrong != ["3", "1", "2"]


def test_an_answer_whose_braces_would_break_the_box_goes_into_a_tag():
    assert boxed("12") == "\\boxed{12}"
    assert boxed("a}b") == "<answer>a}b</answer>"


def test_a_first_guess_in_the_thought_does_not_count():
    rng = random.Random(3)
    texts = [learner.answer(1.0, "number", "7\n", rng).text for _ in range(60)]
    with_thought = [text for text in texts if "<think>" in text]
    assert 0 < len(with_thought) < len(texts)
    assert all(text.rindex("\\boxed{7}") > text.index("</think>") for text in with_thought)


def test_higher_levels_are_harder_and_practice_helps():
    pupil = learner.begin(["a", "b"], random.Random(4))
    chances = [learner.chance(pupil, "a", level, 10) for level in range(11)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.6
    assert chances[10] < 0.01
    after = pupil
    for _ in range(40):
        after = learner.practised(after, "a", 4, 8)
    assert learner.chance(after, "a", 5, 10) > learner.chance(pupil, "a", 5, 10) + 0.3
    assert after.skill("a") - pupil.skill("a") > after.skill("b") - pupil.skill("b") > 0


@pytest.mark.parametrize(("right", "scored"), [(0, 8), (8, 8), (0, 0)])
def test_a_group_without_right_and_wrong_answers_teaches_nothing(right, scored):
    pupil = learner.begin(["a"], random.Random(5))
    assert learner.practised(pupil, "a", right, scored) == pupil


def test_one_seed_gives_one_learner():
    def perform(seed):
        rng = random.Random(seed)
        pupil = learner.begin(["b", "a"], rng)
        return pupil, [learner.answer(0.5, "array", "1 2 3\n", rng) for _ in range(20)]

    assert perform(6) == perform(6)
    assert perform(6) != perform(7)


def test_a_ladder_of_one_level_is_possible():
    pupil = learner.begin(["a"], random.Random(8))
    assert 0 < learner.chance(pupil, "a", 0, 0) < 1

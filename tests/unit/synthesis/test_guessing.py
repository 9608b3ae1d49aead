"""Trivial strategies are found out, and honest answers are left in peace."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade.types import AnswerSpec
from escalade_server.synthesis.guessing import MODAL, best_guess, is_small_domain, normal, strategies

NUMBER = AnswerSpec(type="number")
WORDS = AnswerSpec(type="bool", true_word="YES", false_word="NO")


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("the input's first word", lambda numbers: numbers[0]),
        ("the input's last word", lambda numbers: numbers[-1]),
        ("the input's largest number", max),
        ("the input's smallest number", min),
        (MODAL, lambda numbers: 7),
        ("the input's last line", lambda numbers: " ".join(map(str, numbers[1:]))),
    ],
)
def test_the_strategy_behind_the_answers_is_named(expected, answer):
    chance = random.Random(3)
    drawn = [[chance.randrange(1_000, 9_000), *(chance.randrange(10_000) for _ in range(4))] for _ in range(40)]
    inputs = [f"{numbers[0]}\n{' '.join(map(str, numbers[1:]))}\n" for numbers in drawn]
    spec = AnswerSpec(type="array") if "line" in expected else NUMBER
    guess = best_guess(spec, inputs, [f"{answer(numbers)}\n" for numbers in drawn])
    assert (guess.strategy, guess.hits) == (expected, 40)


def test_answers_that_depend_on_the_whole_input_are_hard_to_guess():
    chance = random.Random(4)
    drawn = [[chance.randrange(1_000) for _ in range(6)] for _ in range(64)]
    inputs = [" ".join(map(str, numbers)) for numbers in drawn]
    assert best_guess(NUMBER, inputs, [str(sum(numbers)) for numbers in drawn]).hits <= 3


@given(st.text())
def test_every_strategy_takes_any_input(text):
    for strategy in strategies().values():
        assert strategy(text) is None or isinstance(strategy(text), str)


def test_spacing_and_the_case_of_yes_do_not_make_another_answer():
    assert normal(NUMBER, " 5\n") == normal(NUMBER, "5")
    assert normal(WORDS, "Yes\n") == normal(WORDS, "YES")
    assert normal(AnswerSpec(type="string"), "Ab") != normal(AnswerSpec(type="string"), "ab")


@pytest.mark.parametrize(
    ("spec", "answers", "instruction", "small"),
    [
        (WORDS, ["YES", "NO"], "", True),
        (AnswerSpec(type="string"), ["Win", "Draw"], 'Print "Win", "Lose" or "Draw".', True),
        (AnswerSpec(type="string"), ["abc"], "Print the word.", False),
        (NUMBER, ["0", "1"], "Print 1 if it is, else 0.", True),
        (NUMBER, ["0", "1", "5"], "Print 1 if it is, else 0.", False),
        (AnswerSpec(type="array"), ["1"], "Print 1.", False),
        (NUMBER, [], "Print 1.", False),
    ],
)
def test_few_possible_answers_are_told_by_the_task(spec, answers, instruction, small):
    assert is_small_domain(spec, answers, instruction) is small

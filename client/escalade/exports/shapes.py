"""Instances as rows of the trainers' datasets.

Guarantee: pure. Every row of a shape has the same columns, and every row of every shape names the instance, so that its
completions can be scored by the server whether or not the file holds the answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from escalade.types import Instance

Shape = Literal["trl", "trl-chat", "verl", "openai"]
Row: TypeAlias = dict[str, Any]
"""What JSON can say."""

DATA_SOURCE = "escalade"
"""As in `escalade.integrations.verl`, whose `compute_score` reads these rows."""
ABILITY = "reasoning"


@dataclass(frozen=True)
class Place:
    """Where an instance comes from: with the environment's version and level, all that its draw depends on."""

    split: str
    seed: int
    draw: int
    """Index among the instances of its level, as a request with that seed gives them."""


def trl(one: Instance, place: Place, answers: bool) -> Row:
    """TRL's standard prompt: text; the other columns reach the reward functions."""
    return {"prompt": "\n\n".join(message.content for message in one.messages)} | _about(one, place, answers)


def trl_chat(one: Instance, place: Place, answers: bool) -> Row:
    """TRL's conversational prompt."""
    return {"prompt": _messages(one)} | _about(one, place, answers)


def verl(one: Instance, place: Place, answers: bool) -> Row:
    """The row of verl; without an answer the ground truth is the empty string, since verl needs one."""
    about = _about(one, place, answers=False)
    return {
        "data_source": DATA_SOURCE,
        "prompt": _messages(one),
        "ability": ABILITY,
        "reward_model": {"style": "rule", "ground_truth": (_answer(one) or "") if answers else ""},
        "extra_info": {"index": place.draw, **about},
    }


def openai(one: Instance, place: Place, answers: bool) -> Row:
    """OpenAI's messages, which end with the user's; the other columns are for graders."""
    return {"messages": _messages(one)} | _about(one, place, answers)


SHAPES: dict[Shape, Callable[[Instance, Place, bool], Row]] = {
    "trl": trl,
    "trl-chat": trl_chat,
    "verl": verl,
    "openai": openai,
}


def _messages(one: Instance) -> list[Row]:
    return [{"role": message.role, "content": message.content} for message in one.messages]


def _about(one: Instance, place: Place, answers: bool) -> Row:
    about: Row = {
        "instance": one.instance,
        "environment": one.environment,
        "version": one.version,
        "level": one.level,
        "answer_type": one.answer_type,
        "split": place.split,
        "seed": place.seed,
        "draw": place.draw,
    }
    return about | ({"answer": _answer(one)} if answers else {})


def _answer(one: Instance) -> str | None:
    return None if one.answer is None else one.answer.strip()

"""How answers become scores: where they are looked for, what is added and subtracted, what is said about them.

Accuracy is 0 or 1 and none of this changes it but by where an answer is looked for; the curriculum reads accuracy. The
score, between 0 and 1, is what a trainer rewards:

    credit  1 if right, else 0; with `shaping` `partial`, for a wrong list max(0, (share - floor) / (1 - floor))
    formed  format_bonus + (1 - format_bonus) * credit   for an answer in good form
            (1 - format_penalty) * credit                for any other
    score   formed * (1 - weight * min(1, max(0, (tokens - free_tokens) / (most_tokens - free_tokens))))
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from escalade.types.base import Request


class ExtractionSettings(Request):
    """Which ways of giving an answer count, tried in the order of the fields: the first that is found is it."""

    think: bool = True
    """Only what follows the last `</think>` counts."""
    boxed: bool = True
    r"""The last balanced `\boxed{...}`."""
    answer_tag: bool = True
    """The last `<answer>...</answer>`."""
    final_line: bool = False
    """What follows the last `final answer` on its line."""
    fenced: bool = False
    """The last block between fences; programs are always read from one."""
    exactly_one: bool = False
    """Two or more boxed answers are no answer; otherwise the last counts."""

    @model_validator(mode="after")
    def _some_way(self) -> ExtractionSettings:
        if not (self.boxed or self.answer_tag or self.final_line or self.fenced):
            raise ValueError("leave one of `boxed`, `answer_tag`, `final_line` and `fenced` on")
        return self


class LengthPenalty(Request):
    """Takes from the score of long completions, in proportion between two bounds."""

    free_tokens: int = Field(ge=0)
    """Up to this length nothing is taken."""
    most_tokens: int = Field(ge=1)
    """From this length on the whole weight is taken."""
    weight: float = Field(default=1.0, gt=0, le=1)
    """Share of the score that is taken at most."""

    @model_validator(mode="after")
    def _in_order(self) -> LengthPenalty:
        if self.most_tokens <= self.free_tokens:
            raise ValueError("`most_tokens` must be more than `free_tokens`")
        return self


class ScoringSettings(Request):
    """How answers are read and scored."""

    extraction: ExtractionSettings = ExtractionSettings()
    shaping: Literal["binary", "partial"] = "binary"
    """`partial`: a wrong array, multiset, permutation, matrix or graph gets the share of its elements that are right,
    less what guessing gets."""
    guess_floor: float = Field(default=0.0, ge=0, lt=1)
    """The least share that counts as guessing; where the commonest element alone would get more, that is the floor."""
    format_bonus: float = Field(default=0.0, ge=0, lt=1)
    """What an answer in good form gets even if it is wrong: one boxed answer or one answer tag, in which an answer of
    the right type can be read."""
    format_penalty: float = Field(default=0.0, ge=0, le=1)
    """Share of the score that an answer in another form loses."""
    length_penalty: LengthPenalty | None = None
    """Needs every completion's length in tokens."""
    feedback: bool = False
    """Give a short hint on what is wrong with an answer's form; it says nothing of the right answer."""

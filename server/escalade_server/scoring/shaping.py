"""From what an answer is worth to the score that a trainer rewards.

Guarantee: pure; the score is between 0 and 1, at its highest for a right answer in good form that is not too long, and
1 for it unless a length penalty applies. Accuracy is not touched. The formula is stated in `escalade.types.scoring`.
"""

from __future__ import annotations

from escalade.types import ExtractionSettings, LengthPenalty, ScoringSettings, Verdict
from escalade_server.scoring.extraction import Extraction

_NO_ANSWER: frozenset[Verdict] = frozenset({"no_answer", "unreadable", "too_long"})


def in_good_form(rules: ExtractionSettings, found: Extraction, verdict: Verdict) -> bool:
    """Whether an answer of the right type stands in one box or in an answer tag.

    Where a run allows neither, any of the ways that it does allow is good form.
    """
    if found.text is None or verdict in _NO_ANSWER:
        return False
    if found.format == "boxed":
        return found.boxes == 1
    return found.format == "answer_tag" or not (rules.boxed or rules.answer_tag)


def partial_credit(share: float, chance: float, guess_floor: float) -> float:
    """What is left of a share of right elements when guessing is worth nothing."""
    floor = max(chance, guess_floor)
    return max(0.0, (share - floor) / (1 - floor)) if floor < 1 else 0.0


def shaped(settings: ScoringSettings, credit: float, *, good_form: bool, tokens: int | None) -> float:
    """The score of an answer that is worth `credit`.

    Raises:
        ValueError: There is a length penalty, and the length is not known.
    """
    bonus = settings.format_bonus
    formed = bonus + (1 - bonus) * credit if good_form else (1 - settings.format_penalty) * credit
    if settings.length_penalty is not None:
        if tokens is None:
            raise ValueError("a length penalty needs the completion's length")
        formed *= 1 - excess(settings.length_penalty, tokens)
    return min(1.0, max(0.0, formed))


def excess(penalty: LengthPenalty, tokens: int) -> float:
    """The share of a score that a length costs: 0 up to `free_tokens`, the weight from `most_tokens` on."""
    over = (tokens - penalty.free_tokens) / (penalty.most_tokens - penalty.free_tokens)
    return penalty.weight * min(1.0, max(0.0, over))

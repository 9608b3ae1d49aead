"""Stateless scoring of completions against instances."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from escalade.types.base import MAX_COMPLETION_CHARS, Mode, Request, Response
from escalade.types.programs import ProgramSettings
from escalade.types.scoring import ScoringSettings

Outcome = Literal["scored", "error", "expired"]
"""`error`: our infrastructure failed; never a 0. `expired`: the report never came."""
Verdict = Literal[
    "accepted",
    "wrong",
    "no_answer",
    "unreadable",
    "too_long",
    "time_limit",
    "memory_limit",
    "output_limit",
    "runtime_error",
    "compile_error",
    "reported",
]
"""`no_answer`: nothing to extract; `unreadable`: something, but not of the answer's type; `reported`: the trainer
brought its own score."""


class ScoreItem(Request):
    """One completion to judge.

    Example:
        >>> from escalade import Client, ScoreItem
        >>> with Client() as client:
        ...     asked = client.instances("toll-road", level=1, count=2).instances
        ...     items = [ScoreItem(instance=one.instance, completion="I do not know") for one in asked]
        ...     print([outcome.verdict for outcome in client.score(items).outcomes])
        ['no_answer', 'no_answer']
    """

    instance: str = Field(max_length=80)
    completion: str = Field(max_length=MAX_COMPLETION_CHARS)
    mode: Mode = "answer"
    """What the completion was asked for: the same instance may be asked in both modes."""
    completion_tokens: int | None = Field(default=None, ge=0)
    """Length of the completion, in tokens; a length penalty needs it."""


class ScoreRequest(Request):
    """Completions to judge, in any number of environments."""

    items: list[ScoreItem] = Field(min_length=1, max_length=4_096)
    program: ProgramSettings = ProgramSettings()
    """How the items of mode `program` are judged."""
    scoring: ScoringSettings = ScoringSettings()
    """How the answers are read and scored."""


class ScoreOutcome(Response):
    """What became of one completion."""

    instance: str
    outcome: Outcome
    score: float | None = Field(default=None, ge=0, le=1)
    """None unless scored."""
    accuracy: Literal[0, 1] | None = None
    verdict: Verdict | None = None
    extracted: str | None = None
    """What was read as the answer or the program, cut at 1,000 characters."""
    format: str | None = None
    """Where the answer was found: `boxed`, `answer_tag`, `final_line`, `fenced`, or None."""
    position: int | None = Field(default=None, ge=0)
    """Offset of the answer in the completion, in characters."""
    detail: str | None = None
    """For `error`: what failed. For programs: how many hidden inputs passed, or the compiler's words."""
    feedback: str | None = None
    """A hint on the answer's form, where the settings ask for feedback; it says nothing of the right answer."""


class ScoreList(Response):
    """Outcomes in the order of the items."""

    outcomes: list[ScoreOutcome]

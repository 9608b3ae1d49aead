"""Program mode: what a request may say about programs and how they are judged."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import Field

from escalade.types.base import Mode, Request, Template

ProgramLanguage = Literal["cpp", "python"]
"""A language in which programs may be handed in."""


class ProgramSettings(Request):
    """How programs are judged; read only where the mode is `program`."""

    instances: int = Field(default=10, ge=1, le=100)
    """Hidden inputs that a program is run on; fewer where the level has fewer different ones."""
    score: Literal["all", "share"] = "all"
    """`all`: 1 if every hidden input passes, else 0; `share`: the share of those that pass."""
    feedback: bool = False
    """Show the first hidden input that failed, and what the program printed, in the outcome's `detail`."""
    languages: Annotated[tuple[ProgramLanguage, ...], Field(min_length=1, max_length=2)] = ("cpp", "python")
    """Languages that are accepted."""


class _Asking(Protocol):
    @property
    def mode(self) -> Mode: ...
    @property
    def template(self) -> Template: ...


Asking = TypeVar("Asking", bound=_Asking)


def require_full_programs(request: Asking) -> Asking:
    """Refuse the compact template in program mode: it does not show the task.

    Raises:
        ValueError: Both are asked for.
    """
    if request.mode == "program" and request.template != "full":
        raise ValueError("`template`: program mode needs the `full` one, which shows the task")
    return request

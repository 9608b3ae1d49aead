"""What every wire model is made of: strict requests, lenient responses, problem documents and pages."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_COMPLETION_CHARS = 4_000_000
"""Longest completion that a report may carry, in characters."""
MAX_INSTANCES = 1_024
"""Most instances that one request may ask for."""

Scope = Literal["read", "train", "execute", "admin"]
"""What a key may do; `admin` includes the others."""
Mode = Literal["answer", "program"]
"""What the prompt asks for: the answer itself, or a program that computes it."""
Template = Literal["full", "compact"]
"""How the prompt is written: the whole task in words, or the environment's name and the input's values alone, for
models too small to read."""


def _without_example(schema: dict[str, Any]) -> None:
    """Leave the SDK's examples out of the API's description."""
    if "description" in schema:
        schema["description"] = schema["description"].partition("\n\nExample:\n")[0]


class Request(BaseModel):
    """A body sent to the server; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_without_example)


class Response(BaseModel):
    """A body sent by the server; a field that this version does not know is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Message(Response):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


class Problem(Response):
    """An RFC 9457 problem document, the body of every error."""

    type: str = "about:blank"
    title: str
    status: int = Field(ge=400, le=599)
    code: str
    """Stable name of the error, such as `attempt_conflict`."""
    detail: str
    """What is wrong, where, and what to do."""
    request_id: str | None = None


class Readiness(Response):
    """Whether requests can be served now."""

    ready: bool
    database: str
    """`ok`, or the code of what is wrong."""
    sandbox: str
    """`ok`, or what to do."""


Item = TypeVar("Item")


class Page(Response, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_page: str | None = None
    """Token of the next page; None on the last one."""


MAX_COUNT = 2**31 - 1
"""Largest number that every database engine stores."""


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character: leave it out")
    return text


Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Name = Annotated[str, AfterValidator(_without_nul)]
"""A text that is stored as it is; not every database engine takes NUL."""
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=120)]

"""Reads the JSON object out of an LLM's reply.

Guarantee: pure, total, and bounded in time. Prose, a Markdown fence or thoughts around the object do no harm; what
cannot be read is refused with sentences that the LLM itself can act on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

MAX_CANDIDATES: Final = 200
"""Opening braces tried; each may cost the length of the reply."""
MAX_FAULTS: Final = 20

_THOUGHTS: Final = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL)
_UNSTORABLE: Final = re.compile("[\\0\ud800-\udfff]")

Wire = TypeVar("Wire", bound=BaseModel)


class UnusableReply(Exception):
    """A reply that says nothing usable; `faults` are sentences, each naming the field."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults[:MAX_FAULTS])


def object_in(text: str) -> dict[str, Any]:
    """The last whole JSON object of a reply.

    Raises:
        UnusableReply: There is none, or a larger one is broken.
    """
    text = _THOUGHTS.sub("", text)
    found: dict[str, Any] | None = None
    found_chars = broken_chars = 0
    fault = "there is no JSON object in the reply"
    place = 0
    for _ in range(MAX_CANDIDATES):
        start = text.find("{", place)
        if start < 0:
            break
        try:
            found, place = _DECODER.raw_decode(text, start)
            found_chars = place - start
            continue
        except json.JSONDecodeError as error:
            reason, place = str(error), max(error.pos, start + 1)
            read_chars = place - start
        except (ValueError, RecursionError) as error:
            # A number that JSON does not have or that no field takes, or a bomb: all of it is broken.
            reason, place = str(error), start + 1
            read_chars = len(text) - start
        if read_chars > broken_chars:
            fault, broken_chars = f"the JSON is broken: {reason[:200]}", read_chars
    # What is whole inside a broken object is no answer.
    if found is None or found_chars < broken_chars:
        raise UnusableReply([fault])
    if not _is_plain(found):
        raise UnusableReply(["the JSON spells a NUL or half of a surrogate pair; leave it out"])
    return found


def read_wire(model: type[Wire], document: Mapping[str, Any]) -> Wire:
    """A document as a wire model.

    Raises:
        UnusableReply: A field is missing or of the wrong type; every such field is named.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = [f"{_path(fault['loc'])}: {fault['msg']}" for fault in error.errors(include_url=False)]
        raise UnusableReply(faults) from None


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema that strict endpoints take: no references, every field required, no others allowed."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def strict(node: object, *, names: bool = False) -> Any:
        if isinstance(node, list):
            return [strict(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return strict(definitions[str(node["$ref"]).rpartition("/")[2]])
        # Below `properties` the keys are names of fields, and a field may be called `title`.
        kept = {key: strict(value, names=key == "properties") for key, value in node.items() if names or key != "title"}
        if not names and kept.get("type") == "object":
            kept |= {"required": list(kept["properties"]), "additionalProperties": False}
        return kept

    result: dict[str, Any] = strict(schema)
    return result


def _path(location: Sequence[str | int]) -> str:
    """The path of a field: `parameters[0].minimum`."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.lstrip(".") or "the reply"


def _is_plain(value: object) -> bool:
    """Whether all texts of a document can be stored: escapes spell characters that no text may hold."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, str) and _UNSTORABLE.search(item):
            return False
    return True


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)

"""Reads small XML documents into a plain tree.

Guarantee: total and linear: a document is a tree or a `ValueError` that says why. A document type is refused, and with
it every entity that expands to more than itself; depth and number of elements are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 100_000


@dataclass(slots=True)
class Element:
    """One element: its name, attributes, children and text."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def find(self, *names: str) -> Iterator[Element]:
        """All elements at a path of names below this one, in order."""
        if not names:
            yield self
            return
        for child in self.children:
            if child.name == names[0]:
                yield from child.find(*names[1:])

    def first(self, *names: str) -> Element | None:
        """The first element at a path of names, None where there is none."""
        return next(self.find(*names), None)

    def get(self, attribute: str) -> str:
        """An attribute's value, blank where it is absent."""
        return self.attributes.get(attribute, "")


def read_xml(content: bytes) -> Element:
    """Read one document.

    Raises:
        ValueError: It is malformed, has a document type, or is beyond the bounds.
    """
    root = Element("", {})
    open_elements = [root]
    texts: list[list[str]] = [[]]
    count = 0

    def refuse_doctype(*_: object) -> None:
        raise ValueError("it has a document type (<!DOCTYPE>), which is not read; remove it")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS or len(open_elements) > MAX_DEPTH:
            raise ValueError(f"more than {MAX_ELEMENTS} elements or nested deeper than {MAX_DEPTH}")
        element = Element(name, attributes)
        open_elements[-1].children.append(element)
        open_elements.append(element)
        texts.append([])

    def end(_: str) -> None:
        open_elements.pop().text = "".join(texts.pop())

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda data: texts[-1].append(data)
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError(f"not XML: {error}") from None
    except LookupError:
        raise ValueError("not XML: an unknown character encoding; save it as UTF-8") from None
    return root.children[0]

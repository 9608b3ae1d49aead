"""The prompts that the LLM gets, as template files beside this one.

Guarantee: a template takes exactly the values that it names; a missing one is an error, and `$` in a value stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources
from string import Template


def fill(name: str, **values: str) -> str:
    """The template of this name with its values.

    Raises:
        KeyError: The template names a value that is not given.
        ValueError: The template does not name a value that is given.
    """
    template = _template(name)
    if unknown := values.keys() - set(template.get_identifiers()):
        raise ValueError(f"{name}.md has no place for {', '.join(sorted(unknown))}")
    return template.substitute(values).strip()


def bullets(lines: Iterable[str]) -> str:
    """Lines as a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def fenced(text: str, language: str = "") -> str:
    """A text as a Markdown block that nothing in it can end."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


@cache
def _template(name: str) -> Template:
    return Template(resources.files(__package__).joinpath(f"{name}.md").read_text("utf-8"))

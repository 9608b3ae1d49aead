"""The languages of the sandbox, and everything that differs between them.

Guarantee: adding a language means adding one entry to `LANGUAGES` (and its packages to the image); no other module
names one. The standard library is enough to import this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from escalade_sandbox.types import UnknownLanguage

ARTIFACT = "program"
"""What every compiler is told to call its output."""
CPP_FLAGS = ("-O2", "-DONLINE_JUDGE", "-pipe")
"""Shared with the precompiled header, which GCC silently ignores unless the flags match exactly."""


@dataclass(frozen=True, slots=True)
class Language:
    """How a program in one language is made to run."""

    name: str
    source_name: str
    """What the program's file is called."""
    kind: Literal["compiled", "python"]
    standards: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names of standards and compiler commands, in the order in which they are tried."""
    version_command: tuple[str, ...] = ()
    """Prints the toolchain's version on its first line."""
    summary: str = ""


def _cpp(standard: str) -> tuple[str, tuple[str, ...]]:
    # Linked statically, since starting is then twice as fast; gold halves the time that this costs at the link.
    link = ("-static", "-s", "-fuse-ld=gold", "-o", ARTIFACT, "main.cpp")
    return standard, ("/usr/bin/g++", f"-std={standard}", *CPP_FLAGS, *link)


LANGUAGES: Mapping[str, Language] = {
    language.name: language
    for language in (
        Language(
            "cpp", "main.cpp", "compiled",
            standards=(_cpp("gnu++17"), _cpp("gnu++14"), _cpp("gnu++11")),
            version_command=("/usr/bin/g++", "--version"),
            summary="C++, -O2: gnu++17, then gnu++14, then gnu++11; precompiled bits/stdc++.h",
        ),
        Language(
            "python", "main.py", "python",
            version_command=("python3", "--version"),
            summary="Python 3 and its standard library",
        ),
    )
}  # fmt: skip


def find(name: str) -> Language:
    """Return the language of that name.

    Raises:
        UnknownLanguage: There is none.
    """
    try:
        return LANGUAGES[name]
    except KeyError:
        raise UnknownLanguage(f"no language {name!r} here; there are: {', '.join(sorted(LANGUAGES))}") from None

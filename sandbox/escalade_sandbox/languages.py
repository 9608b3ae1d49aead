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
    requires: tuple[str, ...] = ()
    """Files without which it cannot be used."""
    extra: bool = False
    """Whether only the larger image has it."""


def _cpp(standard: str) -> tuple[str, tuple[str, ...]]:
    # Linked statically, since starting is then twice as fast; gold halves the time that this costs at the link.
    link = ("-static", "-s", "-fuse-ld=gold", "-o", ARTIFACT, "main.cpp")
    return standard, ("/usr/bin/g++", f"-std={standard}", *CPP_FLAGS, *link)


_JAVA_TOOL = ("-J-Xmx512m", "-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "-J-XX:-UsePerfData")
_JAVA = (
    f"javac {' '.join(_JAVA_TOOL)} -encoding UTF-8 -nowarn -d classes Main.java"
    f" && jar {' '.join(_JAVA_TOOL)} --create --file program.jar --main-class Main -C classes ."
    f" && cat /opt/escalade/jar_launcher program.jar > {ARTIFACT}"
)
"""One file of launcher and archive is executed, cached and passed by descriptor like any compiled program."""
_GO = ("/usr/bin/go", "build", "-ldflags=-s -w", "-o", ARTIFACT, "main.go")
"""With other flags the standard library, which is there compiled, would be compiled each time."""

LANGUAGES: Mapping[str, Language] = {
    language.name: language
    for language in (
        Language(
            "cpp", "main.cpp", "compiled",
            standards=(_cpp("gnu++17"), _cpp("gnu++14"), _cpp("gnu++11")),
            version_command=("/usr/bin/g++", "--version"),
            summary="C++, -O2: gnu++17, then gnu++14, then gnu++11; precompiled bits/stdc++.h",
            requires=("/usr/bin/g++",),
        ),
        Language(
            "python", "main.py", "python",
            version_command=("python3", "--version"),
            summary="Python 3 and its standard library",
        ),
        Language(
            "java", "Main.java", "compiled",
            standards=(("java", ("/bin/sh", "-c", _JAVA)),),
            version_command=("/usr/bin/java", "--version"),
            summary="Java; the main class is Main",
            requires=("/usr/bin/javac", "/opt/escalade/jar_launcher"), extra=True,
        ),
        Language(
            "go", "main.go", "compiled",
            standards=(("go", _GO),),
            version_command=("/usr/bin/go", "version"),
            summary="Go and its standard library, one file",
            requires=("/usr/bin/go",), extra=True,
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

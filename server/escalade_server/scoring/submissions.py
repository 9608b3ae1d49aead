"""From a completion to the program in it.

Guarantee: pure and total over any completion, in linear time. The program is the last fenced block that may hold one;
its language comes from the fence's tag, else from `detected`, a rule that the prompt states.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from escalade.types import ProgramLanguage
from escalade_server.scoring.extraction import extract_program

MAX_PROGRAM_CHARS = 256 * 1024
"""A longer program is refused by size."""

TAGS: dict[str, ProgramLanguage] = {
    **dict.fromkeys(("cpp", "c++", "cc", "cxx", "c"), "cpp"),
    **dict.fromkeys((f"{name}{year}" for name in ("cpp", "c++") for year in (11, 14, 17, 20, 23)), "cpp"),
    **dict.fromkeys(("python", "py", "python3", "py3"), "python"),
}
"""What a fence may call a language; C is compiled as C++."""
_CPP = re.compile(r"^[ \t]*+#[ \t]*+include[ \t]*+[<\"]|\bint[ \t]++main[ \t]*+\(", re.MULTILINE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Submission:
    """A program as it was handed in."""

    language: ProgramLanguage
    source: str
    start: int = field(default=0, compare=False)
    """Offset in the completion, in characters."""


def read_submission(completion: str, languages: Sequence[ProgramLanguage]) -> Submission | None:
    """The last fenced block with the tag of an accepted language, else the last one without a tag.

    None: there is no such block, or it is of a language that is not accepted, or blank.
    """
    tags = [tag for tag, language in TAGS.items() if language in languages]
    found = extract_program(completion, tags)
    if found.text is None or not found.text.strip():
        return None
    # Half a surrogate pair is no text that a compiler could be given.
    source = _unindented(found.text, found.indent).encode("utf-8", "replace").decode()
    language = TAGS[found.language] if found.language is not None else detected(source)
    return Submission(language, source, found.start or 0) if language in languages else None


def _unindented(block: str, indent: int) -> str:
    """A block without as much white space before each line as its fence has, as Markdown shows it in a list."""
    return re.sub(rf"(?m)^[ \t]{{1,{indent}}}+", "", block) if indent else block


def detected(source: str) -> ProgramLanguage:
    """The language of a block without a tag: C++ if it includes a header or defines `int main(`, else Python."""
    return "cpp" if _CPP.search(source) else "python"

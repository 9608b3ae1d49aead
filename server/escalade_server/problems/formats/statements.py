"""Statements: where the task ends and the output format begins, in Markdown and TeX.

Guarantee: pure, total and linear in the length of the text. TeX stays TeX: only what belongs to typesetting a page
(the title, pictures, places for samples) is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

from escalade_server.problems.problem import Statement

LANGUAGE_CODES: Final = {
    "english": "en", "russian": "ru", "japanese": "ja", "chinese": "zh", "german": "de", "french": "fr",
    "spanish": "es", "portuguese": "pt", "vietnamese": "vi", "ukrainian": "uk", "polish": "pl", "korean": "ko",
    "italian": "it", "kazakh": "kk", "azerbaijani": "az", "armenian": "hy", "georgian": "ka", "uzbek": "uz",
    "hungarian": "hu", "indonesian": "id", "turkish": "tr", "romanian": "ro", "bulgarian": "bg", "serbian": "sr",
}  # fmt: skip
"""Polygon's names of languages."""

_MARKDOWN_HEADING: Final = re.compile(r"^#{1,4}[ \t]{1,9}([A-Za-z ]{1,40}?)[ \t]{0,9}#{0,6}[ \t]{0,9}$", re.MULTILINE)
_TEX_HEADING: Final = re.compile(
    r"\\(?:sub)?section\*?\{[ \t]{0,9}([A-Za-z ]{1,40}?)[ \t]{0,9}\}"
    r"|\\begin\{(Input|Output|Interaction)\}"
    r"|^[ \t]*\\(InputFile|OutputFile|Examples?|Notes?|Scoring|Interaction)\b",
    re.MULTILINE,
)
_TEX_LAYOUT: Final = re.compile(
    r"\\problemname\{[^{}]{0,300}\}|\\illustration\{[^{}]{0,40}\}\{[^{}]{0,300}\}\{[^{}]{0,2000}\}"
    r"|\\(?:nextsample|remainingsamples)\b|\\(?:begin|end)\{(?:Input|Output|Interaction|document)\}"
    r"|\\(?:begin|end)\{problem\}(?:\{[^{}]{0,300}\}){0,6}|^[ \t]*%.*$",
    re.MULTILINE,
)
_MARKDOWN_LAYOUT: Final = re.compile(r"\{\{(?:nextsample|remainingsamples)\}\}")
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_INPUT: Final = frozenset({"input", "inputfile", "input format", "input specification"})
_OUTPUT: Final = frozenset({"output", "outputfile", "output format", "output specification"})


def statement_of(language: str, markup: Literal["markdown", "tex"], text: str) -> Statement:
    """A statement with its task and its output section set apart where its headings say which they are."""
    pattern = _MARKDOWN_HEADING if markup == "markdown" else _TEX_HEADING
    headings = [
        (match.start(), match.end(), next(group for group in match.groups() if group).lower())
        for match in pattern.finditer(text)
    ]
    formats = [start for start, _, title in headings if title in _INPUT | _OUTPUT]
    task = _clean(text[: formats[0]], markup) if formats else None
    output = None
    for index, (_, end, title) in enumerate(headings):
        if title in _OUTPUT:
            stop = headings[index + 1][0] if index + 1 < len(headings) else len(text)
            output = _clean(text[end:stop], markup)
            break
    return Statement(
        language=language, markup=markup, text=_clean(text, markup), task=task or None, output=output or None
    )


def statement_of_sections(language: str, sections: Mapping[str, str]) -> Statement | None:
    """A TeX statement from Polygon's sections; None where there is no text."""
    cleaned = {name: _clean(text, "tex") for name, text in sections.items()}
    parts = [cleaned.get("legend", "")]
    for name, title in (("input", "Input"), ("output", "Output"), ("notes", "Note")):
        if cleaned.get(name):
            parts.append(f"\\section*{{{title}}}\n\n{cleaned[name]}")
    text = "\n\n".join(part for part in parts if part)
    if not text:
        return None
    task, output = cleaned.get("legend") or None, cleaned.get("output") or None
    return Statement(language=language, markup="tex", text=text, task=task, output=output)


def _clean(text: str, markup: str) -> str:
    layout = _MARKDOWN_LAYOUT if markup == "markdown" else _TEX_LAYOUT
    return _BLANK_LINES.sub("\n\n", layout.sub("", text)).strip()

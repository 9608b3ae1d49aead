"""Finding the answer inside a completion.

Guarantee: pure and total over any string, in linear time: the text is scanned a fixed number of times, and the few
regular expressions used cannot backtrack. What is found is a part of the text, exactly as it stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from escalade.types import ExtractionSettings

_FINAL = re.compile(r"final answer", re.IGNORECASE | re.ASCII)
_FENCE = re.compile(r"(`{3,}+|~{3,}+)([^\n]*+)")
_BOX_OR_BRACE = re.compile(r"[\\\x01](?:boxed|fbox)[ \t-\r]*+\{|[{}]")
_FEW_BRACES = 2_000
_FEW_ESCAPES = 100_000
_MAX_FENCES = 20_000
_LINE_SPACE = " \t\r\f\v"
_AROUND = re.compile(r"[ \t\r\f\v*_:=]*+(?:is(?=[ \t*:=])[ \t*_:=]*+)?+")
_BLANK_LINES = re.compile(r"[ \t\r\f\v\n*_]*+")


@dataclass(frozen=True)
class Extraction:
    """What was found, and where."""

    text: str | None
    """None: nothing was found, or several boxes where one was demanded."""
    format: str | None
    """`boxed`, `answer_tag`, `final_line` or `fenced`; None without a text."""
    start: int | None
    """Offset of `text` in the completion, in characters."""
    boxes: int = 0
    """Balanced boxed answers seen, nested ones included; counted only where the rules look for boxes."""
    language: str | None = None
    """First word after a fence, in lower case."""
    indent: int = 0
    """White space before the opening fence, in characters."""


NOTHING = Extraction(None, None, None)
USUAL = ExtractionSettings()


def extract_answer(completion: str, rules: ExtractionSettings = USUAL) -> Extraction:
    """Find the answer: the last box, else the last answer tag, else the last final-answer line, else the last block."""
    offset = _after_thought(completion) if rules.think else 0
    if offset is None:
        return NOTHING
    boxes = 0
    if rules.boxed:
        span, boxes = _last_box(completion, offset)
        if rules.exactly_one and boxes > 1:
            return Extraction(None, None, None, boxes=boxes)
        if span is not None:
            return _found(completion, span, "boxed", boxes)
    if rules.answer_tag and (span := _last_tag(completion, offset)) is not None:
        return _found(completion, span, "answer_tag", boxes)
    if rules.final_line and (span := _last_final_line(completion, offset)) is not None:
        return _found(completion, span, "final_line", boxes)
    if rules.fenced and (block := extract_program(completion, think=rules.think)).text is not None:
        return replace(block, boxes=boxes)
    return Extraction(None, None, None, boxes=boxes)


def extract_program(completion: str, languages: Sequence[str] = (), *, think: bool = True) -> Extraction:
    """Find the last closed fenced block.

    Args:
        completion: The model's whole answer.
        languages: Names a fence may carry, such as `("cpp", "c++")`. The last block with one of them is taken, else
            the last block with no name; without `languages`, the last block of any name.
        think: Only what follows the last `</think>` counts.

    A text with more than 20,000 fences has no program: no honest one comes near, and each costs a step.
    """
    offset = _after_thought(completion) if think else 0
    if offset is None or _fences(completion) > _MAX_FENCES:
        return NOTHING
    wanted = {language.lower() for language in languages}
    named: tuple[int, int, str, int] | None = None
    nameless: tuple[int, int, str, int] | None = None
    opener, opener_name, body, indent = "", "", 0, 0
    for fence in _fence_lines(completion, offset):
        marks, line_start = fence[1], completion.rfind("\n", offset, fence.start()) + 1
        if completion[max(line_start, offset) : fence.start()].strip(_LINE_SPACE):
            continue  # not at the start of its line
        if not opener:
            info = fence[2]
            if marks[0] == "`" and "`" in info:
                continue  # an inline code span, not a fence
            opener, body, indent = marks, fence.end() + 1, fence.start() - max(line_start, offset)
            opener_name = info.split(None, 1)[0].strip("{}.").lower() if info and not info.isspace() else ""
        elif marks.startswith(opener) and (not fence[2] or fence[2].isspace()):
            block = (body, max(body, line_start), opener_name, indent)
            if opener_name in wanted or (not wanted and opener_name):
                named = block
            elif not opener_name:
                nameless = block
            opener = ""
    chosen = (named or nameless) if wanted else max((b for b in (named, nameless) if b), default=None)
    if chosen is None:
        return NOTHING
    start, end, name, indent = chosen
    return Extraction(completion[start:end], "fenced", start, language=name or None, indent=indent)


def _fence_lines(text: str, offset: int) -> Iterator[re.Match[str]]:
    """Each run of fence marks that is the first on its line, with the rest of the line."""
    ticks, tildes = text.find("```", offset), text.find("~~~", offset)
    while ticks >= 0 or tildes >= 0:
        fence = _FENCE.match(text, ticks if tildes < 0 or 0 <= ticks < tildes else tildes)
        if fence is None:
            return
        yield fence
        if 0 <= ticks < fence.end():
            ticks = text.find("```", fence.end())
        if 0 <= tildes < fence.end():
            tildes = text.find("~~~", fence.end())


def _fences(text: str) -> int:
    """At least the number of fences; counting single marks is quick, and enough for most texts."""
    most = text.count("`") + text.count("~")
    return most if most <= _MAX_FENCES else text.count("```") + text.count("~~~")


def _found(completion: str, span: tuple[int, int], form: str, boxes: int) -> Extraction:
    return Extraction(completion[span[0] : span[1]], form, span[0], boxes=boxes)


def _after_thought(completion: str) -> int | None:
    """Offset after the last `</think>`; None inside a thought that never ended."""
    end = completion.rfind("</think>")
    if completion.rfind("<think>") > end:
        return None
    return 0 if end < 0 else end + len("</think>")


def _last_box(completion: str, offset: int) -> tuple[tuple[int, int] | None, int]:
    r"""Inside of the balanced `\boxed{...}` that closes last, and how many balanced ones there are.

    A box inside another box is part of it. Escaped braces do not count, and a closing brace without an opening one is
    ignored. Two scans give the same: a plain one for the few braces and backslashes of most texts, and one of array
    operations because a loop over a million of them takes too long.
    """
    first = completion.find("box", offset)
    if first < 0:
        return None, 0
    base = max(offset, first - 3)
    # Same length as the text, with what a backslash escapes blanked out.
    plain = completion[base:].replace("\\\\", "\x01\x01").replace("\\{", "\x02\x02").replace("\\}", "\x02\x02")
    few = plain.count("{") + plain.count("}") <= _FEW_BRACES and plain.count("\x01") <= _FEW_ESCAPES
    span, boxes = _box_among_few(plain) if few else _box_among_many(plain)
    return (None if span is None else (base + span[0], base + span[1])), boxes


def _box_among_few(plain: str) -> tuple[tuple[int, int] | None, int]:
    """The last box by a stack of open braces; -1 stands for a brace that is no box."""
    opened: list[int] = []
    span, boxes = None, 0
    for brace in _BOX_OR_BRACE.finditer(plain):
        mark = brace[0]
        if mark == "}":
            start = opened.pop() if opened else -1
            if start >= 0:
                span, boxes = (start, brace.start()), boxes + 1
        elif mark != "{":
            opened.append(brace.end())
        elif opened:  # braces before the first box do not matter
            opened.append(-1)
    return span, boxes


def _box_among_many(plain: str) -> tuple[tuple[int, int] | None, int]:
    """The last box by the depths of all braces at once."""
    letters = np.frombuffer(plain.encode("latin-1", "replace"), dtype=np.uint8)  # one byte per character
    openings = _box_braces(letters)
    if openings.size == 0:
        return None, 0
    base, letters, openings = int(openings[0]), letters[openings[0] :], openings - openings[0]
    is_brace = (letters == ord("{")) | (letters == ord("}"))
    braces = np.flatnonzero(is_brace)
    height = np.cumsum((letters[is_brace] == ord("{")) * np.int8(2) - np.int8(1), dtype=np.int32)
    if height.min() < 0:
        height -= np.minimum(np.minimum.accumulate(height), 0)  # a stray closing brace leaves the depth at 0
    boxes = np.searchsorted(braces, openings)  # index of each box's brace among the braces
    depth = height[boxes]
    lowest = np.minimum.reduceat(height, boxes)  # from each box until the next one
    closed = np.flatnonzero(np.minimum.accumulate(lowest[::-1])[::-1] < depth)
    if closed.size == 0:
        return None, 0
    # Of the closed boxes, the one that closes last is the outermost around the one that opens last.
    last = int(closed[-1])
    lowest[last] = depth[last]
    lowest_until_last = np.minimum.accumulate(lowest[: last + 1][::-1])[::-1]
    outermost = int(closed[np.argmax(lowest_until_last[closed] >= depth[closed])])
    box = int(boxes[outermost])
    end = box + int(np.argmax(height[box:] < height[box]))
    return (base + int(braces[box]) + 1, base + int(braces[end])), int(closed.size)


def _box_braces(letters: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    r"""Offsets of the braces after `\boxed` or `\fbox`; space between is allowed, as LaTeX does."""
    found = []
    for name in (b"\\boxed", b"\x01boxed", b"\\fbox", b"\x01fbox"):
        starts = letters.size - len(name)  # a brace has to follow
        if starts > 0:
            here = letters[:starts] == name[0]
            for place, letter in enumerate(name):
                here &= letters[place : place + starts] == letter
            found.append(np.flatnonzero(here) + len(name))
    after: npt.NDArray[np.intp] = np.sort(np.concatenate(found)) if found else np.zeros(0, dtype=np.intp)
    space = (letters == ord(" ")) | ((letters >= ord("\t")) & (letters <= ord("\r")))
    if space[after].any():
        solid = np.append(np.flatnonzero(~space), letters.size - 1)
        after = solid[np.searchsorted(solid[:-1], after)]
    after = after[letters[after] == ord("{")]
    return after


def _last_tag(completion: str, offset: int) -> tuple[int, int] | None:
    """Inside of the last closed `<answer>`."""
    last_end = completion.rfind("</answer>", offset)
    if last_end < 0:
        return None
    start = completion.rfind("<answer>", offset, last_end)
    if start < 0:
        return None
    start += len("<answer>")
    return start, completion.find("</answer>", start)


def _last_final_line(completion: str, offset: int) -> tuple[int, int] | None:
    """What follows the last `final answer` on its line, else the next line with something on it."""
    match = None
    for match in _FINAL.finditer(completion, offset):  # noqa: B007 - the last match is wanted
        pass
    if match is None:
        return None
    around = _AROUND.match(completion, match.end())
    start = around.end() if around else match.end()
    if completion.startswith("\n", start) and (blank := _BLANK_LINES.match(completion, start)):
        start = blank.end()
    end = completion.find("\n", start)
    end = len(completion) if end < 0 else end
    text = completion[start:end].rstrip(_LINE_SPACE + "*_")
    return (start, start + len(text)) if text else None

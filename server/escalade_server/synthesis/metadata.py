"""What has to be known of a problem to pose it: from its source where that says so, else from an LLM's reply.

Guarantee: pure. Metadata is complete and consistent or is not made: a reply is refused with one sentence per fault that
names the field. What the source says wins over what the LLM says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from escalade.types import AnswerSpec
from escalade.types.environments import AnswerType
from escalade_server.errors import ProblemUnsuited
from escalade_server.problems.definition import Frozen, Parameter, slug_of
from escalade_server.problems.formats.instructions import answer_instruction_of, declared_tolerances
from escalade_server.problems.problem import Comparison, Problem
from escalade_server.synthesis.replies import UnusableReply, read_wire, schema_of

MAX_PARAMETERS: Final = 6
"""Scale parameters that an LLM may name; more make no ladder that a reader feels."""
MAX_STATEMENT_CHARS: Final = 30_000
MAX_INSTRUCTION_CHARS: Final = 2_000
MAX_VALUE: Final = 2**53
"""Largest scale parameter; every JSON reader knows it exactly."""
MAX_TAGS: Final = 8

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NUMERIC: Final = frozenset({"number", "array", "multiset", "matrix", "graph"})
_NUMBER: Final = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,4})?")
_YES_NO: Final = (frozenset({"yes", "no"}), frozenset({"true", "false"}))
_JUDGE_UNSTATED: Final = frozenset({"codecontests"})
"""Sources whose problems may have several right answers without saying so."""


class Metadata(Frozen):
    """How one problem is posed."""

    statement: str
    """The task without its input and output format; what the prompt shows."""
    answer_instruction: str
    """What to give as the answer."""
    answer: AnswerSpec
    parameters: dict[str, Parameter] = Field(min_length=1)
    """Scale parameters; the ladder's top may lie below their maxima."""
    meanings: dict[str, str] = {}
    """What scale parameters count, by name, where that was said."""
    tags: tuple[str, ...] = ()

    @property
    def unique(self) -> bool:
        """Whether every input has one right answer; otherwise a checker judges."""
        return self.answer.type != "checked"


class _Wire(BaseModel):
    """A part of the LLM's reply; fields that nobody asked for are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _AnswerReply(_Wire):
    type: Literal["number", "bool", "string", "array", "multiset", "permutation", "matrix", "graph"]
    unique: bool
    absolute_tolerance: float | None
    relative_tolerance: float | None
    case_sensitive: bool
    true_word: str | None
    false_word: str | None
    directed: bool
    weighted: bool
    counts: bool = False


class _ParameterReply(_Wire):
    name: str
    meaning: str
    minimum: int
    maximum: int
    base: float


class _MetadataReply(_Wire):
    obstacle: str | None
    statement: str
    answer_instruction: str
    answer: _AnswerReply
    parameters: list[_ParameterReply]
    tags: list[str]


METADATA_SCHEMA: Final = schema_of(_MetadataReply)
"""What the LLM's reply has to fit."""


def stated_metadata(problem: Problem) -> Metadata | None:
    """The metadata of a problem whose source says everything; None where `unstated` names something.

    Where the judge compares outputs but does not say of what form, the outputs that are known tell it. One is enough:
    whatever the others look like, answers of that form are compared word by word, as the judge does.
    """
    if problem.entry is not None:
        made = problem.entry.definition
        return Metadata(
            statement=made.statement,
            answer_instruction=made.answer_instruction,
            answer=made.answer,
            parameters=made.parameters,
            tags=problem.entry.tags,
        )
    statement = problem.statement
    answer = _stated_answer(problem) or _shown_answer(problem)
    if statement is None or not statement.task or not statement.output or answer is None or not problem.parameters:
        return None
    return Metadata(
        statement=statement.task.strip(),
        answer_instruction=answer_instruction_of(statement.output),
        answer=answer,
        parameters=problem.parameters,
        tags=problem.tags,
    )


def unstated(problem: Problem) -> tuple[str, ...]:
    """What the source does not say, in words; an LLM has to."""
    if problem.entry is not None:
        return ()
    statement = problem.statement
    answered = _stated_answer(problem) or _shown_answer(problem)
    lacking = {
        "a statement": statement is None,
        "the task apart from its input and output format": statement is not None and not statement.task,
        "what to give as the answer": statement is not None and not statement.output,
        "the type of the answer": answered is None,
        "scale parameters": not problem.parameters,
    }
    return tuple(words for words, missing in lacking.items() if missing)


def facts_of(problem: Problem) -> list[str]:
    """What the source says for certain, in sentences for the LLM."""
    facts = []
    answer = _stated_answer(problem)
    if answer is not None and answer.type != "checked":
        facts.append(f"answers are unique and of the type `{answer.type}`")
    elif answer is not None:
        facts.append("a checker judges the answers, so that they are not unique")
    elif problem.source not in _JUDGE_UNSTATED:
        facts.append("the judge compares the output with one right output word by word, so that answers are unique")
    tolerances = problem.comparison.absolute_tolerance, problem.comparison.relative_tolerance
    for kind, tolerance in zip(("absolute", "relative"), tolerances, strict=True):
        if tolerance is not None:
            facts.append(f"numbers may have an {kind} error of {tolerance:g}")
    for name, parameter in problem.parameters.items():
        facts.append(f"`{name}` is a scale parameter from {parameter.minimum} to {parameter.maximum}")
    return facts


def read_metadata(document: Mapping[str, Any], problem: Problem) -> Metadata:
    """The LLM's reply as metadata, with what the source says in place of what the LLM says.

    Raises:
        UnusableReply: It does not fit the schema or contradicts itself.
        ProblemUnsuited: It says that the problem cannot be posed, and why.
    """
    obstacle = document.get("obstacle")
    if isinstance(obstacle, str) and obstacle.strip().lower() not in ("", "null", "none"):
        raise ProblemUnsuited(" ".join(obstacle.split())[:500])
    reply = read_wire(_MetadataReply, document)
    if faults := list(_faults(reply, problem)):
        raise UnusableReply(faults)
    statement = problem.statement
    return Metadata(
        statement=((statement and statement.task) or reply.statement).strip(),
        answer_instruction=reply.answer_instruction.strip(),
        answer=_stated_answer(problem) or _replied_answer(reply.answer, problem),
        parameters=problem.parameters
        or {one.name: Parameter(minimum=one.minimum, maximum=one.maximum, base=one.base) for one in reply.parameters},
        meanings={one.name: " ".join(one.meaning.split())[:200] for one in reply.parameters},
        tags=tuple(dict.fromkeys([*problem.tags, *(slug_of(tag) for tag in reply.tags if tag.strip())]))[:MAX_TAGS],
    )


def answer_of(answer_type: AnswerType, comparison: Comparison, output: str = "") -> AnswerSpec:
    """How answers of a type are compared, as the judge does it.

    Args:
        answer_type: Their form.
        comparison: How the judge compares outputs.
        output: The problem's words on its output, which may grant a tolerance.
    """
    if answer_type == "array" and comparison.unordered:
        answer_type = "multiset"
    if answer_type in _NUMERIC:
        absolute, relative = comparison.absolute_tolerance, comparison.relative_tolerance
        if absolute is None and relative is None:
            absolute, relative = declared_tolerances(output)
        # Case matters here too, for lists of words and for words in place of a number, such as `impossible`.
        return AnswerSpec(
            type=answer_type,
            absolute_tolerance=absolute,
            relative_tolerance=relative,
            case_sensitive=comparison.case_sensitive,
        )
    if answer_type == "checked":
        return AnswerSpec(type="checked")
    tokens = answer_type == "string" and not comparison.space_sensitive
    return AnswerSpec(type=answer_type, case_sensitive=comparison.case_sensitive, tokens=tokens)


def _stated_answer(problem: Problem) -> AnswerSpec | None:
    """What the source says of answers; None where it leaves it open."""
    if problem.entry is not None:
        return problem.entry.definition.answer
    if problem.checker is not None:
        return AnswerSpec(type="checked")
    if problem.answer_type is None:
        return None
    output = problem.statement.output if problem.statement is not None else None
    return answer_of(problem.answer_type, problem.comparison, output or "")


def _shown_answer(problem: Problem) -> AnswerSpec | None:
    """What known outputs show of answers that the judge compares by words."""
    if problem.source in _JUDGE_UNSTATED:
        return None
    known = [test.output for test in problem.tests if test.output is not None]
    outputs = list(dict.fromkeys([sample.output for sample in problem.samples] + known))
    shape = _shape(outputs)
    output = problem.statement.output if problem.statement is not None else None
    return None if shape is None else answer_of(shape, problem.comparison, output or "")


def _shape(outputs: Sequence[str]) -> AnswerType | None:
    """The form that all these outputs have; None where there are none, or they could be read in several ways."""
    rows = [[line.split() for line in output.split("\n") if line.strip()] for output in outputs]
    words = [[word for row in output for word in row] for output in rows]
    if not outputs or not all(words):
        return None
    numeric = [all(_NUMBER.fullmatch(word) for word in output) for output in words]
    if all(len(output) == 1 for output in words):
        # Beside the numbers there may be a word for a special case.
        if 2 * sum(numeric) >= len(numeric):
            return "number"
        return "bool" if frozenset(output[0].lower() for output in words) in _YES_NO else "string"
    if not all(numeric):
        return "string"
    one_row = all(len(output) == 1 for output in rows)
    one_column = all(len(row) == 1 for output in rows for row in output)
    # Anything else may be a matrix, or a length before a list.
    return "array" if one_row or one_column else None


def _replied_answer(reply: _AnswerReply, problem: Problem) -> AnswerSpec:
    judged = problem.source in _JUDGE_UNSTATED
    if not reply.unique and judged:
        return AnswerSpec(type="checked")
    comparison = problem.comparison
    numeric = reply.type in _NUMERIC
    stated = comparison.absolute_tolerance is not None or comparison.relative_tolerance is not None
    tolerances = (
        (comparison.absolute_tolerance, comparison.relative_tolerance)
        if stated
        else (reply.absolute_tolerance, reply.relative_tolerance)
    )
    return AnswerSpec(
        type="multiset" if reply.type == "array" and comparison.unordered else reply.type,
        absolute_tolerance=tolerances[0] if numeric else None,
        relative_tolerance=tolerances[1] if numeric else None,
        case_sensitive=comparison.case_sensitive and reply.case_sensitive,
        tokens=reply.type == "string" and not comparison.space_sensitive,
        true_word=reply.true_word if reply.type == "bool" else None,
        false_word=reply.false_word if reply.type == "bool" else None,
        directed=reply.directed and reply.type == "graph",
        weighted=reply.weighted and reply.type == "graph",
        counts=reply.counts and reply.type == "graph" and not reply.weighted,
    )


def _faults(reply: _MetadataReply, problem: Problem) -> Iterator[str]:
    for name, text, most in (
        ("statement", reply.statement, MAX_STATEMENT_CHARS),
        ("answer_instruction", reply.answer_instruction, MAX_INSTRUCTION_CHARS),
    ):
        if not text.strip():
            yield f"{name}: it is blank"
        elif len(text) > most:
            yield f"{name}: {len(text)} characters; at most {most} are allowed"
    yield from _answer_faults(reply.answer)
    if not problem.parameters:
        yield from _parameter_faults(reply.parameters)


def _answer_faults(answer: _AnswerReply) -> Iterator[str]:
    for name in ("absolute_tolerance", "relative_tolerance"):
        tolerance = getattr(answer, name)
        if tolerance is not None and not 0 <= tolerance < 1:
            yield f"answer.{name}: {tolerance:g}; give a number from 0 to below 1, or null"
    if answer.type == "bool":
        words = [word.strip() if word else "" for word in (answer.true_word, answer.false_word)]
        if not all(words):
            yield "answer.true_word, answer.false_word: a bool needs both words, as the problem writes them"
        elif words[0] == words[1]:
            yield f"answer.true_word, answer.false_word: both are {words[0]!r}"
        elif any(len(word.split()) != 1 or len(word) > 60 for word in words):
            yield "answer.true_word, answer.false_word: give single words; other answers are strings"


def _parameter_faults(parameters: Sequence[_ParameterReply]) -> Iterator[str]:
    if not 1 <= len(parameters) <= MAX_PARAMETERS:
        yield f"parameters: {len(parameters)} of them; give 1 to {MAX_PARAMETERS}"
    seen: set[str] = set()
    for index, one in enumerate(parameters):
        place = f"parameters[{index}]"
        if not _NAME.fullmatch(one.name):
            yield f"{place}.name: {one.name[:64]!r}; use letters, digits and `_`, not a digit first"
        if one.name in seen:
            yield f"{place}.name: {one.name!r} is there twice"
        seen.add(one.name)
        if one.minimum > one.maximum:
            yield f"{place}.minimum: {one.minimum} is above the maximum {one.maximum}"
        if max(abs(one.minimum), abs(one.maximum)) > MAX_VALUE:
            yield f"{place}: its range goes beyond {MAX_VALUE}; name a smaller bound"
        if not (math.isfinite(one.base) and one.base >= 0):
            yield f"{place}.base: {one.base}; give a number of at least 0"
    if parameters and not any(one.minimum < one.maximum and one.base > 0 for one in parameters):
        yield "parameters: none of them can grow; one needs a minimum below its maximum and a base above 0"

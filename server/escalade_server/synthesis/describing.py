"""Asks the LLM how a problem is to be posed, where its source does not say it.

Guarantee: what the source says is not overwritten, and a problem whose source says everything costs nothing.
"""

from __future__ import annotations

from escalade.types import Message
from escalade_server.errors import ProblemUnsuited
from escalade_server.problems.problem import Problem
from escalade_server.synthesis.llm import Llm, Question
from escalade_server.synthesis.metadata import (
    MAX_PARAMETERS,
    MAX_STATEMENT_CHARS,
    METADATA_SCHEMA,
    Metadata,
    facts_of,
    read_metadata,
    stated_metadata,
)
from escalade_server.synthesis.prompts import bullets, fenced, fill

MAX_SAMPLES = 3
MAX_SAMPLE_CHARS = 2_000
"""A longer sample is left out of prompts."""


async def describe(llm: Llm, problem: Problem) -> Metadata:
    """The metadata of a problem: its source's, or else the LLM's.

    Raises:
        ProblemUnsuited: It has no statement that could be read, or the LLM says why it cannot be posed.
        LlmReplyUnusable: No reply could be used.
        LlmBudgetSpent: The job has no tokens left.
        LlmUnavailable: The endpoint fails.
        LlmRefused: The endpoint refuses the request.
    """
    if (stated := stated_metadata(problem)) is not None:
        return stated
    facts = facts_of(problem)
    user = fill(
        "metadata_user",
        title=problem.title,
        statement=statement_of(problem),
        samples=samples_of(problem),
        known=f"The source of the problem says for certain:\n\n{bullets(facts)}" if facts else "",
    )
    system = fill("metadata_system", max_parameters=str(MAX_PARAMETERS))
    messages = (Message(role="system", content=system), Message(role="user", content=user))
    return await llm.ask(
        Question("metadata", messages, METADATA_SCHEMA), lambda document: read_metadata(document, problem)
    )


def statement_of(problem: Problem) -> str:
    """The text of a problem for prompts.

    Raises:
        ProblemUnsuited: It has none, or one that is too long.
    """
    statement = problem.statement
    if statement is None or not statement.text.strip():
        raise ProblemUnsuited("it has no statement")
    if len(statement.text) > MAX_STATEMENT_CHARS:
        raise ProblemUnsuited(
            f"its statement has {len(statement.text)} characters; at most {MAX_STATEMENT_CHARS} are sent to an LLM"
        )
    return statement.text.strip()


def samples_of(problem: Problem) -> str:
    """The first samples of a problem for prompts; empty if it has none."""
    short = [one for one in problem.samples if len(one.input) + len(one.output) <= MAX_SAMPLE_CHARS][:MAX_SAMPLES]
    parts = []
    for number, sample in enumerate(short, 1):
        parts.append(f"Sample input {number}:\n{fenced(sample.input)}\nIts output:\n{fenced(sample.output)}")
    return "\n\n".join(parts)

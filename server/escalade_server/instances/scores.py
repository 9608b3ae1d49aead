"""Stateless scoring of (instance, completion) pairs."""

from __future__ import annotations

from escalade.types import ScoreList, ScoreOutcome, ScoreRequest
from escalade_sandbox.types import Sandbox
from escalade_server.errors import InstanceNotFound
from escalade_server.instances.generation import checker_of
from escalade_server.instances.versions import Version, Versions
from escalade_server.scoring.judging import Question, judge_all
from escalade_server.storage import instances
from escalade_server.storage.sessions import Database


def question(*, given: str | None, truth: str | None, version: Version, completion: str) -> Question:
    """What a completion of an instance is judged by."""
    return Question(
        spec=version.definition.answer,
        truth=truth or "",
        completion=completion,
        input=given or "",
        checker=checker_of(version.definition, version.hash),
    )


async def score(database: Database, *, sandbox: Sandbox, versions: Versions, request: ScoreRequest) -> ScoreList:
    """Judge each completion against its instance's ground truth, in order.

    Raises:
        InstanceNotFound: This server never made one of the instances.
    """
    async with database.read() as session:
        found = await instances.truths(session, sorted({item.instance for item in request.items}))
        parsed = await versions.get(session, {row.version_id for row in found.values()})
    questions = []
    for index, item in enumerate(request.items):
        row = found.get(item.instance)
        if row is None or row.truth is None:
            raise InstanceNotFound(f"`items.{index}.instance`: this server has served no instance {item.instance!r}.")
        version = parsed[row.version_id]
        questions.append(question(given=row.input, truth=row.truth, version=version, completion=item.completion))
    judgements = await judge_all(sandbox, questions)
    return ScoreList(
        outcomes=[
            ScoreOutcome(
                instance=item.instance,
                outcome=judgement.outcome,
                score=judgement.score,
                accuracy=judgement.accuracy,
                verdict=judgement.verdict,
                extracted=judgement.extracted,
                format=judgement.format,
                detail=judgement.detail,
            )
            for item, judgement in zip(request.items, judgements, strict=True)
        ]
    )

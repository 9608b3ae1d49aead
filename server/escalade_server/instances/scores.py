"""Stateless scoring of (instance, completion) pairs."""

from __future__ import annotations

from contextlib import aclosing

from escalade.types import ProgramSettings, ScoreList, ScoreOutcome, ScoreRequest, ScoringSettings
from escalade_sandbox.types import Sandbox
from escalade_server.errors import InstanceNotFound, InvalidRequest
from escalade_server.instances.generation import checker_of
from escalade_server.instances.programs import Asked, Programs
from escalade_server.instances.seeds import is_hidden
from escalade_server.instances.versions import Version, Versions
from escalade_server.scoring.judging import Judgement, Question, judge_all, with_length_penalty
from escalade_server.storage import instances
from escalade_server.storage.sessions import Database


def question(
    *,
    given: str | None,
    truth: str | None,
    version: Version,
    completion: str,
    settings: ScoringSettings,
    tokens: int | None,
) -> Question:
    """What a completion of an instance is judged by."""
    return Question(
        spec=version.definition.answer,
        truth=truth or "",
        completion=completion,
        input=given or "",
        checker=checker_of(version.definition, version.hash),
        settings=settings,
        tokens=tokens,
    )


def asked_of(origin: instances.Origin, version: Version, completion: str, settings: ProgramSettings) -> Asked:
    """What a completion that holds a program is judged by."""
    return Asked(version, origin.level, origin.parameters, origin.seed, completion, settings)


async def score(
    database: Database,
    *,
    sandbox: Sandbox,
    programs: Programs,
    versions: Versions,
    request: ScoreRequest,
    owner: str,
) -> ScoreList:
    """Judge each completion in the mode that its item names, in order.

    Raises:
        InstanceNotFound: This server never served one of the instances.
        InvalidRequest: There is a length penalty, and an item has no length.
    """
    async with database.read() as session:
        identities = sorted({item.instance for item in request.items})
        found = await instances.truths(session, identities)
        programmed = sorted({item.instance for item in request.items if item.mode == "program"})
        origins = await instances.origins(session, programmed) if programmed else {}
        parsed = await versions.get(session, {row.version_id for row in found.values()})
    questions: dict[int, Question] = {}
    asked: dict[int, Asked] = {}
    for index, item in enumerate(request.items):
        row = found.get(item.instance)
        # Hidden inputs are stored as instances are, but no prompt shows them.
        if row is None or row.truth is None or is_hidden(row.seed):
            raise InstanceNotFound(f"`items.{index}.instance`: this server has served no instance {item.instance!r}.")
        version = parsed[row.version_id]
        if request.scoring.length_penalty is not None and item.completion_tokens is None:
            raise InvalidRequest(f"`items.{index}.completion_tokens`: a length penalty needs the length in tokens.")
        if item.mode == "program":
            asked[index] = asked_of(origins[item.instance], version, item.completion, request.program)
        else:
            questions[index] = question(
                given=row.input,
                truth=row.truth,
                version=version,
                completion=item.completion,
                settings=request.scoring,
                tokens=item.completion_tokens,
            )
    judged = dict(zip(questions, await judge_all(sandbox, list(questions.values())), strict=True))
    async with aclosing(programs.judge(list(asked.values()), owner=owner)) as portions:
        places = list(asked)
        async for portion in portions:
            for place, judgement in portion.items():
                tokens = request.items[places[place]].completion_tokens
                judged[places[place]] = with_length_penalty(judgement, request.scoring, tokens)
    return ScoreList(outcomes=[_present(item.instance, judged[index]) for index, item in enumerate(request.items)])


def _present(instance: str, judgement: Judgement) -> ScoreOutcome:
    return ScoreOutcome(
        instance=instance,
        outcome=judgement.outcome,
        score=judgement.score,
        accuracy=judgement.accuracy,
        verdict=judgement.verdict,
        extracted=judgement.extracted,
        format=judgement.format,
        position=judgement.position,
        detail=judgement.detail,
        feedback=judgement.feedback,
    )

"""Reports: each rollout is scored and stored once.

Guarantee: a report's identity is the hash of its answer. The same report again returns the first outcome; another
answer for the same rollout is refused and nothing of its request is stored. Outcomes of `error` alone may be replaced,
by the same report. A report that names no rollout gets the lowest free one, once for each `report_id`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from escalade.types import AttemptOutcome, AttemptReport, AttemptResults, ScoringSettings
from escalade_sandbox.types import Sandbox
from escalade_server.errors import AttemptConflict, GroupFull, GroupNotFound, InvalidRequest, RolloutOutOfRange
from escalade_server.instances.programs import Asked, Programs
from escalade_server.instances.scores import asked_of, question
from escalade_server.instances.versions import Versions
from escalade_server.runs.closing import close_complete, close_overdue
from escalade_server.runs.drafts import program_settings
from escalade_server.runs.journal import Journal, Writer
from escalade_server.runs.pool import Members
from escalade_server.scoring.judging import Judgement, Question, judge_all, judge_score, with_length_penalty
from escalade_server.storage import attempts, instances, runs, tables
from escalade_server.storage.attempts import Key
from escalade_server.storage.sessions import AsyncSession


@dataclass(frozen=True, slots=True)
class Filed:
    """A report with the group that it is for."""

    report: AttemptReport
    group: tables.BatchGroup
    content_hash: str

    @property
    def key(self) -> Key:
        """Which rollout it is, by its index or by the trainer's name for it."""
        name = self.report.rollout if self.report.rollout is not None else self.report.report_id
        assert name is not None, "a report has one of the two"
        return self.group.id, name

    @property
    def title(self) -> str:
        """The same in words."""
        report = self.report
        name = f"Rollout {report.rollout}" if report.rollout is not None else f"Report {report.report_id!r}"
        return f"{name} of group {report.group}"


async def report(
    journal: Journal,
    *,
    sandbox: Sandbox,
    programs: Programs,
    versions: Versions,
    members: Members,
    run: tables.Run,
    reports: Sequence[AttemptReport],
) -> AttemptResults:
    """Score and store each rollout once, and close the groups that are now complete.

    Programs take long: they are stored portion by portion, so that a report that is sent again goes on from there.

    Raises:
        GroupNotFound: The run has no such group.
        RolloutOutOfRange: The group has fewer rollouts.
        GroupFull: It has no rollout free for a report that names none.
        AttemptConflict: A rollout was already reported with another answer.
        InvalidRequest: The run has a length penalty, and a report no length.
    """
    _require_lengths(run, reports)
    async with journal.database.read() as session:
        filed = await _file(session, run, reports)
        known = await attempts.of_groups(session, sorted({item.group.id for item in filed}))
        new: dict[Key, Filed] = {}
        for item in filed:
            _require_same(item, known.get(item.key), new.get(item.key))
            if item.key not in known or known[item.key].outcome == "error":
                new.setdefault(item.key, item)
        told = {key: item for key, item in new.items() if item.report.completion is not None}
        asked, questions = await _questions(session, versions, members, run, told)
    judged = dict(zip(questions, await judge_all(sandbox, list(questions.values())), strict=True))
    threshold, scoring = run.settings["success_threshold"], scoring_settings(run)
    for key, item in new.items():
        if item.report.score is not None:
            judged[key] = judge_score(item.report.score, threshold)
    closed: list[str] = []
    waiting = dict(new)
    async with aclosing(programs.judge(list(asked.values()), owner=run.id)) as portions:
        keys = list(asked)
        async for portion in portions:
            for place, judgement in portion.items():
                tokens = told[keys[place]].report.completion_tokens
                judged[keys[place]] = with_length_penalty(judgement, scoring, tokens)
            if len(judged) < len(new):
                ready = {key: waiting.pop(key) for key in judged if key in waiting}
                async with journal.writing(run.id) as writer:
                    closed += (await _store(writer, list(ready.values()), ready, judged))[1]
    async with journal.writing(run.id) as writer:
        stored, closed_last = await _store(writer, filed, waiting, judged)
    closed += closed_last
    first: set[Key] = set()
    outcomes = []
    for item in filed:
        fresh = item.key in new and item.key not in first and item.key not in known
        first.add(item.key)
        outcomes.append(_present(item, stored[item.key], repeat=not fresh))
    return AttemptResults(outcomes=outcomes, closed=closed)


async def _file(session: AsyncSession, run: tables.Run, reports: Sequence[AttemptReport]) -> list[Filed]:
    names = [_parse(item.group) for item in reports]
    cursors = [name[0] for name in names if name is not None]
    groups = await runs.groups_at(session, run.id, await runs.lineage(session, run), cursors)
    filed = []
    for item, name in zip(reports, names, strict=True):
        group = groups.get(name) if name is not None else None
        if group is None or group.instance_id is None:
            raise GroupNotFound(f"`group`: this run has issued no group {item.group!r}.")
        if item.rollout is not None and item.rollout >= group.rollouts:
            raise RolloutOutOfRange(
                f"`rollout`: group {item.group} has rollouts 0 to {group.rollouts - 1}, not {item.rollout}."
            )
        filed.append(Filed(item, group, _content_hash(item)))
    return filed


def scoring_settings(run: tables.Run) -> ScoringSettings:
    """How a run's answers are read and scored; runs made before this could be chosen have the defaults."""
    return ScoringSettings.model_validate(run.settings.get("scoring", {}))


def _require_lengths(run: tables.Run, reports: Sequence[AttemptReport]) -> None:
    if scoring_settings(run).length_penalty is None:
        return
    for index, item in enumerate(reports):
        if item.completion is not None and item.completion_tokens is None:
            raise InvalidRequest(
                f"`attempts.{index}.completion_tokens`: this run has a length penalty; give the length in tokens."
            )


def _parse(name: str) -> tuple[int, int] | None:
    cursor, dot, position = name.partition(".")
    plain = dot and cursor.isascii() and cursor.isdecimal() and position.isascii() and position.isdecimal()
    numbers = (int(cursor), int(position)) if plain and len(cursor) <= 9 and len(position) <= 9 else None
    # A leading zero would be another name for the same group.
    return numbers if numbers is not None and f"{numbers[0]}.{numbers[1]}" == name else None


def _content_hash(report: AttemptReport) -> str:
    answer = f"score {report.score!r}" if report.completion is None else f"completion {report.completion}"
    return hashlib.sha256(answer.encode("utf-8", "surrogatepass")).hexdigest()


def _require_same(item: Filed, stored: attempts.Stored | None, earlier: Filed | None) -> None:
    known = stored.content_hash if stored is not None else earlier.content_hash if earlier is not None else None
    if known is not None and known != item.content_hash:
        raise AttemptConflict(f"{item.title} was already reported with another answer; the first one stands.")


async def _questions(
    session: AsyncSession, versions: Versions, members: Members, run: tables.Run, told: Mapping[Key, Filed]
) -> tuple[dict[Key, Asked], dict[Key, Question]]:
    """What the completions are judged by, in the run's mode: as programs, or as answers."""
    identities = sorted({item.group.instance_id or "" for item in told.values()})
    positions = {item.group.environment for item in told.values()}
    asked_for = await members.at(session, run.id, positions)
    parsed = await versions.get(session, {member.version_id for member in asked_for.values()})
    version_of = {position: parsed[member.version_id] for position, member in asked_for.items()}
    settings = program_settings(run)
    if settings is not None:
        origins = await instances.origins(session, identities)
        return {
            key: asked_of(
                origins[item.group.instance_id or ""],
                version_of[item.group.environment],
                item.report.completion or "",
                settings,
            )
            for key, item in told.items()
        }, {}
    found = await instances.truths(session, identities)
    scoring = scoring_settings(run)
    questions = {}
    for key, item in told.items():
        row = found[item.group.instance_id or ""]
        questions[key] = question(
            given=row.input,
            truth=row.truth,
            version=version_of[item.group.environment],
            completion=item.report.completion or "",
            settings=scoring,
            tokens=item.report.completion_tokens,
        )
    return {}, questions


async def _store(
    writer: Writer, filed: Sequence[Filed], new: Mapping[Key, Filed], judged: Mapping[Key, Judgement]
) -> tuple[dict[Key, attempts.Stored], list[str]]:
    """Record what is new, and close groups; the attempts as they are stored now, and the groups closed by this."""
    await close_overdue(writer)
    cursors = {item.group.cursor for item in filed}
    line = await runs.lineage(writer.session, writer.run)
    groups = await runs.groups_at(writer.session, writer.run.id, line, cursors)
    by_id = {group.id: group for group in groups.values()}
    ids = sorted({item.group.id for item in filed})
    for item in filed:
        if item.group.id not in by_id:
            raise GroupNotFound(
                f"`group`: the run was restored meanwhile; group {item.report.group} has to be asked for again."
            )
    rollouts = await _rollouts(writer.session, new)
    rows = [
        _row(item, judged[key], rollouts[key], late=by_id[item.group.id].closed_at is not None, writer=writer)
        for key, item in new.items()
    ]
    writer.outcomes.update(row["outcome"] for row in rows)
    if await attempts.record(writer.session, rows) == len({item.key for item in filed}):
        # All went in, as nearly always: what is stored is what was sent, and need not be read back.
        stored = attempts.by_key(map(attempts.Stored.of, rows))
    else:
        stored = await _reconcile(writer, ids, new, judged)
    closed = await close_complete(writer, [by_id[group_id] for group_id in ids])
    return stored, closed


async def _rollouts(session: AsyncSession, new: Mapping[Key, Filed]) -> dict[Key, int]:
    """Which rollout each report is: the one that it names, or the lowest free one. The caller holds the run."""
    rollouts = {key: item.report.rollout for key, item in new.items() if item.report.rollout is not None}
    unnamed = {key: item for key, item in new.items() if key not in rollouts}
    if not unnamed:
        return rollouts
    stored = await attempts.of_groups(session, sorted({item.group.id for item in unnamed.values()}))
    taken = {*stored, *rollouts}
    for key, item in unnamed.items():
        if key in stored:
            # The same report was faster in another request.
            rollouts[key] = stored[key].rollout
            continue
        free = (index for index in range(item.group.rollouts) if (item.group.id, index) not in taken)
        rollouts[key] = next(free, -1)
        if rollouts[key] < 0:
            raise GroupFull(f"`report_id`: all {item.group.rollouts} rollouts of group {item.report.group} are in.")
        taken.add((item.group.id, rollouts[key]))
    return rollouts


async def _reconcile(
    writer: Writer, ids: Sequence[int], new: Mapping[Key, Filed], judged: Mapping[Key, Judgement]
) -> dict[Key, attempts.Stored]:
    """Hold new reports against those that were stored before them, and replace errors; what is stored now."""
    stored = await attempts.of_groups(writer.session, ids)
    for key, item in new.items():
        _require_same(item, stored[key], None)
        if stored[key].outcome == "error" and judged[key].outcome != "error":
            row = _row(item, judged[key], stored[key].rollout, late=False, writer=writer)
            fixed = ("group_id", "rollout", "report_id", "content_hash", "late")
            values = {name: value for name, value in row.items() if name not in fixed}
            await attempts.replace_error(writer.session, item.group.id, stored[key].rollout, values)
    return await attempts.of_groups(writer.session, ids)


def _row(item: Filed, judgement: Judgement, rollout: int, *, late: bool, writer: Writer) -> dict[str, Any]:
    return {
        "group_id": item.group.id,
        "rollout": rollout,
        "report_id": item.report.report_id,
        "content_hash": item.content_hash,
        "outcome": judgement.outcome,
        "score": judgement.score,
        "accuracy": judgement.accuracy,
        "verdict": judgement.verdict,
        "extracted": judgement.extracted,
        "format": judgement.format,
        "position": judgement.position,
        "detail": judgement.detail,
        "feedback": judgement.feedback,
        "completion_tokens": item.report.completion_tokens,
        "policy_step": item.report.policy_step,
        "late": late,
        "sequence": writer.state.sequence,
        "reported_at": writer.at,
    }


def _present(item: Filed, row: attempts.Stored, *, repeat: bool) -> AttemptOutcome:
    return AttemptOutcome.model_validate(
        {
            "group": item.report.group,
            "rollout": row.rollout,
            "outcome": row.outcome,
            "score": row.score,
            "accuracy": row.accuracy,
            "verdict": row.verdict,
            "extracted": row.extracted,
            "format": row.format,
            "position": row.position,
            "detail": row.detail,
            "feedback": row.feedback,
            "late": row.late,
            "repeat": repeat,
        }
    )

"""Imports: archives become environments and versions, and problems that wait for synthesis.

Guarantee: importing is idempotent by content. What is there already stays, and so does what verification made of it; a
changed definition makes one new version of that environment alone; a malformed entry is refused by name while the
others go in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from escalade_server.errors import ArchiveUnreadable
from escalade_server.problems.definition import Entry, Refusal, slug_of, version_of
from escalade_server.problems.formats.errors import ArchiveError
from escalade_server.problems.formats.reading import Found, entries_of, read_bytes
from escalade_server.problems.formats.scaler import parse_scaler
from escalade_server.problems.problem import Problem, missing_of, problem_of_entry
from escalade_server.storage import environments, problems, tables
from escalade_server.storage.clock import new_id, now
from escalade_server.storage.sessions import AsyncSession
from escalade_server.storage.statements import take_turns
from escalade_server.storage.tables import Environment, EnvironmentVersion

MAX_SLUG_CHARS: Final = 120
AT_ONCE: Final = 100
CHARS_AT_ONCE: Final = 4 << 20
"""Rows that are sent to the database together, and characters of their documents."""
Row = TypeVar("Row")


@dataclass(slots=True)
class ImportReport:
    """What an import did, by slug."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    problems: dict[str, list[str]] = field(default_factory=lambda: {"created": [], "updated": [], "unchanged": []})
    """Problems that wait for synthesis, by slug."""

    def document(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "problems": self.problems,
            "refused": [refusal.model_dump() for refusal in self.refused],
        }


def parse(format_name: str, filename: str, content: bytes) -> Found:
    """Read an archive; no code in it is run.

    Raises:
        ArchiveUnreadable: The archive as a whole is not of this format.
    """
    try:
        if format_name == "scaler" and not content.startswith((b"PK", b"\x1f\x8b")):
            # One file in this format: what is wrong with it is wrong with the archive.
            entries, refusals = parse_scaler(content.decode("utf-8"))
            return Found([problem_of_entry(entry) for entry in entries], refusals)
        return read_bytes(filename, content, only=None if format_name == "auto" else format_name)
    except (ArchiveError, UnicodeDecodeError) as error:
        reason = error if isinstance(error, ArchiveError) else "it is not UTF-8 text"
        raise ArchiveUnreadable(f"`content`: {filename} cannot be read as {format_name}: {reason}") from error


async def store_found(session: AsyncSession, found: Found) -> ImportReport:
    """Store what an archive holds: complete environments as such, everything else as problems."""
    report = await store(session, entries_of(found), found.refusals)
    await store_problems(session, [one for one in found.problems if one.entry is None], report)
    return report


async def preview_found(session: AsyncSession, found: Found) -> ImportReport:
    """What `store_found` would do, without doing it."""
    report = await preview(session, entries_of(found), found.refusals)
    waiting = [problem for problem in found.problems if problem.entry is None]
    known = await _known(problems.by_source, session, ((one.source, one.name) for one in waiting))
    for problem in waiting:
        row = known.get((problem.source, problem.name))
        fate = "created" if row is None else "unchanged" if row.hash == problem_hash(problem) else "updated"
        report.problems[fate].append(slug_of(problem.name) if row is None else row.slug)
    return report


async def store_problems(session: AsyncSession, found: Sequence[Problem], report: ImportReport) -> None:
    """Make or renew the rows of problems that are no environments yet."""
    await take_turns(session)
    known = await _known(problems.by_source, session, ((one.source, one.name) for one in found))
    slugs = Slugs(partial(problems.slugs_taken, session))
    await slugs.look_up(slug_of(problem.name) for problem in found)
    pending: list[tables.Problem] = []
    size_chars = 0
    for problem in found:
        row = known.get((problem.source, problem.name))
        document = problem.model_dump(mode="json", exclude_defaults=True)
        text = _text_of(document)
        digest = _hash_of(text)
        if row is not None and row.hash == digest:
            report.problems["unchanged"].append(row.slug)
            continue
        facts = {
            "title": problem.title,
            "licence": problem.licence,
            "tags": list(problem.tags),
            "missing": list(missing_of(problem)),
            "hash": digest,
            "document": document,
            # What was found out about other content says nothing of this.
            "outcome": None,
            "reason": None,
        }
        if row is not None:
            for name, value in facts.items():
                setattr(row, name, value)
            report.problems["updated"].append(row.slug)
        else:
            row = tables.Problem(
                id=new_id("prb"),
                slug=await slugs.free(slug_of(problem.name), problem.source),
                source=problem.source,
                source_name=problem.name,
                created_at=now(),
                **facts,
            )
            session.add(row)
            known[problem.source, problem.name] = row
            report.problems["created"].append(row.slug)
        pending.append(row)
        size_chars += len(text)
        if len(pending) >= AT_ONCE or size_chars >= CHARS_AT_ONCE:
            await _send(session, pending)
            pending, size_chars = [], 0
    await _send(session, pending)


async def _send(session: AsyncSession, rows: Sequence[tables.Problem]) -> None:
    """Store rows, and let their documents go."""
    await session.flush()
    for row in rows:
        session.expire(row, ["document"])


async def _known(
    by_source: Callable[[AsyncSession, str, Sequence[str]], Awaitable[dict[str, Row]]],
    session: AsyncSession,
    origins: Iterable[tuple[str, str]],
) -> dict[tuple[str, str], Row]:
    """The rows there are, by source and name there."""
    names: dict[str, list[str]] = {}
    for source, name in origins:
        names.setdefault(source, []).append(name)
    found: dict[tuple[str, str], Row] = {}
    for source, some in names.items():
        found |= {(source, name): row for name, row in (await by_source(session, source, some)).items()}
    return found


def problem_hash(problem: Problem) -> str:
    """Content hash of a problem, 64 hexadecimal digits."""
    return _hash_of(_text_of(problem.model_dump(mode="json", exclude_defaults=True)))


def _text_of(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, ensure_ascii=True)


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def store(session: AsyncSession, entries: Sequence[Entry], refusals: Sequence[Refusal] = ()) -> ImportReport:
    """Make environments and versions of entries."""
    await take_turns(session)
    report = ImportReport(refused=list(refusals))
    known = await _known(environments.by_source, session, ((one.source, one.source_name) for one in entries))
    slugs = Slugs(partial(environments.slugs_taken, session))
    await slugs.look_up(entry.slug for entry in entries)
    for entry in entries:
        digest = version_of(entry.definition)
        environment = known.get((entry.source, entry.source_name))
        if environment is None:
            slug = await slugs.free(entry.slug, entry.source)
            session.add(create(session, entry, slug, digest))
            report.created.append(slug)
            continue
        environment.tags, environment.licence = list(entry.tags), entry.licence
        if environment.imported == digest:
            report.unchanged.append(environment.slug)
            continue
        environment.imported = digest
        await make_current(session, environment, entry, digest)
        report.updated.append(environment.slug)
    await session.flush()
    return report


async def preview(session: AsyncSession, entries: Sequence[Entry], refusals: Sequence[Refusal]) -> ImportReport:
    """What `store` would do, without doing it."""
    report = ImportReport(refused=list(refusals))
    known = await _known(environments.by_source, session, ((one.source, one.source_name) for one in entries))
    for entry in entries:
        environment = known.get((entry.source, entry.source_name))
        if environment is None:
            report.created.append(entry.slug)
        elif environment.imported == version_of(entry.definition):
            report.unchanged.append(environment.slug)
        else:
            report.updated.append(environment.slug)
    return report


class Slugs:
    """Names that are free, of which many are looked up at a time."""

    def __init__(self, taken_of: Callable[[Sequence[str]], Awaitable[set[str]]]) -> None:
        self._taken_of = taken_of
        self._known: set[str] = set()
        self._taken: set[str] = set()

    async def look_up(self, slugs: Iterable[str]) -> None:
        """Learn which of these are in use."""
        if new := sorted(set(slugs) - self._known):
            self._known.update(new)
            self._taken |= await self._taken_of(new)

    async def free(self, slug: str, source: str) -> str:
        """The slug, with its source and then a number behind it where that is in use; it counts as in use from now on.

        Raises:
            ArchiveUnreadable: A thousand of the kind are in use.
        """
        for ending in ("", f"-{source}", *(f"-{source}-{number}" for number in range(2, 1_000))):
            candidate = slug[: MAX_SLUG_CHARS - len(ending)] + ending
            await self.look_up([candidate])
            if candidate not in self._taken:
                self._taken.add(candidate)
                return candidate
        raise ArchiveUnreadable(f"A thousand names begin with {slug} already: rename the problem.")


def create(session: AsyncSession, entry: Entry, slug: str, digest: str) -> Environment:
    """A new environment with its first version."""
    environment_id, version_id = new_id("env"), new_id("ver")
    session.add(_version_row(version_id, environment_id, 1, entry, digest))
    return Environment(
        id=environment_id,
        slug=slug,
        source=entry.source,
        source_name=entry.source_name,
        licence=entry.licence,
        tags=list(entry.tags),
        status="unverified",
        version_id=version_id,
        version=digest,
        imported=digest,
        answer_type=entry.definition.answer.type,
        levels=len(entry.definition.ladder),
        created_at=now(),
    )


async def make_current(session: AsyncSession, environment: Environment, entry: Entry, digest: str) -> None:
    """Make an entry's definition the current version; an earlier version of the same content is taken up again."""
    version = await environments.version_by_hash(session, environment.id, digest)
    if version is None:
        number = await environments.next_number(session, environment.id)
        version = _version_row(new_id("ver"), environment.id, number, entry, digest)
        session.add(version)
    environment.version_id, environment.version = version.id, digest
    environment.answer_type = entry.definition.answer.type
    environment.levels = len(entry.definition.ladder)
    if environment.status not in ("withdrawn", "quarantined"):
        # A person took the other two decisions; a new version does not undo them.
        environment.status, environment.status_reason, environment.status_by = "unverified", None, None


def _version_row(version_id: str, environment_id: str, number: int, entry: Entry, digest: str) -> EnvironmentVersion:
    return EnvironmentVersion(
        id=version_id,
        environment_id=environment_id,
        hash=digest,
        number=number,
        definition=entry.definition.model_dump(mode="json"),
        created_at=now(),
    )

"""Imports: archives become environments and versions, and problems that wait for synthesis.

Guarantee: importing is idempotent by content. What is there already stays, and so does what verification made of it; a
changed definition makes one new version of that environment alone; a malformed entry is refused by name while the
others go in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from escalade_server.errors import ArchiveUnreadable
from escalade_server.problems.definition import Entry, Refusal, slug_of, version_of
from escalade_server.problems.formats.errors import ArchiveError
from escalade_server.problems.formats.reading import Found, entries_of, read_bytes
from escalade_server.problems.formats.scaler import parse_scaler
from escalade_server.problems.problem import Problem, missing_of, problem_of_entry
from escalade_server.storage import environments, problems, tables
from escalade_server.storage.clock import new_id, now
from escalade_server.storage.sessions import AsyncSession
from escalade_server.storage.tables import Environment, EnvironmentVersion


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
    for problem in found.problems:
        if problem.entry is None:
            row = (await problems.by_source(session, problem.source, [problem.name])).get(problem.name)
            fate = "created" if row is None else "unchanged" if row.hash == problem_hash(problem) else "updated"
            report.problems[fate].append(slug_of(problem.name) if row is None else row.slug)
    return report


async def store_problems(session: AsyncSession, found: Sequence[Problem], report: ImportReport) -> None:
    """Make or renew the rows of problems that are no environments yet."""
    for problem in found:
        digest = problem_hash(problem)
        row = (await problems.by_source(session, problem.source, [problem.name])).get(problem.name)
        if row is not None and row.hash == digest:
            report.problems["unchanged"].append(row.slug)
            continue
        facts = {
            "title": problem.title,
            "licence": problem.licence,
            "tags": list(problem.tags),
            "missing": list(missing_of(problem)),
            "hash": digest,
            "document": problem.model_dump(mode="json", exclude_defaults=True),
            # What was found out about other content says nothing of this.
            "outcome": None,
            "reason": None,
        }
        if row is not None:
            for name, value in facts.items():
                setattr(row, name, value)
            report.problems["updated"].append(row.slug)
        else:
            slug = await _free_problem_slug(session, problem)
            session.add(
                tables.Problem(
                    id=new_id("prb"),
                    slug=slug,
                    source=problem.source,
                    source_name=problem.name,
                    created_at=now(),
                    **facts,
                )
            )
            report.problems["created"].append(slug)
        # Each on its own, so that the next one's slug is looked up against it, and its document can be let go.
        await session.flush()


def problem_hash(problem: Problem) -> str:
    """Content hash of a problem, 64 hexadecimal digits."""
    text = json.dumps(problem.model_dump(mode="json", exclude_defaults=True), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


async def store(session: AsyncSession, entries: Sequence[Entry], refusals: Sequence[Refusal] = ()) -> ImportReport:
    """Make environments and versions of entries."""
    report = ImportReport(refused=list(refusals))
    known: dict[tuple[str, str], Environment] = {}
    for source in {entry.source for entry in entries}:
        names = [entry.source_name for entry in entries if entry.source == source]
        found = await environments.by_source(session, source, names)
        known.update({(source, name): row for name, row in found.items()})
    taken = await environments.slugs_taken(session, [entry.slug for entry in entries])
    for entry in entries:
        digest = version_of(entry.definition)
        environment = known.get((entry.source, entry.source_name))
        if environment is None:
            slug = await free_slug(session, entry, taken)
            taken.add(slug)
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
    for entry in entries:
        environment = (await environments.by_source(session, entry.source, [entry.source_name])).get(entry.source_name)
        if environment is None:
            report.created.append(entry.slug)
        elif environment.imported == version_of(entry.definition):
            report.unchanged.append(environment.slug)
        else:
            report.updated.append(environment.slug)
    return report


async def free_slug(session: AsyncSession, entry: Entry, taken: set[str]) -> str:
    """The entry's slug, with its source and then a number behind it where that is in use."""
    candidates = [entry.slug, f"{entry.slug}-{entry.source}"]
    candidates += [f"{entry.slug}-{entry.source}-{number}" for number in range(2, 1_000)]
    for candidate in candidates:
        if candidate not in taken and not await environments.slugs_taken(session, [candidate]):
            return candidate
    raise ArchiveUnreadable(f"{entry.source_name}: a thousand environments are named {entry.slug} already.")


async def _free_problem_slug(session: AsyncSession, problem: Problem) -> str:
    slug = slug_of(problem.name)
    candidates = [
        slug,
        f"{slug}-{problem.source}",
        *(f"{slug}-{problem.source}-{number}" for number in range(2, 1_000)),
    ]
    for candidate in candidates:
        if not await problems.slugs_taken(session, [candidate]):
            return candidate
    raise ArchiveUnreadable(f"{problem.name}: a thousand problems are named {slug} already.")


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

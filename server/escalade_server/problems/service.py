"""Imports: archives become environments and versions.

Guarantee: importing is idempotent by content. What is there already stays; a changed definition makes one new version
of that environment alone; a malformed entry is refused by name while the others go in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from escalade_server.errors import ArchiveUnreadable
from escalade_server.problems.definition import Entry, Refusal, version_of
from escalade_server.problems.formats.errors import ArchiveError
from escalade_server.problems.formats.scaler import parse_scaler
from escalade_server.storage import environments
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

    def document(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "refused": [refusal.model_dump() for refusal in self.refused],
        }


def parse(format_name: str, filename: str, content: str) -> tuple[list[Entry], list[Refusal]]:
    """Read an archive; no code in it is run.

    Raises:
        ArchiveUnreadable: The archive as a whole is not of this format.
    """
    parsers = {"scaler": parse_scaler}
    try:
        return parsers[format_name](content)
    except ArchiveError as error:
        raise ArchiveUnreadable(f"`content`: {filename} is not in the {format_name} format: {error}") from error


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
            slug = await _free_slug(session, entry, taken)
            taken.add(slug)
            session.add(_create(session, entry, slug, digest))
            report.created.append(slug)
            continue
        environment.tags, environment.licence = list(entry.tags), entry.licence
        if environment.version == digest:
            report.unchanged.append(environment.slug)
            continue
        await _update(session, environment, entry, digest)
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
        elif environment.version == version_of(entry.definition):
            report.unchanged.append(environment.slug)
        else:
            report.updated.append(environment.slug)
    return report


async def _free_slug(session: AsyncSession, entry: Entry, taken: set[str]) -> str:
    """The entry's slug, with its source and then a number behind it where that is in use."""
    candidates = [entry.slug, f"{entry.slug}-{entry.source}"]
    candidates += [f"{entry.slug}-{entry.source}-{number}" for number in range(2, 1_000)]
    for candidate in candidates:
        if candidate not in taken and not await environments.slugs_taken(session, [candidate]):
            return candidate
    raise ArchiveUnreadable(f"{entry.source_name}: a thousand environments are named {entry.slug} already.")


def _create(session: AsyncSession, entry: Entry, slug: str, digest: str) -> Environment:
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
        answer_type=entry.definition.answer.type,
        levels=len(entry.definition.ladder),
        created_at=now(),
    )


async def _update(session: AsyncSession, environment: Environment, entry: Entry, digest: str) -> None:
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

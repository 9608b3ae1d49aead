"""Batches as they are stored, and how they are shown.

Guarantee: what a batch shows is a pure function of what is stored of it; what the next ones will need is made in the
background, and nobody waits for it here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from escalade.types import Batch, Group, ProgramSettings
from escalade_server.instances.buffer import Buffer, Source
from escalade_server.instances.programs import Programs
from escalade_server.instances.service import Asks
from escalade_server.instances.versions import Version, Versions
from escalade_server.runs.closing import name_of
from escalade_server.runs.journal import Journal
from escalade_server.runs.pool import Member, Members
from escalade_server.storage import instances, runs, tables


@dataclass(frozen=True, slots=True)
class Desk:
    """What issuing needs beside the database."""

    journal: Journal
    buffer: Buffer
    programs: Programs
    versions: Versions
    members: Members


@dataclass(frozen=True, slots=True)
class Draft:
    """A batch as it is stored, with what is needed to make and show it."""

    run: tables.Run
    batch: tables.Batch
    groups: Sequence[runs.Issued]
    members: Mapping[int, Member]
    versions: Mapping[str, Version]
    shown: Mapping[str, instances.Shown]
    """Instances that were read with it; the others are read when the batch is shown."""

    @property
    def program(self) -> ProgramSettings | None:
        """How programs are judged; None in a run that asks for answers."""
        return program_settings(self.run)

    def source(self, environment: int, level: int) -> Source:
        """Where a group's instance is drawn from."""
        return source_of(self.run, self.members, self.versions, environment, level)


def program_settings(run: tables.Run) -> ProgramSettings | None:
    """How a run judges programs; None where it asks for answers."""
    if run.settings["mode"] != "program":
        return None
    return ProgramSettings.model_validate(run.settings.get("program", {}))


def source_of(
    run: tables.Run, members: Mapping[int, Member], versions: Mapping[str, Version], environment: int, level: int
) -> Source:
    """Where the instances of a run's environment at a level are drawn from."""
    version = versions[members[environment].version_id]
    return Source(version, level, version.definition.ladder[level], "train", run.settings["seed"])


def draw_ahead(desk: Desk, draft: Draft) -> None:
    """Keep the next draws in store: of the levels served as many as this batch took, and some of those next to them."""
    taken = Counter((group.environment, group.level) for group in draft.groups)
    through: dict[tuple[int, int], int] = {}
    for group in draft.groups:
        top = draft.members[group.environment].top_level
        for level in range(max(0, group.level - 1), min(top, group.level + 1) + 1):
            used = group.ordinal + 1 if level == group.level else 0
            key = (group.environment, level)
            through[key] = max(through.get(key, 0), used + max(desk.buffer.reserve, taken[key]))
    for key, count in through.items():
        desk.buffer.ahead(draft.source(*key), count)
        if draft.program is not None:
            desk.programs.ahead(draft.source(*key), (), 0)


async def present(desk: Desk, draft: Draft) -> Batch:
    """A batch that is ready, as it is served."""
    found = draft.shown
    if not found:
        async with desk.journal.database.read() as session:
            found = await instances.shown(session, [group.instance_id or "" for group in draft.groups])
    asks = await _asks(desk, draft, found)
    return Batch(
        run=draft.run.id,
        cursor=draft.batch.cursor,
        groups=[
            _present_group(draft, group, found[group.instance_id or ""], asks[group.environment, group.level])
            for group in draft.groups
        ],
    )


async def _asks(desk: Desk, draft: Draft, found: Mapping[str, instances.Shown]) -> dict[tuple[int, int], Asks]:
    """How each (environment, level) is shown; where programs are asked for, what they will need is made ahead."""
    settings = draft.run.settings
    groups: dict[tuple[int, int], list[runs.Issued]] = {}
    for group in draft.groups:
        groups.setdefault((group.environment, group.level), []).append(group)
    if draft.program is None:
        # Runs made before there were templates have none in their settings.
        return dict.fromkeys(groups, Asks(settings.get("template", "full"), settings["reveal_answers"]))
    asks = {}
    for key, members in groups.items():
        source = draft.source(*key)
        asks[key] = Asks(program=draft.program, limits=await desk.programs.limits(source))
        seeds = [found[group.instance_id or ""].seed for group in members]
        desk.programs.ahead(source, seeds, draft.program.instances)
    return asks


def _present_group(draft: Draft, group: runs.Issued, row: instances.Shown, asks: Asks) -> Group:
    member = draft.members[group.environment]
    version = draft.versions[member.version_id]
    assert group.deadline is not None, "a ready batch has deadlines"
    return Group(
        group=name_of(group),
        instance=row.id,
        environment=member.slug,
        version=version.hash,
        level=group.level,
        mode=asks.mode,
        answer_type=version.definition.answer.type,
        messages=asks.messages(row, member.slug, version),
        rollouts=group.rollouts,
        deadline=group.deadline,
        answer=asks.answer(row),
    )

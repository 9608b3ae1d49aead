"""Serves instances of one environment at a requested difficulty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from escalade.types import Instance, InstanceList, InstanceRequest, Message, Mode, ProgramSettings, Template
from escalade_server.errors import EnvironmentNotFound, LevelOutOfRange, NotServable, ScopeMissing, VersionNotFound
from escalade_server.instances.buffer import Buffer, Source
from escalade_server.instances.programs import Programs
from escalade_server.instances.rendering import render, render_program
from escalade_server.instances.versions import Version, Versions
from escalade_server.problems.definition import Definition
from escalade_server.scoring.programs import ProgramLimits
from escalade_server.storage import environments
from escalade_server.storage import instances as queries
from escalade_server.storage.sessions import Database


async def serve(
    database: Database,
    *,
    buffer: Buffer,
    programs: Programs,
    versions: Versions,
    name: str,
    request: InstanceRequest,
    admin: bool,
) -> InstanceList:
    """The first `count` draws of the stream that (version, level or parameters, split, seed) names.

    Raises:
        EnvironmentNotFound: No environment has this name.
        VersionNotFound: It has no such version.
        LevelOutOfRange: The ladder has no such level, or a parameter is unknown or outside its range.
        NotServable: It is withdrawn.
        LevelUnavailable: No instance can be made there.
        SandboxFailed: The sandbox cannot be reached or failed twice.
        ScopeMissing: `reveal_answers` without an admin key.
    """
    if request.reveal_answers and not admin:
        raise ScopeMissing("`reveal_answers` needs a key with the scope `admin`.")
    async with database.read() as session:
        environment = await environments.by_slug(session, name)
        if environment is None:
            raise EnvironmentNotFound(f"There is no environment named {name!r}: see GET /v1/environments.")
        digest = request.version or environment.version
        row = await environments.version_by_hash(session, environment.id, digest)
    if row is None:
        raise VersionNotFound(f"`version`: {name} has no version {digest}: see GET /v1/environments/{name}.")
    if environment.status == "withdrawn":
        raise NotServable(f"{name} is withdrawn: {environment.status_reason or 'no reason given'}.")
    version = versions.parse(row)
    level, parameters = locate(version.definition, request.level, request.parameters)
    source = Source(version, level, parameters, request.split, request.seed)
    drawn = await buffer.draw(source, range(request.count))
    asks = Asks(request.template, request.reveal_answers)
    if request.mode == "program":
        asks = Asks(program=request.program, limits=await programs.limits(source))
        programs.ahead(source, [row.seed for row in drawn], request.program.instances)
    return InstanceList(instances=[present(row, name, version, asks) for row in drawn])


def locate(
    definition: Definition, level: int | None, parameters: Mapping[str, int] | None
) -> tuple[int | None, dict[str, int]]:
    """The level (None if on no rung) and the scale parameters that a request means.

    Raises:
        LevelOutOfRange: The ladder has no such level, or a parameter is unknown, missing or outside its range.
    """
    if parameters is None:
        top = len(definition.ladder) - 1
        if level is None or not 0 <= level <= top:
            raise LevelOutOfRange(f"`level` must be from 0 to {top}, not {level}.")
        return level, dict(definition.ladder[level])
    for name in definition.parameters.keys() - parameters.keys():
        raise LevelOutOfRange(f"`parameters.{name}` is missing.")
    for name, value in parameters.items():
        bounds = definition.parameters.get(name)
        if bounds is None:
            known = ", ".join(sorted(definition.parameters))
            raise LevelOutOfRange(f"`parameters.{name}` is not a scale parameter; there are: {known}.")
        if not bounds.minimum <= value <= bounds.maximum:
            raise LevelOutOfRange(
                f"`parameters.{name}` must be from {bounds.minimum} to {bounds.maximum}, not {value}."
            )
    chosen = dict(parameters)
    return (definition.ladder.index(chosen) if chosen in definition.ladder else None), chosen


@dataclass(frozen=True, slots=True)
class Asks:
    """How instances are shown."""

    template: Template = "full"
    reveal: bool = False
    """With their ground truths; an admin asked for it."""
    program: ProgramSettings | None = None
    """Ask for programs, and not for answers."""
    limits: ProgramLimits | None = None
    """Of programs."""

    @property
    def mode(self) -> Mode:
        """What is asked for."""
        return "answer" if self.program is None else "program"

    def messages(self, row: queries.Shown, name: str, version: Version) -> list[Message]:
        """The conversation that asks."""
        if self.program is None:
            return render(version.definition, row.description or {}, name=name, template=self.template)
        assert self.limits is not None, "programs have limits"
        return render_program(version.definition, row.parameters, self.limits, self.program.languages)

    def answer(self, row: queries.Shown) -> str | None:
        """The ground truth, if it is to be shown; what programs are judged by are other inputs than this one."""
        return row.truth if self.reveal and self.program is None else None


def present(row: queries.Shown, name: str, version: Version, asks: Asks) -> Instance:
    """An instance as it is served."""
    return Instance(
        instance=row.id,
        environment=name,
        version=version.hash,
        level=row.level,
        parameters=row.parameters,
        mode=asks.mode,
        answer_type=version.definition.answer.type,
        messages=asks.messages(row, name, version),
        answer=asks.answer(row),
    )

"""Chosen environments x levels x count, written to a file with a manifest beside it.

Guarantee: the same request to servers with the same environment versions gives the same rows in the same order; an
environment that changes while the export goes on is served in the version that it began with. Nothing is written
before the whole choice was found to be possible; file and manifest appear at the end, never the file alone.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from escalade.client import Client
from escalade.errors import NotFound, PermissionDenied
from escalade.exports.files import FORMATS, ExportFailed, require_format, sha256_of, written_whole
from escalade.exports.shapes import SHAPES, Place, Row, Shape
from escalade.types import MAX_INSTANCES, AnswerType, EnvironmentSummary, Instance, Template

SERVED = ("verified", "unverified")
"""Statuses of the environments that are exported where none is named, as in a run's pool."""
FIRST_ASKED, GROWTH = 64, 4
"""A level's instances are asked for in growing numbers, since a request for many new ones may take long."""

Split = Literal["train", "evaluation"]


@dataclass(frozen=True)
class Request:
    """What to export."""

    shape: Shape = "trl-chat"
    environments: Sequence[str] = ()
    """Slugs, in this order; none is all that pass the filters."""
    tag: str | None = None
    answer_type: AnswerType | None = None
    source: str | None = None
    levels: str = "all"
    """Such as `0-3`, `2,5` or `4-` (to the top); `all` is every level of each ladder."""
    count: int = 64
    """Instances of each level, at most `MAX_INSTANCES`."""
    seed: int = 0
    split: Split = "train"
    template: Template = "full"
    answers: bool | None = None
    """None is: where the key may see them."""


class Record(BaseModel):
    """A part of a manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ExportedLevel(Record):
    """One level of an environment."""

    level: int
    parameters: dict[str, int]
    rows: int
    repeats: int
    """Instances left out because an earlier row of the level has the same prompt: the level has no more."""


class ExportedEnvironment(Record):
    """One environment of an export."""

    name: str
    version: str
    """Content hash."""
    source: str
    source_name: str
    licence: str | None
    """None where the source states none."""
    answer_type: AnswerType
    levels: list[ExportedLevel]


class Manifest(Record):
    """What a file holds and how it was made."""

    format: Literal["escalade-export/1"] = "escalade-export/1"
    file: str
    sha256: str
    rows: int
    shape: Shape
    split: Split
    """The seeds of the two splits are disjoint by construction."""
    seed: int
    count: int = Field(ge=1, le=MAX_INSTANCES)
    levels: str
    template: Template
    answers: bool
    licences: list[str]
    environments: list[ExportedEnvironment]
    server_version: str
    created_at: datetime
    command: str


Told = Callable[[int, int], None]


def export(
    client: Client, path: Path, request: Request, *, command: str, told: Told, overwrite: bool = False
) -> Manifest:
    """Write a file and its manifest, `NAME.manifest.json`.

    Args:
        client: The server; its key needs the scope `train`, and `admin` for answers.
        path: The file, .jsonl or .parquet.
        request: What to export.
        command: For the manifest: how to make the file again.
        told: Is told of instances seen and of how many there will be.
        overwrite: Replace a file of this name.

    Raises:
        ExportFailed: The choice is impossible or the file cannot be written.
        EscaladeError: The server refuses a call or cannot be reached.
    """
    beside = path.with_name(path.name + ".manifest.json")
    require_format(path)
    for taken in (path, beside):
        if taken.exists() and not overwrite:
            raise ExportFailed(f"{taken} exists: choose another name, or say --overwrite")
    if not 1 <= request.count <= MAX_INSTANCES:
        raise ExportFailed(f"the count of each level is from 1 to {MAX_INSTANCES}, not {request.count}")
    chosen = [(one, levels_of(request.levels, one)) for one in _environments(client, request)]
    server_version = str(client.health().get("version", "unknown"))
    answers = _may_see(client, request, *chosen[0]) if request.answers is None else request.answers
    total = sum(len(levels) for _, levels in chosen) * request.count
    seen, rows, exported = 0, 0, list[ExportedEnvironment]()
    told(0, total)
    with written_whole(path) as file:
        written = FORMATS[path.suffix](file)
        for one, levels in chosen:
            parts = []
            for level in levels:
                prompts: set[bytes] = set()
                for first, instances in _drawn(client, one, level, request, answers):
                    written.add(_rows(instances, first, request, answers, prompts))
                    seen += len(instances)
                    told(seen, total)
                rows += len(prompts)
                parts.append(
                    ExportedLevel(
                        level=level,
                        parameters=instances[0].parameters,
                        rows=len(prompts),
                        repeats=request.count - len(prompts),
                    )
                )
            exported.append(_exported(one, parts))
        written.finish()
        file.flush()
        manifest = Manifest(
            file=path.name,
            sha256=sha256_of(Path(file.name)),
            rows=rows,
            shape=request.shape,
            split=request.split,
            seed=request.seed,
            count=request.count,
            levels=request.levels,
            template=request.template,
            answers=answers,
            licences=sorted({one.licence or "not stated" for one in exported}),
            environments=exported,
            server_version=server_version,
            created_at=datetime.now(UTC),
            command=command,
        )
        # First, so that the file is never there without it.
        with written_whole(beside) as manifest_file:
            manifest_file.write(manifest.model_dump_json(indent=2).encode() + b"\n")
    return manifest


def levels_of(text: str, environment: EnvironmentSummary) -> list[int]:
    """The levels that are meant, in ascending order.

    Raises:
        ExportFailed: It is no list of levels, or the ladder has no such level.
    """
    top = environment.levels - 1
    if text == "all":
        return list(range(top + 1))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or not (last.isdecimal() or not last):
            raise ExportFailed(f"levels {text!r}: write them as 0-3, as 2,5 or as 4- (to the top), or say all")
        bounds = int(first), int(last or (top if dash else first))
        if bounds[0] > top or bounds[1] > top:
            raise ExportFailed(
                f"{environment.name} has levels 0 to {top}, and {part.strip()} is not on its ladder: "
                "leave it out, or say all or 0- for every level of each environment"
            )
        if bounds[0] > bounds[1]:
            raise ExportFailed(f"levels {text!r}: {part.strip()} runs downwards")
        found.update(range(bounds[0], bounds[1] + 1))
    return sorted(found)


def _environments(client: Client, request: Request) -> list[EnvironmentSummary]:
    if request.environments:
        if request.tag or request.answer_type or request.source:
            raise ExportFailed("give names of environments or filters, not both")
        try:
            return [client.environment(name) for name in dict.fromkeys(request.environments)]
        except NotFound as error:
            raise ExportFailed(f"{error.detail} `escalade environments` lists what there is") from None
    listed = client.environments(tag=request.tag, answer_type=request.answer_type, source=request.source)
    if found := sorted((one for one in listed if one.status in SERVED), key=lambda one: one.name):
        return found
    raise ExportFailed("no environment passes these filters: `escalade environments` lists what there is")


def _may_see(client: Client, request: Request, environment: EnvironmentSummary, levels: Sequence[int]) -> bool:
    with contextlib.suppress(PermissionDenied):
        _ask(client, environment, levels[0], 1, request, answers=True)
        return True
    return False


def _drawn(
    client: Client, environment: EnvironmentSummary, level: int, request: Request, answers: bool
) -> Iterator[tuple[int, list[Instance]]]:
    """A level's instances in parts, each with the index of its first."""
    have = 0
    for count in (*_growing(request.count), request.count):
        instances = _ask(client, environment, level, count, request, answers)
        yield have, instances[have:]
        have = count


def _growing(count: int) -> Iterator[int]:
    asked = FIRST_ASKED
    while asked < count:
        yield asked
        asked *= GROWTH


def _ask(
    client: Client, environment: EnvironmentSummary, level: int, count: int, request: Request, answers: bool
) -> list[Instance]:
    return client.instances(
        environment.name,
        level=level,
        count=count,
        seed=request.seed,
        split=request.split,
        version=environment.version,
        template=request.template,
        reveal_answers=answers,
    ).instances


def _rows(instances: Sequence[Instance], first: int, request: Request, answers: bool, prompts: set[bytes]) -> list[Row]:
    """Rows of those whose prompt is new, which is noted in `prompts`."""
    rows = []
    for draw, one in enumerate(instances, first):
        prompt = hashlib.sha256("\0".join(message.content for message in one.messages).encode()).digest()
        if prompt not in prompts:
            prompts.add(prompt)
            rows.append(SHAPES[request.shape](one, Place(request.split, request.seed, draw), answers))
    return rows


def _exported(one: EnvironmentSummary, levels: list[ExportedLevel]) -> ExportedEnvironment:
    return ExportedEnvironment(
        name=one.name,
        version=one.version,
        source=one.source,
        source_name=one.source_name,
        licence=one.licence,
        answer_type=one.answer_type,
        levels=levels,
    )

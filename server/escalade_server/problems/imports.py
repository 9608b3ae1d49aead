"""Imports as the API has them: an archive becomes environments and problems, all in one transaction."""

from __future__ import annotations

from escalade.types import ImportRequest, Job, Page, ProblemRequest, ProblemSummary
from escalade_server.errors import InvalidRequest, ProblemNotFound
from escalade_server.problems import service
from escalade_server.problems.definition import slots_of
from escalade_server.problems.formats.reading import Found
from escalade_server.problems.problem import Problem
from escalade_server.storage import problems, tables
from escalade_server.storage.clock import new_id, now
from escalade_server.storage.sessions import AsyncSession


def parse(request: ImportRequest) -> Found:
    """Read an archive; no code in it is run.

    Raises:
        ArchiveUnreadable: The archive as a whole is not of this format.
    """
    content = request.archive if request.archive is not None else (request.content or "").encode("utf-8", "replace")
    return service.parse(request.format, request.filename, content)


async def run(session: AsyncSession, *, request: ImportRequest, parsed: Found, owner: str) -> Job:
    """Store what was read, or tell what would be stored."""
    apply = service.preview_found if request.dry_run else service.store_found
    report = await apply(session, parsed)
    total = len(parsed.problems) + len(parsed.refusals)
    row = tables.Job(
        id=new_id("job"),
        key_id=owner,
        kind=f"import {request.format}",
        status="succeeded",
        done=total,
        total=total,
        result=report.document(),
        created_at=now(),
        finished_at=now(),
    )
    session.add(row)
    await session.flush()
    return present_job(row)


async def add_problem(session: AsyncSession, request: ProblemRequest) -> ProblemSummary:
    """Store one problem, or renew it where it has changed.

    Raises:
        InvalidRequest: It contradicts itself.
    """
    problem = problem_of(request)
    await service.store_problems(session, [problem], service.ImportReport())
    row = (await problems.by_source(session, problem.source, [problem.name]))[problem.name]
    return present(row)


def problem_of(request: ProblemRequest) -> Problem:
    """The normalised problem of a request.

    Raises:
        InvalidRequest: It contradicts itself.
    """
    if "\\u0000" in request.model_dump_json():
        raise InvalidRequest("the problem holds a NUL character, which no text may")
    fields = request.model_dump(exclude_none=True)
    for solution in fields["solutions"]:
        solution["rejected"] = solution["expected"] not in ("accepted", "unknown")
    for name, parameter in fields["parameters"].items():
        if parameter["minimum"] > parameter["maximum"]:
            raise InvalidRequest(f"`parameters.{name}`: the minimum is above the maximum")
    _require_fit(request)
    if "checker" in fields:
        fields["answer_type"] = "checked"
    elif fields.get("answer_type") == "checked":
        raise InvalidRequest("`checker`: answers of the type `checked` need one")
    return Problem.model_validate(fields)


def _require_fit(request: ProblemRequest) -> None:
    """Refuse programs that no sandbox could run.

    Raises:
        InvalidRequest: A file's name is a path, or a generator cannot be called.
    """
    lists = (("solutions", request.solutions), ("generators", request.generators), ("validators", request.validators))
    programs = [(f"{field}.{place}", one) for field, found in lists for place, one in enumerate(found)]
    if request.checker is not None:
        programs.append(("checker", request.checker))
    for field, program in programs:
        for name in program.files:
            if not name or "/" in name or name in (".", "..", "main.py", "main.cpp") or len(name.encode()) > 255:
                raise InvalidRequest(
                    f"`{field}.files`: {name!r} must be a plain file name, and not the source's own (main.py, main.cpp)"
                )
    for place, generator in enumerate(request.generators):
        field = f"generators.{place}"
        if generator.function is not None and generator.language != "python":
            raise InvalidRequest(f"`{field}.function`: only a Python generator may be a function; leave it out")
        known = generator.parameters or request.parameters
        if known and (unknown := slots_of(generator.arguments or []) - {*known, "seed"}):
            raise InvalidRequest(f"`{field}.arguments`: there is no scale parameter {min(unknown)!r}")


async def list_problems(
    session: AsyncSession, *, after: str | None, limit: int, source: str | None, outcome: str | None
) -> Page[ProblemSummary]:
    """One page of the problems that pass every filter given."""
    rows = await problems.search(
        session,
        sources=None if source is None else [source],
        outcomes=None if outcome is None else [None if outcome == "waiting" else outcome],
        after=after,
        limit=limit + 1,
    )
    page = rows[:limit]
    return Page(items=[present(row) for row in page], next_page=page[-1].slug if len(rows) > limit else None)


async def show_problem(session: AsyncSession, name: str) -> ProblemSummary:
    """One problem.

    Raises:
        ProblemNotFound: There is none of this name.
    """
    row = (await problems.by_slugs(session, [name])).get(name)
    if row is None:
        raise ProblemNotFound(f"There is no problem named {name!r}: see GET /v1/problems.")
    return present(row)


def present(row: tables.Problem) -> ProblemSummary:
    """A problem's row as it is shown."""
    return ProblemSummary.model_validate(
        {
            "name": row.slug,
            "source": row.source,
            "source_name": row.source_name,
            "title": row.title,
            "licence": row.licence,
            "tags": row.tags,
            "missing": row.missing,
            "hash": row.hash,
            "environment": row.environment,
            "outcome": row.outcome,
            "reason": row.reason,
            "created_at": row.created_at,
        }
    )


def present_job(row: tables.Job) -> Job:
    """A job's row as it is shown."""
    return Job.model_validate(
        {
            "job": row.id,
            "kind": row.kind,
            "status": row.status,
            "done": row.done,
            "total": row.total,
            "activity": row.activity or {},
            "result": row.result,
            "error": row.error,
            "created_at": row.created_at,
            "finished_at": row.finished_at,
        }
    )

"""Every call of the API as data, for both clients.

Guarantee: pure. A `Call` holds all that a sender needs (method, path, query, body, headers) and how to read the
answer; bodies are encoded once, so that a retry sends the same bytes and the same `Idempotency-Key`.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from escalade._fields import ForkFields, ProgramFields, RunFields, ScoringFields
from escalade.errors import InvalidRequest
from escalade.types import (
    ActiveMember,
    AnswerType,
    Batch,
    BatchRequest,
    Checkpoint,
    CheckpointRequest,
    ClosedGroups,
    Controller,
    Deadline,
    DeadlineRequest,
    EnvironmentDetail,
    EnvironmentStatus,
    EnvironmentSummary,
    Event,
    Fork,
    ForkRequest,
    ImportFormat,
    ImportRequest,
    InstanceList,
    InstanceRequest,
    Job,
    Key,
    KeyRequest,
    NewKey,
    Page,
    ProgramSettings,
    Readiness,
    Restoration,
    RestoreRequest,
    Run,
    RunDocument,
    RunMetrics,
    RunPatch,
    RunRequest,
    Scope,
    ScoringSettings,
    StatusRequest,
)

Answer = TypeVar("Answer")
Item = TypeVar("Item", bound=BaseModel)
Body = TypeVar("Body", bound=BaseModel)
NewStatus = Literal["quarantined", "withdrawn", "unverified"]
TOO_LONG = 413
"""Status of a body that is longer than the server, or a proxy before it, takes."""


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One request to the API, and how to read its answer."""

    method: str
    path: str
    parse: Callable[[bytes], Answer] = field(repr=False)
    """Raises `ValueError` for a body that is not of the expected shape."""
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    retry: bool = True
    answers: tuple[int, ...] = ()
    """Statuses outside 200 to 299 that are answers to this call, not failures."""


_OBJECT: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue], config=ConfigDict(frozen=True))


def health() -> Call[dict[str, JsonValue]]:
    """Ask whether the server answers, once."""
    return Call("GET", "/healthz", _OBJECT.validate_json, retry=False)


def readiness() -> Call[Readiness]:
    """Ask whether the server can work, once."""
    return Call("GET", "/readyz", Readiness.model_validate_json, retry=False, answers=(503,))


def environments(
    *,
    status: EnvironmentStatus | None,
    answer_type: AnswerType | None,
    tag: str | None,
    source: str | None,
    limit: int | None,
) -> Call[Page[EnvironmentSummary]]:
    """Build the first page's call."""
    query = _query(status=status, answer_type=answer_type, tag=tag, source=source, limit=limit)
    return Call("GET", "/v1/environments", _page(EnvironmentSummary), query)


def environment(name: str) -> Call[EnvironmentDetail]:
    """Build the call for one environment."""
    return Call("GET", _path("environments", name), EnvironmentDetail.model_validate_json)


def instances(name: str, **fields: Any) -> Call[InstanceList]:
    """Build the call for instances; `fields` are those of `InstanceRequest`, None being left out."""
    body = _encode(_model(InstanceRequest, fields))

    def parse(body: bytes) -> InstanceList:
        served = InstanceList.model_validate_json(body)
        if any(one.environment != name for one in served.instances):
            raise ValueError("instances of another environment")
        return served

    return _post(_path("environments", name, "instances"), parse, body)


def set_status(name: str, status: NewStatus, reason: str) -> Call[EnvironmentDetail]:
    """Build the call that changes an environment's status."""
    body = _encode(_model(StatusRequest, {"status": status, "reason": reason}))
    return _post(_path("environments", name, "status"), EnvironmentDetail.model_validate_json, body)


def import_archive(format: ImportFormat, content: str | bytes, filename: str, dry_run: bool) -> Call[Job]:
    """Build the call that starts an import; bytes travel in base64."""
    fields: dict[str, Any] = {"format": format, "filename": filename, "dry_run": dry_run}
    fields |= {"content": content} if isinstance(content, str) else {"archive": base64.b64encode(content)}
    return _create("/v1/imports", Job.model_validate_json, _encode(_model(ImportRequest, fields)))


def job(job_id: str) -> Call[Job]:
    """Build the call for one job."""
    return Call("GET", _path("jobs", job_id), Job.model_validate_json)


def create_run(name: str, fields: RunFields) -> Call[Run]:
    """Build the call that creates a run."""
    return _create("/v1/runs", Run.model_validate_json, _encode(_model(RunRequest, {"name": name, **fields})))


def runs(limit: int | None) -> Call[Page[Run]]:
    """Build the first page's call."""
    return Call("GET", "/v1/runs", _page(Run), _query(limit=limit))


def run(run_id: str) -> Call[Run]:
    """Build the call for one run."""
    return Call("GET", _path("runs", run_id), Run.model_validate_json)


def update_run(run_id: str, name: str | None, deadline_s: float | None) -> Call[Run]:
    """Build the call that changes a run's settings."""
    body = _encode(_model(RunPatch, {"name": name, "deadline_s": deadline_s}))
    return replace(_post(_path("runs", run_id), Run.model_validate_json, body), method="PATCH")


def delete_run(run_id: str) -> Call[None]:
    """Build the call that deletes a run."""
    return Call("DELETE", _path("runs", run_id), _nothing)


def batch(run_id: str, cursor: int, groups: int | None, rollouts: int | None) -> Call[Batch]:
    """Build the call for a step's batch."""
    body = _encode(_model(BatchRequest, {"groups": groups, "rollouts": rollouts}))

    def parse(body: bytes) -> Batch:
        served = Batch.model_validate_json(body)
        if (served.run, served.cursor) != (run_id, cursor):
            raise ValueError(f"batch {served.cursor} of {served.run}")
        return served

    return replace(_post(_batch_path(run_id, cursor), parse, body), method="PUT")


def refill(run_id: str, cursor: int, number: int, groups: int | None, rollouts: int | None) -> Call[Batch]:
    """Build the call for more groups of a step's batch."""
    if number < 1:
        raise InvalidRequest(f"`refill` counts from 1, not from {number}: the batch itself comes from `batch`")
    call = batch(run_id, cursor, groups, rollouts)
    return replace(call, path=f"{call.path}/refills/{number}")


def close_batch(run_id: str, cursor: int) -> Call[list[str]]:
    """Build the call that ends a batch early."""
    path = _batch_path(run_id, cursor, "close")
    return Call("POST", path, lambda body: ClosedGroups.model_validate_json(body).closed)


def extend(run_id: str, cursor: int, group: str, deadline: datetime) -> Call[Deadline]:
    """Build the call that moves a group's deadline."""
    path = _batch_path(run_id, cursor, "groups", group)
    body = _encode(_model(DeadlineRequest, {"deadline": deadline}))
    return replace(_post(path, Deadline.model_validate_json, body), method="PATCH")


def checkpoint(run_id: str, label: str, step: int | None) -> Call[Checkpoint]:
    """Build the call that names a run's state; the label makes it safe to repeat."""
    body = _encode(_model(CheckpointRequest, {"label": label, "step": step}))
    return _post(_path("runs", run_id, "checkpoints"), Checkpoint.model_validate_json, body)


def checkpoints(run_id: str, limit: int | None) -> Call[Page[Checkpoint]]:
    """Build the first page's call."""
    return Call("GET", _path("runs", run_id, "checkpoints"), _page(Checkpoint), _query(limit=limit))


def restore(run_id: str, label: str) -> Call[Restoration]:
    """Build the call that takes a run back to a checkpoint."""
    body = _encode(_model(RestoreRequest, {"label": label}))
    return _create(_path("runs", run_id, "restore"), Restoration.model_validate_json, body)


def fork(run_id: str, name: str, label: str | None, changes: ForkFields) -> Call[Fork]:
    """Build the call that branches a run."""
    body = _encode(_model(ForkRequest, {"name": name, "label": label, **changes}))
    return _create(_path("runs", run_id, "forks"), Fork.model_validate_json, body)


def export_run(run_id: str) -> Call[RunDocument]:
    """Build the call for a run as a document."""
    return Call("GET", _path("runs", run_id, "export"), RunDocument.model_validate_json)


def import_run(document: RunDocument) -> Call[Fork]:
    """Build the call that starts a run from a document."""
    return _create("/v1/runs/import", Fork.model_validate_json, _encode(document))


def active_set(run_id: str, limit: int | None) -> Call[Page[ActiveMember]]:
    """Build the first page's call."""
    return Call("GET", _path("runs", run_id, "active-set"), _page(ActiveMember), _query(limit=limit))


def metrics(run_id: str, after: int, limit: int | None) -> Call[RunMetrics]:
    """Build the first page's call."""
    query = _query(after=after or None, limit=limit)
    return Call("GET", _path("runs", run_id, "metrics"), RunMetrics.model_validate_json, query)


def controllers(run_id: str, limit: int | None) -> Call[Page[Controller]]:
    """Build the first page's call."""
    return Call("GET", _path("runs", run_id, "controllers"), _page(Controller), _query(limit=limit))


def events(run_id: str, after: int, limit: int | None) -> Call[Page[Event]]:
    """Build the first page's call."""
    query = _query(after=after or None, limit=limit)
    return Call("GET", _path("runs", run_id, "events"), _page(Event), query)


def keys(limit: int | None) -> Call[Page[Key]]:
    """Build the first page's call."""
    return Call("GET", "/v1/keys", _page(Key), _query(limit=limit))


def create_key(name: str, scopes: Sequence[Scope]) -> Call[NewKey]:
    """Build the call that makes a key."""
    body = _encode(_model(KeyRequest, {"name": name, "scopes": list(scopes)}))
    return _create("/v1/keys", NewKey.model_validate_json, body)


def revoke_key(key_id: str) -> Call[None]:
    """Build the call that revokes a key."""
    return Call("DELETE", _path("keys", key_id), _nothing)


def next_page(call: Call[Page[Item]], page: Page[Item]) -> Call[Page[Item]] | None:
    """Build the call for the page after this one; None after the last."""
    return turned(call, page.next_page) if page.next_page else None


def turned(call: Call[Answer], page: str) -> Call[Answer]:
    """Build the call for the page of this token."""
    kept = tuple(pair for pair in call.query if pair[0] != "page")
    return replace(call, query=(*kept, ("page", page)))


def scoring_settings(given: ScoringSettings | ScoringFields) -> ScoringSettings:
    """Return the settings as a model."""
    return given if isinstance(given, ScoringSettings) else _model(ScoringSettings, dict(given))


def program_settings(fields: ProgramSettings | ProgramFields) -> ProgramSettings:
    """Check settings of program mode."""
    return fields if isinstance(fields, ProgramSettings) else _model(ProgramSettings, fields)


def encode(model: BaseModel) -> bytes:
    """Encode a request, leaving out what was not set, so that the server's defaults hold."""
    return _encode(model)


def json_post(path: Iterable[str], parse: Callable[[bytes], Answer], body: bytes) -> Call[Answer]:
    """Build a POST that is safe to repeat without an `Idempotency-Key`."""
    return _post(_path(*path), parse, body)


def json_create(path: Iterable[str], parse: Callable[[bytes], Answer], body: bytes) -> Call[Answer]:
    """Build a POST that an `Idempotency-Key` makes safe to repeat."""
    return _create(_path(*path), parse, body)


def json_list(path: Iterable[str], kind: type[Item], /, **filters: str | int | None) -> Call[Page[Item]]:
    """Build the call for a list's first page."""
    return Call("GET", _path(*path), _page(kind), _query(**filters))


def plain(method: str, path: Iterable[str], parse: Callable[[bytes], Answer]) -> Call[Answer]:
    """Build a call without a body that is safe to repeat."""
    return Call(method, _path(*path), parse)


def checked(kind: type[Body], fields: Mapping[str, Any]) -> Body:
    """Check a request's fields, None being left out."""
    return _model(kind, fields)


def checked_items(kind: type[Body], given: Iterable[Body | Mapping[str, Any]], name: str) -> list[Body]:
    """Check items that may be plain dictionaries; `name` is that of the request's list.

    Raises:
        InvalidRequest: One is not of its kind; the text names its place, from 0, and field.
    """
    return [_validated(kind, one, name, place) for place, one in enumerate(given)]


def _post(path: str, parse: Callable[[bytes], Answer], body: bytes) -> Call[Answer]:
    return Call("POST", path, parse, body=body, headers={"Content-Type": "application/json"})


def _create(path: str, parse: Callable[[bytes], Answer], body: bytes) -> Call[Answer]:
    call = _post(path, parse, body)
    return replace(call, headers={**call.headers, "Idempotency-Key": str(uuid.uuid4())})


def _path(*segments: str) -> str:
    for segment in segments:
        if not isinstance(segment, str) or not segment or segment in (".", ".."):
            raise InvalidRequest(f"{segment!r} is not a name or an id")
    return "/v1/" + "/".join(quote(segment, safe="") for segment in segments)


def _batch_path(run_id: str, cursor: int, *rest: str) -> str:
    if cursor < 0:
        raise InvalidRequest(f"`cursor` is the trainer's step number, 0 or more, not {cursor}")
    return _path("runs", run_id, "batches", str(cursor), *rest)


def _query(**filters: str | int | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in filters.items() if value is not None)


def _model(kind: type[Body], fields: Mapping[str, Any]) -> Body:
    return _validated(kind, {name: value for name, value in fields.items() if value is not None})


def _validated(kind: type[Body], given: Body | Mapping[str, Any], *above: str | int) -> Body:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise InvalidRequest(_readable(error, *above)) from None


def _encode(model: BaseModel) -> bytes:
    return model.model_dump_json(exclude_unset=True, exclude_none=True).encode()


def _readable(error: ValidationError, *above: str | int) -> str:
    """Say what is wrong with which field; `above` is where the model stands in the request."""
    problems = []
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in (*above, *problem["loc"]))
        words = problem["msg"].removeprefix("Value error, ")
        problems.append(f"`{where}`: {words}" if where else words)
    return "; ".join(problems)


def _page(kind: type[Item]) -> Callable[[bytes], Page[Item]]:
    return Page[kind].model_validate_json  # type: ignore[valid-type]


def _nothing(body: bytes) -> None:
    return None

"""The fake API's routes of a run's history: checkpoints, restores, forks, documents, metrics and the active set.

Guarantee: a restore, a fork or an import done twice shows, as a second generation or a second run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fake_api import NOW, ROUTES, VERSION, FakeApi, Recorded, Refusal, create_run, issue_batch

Answer = tuple[int, Any]


def _run(api: FakeApi, name: str) -> dict[str, Any]:
    if name not in api.runs:
        raise Refusal(404, "run_not_found", f"there is no run {name!r}")
    run: dict[str, Any] = api.runs[name]
    return run


def checkpoint(api: FakeApi, request: Recorded, name: str) -> Answer:
    made = _run(api, name).setdefault("_checkpoints", {})
    known = made.setdefault(
        request.body["label"],
        {"step": None, "generation": 0, "sequence": len(made), "created_at": NOW, **request.body},
    )
    if known["step"] != request.body.get("step"):
        raise Refusal(409, "checkpoint_conflict", f"this label already names step {known['step']}")
    return 201, known


def restore(api: FakeApi, request: Recorded, name: str) -> Answer:
    run = _run(api, name)
    found = run.get("_checkpoints", {}).get(request.body["label"])
    if found is None:
        raise Refusal(404, "checkpoint_not_found", "this run's history has no such checkpoint")
    run["generation"] += 1
    return 200, {
        "label": found["label"], "step": found["step"], "generation": run["generation"], "reopened": [3], "kept": 3,
        "dropped": [{"environment": "sort-it", "version": VERSION, "reason": "quarantined"}],
    }  # fmt: skip


def fork(api: FakeApi, request: Recorded, name: str) -> Answer:
    old = _run(api, name)
    changes = {key: value for key, value in request.body.items() if key not in ("label", "constants")}
    _, run = create_run(api, request)
    run.update({**old, **changes, "run": run["run"], "_checkpoints": {}})
    run.pop("label", None)
    if "constants" in request.body:
        run["curriculum"] = {**old["curriculum"], "constants": request.body["constants"]}
    return 201, {"run": run, "dropped": []}


def export(api: FakeApi, request: Recorded, name: str) -> Answer:
    run = _run(api, name)
    return 200, {
        "format": "escalade-run/1", "settings": {"name": run["name"], "seed": run["seed"]},
        "pool": [{"environment": "knapsack", "version": VERSION, "top_level": 2}],
        "state": {"accuracy": None, "level": 0.1 + 0.2, "digits": 2**80},
    }  # fmt: skip


def take_in(api: FakeApi, request: Recorded) -> Answer:
    if request.body["format"] != "escalade-run/1":
        raise Refusal(422, "invalid_request", f"`format` is {request.body['format']!r}")
    _, run = create_run(api, request)
    run.update(request.body["settings"])
    return 201, {"run": run, "dropped": [{"environment": "tree-walk", "version": VERSION, "reason": "not here"}]}


def refill(api: FakeApi, request: Recorded, name: str, cursor: str, number: str) -> Answer:
    status, batch = issue_batch(api, request, name, cursor)
    for group in batch["groups"]:
        group["group"] += f"r{number}"
    return status, batch


def close(api: FakeApi, request: Recorded, name: str, cursor: str) -> Answer:
    closed = _run(api, name).setdefault("_closed", [])
    if cursor in closed:
        return 200, {"closed": []}
    closed.append(cursor)
    return 200, {"closed": [f"{cursor}.0", f"{cursor}.1"]}


def extend(api: FakeApi, request: Recorded, name: str, cursor: str, group: str) -> Answer:
    _run(api, name)
    return 200, {"group": group, "deadline": request.body["deadline"]}


MEMBERS = [
    ("edit-distance", True, None, None, None),
    ("knapsack", True, 2, None, None),
    ("sort-it", False, 0, 2, "mastered"),
    ("tree-walk", False, None, 1, "no progress"),
]


def active_set(api: FakeApi, request: Recorded, name: str) -> Answer:
    _run(api, name)
    return api.page(request, [
        {"environment": environment, "version": VERSION, "active": active, "level": index + 0.5, "entered": entered,
         "left": left, "reason": reason, "because": "drawn by lot"}
        for index, (environment, active, entered, left, reason) in enumerate(MEMBERS)
    ])  # fmt: skip


def step(cursor: int, closed: int) -> dict[str, Any]:
    """One batch of four groups, of which the last `closed` are scored: one all wrong, one all right, two between."""
    wrong, right = min(closed, 1), int(closed > 1)
    return {
        "cursor": cursor, "groups": 4, "closed": closed, "all_wrong": wrong, "all_right": right,
        "informative": (closed - wrong - right) / closed if closed else None, "accuracy": 0.5 if closed else None,
        "level": 1.0 + cursor, "relative_level": 0.25, "errors": 0, "expired": 1, "coverage": 2 + cursor,
        "tags": {"dp": 3, "strings": 1},
    }  # fmt: skip


SUSPECT = {
    "environment": "sort-it", "reason": "nothing to learn", "visits": 3,
    "groups": [{"cursor": 1, "level": 0, "right": 0, "scored": 8}],
}  # fmt: skip


def metrics(api: FakeApi, request: Recorded, name: str) -> Answer:
    steps = _run(api, name).get("_steps", [step(cursor, 4) for cursor in range(5)])
    first = max(int(request.query.get("after", "0")), int(request.query.get("page", "0")))
    limit = int(request.query.get("limit", api.page_size))
    shown = [one for one in steps if one["cursor"] >= first]
    return 200, {
        "steps": shown[:limit], "open_groups": sum(one["groups"] - one["closed"] for one in steps),
        "oldest_lease_s": 12.0, "suspects": [SUSPECT],
        "next_page": str(shown[limit]["cursor"]) if len(shown) > limit else None,
    }  # fmt: skip


HISTORY_ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("POST", "/v1/runs/import", take_in),
    ("POST", "/v1/runs/([^/]+)/checkpoints", checkpoint),
    ("GET", "/v1/runs/([^/]+)/checkpoints",
     lambda api, request, name: api.page(request, list(_run(api, name).get("_checkpoints", {}).values()))),
    ("POST", "/v1/runs/([^/]+)/restore", restore),
    ("POST", "/v1/runs/([^/]+)/forks", fork),
    ("GET", "/v1/runs/([^/]+)/export", export),
    ("PUT", "/v1/runs/([^/]+)/batches/([0-9]+)/refills/([0-9]+)", refill),
    ("POST", "/v1/runs/([^/]+)/batches/([0-9]+)/close", close),
    ("PATCH", "/v1/runs/([^/]+)/batches/([0-9]+)/groups/([^/]+)", extend),
    ("GET", "/v1/runs/([^/]+)/active-set", active_set),
    ("GET", "/v1/runs/([^/]+)/metrics", metrics),
]  # fmt: skip


if HISTORY_ROUTES[0] not in ROUTES:
    ROUTES.extend(HISTORY_ROUTES)

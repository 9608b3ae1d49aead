"""What the adapters make of bad days: a score that fails, a wrong key, a deleted run, a full queue, odd completions."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from escalade import (
    AuthenticationError,
    Client,
    EscaladeError,
    InvalidRequest,
    NotFound,
    Unavailable,
    UnexpectedResponse,
)
from escalade.integrations import _judging
from escalade.integrations import trl as trl_adapter
from escalade.integrations import verl as verl_adapter
from escalade.integrations._gathering import judged_one
from escalade.integrations._judging import Rollout, close_shared_clients, judge

Answer = tuple[int, dict[str, Any], dict[str, str]]
"""Status, document and further headers."""
RUN = {
    "run": "run_1", "name": "run", "curriculum": {}, "pool_size": 1, "groups": 1, "rollouts": 1, "seed": 0,
    "deadline_s": 1, "success_threshold": 1, "generation": 0, "created_at": "2026-11-27T00:00:00Z",
}  # fmt: skip


class Troubled(ThreadingHTTPServer):
    """A server whose next answers are told beforehand; the last one stays."""

    answers: list[Callable[[dict[str, Any]], Answer]]
    asked: list[dict[str, Any]]
    run: dict[str, Any]
    """What it says of any run."""
    looked_up: int
    """How often it was asked for one."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answering(BaseHTTPRequestHandler):
    server: Troubled

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(document)
        answers = self.server.answers
        self._answer(*(answers.pop(0) if len(answers) > 1 else answers[0])(document))

    def do_GET(self) -> None:
        self.server.looked_up += 1
        self._answer(200, self.server.run, {})

    def _answer(self, status: int, said: dict[str, Any], headers: dict[str, str]) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def troubled() -> Iterator[Troubled]:
    with Troubled(("127.0.0.1", 0), _Answering) as server:
        server.answers, server.asked, server.run, server.looked_up = [], [], RUN, 0
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(troubled: Troubled, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(_judging, "PAUSES_S", (0.01, 0.02))
    monkeypatch.setenv("ESCALADE_URL", troubled.url)
    monkeypatch.setenv("ESCALADE_KEY", "esc_key")
    with Client(troubled.url, "esc_key", retries=0) as opened:
        yield opened
    close_shared_clients()


def scored(outcome: str) -> Callable[[dict[str, Any]], Answer]:
    score = {"score": 1.0, "accuracy": 1} if outcome == "scored" else {"detail": "the sandbox is away"}

    def answer(document: dict[str, Any]) -> Answer:
        outcomes = [
            {"group": one["group"], "rollout": one.get("rollout", place), "outcome": outcome, **score}
            for place, one in enumerate(document.get("attempts", []))
        ]
        outcomes += [{"instance": one["instance"], "outcome": outcome, **score} for one in document.get("items", [])]
        return 200, {"outcomes": outcomes, "closed": []}, {}

    return answer


def problem(status: int, code: str, **headers: str) -> Callable[[dict[str, Any]], Answer]:
    document = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": f"It is {code}."}
    return lambda _: (
        status,
        document | {"request_id": "req_1"},
        {"Content-Type": "application/problem+json"} | headers,
    )


ROLLOUT = Rollout("ins_1", "\\boxed{4}", group="0.0")
COLUMNS = {
    "prompts": [""],
    "completions": ["\\boxed{4}"],
    "completion_ids": [[1]],
    "instance": ["ins_1"],
    "group": ["0.0"],
}
EXTRA = {"instance": "ins_1", "run": "run_1", "group": "0.0"}


def test_a_score_that_failed_is_asked_for_again_under_the_same_name(troubled: Troubled, client: Client):
    troubled.answers = [scored("error"), scored("error"), scored("scored")]
    [outcome] = judge(client, "run_1", [ROLLOUT])
    assert (outcome.outcome, outcome.score) == ("scored", 1.0)
    assert [one["attempts"][0]["report_id"] for one in troubled.asked] == [ROLLOUT.name] * 3


async def test_a_score_that_keeps_failing_is_no_number_in_any_trainer(troubled: Troubled, client: Client):
    troubled.answers = [scored("error")]
    assert await trl_adapter.reward("run_1", client=client)(**COLUMNS) == [None]
    environment = trl_adapter.environment_factory("run_1", client=client)()
    environment.reset(instance="ins_1", group="0.0")
    environment.submit("4")
    assert environment.get_reward() is None
    with pytest.raises(Unavailable, match=r"not scored \(the sandbox is away\)") as caught:
        await verl_adapter.compute_score("escalade", "\\boxed{4}", "", EXTRA)
    assert "\n" not in str(caught.value)


def test_a_full_queue_costs_a_pause(troubled: Troubled, client: Client, caplog: pytest.LogCaptureFixture):
    busy = problem(503, "queue_full", **{"Retry-After": "0"})
    troubled.answers = [busy, problem(429, "rate_limited", **{"Retry-After": "0"}), scored("scored")]
    [outcome] = judge(client, "run_1", [ROLLOUT], sleep=lambda _: None)
    assert outcome.score == 1.0
    said = [record.message for record in caplog.records if record.name == "escalade"]
    assert said[0] == "waiting for the server: It is queue_full. (queue_full, HTTP 503, request req_1)"
    assert len(said) == 2


async def test_rollouts_that_come_one_by_one_are_reported_together(troubled: Troubled, client: Client):
    troubled.answers = [scored("scored")]
    rollouts = [Rollout("ins_1", "\\boxed{4}", group=f"{number}.0") for number in range(600)]
    outcomes = await asyncio.gather(*(judged_one(client, "run_1", one) for one in rollouts))
    assert [outcome.group for outcome in outcomes] == [one.group for one in rollouts]
    sent = [attempt["report_id"] for document in troubled.asked for attempt in document["attempts"]]
    assert sorted(sent) == sorted(one.name for one in rollouts)
    assert len(troubled.asked) < 60


async def test_one_bad_rollout_fails_none_of_those_reported_with_it(troubled: Troubled, client: Client):
    def picky(document: dict[str, Any]) -> Answer:
        bad = any(attempt["group"] == "bad" for attempt in document["attempts"])
        return (problem(404, "group_not_found") if bad else scored("scored"))(document)

    troubled.answers = [picky]
    rollouts = [Rollout("ins_1", "x", group="bad" if number == 7 else f"{number}.0") for number in range(40)]
    outcomes = await asyncio.gather(*(judged_one(client, "run_1", one) for one in rollouts), return_exceptions=True)
    assert [place for place, outcome in enumerate(outcomes) if isinstance(outcome, NotFound)] == [7]
    assert all(outcome.score == 1.0 for outcome in outcomes if not isinstance(outcome, BaseException))


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (problem(401, "unauthenticated"), AuthenticationError, "unauthenticated"),
        (problem(404, "run_not_found"), NotFound, "run_not_found"),
        (lambda _: (200, {}, {}), UnexpectedResponse, "same version"),
        (lambda _: (200, {"outcomes": [], "closed": []}, {}), UnexpectedResponse, "0 outcomes for 1 items"),
        (lambda _: (404, {}, {}), NotFound, "is it an Escalade server"),
    ],
    ids=["wrong-key", "deleted-run", "other-version", "too-few-outcomes", "other-server"],
)
async def test_what_no_waiting_cures_is_one_clear_line_at_once(
    troubled: Troubled, client: Client, answer: Any, error: type[EscaladeError], words: str
):
    troubled.answers = [answer]
    with pytest.raises(error, match=words) as caught:
        await trl_adapter.reward("run_1", client=client)(**COLUMNS)
    assert "\n" not in str(caught.value)
    with pytest.raises(error, match=words):
        await verl_adapter.compute_score("escalade", "\\boxed{4}", "", EXTRA)
    assert len(troubled.asked) == 2


def test_a_rollout_too_many_is_scored_as_its_run_says(troubled: Troubled, client: Client):
    scoring = {"format_bonus": 0.1, "length_penalty": {"free_tokens": 10, "most_tokens": 100}}
    troubled.run = RUN | {"mode": "program", "program": {"instances": 3, "languages": ["python"]}, "scoring": scoring}
    full = problem(409, "group_full")
    troubled.answers = [full, scored("scored"), full, scored("scored")]
    one_too_many = Rollout("ins_1", "```print(4)```", group="0.0", completion_tokens=7)
    assert [judge(client, "run_1", [one_too_many])[0].score for _ in range(2)] == [1.0, 1.0]
    for asked in troubled.asked[1::2]:
        assert (asked["items"][0]["mode"], asked["items"][0]["completion_tokens"]) == ("program", 7)
        assert (asked["program"]["instances"], asked["program"]["languages"]) == (3, ["python"])
        assert asked["scoring"]["format_bonus"] == 0.1
        assert asked["scoring"]["length_penalty"]["most_tokens"] == 100
    assert troubled.looked_up == 1


async def test_a_row_of_no_run_is_scored_in_the_mode_of_its_column(troubled: Troubled, client: Client):
    troubled.answers = [scored("scored")]
    columns = COLUMNS | {"group": [None], "mode": ["program"]}
    assert await trl_adapter.reward("run_1", client=client)(**columns) == [1.0]
    environment = trl_adapter.environment_factory("run_1", client=client)()
    environment.reset(instance="ins_1", mode="program")
    environment.submit("print(4)")
    assert environment.get_reward() == 1.0
    assert [asked["items"][0]["mode"] for asked in troubled.asked] == ["program"] * 2


@pytest.mark.parametrize(
    ("odd", "score"),
    [
        (Rollout("ins_1", "\\boxed{\ud83d}", group="7.0"), 1.0),
        (Rollout("ins_1", "4", group="7.0", rollout=-1), None),
    ],
    ids=["half-a-character", "impossible-index"],
)
async def test_a_rollout_that_cannot_be_sent_fails_none_of_the_others(
    troubled: Troubled, client: Client, odd: Rollout, score: float | None
):
    troubled.answers = [scored("scored")]
    rollouts = [odd if number == 7 else Rollout("ins_1", "x", group=f"{number}.0") for number in range(40)]
    outcomes = await asyncio.gather(*(judged_one(client, "run_1", one) for one in rollouts), return_exceptions=True)
    scores = [None if isinstance(outcome, BaseException) else outcome.score for outcome in outcomes]
    assert scores == [score if number == 7 else 1.0 for number in range(40)]


def test_environments_of_a_run_that_needs_lengths_are_refused(troubled: Troubled, client: Client):
    troubled.run = RUN | {"scoring": {"length_penalty": {"free_tokens": 10, "most_tokens": 100}}}
    with pytest.raises(InvalidRequest, match=r"`length_penalty`.*trl\.reward"):
        trl_adapter.environment_factory("run_1", client=client)

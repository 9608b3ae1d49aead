"""What the adapters share, without a server: patience, threads, the texts of completions."""

import os
import threading
from concurrent.futures import Future

import pytest

from escalade import AuthenticationError, ConnectionFailed, NotFound, RateLimited, Timeout, Unavailable
from escalade._patience import LONGEST_PAUSE_S, patiently
from escalade.integrations._aside import THREADS, aside
from escalade.integrations._judging import Rollout, text_of
from escalade.types import MAX_COMPLETION_CHARS


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def __call__(self) -> float:
        return self.now_s


def failing(*errors: Exception):
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


def test_a_server_that_is_away_or_busy_is_waited_for_and_that_is_said_once(caplog):
    clock = Clock()
    errors = [ConnectionFailed("gone"), Timeout("slow"), RateLimited("full", retry_after_s=7.0), Unavailable("full")]
    assert patiently(failing(*errors), sleep=clock.sleep, clock=clock) == "done"
    assert clock.slept == [0.5, 1.0, 7.0, 4.0]
    assert [record.message for record in caplog.records] == [
        "waiting for the server: gone (connection_failed)",
        "the server is back after 12 s",
    ]


def test_pauses_do_not_grow_without_end_and_patience_ends():
    clock = Clock()
    with pytest.raises(ConnectionFailed):
        patiently(failing(*[ConnectionFailed("gone")] * 1_000), patience_s=100.0, sleep=clock.sleep, clock=clock)
    assert max(clock.slept) == LONGEST_PAUSE_S
    assert 90.0 < clock.now_s <= 100.0


@pytest.mark.parametrize("error", [AuthenticationError("key"), NotFound("run"), ValueError("bug")])
def test_what_waiting_does_not_cure_is_raised_at_once(error: Exception):
    clock = Clock()
    with pytest.raises(type(error)):
        patiently(failing(error), sleep=clock.sleep, clock=clock)
    assert clock.slept == []


def test_calls_run_side_by_side_in_daemons_and_their_errors_arrive():
    together = threading.Barrier(THREADS)
    futures: list[Future[bool]] = []

    def call() -> bool:
        together.wait(30)
        return threading.current_thread().daemon

    futures = [aside(call) for _ in range(THREADS)]
    assert all(future.result(30) for future in futures)
    broken = aside(failing(ValueError("broken")))
    with pytest.raises(ValueError, match="broken"):
        broken.result(30)
    assert aside(failing()).result(30) == "done", "a failed call leaves its thread alive"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that forks are dangerous is the point
def test_a_forked_process_has_threads_of_its_own():
    assert aside(failing()).result(30) == "done"
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if aside(failing()).result(30) == "done" else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_completion_is_a_text_or_what_the_assistant_said():
    said = [
        {"role": "assistant", "content": "let me see"},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": [{"type": "text", "text": "it is "}, {"type": "text", "text": "\\boxed{42}"}]},
        {"role": "assistant", "content": None, "tool_calls": []},
    ]
    assert text_of(said) == "let me see\nit is \\boxed{42}\n"
    assert text_of("plain") == "plain"
    assert text_of([]) == ""


def test_the_end_of_a_text_that_is_too_long_is_judged():
    rollout = Rollout("ins_1", "x" * MAX_COMPLETION_CHARS + "\\boxed{4}", group="0.0")
    for sent in (rollout.report().completion, rollout.item().completion):
        assert sent is not None
        assert len(sent) == MAX_COMPLETION_CHARS
        assert sent.endswith("\\boxed{4}")

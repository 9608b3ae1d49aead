"""What every adapter does with completions: report those of a run's groups, score the others.

Guarantee: each rollout is reported under a name of its own, so that a retry is never counted twice. A server that is
away is waited for. A failure of ours is tried again and then given back as `error`, never as a score.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, TypeAlias

from escalade._patience import patiently
from escalade._retry import RETRIES
from escalade.client import Client
from escalade.errors import Conflict, InvalidRequest
from escalade.integrations._aside import aside
from escalade.types import (
    MAX_COMPLETION_CHARS,
    AttemptOutcome,
    AttemptReport,
    Batch,
    Mode,
    Run,
    ScoreItem,
    ScoreOutcome,
)

logger = logging.getLogger("escalade")

Judged: TypeAlias = AttemptOutcome | ScoreOutcome
PAUSES_S = (1.0, 4.0, 15.0)
"""How long to wait before an outcome of `error` is asked for again."""


@dataclass(frozen=True)
class Rollout:
    """One completion, and the question that it answers."""

    instance: str
    completion: str
    """What the model wrote; of a text that is too long to send, its end is judged, where the answer stands. Lone
    surrogates, which no request can carry, become question marks."""
    group: str | None = None
    """The run's group; None for a question outside of any run, as in evaluation."""
    rollout: int | None = None
    """Its index in the group, where the trainer knows it."""
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    """What it is reported as where the trainer does not."""
    completion_tokens: int | None = None
    policy_step: int | None = None
    mode: Mode = "answer"
    """What was asked for, where it is of no group: a group's rollout is judged as its run says."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "completion", self.completion.encode("utf-8", "replace").decode())

    def report(self) -> AttemptReport:
        """As the server wants it."""
        assert self.group is not None, "only a group's rollouts are reported"
        return AttemptReport(
            group=self.group,
            rollout=self.rollout,
            report_id=self.name if self.rollout is None else None,
            completion=self.completion[-MAX_COMPLETION_CHARS:],
            completion_tokens=self.completion_tokens,
            policy_step=self.policy_step,
        )

    def item(self, mode: Mode | None = None) -> ScoreItem:
        """To be scored without a report; None is the rollout's own mode."""
        return ScoreItem(
            instance=self.instance,
            completion=self.completion[-MAX_COMPLETION_CHARS:],
            mode=mode or self.mode,
            completion_tokens=self.completion_tokens,
        )


_clients: dict[str | None, Client] = {}
_clients_lock = threading.Lock()


def shared_client(url: str | None = None) -> Client:
    """One client per address and process, as the trainer's own workers call it from many threads at once."""
    with _clients_lock:
        if url not in _clients:
            # `patiently` waits for a server that is away, and says so.
            _clients[url] = Client(url, retries=RETRIES)
        return _clients[url]


def _forget_shared_clients() -> None:
    """In a forked process: its connections are the parent's."""
    global _clients_lock
    _clients_lock = threading.Lock()
    _clients.clear()


os.register_at_fork(after_in_child=_forget_shared_clients)


def close_shared_clients() -> None:
    """Close the connections of the shared clients; the next call opens new ones."""
    with _clients_lock:
        for client in _clients.values():
            client.close()
        _clients.clear()


def judge(
    client: Client, run: str | None, rollouts: Sequence[Rollout], *, sleep: Callable[[float], object] = time.sleep
) -> list[Judged]:
    """Report the rollouts of a run's groups and score the others; the outcomes are in their order.

    A rollout too many for its group, as when a trainer goes back without restoring the run, is scored as the run
    says and not reported.

    Raises:
        EscaladeError: The server stays away for a day, or refuses the reports.
    """
    once = partial(_judge_once, client, run)
    judged = patiently(partial(once, rollouts), sleep=sleep)
    for pause_s in PAUSES_S:
        failed = [place for place, one in enumerate(judged) if one.outcome == "error"]
        if not failed:
            break
        logger.warning("%d of %d rollouts could not be scored; asking again in %g s", len(failed), len(judged), pause_s)
        sleep(pause_s)
        some = [rollouts[place] for place in failed]
        again = patiently(partial(once, some), sleep=sleep)
        for place, outcome in zip(failed, again, strict=True):
            judged[place] = outcome
    return judged


async def judged(client: Client, run: str | None, rollouts: Sequence[Rollout]) -> list[Judged]:
    """Do what `judge` does in a thread, for trainers that score all their completions on one event loop."""
    return await asyncio.wrap_future(aside(lambda: judge(client, run, rollouts)))


def batch_of(client: Client, run: str, cursor: int) -> Batch:
    """Ask for a batch, however long the server is away."""
    return patiently(lambda: client.batch(run, cursor))


def require_no_lengths(run: Run) -> None:
    """For adapters that are not told how many tokens a completion has.

    Raises:
        InvalidRequest: The run's scores need that.
    """
    if run.scoring.length_penalty is not None:
        raise InvalidRequest(
            f"run {run.run} has a `length_penalty`, and the lengths of completions are not known here: train it with "
            "escalade.integrations.trl.reward, which sends them, or start a run without"
        )


def text_of(completion: str | Sequence[Mapping[str, Any]]) -> str:
    """What the model wrote: a text, or the contents of its messages."""
    if isinstance(completion, str):
        return completion
    return "\n".join(_content(message.get("content")) for message in completion if message.get("role") == "assistant")


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(part["text"] for part in parts if isinstance(part, Mapping) and part.get("type") == "text")


def _judge_once(client: Client, run: str | None, rollouts: Sequence[Rollout]) -> list[Judged]:
    ours = [place for place, one in enumerate(rollouts) if run is not None and one.group is not None]
    judged: dict[int, Judged] = {}
    if run is not None and ours:
        reported = _report(client, run, [rollouts[place] for place in ours])
        judged = {place: outcome for place, outcome in zip(ours, reported, strict=True) if outcome is not None}
    full = [place for place in ours if place not in judged]
    if run is not None and full:
        about = _run_of(client, run)
        items = [rollouts[place].item(about.mode) for place in full]
        scored = client.score(items, program=about.program, scoring=about.scoring)
        judged |= dict(zip(full, scored.outcomes, strict=True))
    others = [place for place in range(len(rollouts)) if place not in judged]
    if others:
        scored = client.score([rollouts[place].item() for place in others])
        judged |= dict(zip(others, scored.outcomes, strict=True))
    return [judged[place] for place in range(len(rollouts))]


@lru_cache(maxsize=64)
def _run_of(client: Client, run: str) -> Run:
    """A run, whose mode and scoring never change."""
    return client.run(run)


def _report(client: Client, run: str, rollouts: Sequence[Rollout]) -> list[AttemptOutcome | None]:
    """Outcomes of a run's rollouts; None for those whose group is full."""
    try:
        return list(client.report(run, [one.report() for one in rollouts]).outcomes)
    except Conflict as conflict:
        if conflict.code != "group_full":
            raise
        if len(rollouts) == 1:
            logger.warning("%s; it is scored, but the curriculum does not learn from it", conflict.detail)
            return [None]
    # One full group refuses the whole request: find it by halves.
    half = len(rollouts) // 2
    return _report(client, run, rollouts[:half]) + _report(client, run, rollouts[half:])

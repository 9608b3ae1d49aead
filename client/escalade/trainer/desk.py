"""All that a training says to the server, in a thread of its own, in the order it was asked for.

Guarantee: what the server logs does not depend on how fast anything is, which exact resume rests on. A server that is
away, restarting or busy is waited for, which is said once and costs nothing but time; what no waiting cures is raised.
`Client.stream_batches` would not do: it fetches beside the reports, and here every request has its place in one order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from escalade import Client, EscaladeError, _patience
from escalade._retry import CURABLE
from escalade.trainer.config import TrainingFailed
from escalade.types import MAX_COMPLETION_CHARS, AttemptOutcome, AttemptReport, Batch

Result = TypeVar("Result")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Written:
    """What is to be reported of one batch: per group its completions and their lengths."""

    groups: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    tokens: tuple[tuple[int | None, ...], ...]
    """None where an endpoint does not say."""
    policy_step: int


class Desk:
    """The server's side of a training."""

    def __init__(self, client: Client, run: str, *, patience_s: float, say: Say) -> None:
        self._client, self._run, self._patience_s, self._say = client, run, patience_s, say
        self._worker = ThreadPoolExecutor(1, "desk")
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._worker.shutdown(cancel_futures=True)

    def batch(self, cursor: int) -> Future[Batch]:
        """Ask for a step's batch."""
        return self._submit(lambda: self._client.batch(self._run, cursor))

    def refill(self, cursor: int, refill: int, groups: int) -> Future[Batch]:
        """Ask for groups in place of dropped ones."""
        return self._submit(lambda: self._client.refill(self._run, cursor, refill, groups))

    def report(self, written: Written) -> Future[list[list[float | None]]]:
        """Report completions; their rewards by group, None where the server has none."""
        reports = [
            AttemptReport(
                group=group,
                rollout=rollout,
                # The answer stands at the end of a text that is too long to send.
                completion=text[-MAX_COMPLETION_CHARS:],
                completion_tokens=tokens,
                policy_step=written.policy_step,
            )
            for group, texts, counts in zip(written.groups, written.texts, written.tokens, strict=True)
            for rollout, (text, tokens) in enumerate(zip(texts, counts, strict=True))
        ]
        return self._submit(lambda: _by_group(written, self._client.report(self._run, reports).outcomes))

    def checkpoint(self, label: str, step: int) -> None:
        """Name the run's present state, after everything asked for before."""
        self._submit(lambda: self._client.checkpoint(self._run, label, step)).result()

    def _submit(self, call: Callable[[], Result]) -> Future[Result]:
        return self._worker.submit(patiently, call, self._patience_s, self._say, self._closing)


def patiently(
    call: Callable[[], Result], patience_s: float, say: Say, closing: threading.Event | None = None
) -> Result:
    """Make a call; while the server is away or busy, wait and make it again.

    Raises:
        TrainingFailed: It was so for longer than `patience_s`.
        EscaladeError: The call failed for another reason.
    """
    closing = closing or threading.Event()
    start_s = time.monotonic()
    try:
        return _patience.patiently(
            call, patience_s=patience_s, say=say, words=_words, over=closing.is_set, sleep=closing.wait
        )
    except CURABLE as error:
        if closing.is_set():
            raise
        raise TrainingFailed(
            f"gave up after {time.monotonic() - start_s:.0f} s: {_words(error)}; what was saved can be resumed"
        ) from error


def _words(error: EscaladeError) -> str:
    return f"{error.detail} ({error.code})"


def _by_group(written: Written, outcomes: Sequence[AttemptOutcome]) -> list[list[float | None]]:
    scores = {(outcome.group, outcome.rollout): outcome.score for outcome in outcomes}
    return [
        [scores[group, rollout] for rollout in range(len(texts))]
        for group, texts in zip(written.groups, written.texts, strict=True)
    ]

"""Reports rollouts together that trainers score one by one.

Guarantee: a rollout is on its way at once while few requests are, and together with those that came in the meantime
otherwise; each gets its own outcome. What one of them does wrong fails none of the others.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future

from escalade.client import Client
from escalade.integrations._aside import aside
from escalade.integrations._judging import Judged, Rollout, judge

REQUESTS = 4
"""Under way at a time, per client and run. While they are, further rollouts gather."""
TOGETHER = 256
"""Rollouts in one request."""


class _Gathering:
    def __init__(self, client: Client, run: str | None) -> None:
        self._client, self._run = client, run
        self._lock = threading.Lock()
        self._waiting: list[tuple[Rollout, Future[Judged]]] = []
        self._under_way = 0

    def add(self, rollout: Rollout) -> Future[Judged]:
        future: Future[Judged] = Future()
        with self._lock:
            self._waiting.append((rollout, future))
            if self._under_way == REQUESTS:
                return future
            self._under_way += 1
        aside(self._work)
        return future

    def _work(self) -> None:
        while taken := self._take():
            # One that nobody waits for any more is not reported.
            wanted = [(rollout, future) for rollout, future in taken if future.set_running_or_notify_cancel()]
            if wanted:
                self._judge(wanted)

    def _take(self) -> list[tuple[Rollout, Future[Judged]]]:
        with self._lock:
            taken, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            if not taken:
                self._under_way -= 1
            return taken

    def _judge(self, wanted: Sequence[tuple[Rollout, Future[Judged]]]) -> None:
        try:
            outcomes = judge(self._client, self._run, [rollout for rollout, _ in wanted])
        except Exception as error:
            if len(wanted) == 1:
                wanted[0][1].set_exception(error)
                return
            for one in wanted:
                self._judge([one])
        except BaseException as error:  # whatever it is belongs to those who wait
            for _, future in wanted:
                future.set_exception(error)
        else:
            for (_, future), outcome in zip(wanted, outcomes, strict=True):
                future.set_result(outcome)


_gatherings: dict[tuple[Client, str | None], _Gathering] = {}
_lock = threading.Lock()


def _begin_anew() -> None:
    global _lock
    _lock = threading.Lock()
    _gatherings.clear()


os.register_at_fork(after_in_child=_begin_anew)


def gathered(client: Client, run: str | None, rollout: Rollout) -> Future[Judged]:
    """Judge one rollout, together with others where there are any."""
    with _lock:
        gathering = _gatherings.setdefault((client, run), _Gathering(client, run))
    return gathering.add(rollout)


async def judged_one(client: Client, run: str | None, rollout: Rollout) -> Judged:
    """Await what `gathered` does."""
    return await asyncio.wrap_future(gathered(client, run, rollout))

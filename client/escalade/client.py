"""The synchronous client.

Guarantee: every wait has a timeout, every failure is an `EscaladeError`, and no more than `max_concurrency` requests
are under way at once, from however many threads, but for one more by each stream of batches.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

import httpx
from pydantic import JsonValue

from escalade import _ahead, _base, _reports, _requests, _retry, _runs, _syntheses
from escalade._async_client import AsyncClient
from escalade._fields import ProgramFields, ScoreItemFields, ScoringFields
from escalade._reports import Part
from escalade._requests import Answer, Call, Item, NewStatus
from escalade._side_by_side import side_by_side
from escalade.types import (
    AnswerType,
    Batch,
    EnvironmentDetail,
    EnvironmentStatus,
    EnvironmentSummary,
    ImportFormat,
    InstanceList,
    Job,
    Key,
    Mode,
    NewKey,
    Page,
    ProgramSettings,
    Readiness,
    Scope,
    ScoreItem,
    ScoreList,
    ScoringSettings,
    Template,
)

__all__ = ["AsyncClient", "Client"]


class Client(_runs.RunMethods, _syntheses.SynthesisMethods):
    r"""Talks to an Escalade server. Safe to share between threads; close it, or use it as a context manager.

    A forked process may go on with it, over connections of its own; streams of batches are to be opened anew there.

    Lists come as iterators that fetch pages as they are needed.

    Args:
        url: Address of the server; default `ESCALADE_URL`, else http://127.0.0.1:8700.
        key: API key; default `ESCALADE_KEY`, else on loopback the admin key file in the data folder.
        timeout_s: Longest wait for a try to make progress, in seconds.
        deadline_s: Longest time for a call with all its tries, in seconds, from when it is first sent.
        max_concurrency: Most requests under way at once; further calls wait for their turn.
        retries: Most tries after the first, on failures that may pass (no connection, no answer in time, 429, 502, 503
            and 504); default as many as `deadline_s` allows while a server that answered before is away (no
            connection, 502, 503, 504), and 8 else.
        clock: Monotonic time in seconds.
        sleep: Pauses for some seconds.
        rng: Draws the jitter of the pauses.

    Raises:
        InvalidRequest: An argument or the environment holds something that cannot work.

    Example:
        >>> from escalade import AttemptReport, Client, ScoreItem
        >>> client = Client()

        Instances at a level, and scores without a run:

        >>> one = client.instances("toll-road", level=0, seed=17, reveal_answers=True).instances[0]
        >>> item = ScoreItem(instance=one.instance, completion=f"So: \\boxed{{{one.answer}}}")
        >>> outcome = client.score([item]).outcomes[0]
        >>> outcome.outcome, outcome.score, outcome.verdict
        ('scored', 1.0, 'accepted')

        A run, whose batches adapt to what is reported:

        >>> run = client.create_run("docs", groups=2, rollouts=2, seed=1, pool={"environments": ["toll-road"]})
        >>> for batch in client.stream_batches(run.run, stop=2):
        ...     reports = [
        ...         AttemptReport(group=group.group, rollout=rollout, completion="\\boxed{-1}")
        ...         for group in batch.groups
        ...         for rollout in range(group.rollouts)
        ...     ]
        ...     print(batch.cursor, [outcome.score for outcome in client.report(run.run, reports).outcomes])
        0 [0.0, 0.0, 0.0, 0.0]
        1 [0.0, 0.0, 0.0, 0.0]
        >>> client.checkpoint(run.run, "after two steps", 2).step
        2
        >>> [controller.environment for controller in client.controllers(run.run)]
        ['toll-road']
        >>> client.delete_run(run.run)
        >>> client.close()
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_s: float = 120.0,
        deadline_s: float = 600.0,
        max_concurrency: int = _base.MAX_CONCURRENCY,
        retries: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._sleep = sleep
        super().__init__(
            url,
            key,
            timeout_s=timeout_s,
            deadline_s=deadline_s,
            max_concurrency=max_concurrency,
            retries=retries,
            clock=clock,
            rng=rng,
        )

    def _connect(self) -> None:
        self._slots = threading.BoundedSemaphore(self._max_concurrency)
        self._ahead: set[_ahead.LoopThread] = set()
        self._http = httpx.Client(**self._http_options())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the streams of batches, and close all connections."""
        _base.closed(self)
        for thread in tuple(self._ahead):
            thread.stop()
        self._http.close()

    def health(self) -> dict[str, JsonValue]:
        """Ask whether the server answers, without trying again."""
        return self._send(_requests.health())

    def readiness(self) -> Readiness:
        """Ask whether the server can work: its database and its sandbox; without trying again."""
        return self._send(_requests.readiness())

    def environments(
        self,
        *,
        status: EnvironmentStatus | None = None,
        answer_type: AnswerType | None = None,
        tag: str | None = None,
        source: str | None = None,
        limit: int | None = None,
    ) -> Iterator[EnvironmentSummary]:
        """List the environments that pass every filter given.

        Args:
            status: Only this status.
            answer_type: Only this answer type.
            tag: Only those with this tag.
            source: Only those from this format or catalogue.
            limit: Environments per page; default the server's.
        """
        return self._items(
            _requests.environments(status=status, answer_type=answer_type, tag=tag, source=source, limit=limit)
        )

    def environment(self, name: str) -> EnvironmentDetail:
        """Get one environment with its statement and ladder.

        Raises:
            NotFound: The server has no environment of this name.
        """
        return self._send(_requests.environment(name))

    def instances(
        self,
        name: str,
        *,
        level: int | None = None,
        parameters: dict[str, int] | None = None,
        count: int = 1,
        seed: int = 0,
        split: Literal["train", "evaluation"] = "train",
        version: str | None = None,
        mode: Mode = "answer",
        template: Template = "full",
        program: ProgramSettings | ProgramFields | None = None,
        reveal_answers: bool = False,
    ) -> InstanceList:
        """Get instances of an environment, the same for the same arguments and version.

        Args:
            name: The environment's slug.
            level: Rung of the ladder; give this or `parameters`.
            parameters: Scale parameters by name.
            count: How many instances, 1 to 1,024.
            seed: Any number from 0; other seeds give other instances.
            split: Seed space; `train` and `evaluation` never share an instance's seed.
            version: Content hash of the version; default the current one.
            mode: What the prompt asks for, the answer or a program.
            template: How the prompt is written; `compact` is the environment's name and the input's values alone.
            program: Languages that the prompt of `mode="program"` allows.
            reveal_answers: Show the ground truths; needs an admin key.

        Raises:
            InvalidRequest: The level is not on the ladder, or another argument is out of range.
            NotFound: The server has no such environment or version.
            PermissionDenied: `reveal_answers` without an admin key.
        """
        return self._send(
            _requests.instances(
                name,
                level=level,
                parameters=parameters,
                count=count,
                seed=seed,
                split=split,
                version=version,
                mode=mode,
                template=template,
                program=program,
                reveal_answers=reveal_answers,
            )
        )

    def set_status(self, name: str, status: NewStatus, reason: str) -> EnvironmentDetail:
        """Quarantine, withdraw or release (`unverified`) an environment; needs an admin key."""
        return self._send(_requests.set_status(name, status, reason))

    def score(
        self,
        items: Iterable[ScoreItem | ScoreItemFields],
        *,
        program: ProgramSettings | ProgramFields | None = None,
        scoring: ScoringSettings | ScoringFields | None = None,
    ) -> ScoreList:
        """Judge completions against instances, in any number; the outcomes are in the order of the items.

        Args:
            items: Instances with the completions to judge, also as plain dictionaries.
            program: How the items of mode `program` are judged.
            scoring: How answers are read and scored; default as in a run without settings.
        """
        return _reports.merge_scores(self._all(_reports.score(items, program, scoring, self._limit)))

    def import_archive(
        self,
        format: ImportFormat,
        content: str | bytes,
        filename: str = "archive",
        dry_run: bool = False,
        *,
        deadline_s: float = _base.JOB_DEADLINE_S,
    ) -> Job:
        """Import an archive of problems and wait until that is finished.

        Args:
            format: Format of the archive; `auto` recognises it.
            content: Its text or, of any archive, its bytes.
            filename: Name to use in messages.
            dry_run: Parse and report, store nothing.
            deadline_s: Longest wait for the job, in seconds.

        Returns:
            The finished job. One that failed is returned as well: look at `status` and `error`.

        Raises:
            Timeout: The job is not finished at the deadline.
        """
        return self._drive(self._finished(_requests.import_archive(format, content, filename, dry_run), deadline_s))

    def job(self, job: str) -> Job:
        """Get a job as it stands."""
        return self._send(_requests.job(job))

    def wait_for_job(self, job: str, *, deadline_s: float = _base.JOB_DEADLINE_S) -> Job:
        """Wait until a job is finished.

        Raises:
            Timeout: The job is not finished after `deadline_s` seconds.
        """
        return self._drive(self._finished(_requests.job(job), deadline_s))

    def keys(self, *, limit: int | None = None) -> Iterator[Key]:
        """List the server's keys, without their secrets; needs an admin key."""
        return self._items(_requests.keys(limit))

    def create_key(self, name: str, scopes: Sequence[Scope]) -> NewKey:
        """Make a key; its secret is shown this once. Needs an admin key."""
        return self._send(_requests.create_key(name, scopes))

    def revoke_key(self, key_id: str) -> None:
        """Make a key invalid from now on; needs an admin key."""
        self._send(_requests.revoke_key(key_id))

    def _send(self, call: Call[Answer]) -> Answer:
        # Held through the pauses as well: while the server is short of breath, fewer calls press on it.
        with self._slots:
            return self._drive(self._attempts(call))

    def _stream(self, calls: Iterator[Call[Batch]], depth: int) -> Generator[Batch, None, None]:
        return _ahead.blocking(calls, depth, self._twin, self._ahead)

    def _twin(self) -> AsyncClient:
        """Make an asynchronous client of the same settings, for one request at a time."""
        return AsyncClient(
            self._endpoint.url,
            self._endpoint.key,
            timeout_s=self._policy.timeout_s,
            deadline_s=self._policy.deadline_s,
            max_concurrency=1,
            retries=self._policy.retries,
            rng=self._rng,
        )

    def _items(self, call: Call[Page[Item]]) -> Iterator[Item]:
        following: Call[Page[Item]] | None = call
        while following is not None:
            page = self._send(following)
            yield from page.items
            following = _requests.next_page(following, page)

    def _all(self, parts: Sequence[Part[Answer]]) -> list[Answer]:
        flow = _reports.sending(parts, self._limit)
        replies: Any = None
        while True:
            try:
                jobs = [partial(self._send_part, part) for part in flow.send(replies)]
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            replies = side_by_side(jobs, self._max_concurrency)

    def _send_part(self, part: Part[Answer]) -> Answer:
        return self._send(part.call)

    def _drive(self, flow: _retry.Flow[Answer]) -> Answer:
        reply: Any = None
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            if isinstance(step, _retry.Wait):
                reply = self._sleep(step.seconds)
            elif isinstance(step, _retry.Exchange):
                reply = self._exchange(step)
            else:
                reply = self._send(step)

    def _exchange(self, exchange: _retry.Exchange) -> httpx.Response | httpx.HTTPError:
        method, path, query, timeout = _base.request_options(exchange)
        call = exchange.call
        try:
            return self._http.request(
                method, path, params=query, content=call.body, headers=call.headers, timeout=timeout
            )
        except httpx.HTTPError as error:
            return error

    def _listen(self, call: Call[None]) -> Generator[bytes, None, None]:
        # Not of the pool: whoever listens may call others meanwhile, and would wait for the slot that it holds.
        stream = _base.stream_options(call)
        with suppress(httpx.HTTPError), httpx.Client(**self._http_options()) as http, http.stream(**stream) as response:
            if _base.is_stream(response):
                yield from response.iter_bytes()

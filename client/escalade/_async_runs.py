"""What the asynchronous client does with runs.

Guarantee: every method is made of calls of `_requests`; each may be tried again without doing its work twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Unpack

from escalade import _ahead, _base, _reports, _requests, _retry
from escalade._fields import AttemptFields, ForkFields, RunFields
from escalade._reports import Part
from escalade._requests import Answer, Call, Item
from escalade.types import (
    ActiveMember,
    AttemptReport,
    AttemptResults,
    Batch,
    Checkpoint,
    Controller,
    Deadline,
    Event,
    Fork,
    Page,
    Restoration,
    Run,
    RunDocument,
    RunMetrics,
)


class AsyncRunMethods(_base.BaseClient, ABC):
    """The methods of runs, over whatever sends the calls."""

    @abstractmethod
    async def _send(self, call: Call[Answer]) -> Answer: ...

    @abstractmethod
    def _items(self, call: Call[Page[Item]]) -> AsyncIterator[Item]: ...

    @abstractmethod
    async def _all(self, parts: Sequence[Part[Answer]]) -> list[Answer]: ...

    @abstractmethod
    async def _drive(self, flow: _retry.Flow[Answer]) -> Answer: ...

    @abstractmethod
    def _stream(self, calls: Iterator[Call[Batch]], depth: int) -> AsyncGenerator[Batch, None]: ...

    async def create_run(self, name: str, **settings: Unpack[RunFields]) -> Run:
        """Start a run.

        Args:
            name: For people.
            **settings: Fields of `escalade.types.RunRequest`: `curriculum`, `pool`, `groups`, `rollouts`, `seed`,
                `deadline_s`, `success_threshold`, `mode`, `template`, `program`, `scoring`, `reveal_answers`. Models
                may be plain dictionaries: `curriculum={"policy": "bayes", "strata": [{"tag": "dp", "share": 0.5}]}`.

        Raises:
            InvalidRequest: A setting is out of range, or the pool is empty.
            PermissionDenied: The key may not train, or not reveal answers.
        """
        return await self._send(_requests.create_run(name, settings))

    def runs(self, *, limit: int | None = None) -> AsyncIterator[Run]:
        """List the runs that the key may see."""
        return self._items(_requests.runs(limit))

    async def run(self, run: str) -> Run:
        """Get a run as it stands."""
        return await self._send(_requests.run(run))

    async def update_run(self, run: str, *, name: str | None = None, deadline_s: float | None = None) -> Run:
        """Rename a run, or change how long its groups stay open, in seconds."""
        return await self._send(_requests.update_run(run, name, deadline_s))

    async def delete_run(self, run: str) -> None:
        """Delete a run."""
        await self._send(_requests.delete_run(run))

    async def batch(self, run: str, cursor: int, groups: int | None = None, rollouts: int | None = None) -> Batch:
        """Get the batch of a trainer's step: the same batch for the same cursor, on every rank and every retry.

        Args:
            run: The run's id.
            cursor: The trainer's step number, from 0.
            groups: How many groups; default the run's number.
            rollouts: Rollouts per group; default the run's number.

        Raises:
            Conflict: This cursor's batch was asked for with other numbers.
        """
        return await self._send(_requests.batch(run, cursor, groups, rollouts))

    def stream_batches(
        self,
        run: str,
        cursor: int = 0,
        *,
        stop: int | None = None,
        groups: int | None = None,
        rollouts: int | None = None,
        depth: int = 1,
    ) -> AsyncGenerator[Batch, None]:
        """Get the batches of one step after the other, the next ones fetched while the caller works on this one.

        A batch is asked for when the one before has come and there is room: so it is drawn without the outcomes of
        the `depth` batches before it, and the deadlines of its groups (`deadline_s` of the run) begin to run `depth`
        steps early. A server that is busy or has too many open groups is waited for as it says, beside the caller's
        reports. A failure is raised where the caller asks for the batch; after one, or after leaving early, a new
        stream from that cursor goes on with the same batches.

        Make a `checkpoint` when the steps before it are reported, as without a stream: batches that were fetched
        ahead belong to it or are drawn again alike. Close the stream before `restore`, and open a new one from the
        checkpoint's step: what was fetched since the checkpoint has to be asked for again.

        Leaving the loop or closing the client ends all that is under way.

        Args:
            run: The run's id.
            cursor: The first step's number.
            stop: The number at which to stop, without its batch; default never.
            groups: How many groups; default the run's number.
            rollouts: Rollouts per group; default the run's number.
            depth: Most batches to have or fetch in advance, from 0 (each when it is asked for) to 64.

        Raises:
            InvalidRequest: An argument is out of range.
            Conflict: A cursor's batch was asked for with other numbers.
            RuntimeError: The client was closed meanwhile.
        """
        return self._stream(_ahead.calls(run, cursor, stop, groups, rollouts, depth), depth)

    async def refill(
        self, run: str, cursor: int, refill: int, groups: int | None = None, rollouts: int | None = None
    ) -> Batch:
        """Get more groups for a step's batch, in place of dropped ones; the same refill is the same groups.

        Args:
            run: The run's id.
            cursor: The trainer's step number.
            refill: Which refill of this batch: 1, 2, ...
            groups: How many groups; default the run's number.
            rollouts: Rollouts per group; default the run's number.

        Raises:
            Conflict: This refill was asked for with other numbers.
            NotFound: The batch itself was never asked for.
        """
        return await self._send(_requests.refill(run, cursor, refill, groups, rollouts))

    async def close_batch(self, run: str, cursor: int) -> list[str]:
        """End a batch early: rollouts that have not come expire.

        Returns:
            The groups that this closed; none where they were closed before.
        """
        return await self._send(_requests.close_batch(run, cursor))

    async def extend(self, run: str, cursor: int, group: str, deadline: datetime) -> Deadline:
        """Move the deadline of an open group.

        Args:
            run: The run's id.
            cursor: The batch's cursor.
            group: The group, as the batch names it.
            deadline: When it closes by itself; with a time zone.

        Raises:
            Conflict: The group has closed.
            NotFound: The batch has no such group.
        """
        return await self._send(_requests.extend(run, cursor, group, deadline))

    async def report(self, run: str, attempts: Iterable[AttemptReport | AttemptFields]) -> AttemptResults:
        """Report rollouts, in any number, also as plain dictionaries; the outcomes are in the order of the attempts.

        A big report is sent in parts, side by side, and in smaller ones where the server, or a proxy before it, refuses
        their length. Where a part fails the others are still sent, and the first failure is raised; the whole report
        may then be sent again, which changes nothing for what had gone in.

        Raises:
            Conflict: A rollout was already reported with other content.
            InvalidRequest: An attempt is not complete or has a field that there is not; nothing was sent.
            NotFound: The run has no such group.
        """
        return _reports.merge_results(await self._all(_reports.report(run, attempts, self._limit)))

    def controllers(self, run: str, *, limit: int | None = None) -> AsyncIterator[Controller]:
        """List the difficulty state of each of a run's environments."""
        return self._items(_requests.controllers(run, limit))

    def events(self, run: str, *, after: int = 0, limit: int | None = None) -> AsyncIterator[Event]:
        """List a run's log from sequence number `after` on, oldest first."""
        return self._items(_requests.events(run, after, limit))

    async def checkpoint(self, run: str, label: str, step: int | None = None) -> Checkpoint:
        """Name the run's state, when the trainer saves its weights; again with the same arguments changes nothing.

        Args:
            run: The run's id.
            label: What `restore` and `fork` call it.
            step: The trainer's step number.

        Raises:
            Conflict: The label names another step.
        """
        return await self._send(_requests.checkpoint(run, label, step))

    def checkpoints(self, run: str, *, limit: int | None = None) -> AsyncIterator[Checkpoint]:
        """List a run's checkpoints, of every generation, in the order they were made."""
        return self._items(_requests.checkpoints(run, limit))

    async def restore(self, run: str, label: str) -> Restoration:
        """Go back to a checkpoint: the cursors after it give the same batches again, and nothing is deleted.

        Raises:
            NotFound: The run's history has no checkpoint of this label.
        """
        return await self._send(_requests.restore(run, label))

    async def fork(self, run: str, name: str, label: str | None = None, **changes: Unpack[ForkFields]) -> Fork:
        """Branch a new run from this one's curriculum.

        Args:
            run: The run to branch from; it goes on as it was.
            name: Of the new run, for people.
            label: Checkpoint to branch from; default where the run stands.
            **changes: Settings that differ: `constants`, `groups`, `rollouts`, `seed`, `deadline_s`.

        Raises:
            InvalidRequest: A change is out of range.
            NotFound: The run's history has no checkpoint of this label.
        """
        return await self._send(_requests.fork(run, name, label, changes))

    async def export_run(self, run: str) -> RunDocument:
        """Get a run's settings, pool and curriculum as one document."""
        return await self._send(_requests.export_run(run))

    async def import_run(self, document: RunDocument) -> Fork:
        """Start a run from a document of `export_run`, from this server or another.

        Returns:
            The new run, and the environments that this server has not or has in another version.

        Raises:
            InvalidRequest: The document is damaged, or the server has none of its environments.
        """
        return await self._send(_requests.import_run(document))

    def active_set(self, run: str, *, limit: int | None = None) -> AsyncIterator[ActiveMember]:
        """List the environments that a run draws from now, then those that left, the latest first."""
        return self._items(_requests.active_set(run, limit))

    async def metrics(self, run: str, *, after: int = 0, limit: int | None = None) -> RunMetrics:
        """Get a run over time, batch by batch.

        Args:
            run: The run's id.
            after: First cursor wanted.
            limit: Batches per page; default the server's. All pages are fetched.
        """
        return await self._drive(_base.all_metrics(_requests.metrics(run, after, limit)))

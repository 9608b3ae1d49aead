"""Writes to a run: one writer at a time, in event-log order.

Guarantee: whatever happens inside `Journal.writing` becomes visible at once or not at all, its events follow each other
without a gap, and the state that is kept in memory is always the fold of committed events.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from prometheus_client import Counter as Metric

from escalade_server.errors import RunNotFound
from escalade_server.runs.state import RunState, dump, fold, load, restored
from escalade_server.storage import events, runs
from escalade_server.storage.clock import now
from escalade_server.storage.sessions import AsyncSession, Database
from escalade_server.storage.tables import Run

SNAPSHOT_EVERY = 4_096
"""Events between two snapshots."""
KEPT_STATES = 64
"""Runs whose state is kept in memory."""


@dataclass(slots=True)
class Writer:
    """One transaction that holds a run."""

    session: AsyncSession
    run: Run
    state: RunState
    at: datetime
    overdue: bool
    """Whether groups are open past their deadline."""
    changed: bool
    """Whether members of the pool have another version by now, or may no longer be served; False where not asked."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Columns of the run to write with the number of its events, when the transaction ends."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Rollouts that were judged or have expired in this transaction, by outcome."""

    async def record(self, kind: str, payload: Mapping[str, Any], after: RunState | None = None) -> None:
        """Append one event; `after` is its fold where the caller has it already."""
        await self.record_all([(kind, payload)], None if after is None else [after])

    async def record_all(
        self, new: Sequence[tuple[str, Mapping[str, Any]]], after: Sequence[RunState] | None = None
    ) -> None:
        """Append events and fold them."""
        if not new:
            return
        before = self.state.sequence
        await events.append(
            self.session,
            run_id=self.run.id,
            generation=self.run.generation,
            first=before,
            events=new,
            at=self.at,
        )
        for kind, payload in new if after is None else ():
            self.state = fold(self.state, kind, payload)
        if after is not None:
            self.state = after[-1]
        if before // SNAPSHOT_EVERY != self.state.sequence // SNAPSHOT_EVERY:
            await events.save_snapshot(self.session, self.run.id, self.state.sequence, dump(self.state))


class Journal:
    """The event logs of all runs, and their states."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.outcomes = Metric(
            "escalade_outcomes", "Rollouts by outcome, as this process stored them.", ["outcome"], registry=None
        )
        for outcome in ("scored", "error", "expired"):
            # So that there is a figure to compare with before the first one.
            self.outcomes.labels(outcome)
        self._states: OrderedDict[str, RunState] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def writing(self, run_id: str, *, pool: bool = False) -> AsyncIterator[Writer]:
        """Hold a run for one transaction.

        Args:
            run_id: The run.
            pool: Whether to see if members of its pool changed, which costs milliseconds with thousands of them.

        Raises:
            RunNotFound: It does not exist or is deleted.
        """
        lock = self._locks.setdefault(run_id, asyncio.Lock())
        async with lock:
            async with self.database.write() as session:
                held = await runs.lock(session, run_id, now(), pool=pool)
                if held is None:
                    raise RunNotFound(f"There is no run {run_id}.")
                state = await self.state(session, held.run)
                writer = Writer(session, held.run, state, now(), held.overdue, held.changed)
                before = writer.state.sequence
                yield writer
                if writer.state.sequence != before:
                    writer.changes["sequence"] = writer.state.sequence
                if writer.changes:
                    await runs.set_values(session, run_id, writer.changes)
            self._keep(run_id, writer.state)
            for outcome, number in writer.outcomes.items():
                self.outcomes.labels(outcome).inc(number)

    async def state(self, session: AsyncSession, run: Run) -> RunState:
        """The fold of a run's events as this session sees them."""
        state = self._states.get(run.id)
        if state is not None and state.sequence <= run.sequence:
            return await self._fold(session, run.id, state, run.sequence)
        return await self.state_at(session, run.id, run.sequence)

    async def state_at(self, session: AsyncSession, run_id: str, sequence: int) -> RunState:
        """The fold of a run's first `sequence` events."""
        snapshot = await events.latest_snapshot(session, run_id, sequence)
        return await self._fold(session, run_id, load(snapshot.state) if snapshot is not None else None, sequence)

    async def _fold(self, session: AsyncSession, run_id: str, state: RunState | None, sequence: int) -> RunState:
        """A state and the events after it, up to a position of the log."""
        at = 0 if state is None else state.sequence
        if at < sequence:
            for event in await events.since(session, run_id, at, sequence - at):
                if event.kind == "restored":
                    then = await self.state_at(session, run_id, event.payload["sequence"])
                    state = restored(then, event.sequence)
                else:
                    state = fold(state, event.kind, event.payload)
        if state is None:
            raise RunNotFound(f"Run {run_id} has no events.")
        return state

    def forget(self, run_id: str) -> None:
        """Drop a state from memory."""
        self._states.pop(run_id, None)

    def _keep(self, run_id: str, state: RunState) -> None:
        self._states[run_id] = state
        self._states.move_to_end(run_id)
        if len(self._states) > KEPT_STATES:
            self._states.popitem(last=False)

"""A verifiers (0.4) taskset over an Escalade run.

verifiers finds tasksets by module name, so a module of one's own exports it:

    from escalade.integrations.verifiers import EscaladeTaskset

    __all__ = ["EscaladeTaskset"]

Guarantee: `load()` gives the same tasks whenever it is read, so that a resumed run may replay it; a trace is reported
once, under its own id; one that could not be scored is an error of its task and never a 0. The key is read from
ESCALADE_KEY alone, since a taskset's config is written into traces.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from escalade._patience import patiently
from escalade.errors import Unavailable
from escalade.integrations._gathering import judged_one
from escalade.integrations._judging import Rollout, batch_of, require_no_lengths, shared_client
from escalade.integrations._peers import require

vf: Any = require("verifiers.v1", "verifiers")

__all__ = ["EscaladeConfig", "EscaladeData", "EscaladeTask", "EscaladeTaskset"]


class EscaladeConfig(vf.TasksetConfig):  # type: ignore[misc]
    """Which run's groups are the tasks: `--env.taskset.run run_...`."""

    run: str = ""
    """The run's id; its rollouts per group are to be the trainer's."""
    url: str | None = None
    """Address of the server; default ESCALADE_URL."""
    start: int = 0
    """Cursor of the first batch."""


class EscaladeData(vf.TaskData):  # type: ignore[misc]
    """One group of a run."""

    run: str
    group: str
    instance: str
    level: int
    url: str | None = None


class EscaladeTask(vf.Task[EscaladeData, vf.TaskConfig]):  # type: ignore[misc]
    """A group's question, scored by the server."""

    @property
    def key(self) -> str:
        """The group's name, which is the same on every reading."""
        return f"{self.data.run}/{self.data.group}"

    @vf.reward  # type: ignore[untyped-decorator]
    async def escalade(self, trace: vf.Trace) -> float:
        """Report the model's last reply.

        Raises:
            Unavailable: It could not be scored.
        """
        data: EscaladeData = self.data
        rollout = Rollout(data.instance, trace.last_reply, group=data.group, name=trace.id)
        outcome = await judged_one(shared_client(data.url), data.run, rollout)
        if outcome.score is None:
            raise Unavailable(f"group {data.group} of run {data.run}: not scored ({outcome.detail or outcome.outcome})")
        return outcome.score


class EscaladeTaskset(vf.Taskset[EscaladeTask, EscaladeConfig]):  # type: ignore[misc]
    """A run's groups, batch after batch, without an end."""

    INFINITE = True

    def load(self) -> Iterator[EscaladeTask]:
        """Ask for the run's batches as they are needed.

        Raises:
            InvalidRequest: The run has a length penalty.
        """
        config: EscaladeConfig = self.config
        if not config.run:
            raise ValueError("`run` is empty: give the id of a run, as in --env.taskset.run run_...")
        require_no_lengths(patiently(lambda: shared_client(config.url).run(config.run)))
        for cursor in count(config.start):
            for group in batch_of(shared_client(config.url), config.run, cursor).groups:
                data = EscaladeData(
                    name=f"{group.environment} {group.group}",
                    prompt="\n\n".join(message.content for message in group.messages),
                    run=config.run,
                    group=group.group,
                    instance=group.instance,
                    level=group.level,
                    url=config.url,
                )
                yield EscaladeTask(data, config.task)

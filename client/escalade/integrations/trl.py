"""TRL's GRPOTrainer (1.16) over an Escalade run: dataset, reward function, environments, checkpoints.

    run = client.create_run("qwen", groups=8, rollouts=4)
    trainer = GRPOTrainer(
        model, reward(run.run), train_dataset=dataset(run.run), callbacks=[checkpoints(run.run)],
        args=GRPOConfig(num_generations=4, generation_batch_size=32, shuffle_dataset=False, max_steps=100),
    )

Guarantee: every process streams the same batches, a rollout that could not be scored is `None` and never 0, and a
shuffled stream is refused: TRL's buffer would make the difficulty about a thousand questions stale. TRL reads one
generation batch ahead, so that a batch's difficulty knows the outcomes up to the last batch but one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any

from escalade._patience import patiently
from escalade.client import Client
from escalade.errors import InvalidRequest, NotFound
from escalade.integrations._gathering import gathered
from escalade.integrations._judging import (
    Judged,
    Rollout,
    batch_of,
    judged,
    require_no_lengths,
    shared_client,
    text_of,
)
from escalade.integrations._peers import require
from escalade.types import Mode

Completion = str | Sequence[Mapping[str, Any]]
RewardFunction = Callable[..., Awaitable[list[float | None]]]


def dataset(run: str, *, client: Client | None = None, start: int = 0, conversational: bool = True) -> Any:
    """Stream a run's groups, batch after batch, as a `datasets.IterableDataset` without an end.

    Its columns are `prompt`, `group`, `instance`, `environment_name`, `level` and `mode`. Read again from its start, as
    TRL does when it resumes, it gives the same rows.

    Args:
        run: The run's id.
        client: How to reach the server; default as the environment says.
        start: Cursor of the first batch.
        conversational: Prompts as messages, or as plain text for models without a chat template.
    """
    datasets = require("datasets", "trl")
    stream = datasets.IterableDataset.from_generator(
        _rows, gen_kwargs={"source": _Source(client), "run": run, "start": start, "conversational": conversational}
    )
    stream.shuffle = _refuse_shuffle
    return stream


def reward(run: str, *, client: Client | None = None) -> RewardFunction:
    """Make the reward function of a run: it reports the rollouts of the run's groups, and scores other instances.

    Args:
        run: The run's id.
        client: How to reach the server; default as the environment says.
    """
    source = _Source(client)

    async def escalade(
        prompts: Sequence[Any],
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        *,
        instance: Sequence[str],
        group: Sequence[str | None] | None = None,
        mode: Sequence[Mode] | None = None,
        trainer_state: Any = None,
        log_metric: Callable[[str, float], None] | None = None,
        **_: object,
    ) -> list[float | None]:
        groups = group if group is not None else [None] * len(completions)
        modes: Sequence[Mode] = mode if mode is not None else ["answer"] * len(completions)
        step = trainer_state.global_step if trainer_state is not None else None
        rollouts = [
            Rollout(name, text_of(text), group=one, completion_tokens=len(ids), policy_step=step, mode=asked)
            for name, text, one, ids, asked in zip(instance, completions, groups, completion_ids, modes, strict=True)
        ]
        outcomes = await judged(source.client, run, rollouts)
        if log_metric is not None:
            log_metric("escalade/unscored", sum(one.outcome != "scored" for one in outcomes) / len(outcomes))
        return [one.score if one.outcome == "scored" else None for one in outcomes]

    return escalade


class Environment:
    """One rollout's environment for TRL's `environment_factory`: the model answers through a tool.

    What it submits is reported at once, in a thread, while other rollouts are still being written: TRL asks for the
    rewards one after the other.
    """

    def __init__(self, run: str, client: Client) -> None:
        self._run, self._client = run, client
        self._group: str | None = None
        self._instance = ""
        self._mode: Mode = "answer"
        self._judged: Future[Judged] | None = None

    def reset(self, *, instance: str, group: str | None = None, mode: Mode = "answer", **_: object) -> None:
        """Take the question of a row of `dataset`; its prompt is complete."""
        self._instance, self._group, self._mode, self._judged = instance, group, mode, None

    def submit(self, answer: str) -> str:
        """Submit the final answer to the task.

        Args:
            answer: The answer alone, in the form that the task asks for.

        Returns:
            Whether it was taken; the first answer counts.
        """
        if self._judged is not None:
            return "An answer was submitted before; that one counts."
        text = str(answer)  # models give numbers and lists as well
        if self._mode == "answer":
            self._report(f"\\boxed{{{text}}}")
        else:
            self._report(text if "```" in text else f"```\n{text}\n```")
        return "Submitted."

    def get_reward(self) -> float | None:
        """The score of what was submitted, 0 where nothing was; None where it could not be scored."""
        outcome = (self._judged or self._report("")).result()
        return outcome.score if outcome.outcome == "scored" else None

    def _report(self, completion: str) -> Future[Judged]:
        rollout = Rollout(self._instance, completion, group=self._group, mode=self._mode)
        self._judged = gathered(self._client, self._run, rollout)
        return self._judged


def environment_factory(run: str, *, client: Client | None = None) -> Callable[[], Environment]:
    """Make environments of a run, for `GRPOTrainer(environment_factory=...)` together with `dataset`.

    Args:
        run: The run's id.
        client: How to reach the server; default as the environment says.

    Raises:
        InvalidRequest: The run has a length penalty.
    """
    source = _Source(client)
    require_no_lengths(patiently(lambda: source.client.run(run)))
    return lambda: Environment(run, source.client)


def checkpoints(run: str, *, client: Client | None = None) -> Any:
    """Make a `TrainerCallback` that checks the trainer's settings and keeps the curriculum with the weights.

    Whenever TRL saves, the run gets a checkpoint `step-N`; when TRL resumes from it, the run is restored to it.

    Args:
        run: The run's id.
        client: How to reach the server; default as the environment says.
    """
    callback: Any = require("transformers", "trl").TrainerCallback
    source = _Source(client)

    class Checkpoints(callback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: object) -> None:
            _require_settings(args, source.client.run(run))
            if not state.global_step:
                return
            if state.is_world_process_zero:
                _restore(source.client, run, state.global_step)
            # No process may ask for a batch of the run as it was before.
            distributed: Any = require("torch", "trl").distributed
            if distributed.is_available() and distributed.is_initialized():
                distributed.barrier()

        def on_save(self, args: Any, state: Any, control: Any, **_: object) -> None:
            if state.is_world_process_zero:
                step = state.global_step
                patiently(lambda: source.client.checkpoint(run, f"step-{step}", step))

    return Checkpoints()


def _restore(client: Client, run: str, step: int) -> None:
    try:
        patiently(lambda: client.restore(run, f"step-{step}"))
    except NotFound as error:
        if error.code != "checkpoint_not_found":
            raise
        raise InvalidRequest(
            f"the trainer resumes at step {step}, for which run {run} has no checkpoint: "
            "train with this callback from the start, or leave it out to go on with the run as it stands"
        ) from error


class _Source:
    """A client, found when it is first used; pickled without its connections."""

    def __init__(self, client: Client | None) -> None:
        self._client = client

    @property
    def client(self) -> Client:
        return self._client if self._client is not None else shared_client()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Source, (None,)


def _rows(source: _Source, run: str, start: int, conversational: bool) -> Iterator[dict[str, Any]]:
    for cursor in count(start):
        for group in batch_of(source.client, run, cursor).groups:
            messages = [{"role": message.role, "content": message.content} for message in group.messages]
            yield {
                "prompt": messages if conversational else "\n\n".join(message["content"] for message in messages),
                "group": group.group,
                "instance": group.instance,
                "environment_name": group.environment,
                "level": group.level,
                "mode": group.mode,
            }


def _refuse_shuffle(*_: object, **__: object) -> None:
    raise InvalidRequest("a run's batches come in order: set `shuffle_dataset=False` in GRPOConfig")


def _require_settings(args: Any, run: Any) -> None:
    if args.shuffle_dataset:
        _refuse_shuffle()
    if args.num_generations != run.rollouts:
        raise InvalidRequest(
            f"`num_generations` is {args.num_generations}, and the run has groups of {run.rollouts} rollouts: "
            "set both to the same number, or groups would never be complete"
        )
    groups = args.generation_batch_size // args.num_generations
    if groups % run.groups and run.groups % groups:
        raise InvalidRequest(
            f"a generation batch holds {groups} groups, and the run's batches {run.groups}: set "
            f"`generation_batch_size` to {run.groups * run.rollouts}, so that a step is a batch"
        )

"""verl (0.9): a dataset class and a reward function over an Escalade run, by configuration alone.

    data.custom_cls.path=pkg://escalade.integrations.verl data.custom_cls.name=RunDataset
    data.train_files=run:run_... data.val_files=evaluation:toll-road:3:64
    data.train_batch_size=GROUPS data.shuffle=False data.dataloader_num_workers=0
    actor_rollout_ref.rollout.n=ROLLOUTS
    reward.custom_reward_function.path=pkg://escalade.integrations.verl
    reward.custom_reward_function.name=compute_score

Guarantee: the n-th row is the same group in every process and after every restart. verl's trainer has no hook for a
curriculum, so that the server learns from the scoring calls: run and group travel in `extra_info`, and the server gives
each call a rollout of its own. A completion that cannot be scored raises: verl's trainer then leaves that rollout out
and goes on, where any number in its place would be learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from escalade.client import Client
from escalade.errors import InvalidRequest, Unavailable
from escalade.integrations._gathering import judged_one
from escalade.integrations._judging import Rollout, batch_of, require_no_lengths, shared_client
from escalade.integrations._peers import require
from escalade.types import Group, Instance

torch: Any = require("torch", "verl")

DATA_SOURCE = "escalade"
STEPS = 100_000
"""Batches that a run's dataset says it has where `max_samples` sets no other length: a run has no end of its own."""


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any],
    url: str | None = None,
    **_: object,
) -> dict[str, float]:
    """Score a completion, and report it where it is of a run's group.

    A server that is away is waited for.

    Args:
        data_source: Not used.
        solution_str: The completion.
        ground_truth: Not used: it stays on the server.
        extra_info: What `RunDataset` put there: `instance`, and `run` and `group`; `rollout` where it is known.
        url: Address of the server, from `reward_kwargs`; default ESCALADE_URL. The key comes from ESCALADE_KEY.

    Raises:
        Unavailable: It could not be scored.
    """
    run, rollout = extra_info.get("run"), extra_info.get("rollout")
    asked = Rollout(extra_info["instance"], solution_str, group=extra_info.get("group"), rollout=rollout)
    outcome = await judged_one(shared_client(url), run, asked)
    if outcome.score is None:
        raise Unavailable(f"instance {asked.instance}: not scored ({outcome.detail or outcome.outcome})")
    return {"score": outcome.score, "acc": float(outcome.accuracy or 0)}


class RunDataset(torch.utils.data.Dataset):  # type: ignore[misc]
    """A run's groups in order, or held-out instances, as verl's rows.

    Args:
        data_files: `run:RUN`, or any number of `evaluation:ENVIRONMENT:LEVEL:COUNT`.
        tokenizer: Not used: verl applies the chat template itself.
        processor: Not used.
        config: verl's `data` settings.
        max_samples: Length of a run's dataset, in groups; verl's -1 is no bound.

    Raises:
        InvalidRequest: A name is of neither form, a setting would spoil the run's order, or the run has a length
            penalty.
    """

    def __init__(
        self,
        data_files: str | list[str],
        tokenizer: object = None,
        processor: object = None,
        config: Mapping[str, Any] | None = None,
        max_samples: int = -1,
    ) -> None:
        names = [data_files] if isinstance(data_files, str) else [str(name) for name in data_files]
        self.url: str | None = (config or {}).get("escalade_url")
        self.run: str | None = None
        self._held_out: list[Instance] = []
        self._batch: tuple[int, list[Group]] = (-1, [])
        if len(names) == 1 and names[0].startswith("run:"):
            self.run = names[0].removeprefix("run:")
            run = self._client.run(self.run)
            require_no_lengths(run)
            self._size = run.groups
            _require_order(config or {}, self._size)
            self._length = max_samples if max_samples > 0 else STEPS * self._size
            return
        for name in names:
            kind, _, rest = name.partition(":")
            parts = rest.split(":")
            if kind != "evaluation" or len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
                raise InvalidRequest(
                    f"{name!r} is no data: give run:RUN for training, evaluation:ENVIRONMENT:LEVEL:COUNT for validation"
                )
            served = self._client.instances(parts[0], level=int(parts[1]), count=int(parts[2]), split="evaluation")
            self._held_out += served.instances
        self._length = len(self._held_out)

    @property
    def _client(self) -> Client:
        return shared_client(self.url)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < self._length:
            raise IndexError(index)
        if self.run is None:
            return _row(index, self._held_out[index], {})
        cursor, place = divmod(index, self._size)
        if self._batch[0] != cursor:
            self._batch = (cursor, batch_of(self._client, self.run, cursor).groups)
        group = self._batch[1][place]
        return _row(index, group, {"run": self.run, "group": group.group})


def _row(index: int, asked: Group | Instance, extra: Mapping[str, str]) -> dict[str, Any]:
    info = {"index": index, "instance": asked.instance, "environment": asked.environment, "level": asked.level, **extra}
    return {
        "data_source": DATA_SOURCE,
        "raw_prompt": [{"role": message.role, "content": message.content} for message in asked.messages],
        "reward_model": {"style": "rule", "ground_truth": ""},
        "extra_info": info,
        "index": index,
        "tools_kwargs": {},
        "interaction_kwargs": {},
        # verl's batches need a tensor.
        "dummy_tensor": torch.tensor([0], dtype=torch.uint8),
    }


def _require_order(config: Mapping[str, Any], groups: int) -> None:
    if config.get("shuffle", False):
        raise InvalidRequest("a run's batches come in order: set data.shuffle=False")
    if config.get("dataloader_num_workers", 0):
        raise InvalidRequest(
            "workers of the data loader would ask for batches long before their time: set data.dataloader_num_workers=0"
        )
    size = config.get("train_batch_size", groups)
    if size != groups:
        raise InvalidRequest(f"data.train_batch_size is {size}, and the run's batches {groups} groups: set both alike")

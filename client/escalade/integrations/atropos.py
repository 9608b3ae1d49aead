"""An Atropos (0.4) environment over an Escalade run: python examples/atropos_environment.py serve --env.run run_...

Guarantee: each group is collected once, its completions are reported in one request, and a group with a rollout that
could not be scored is dropped rather than posted with a 0.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from itertools import count
from typing import Any

from escalade.errors import InvalidRequest
from escalade.integrations._aside import aside
from escalade.integrations._judging import Rollout, batch_of, judged, require_no_lengths, shared_client
from escalade.integrations._peers import require
from escalade.types import Group

base: Any = require("atroposlib.envs.base", "atropos")

MASKED = -100
"""What Atropos's masks hold for tokens that the model did not write."""

logger = logging.getLogger("escalade")

__all__ = ["EscaladeEnvironment", "EscaladeEnvironmentConfig"]


class EscaladeEnvironmentConfig(base.BaseEnvConfig):  # type: ignore[misc]
    """Atropos's settings, and which run to follow."""

    wandb_name: str | None = "escalade"
    """Atropos's API registers the environment under this name, with W&B or without."""
    run: str = ""
    """The run's id; its rollouts are to be `group_size`. Empty starts a new run."""
    url: str | None = None
    """Address of the server; default ESCALADE_URL."""
    groups: int = 16
    """Groups per batch of a new run."""
    evaluation: list[str] = []
    """Environments to evaluate on, with instances that training never serves."""
    evaluation_level: int = 0
    evaluation_count: int = 16
    """Instances per environment."""


class EscaladeEnvironment(base.BaseEnv):  # type: ignore[misc]
    """Serves a run's groups to Atropos's workers and posts tokens, masks and scores."""

    name = "escalade"
    env_config_cls = EscaladeEnvironmentConfig

    @classmethod
    def config_init(cls) -> tuple[Any, list[Any]]:
        """What the command line starts from: a list of servers, since Atropos asks ports 9004 on of any other."""
        return cls.env_config_cls(), [base.APIServerConfig(model_name="default", base_url="http://127.0.0.1:8000/v1")]

    async def setup(self) -> None:
        """Find the run, or start one.

        Raises:
            InvalidRequest: The run's groups have another size than Atropos's, or it has a length penalty.
        """
        self._client = shared_client(self.config.url)
        size = self.config.group_size
        if self.config.run:
            run = await asyncio.to_thread(self._client.run, self.config.run)
        else:
            run = await asyncio.to_thread(
                lambda: self._client.create_run("atropos", groups=self.config.groups, rollouts=size)
            )
        if run.rollouts != size:
            raise InvalidRequest(
                f"`group_size` is {size}, and run {run.run} has groups of {run.rollouts} rollouts: set both to the same"
            )
        require_no_lengths(run)
        self.run = run.run
        self._lock = asyncio.Lock()
        # What was asked for before a restart and not reported expires: nobody is left who could finish it.
        self._groups = self._in_order(0 if run.last_cursor is None else run.last_cursor + 1)

    async def get_next_item(self) -> Group:
        """The next group of the run."""
        async with self._lock:
            return await asyncio.wrap_future(aside(lambda: next(self._groups)))

    async def collect_trajectories(self, item: Group) -> tuple[Any, list[Any]]:
        """Sample a group's completions, report them, and give back what the trainer needs; None where one failed."""
        messages = [{"role": message.role, "content": message.content} for message in item.messages]
        completion = await self.server.chat_completion(
            messages=messages, n=self.config.group_size, max_tokens=self.config.max_token_length
        )
        texts = [choice.message.content or "" for choice in completion.choices]
        rollouts = [Rollout(item.instance, text, group=item.group) for text in texts]
        outcomes = await judged(self._client, self.run, rollouts)
        scores = [one.score for one in outcomes if one.score is not None]
        if len(scores) < len(outcomes):
            logger.warning("group %s: %d rollouts were not scored; dropped", item.group, len(outcomes) - len(scores))
            return None, []
        rows = [self._row(messages, choice) for choice in completion.choices]
        group = base.ScoredDataGroup(tokens=[row[0] for row in rows], masks=[row[1] for row in rows], scores=scores)
        return group, []

    def _row(self, messages: list[dict[str, str]], choice: Any) -> tuple[list[int], list[int]]:
        """Tokens and masks of one completion.

        Not by Atropos's `tokenize_for_trainer`: with transformers 5 it counts the fields of the tokenizer's answer in
        place of its tokens, and masks what the model wrote.
        """
        prompt = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        written = self.tokenizer(choice.message.content or "", add_special_tokens=False)["input_ids"]
        if choice.finish_reason == "stop":
            written = [*written, self.tokenizer.eos_token_id]
        return [*prompt, *written], [MASKED] * len(prompt) + written

    async def evaluate(self, *args: object, **kwargs: object) -> None:
        """Measure accuracy on held-out instances of the environments in `evaluation`."""
        figures = {}
        for name in self.config.evaluation:
            figures[f"escalade/{name}"] = await self._accuracy(name)
        if figures:
            await self.wandb_log(figures)
            await self.evaluate_log(figures)

    async def _accuracy(self, name: str) -> float:
        held_out = await asyncio.to_thread(
            lambda: self._client.instances(
                name, level=self.config.evaluation_level, count=self.config.evaluation_count, split="evaluation"
            )
        )
        replies = await asyncio.gather(
            *(
                self.server.chat_completion(
                    messages=[{"role": one.role, "content": one.content} for one in instance.messages],
                    n=1,
                    max_tokens=self.config.max_token_length,
                    split="eval",
                )
                for instance in held_out.instances
            )
        )
        rollouts = [
            Rollout(instance.instance, reply.choices[0].message.content or "")
            for instance, reply in zip(held_out.instances, replies, strict=True)
        ]
        outcomes = await judged(self._client, None, rollouts)
        right = [one.accuracy for one in outcomes if one.accuracy is not None]
        return sum(right) / len(right) if right else float("nan")

    def _in_order(self, start: int) -> Iterator[Group]:
        for cursor in count(start):
            yield from batch_of(self._client, self.run, cursor).groups

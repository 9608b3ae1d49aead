"""Supervised learning of worked examples, so that a new model has something for rewards to choose from.

The examples are instances of the lowest levels in the training split, with their answers, which the server gives to an
admin key alone. Levels that are not named stay unseen.

Guarantee: pure but for the model's weights: the same examples, seed and number of threads end in the same weights.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from escalade import Client
from escalade._patience import PATIENCE_S, logger
from escalade.trainer.config import WarmupSettings
from escalade.trainer.desk import Say, patiently
from escalade.trainer.model import END, PAD, START, Transformer
from escalade.trainer.policies import SmallPolicy, padded_left, padded_right
from escalade.types import Template

COOL_DOWN = 0.4
"""Share of the steps, at the end, over which the learning rate falls to 0."""
RISE_STEPS = 50
CLIP_NORM = 1.0
AT_ONCE = 128
"""Instances per request, so that none takes long."""


@dataclass(frozen=True)
class Example:
    """A prompt and its right answer."""

    environment: str
    level: int
    prompt: str
    answer: str


def fetch(
    client: Client,
    environments: Sequence[str],
    *,
    levels: Sequence[int],
    count: int,
    seed: int,
    template: Template,
    patience_s: float = PATIENCE_S,
    say: Say = logger.warning,
) -> list[Example]:
    """Worked examples of some levels of each environment; a level that a ladder lacks is left out.

    A server that is away is waited for, which `say` is told.

    Raises:
        PermissionDenied: The key is not an admin's.
        TrainingFailed: The server stays away.
    """
    examples = []
    for name in environments:
        tops = patiently(partial(client.environment, name), patience_s, say).levels
        for level in (level for level in levels if level < tops):
            for first in range(0, count, AT_ONCE):
                asked = partial(
                    client.instances, name, level=level, count=min(AT_ONCE, count - first),
                    seed=seed + first // AT_ONCE, template=template, reveal_answers=True,
                )  # fmt: skip
                examples += [
                    # References print their answers over several lines; a list reads as well in one.
                    Example(name, level, one.messages[-1].content, " ".join((one.answer or "").split()))
                    for one in patiently(asked, patience_s, say).instances
                ]
    return examples


def warm_up(
    policy: SmallPolicy,
    examples: Sequence[Example],
    settings: WarmupSettings,
    *,
    seed: int,
    told: Callable[[int, float], None],
) -> float:
    """Learn the examples; the last steps' mean loss per token. `told` hears of each step and of that mean."""
    model = policy.module
    rng = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.05)
    mean = float("nan")
    for step in range(settings.steps):
        # Texts of like length together, so that little is spent on padding.
        some = sorted(rng.choices(examples, k=4 * settings.batch), key=lambda one: len(one.prompt))
        first = rng.randrange(3 * settings.batch + 1)
        loss = answer_loss(model, some[first : first + settings.batch], settings.stretch, generator, policy.device)
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * schedule(step, settings.steps)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step()
        value = float(loss.detach())
        mean = value if step == 0 else 0.98 * mean + 0.02 * value
        told(step, mean)
    return mean


def schedule(step: int, steps: int) -> float:
    """Factor of the learning rate: up, level, and down to 0."""
    left = (steps - step) / max(1.0, COOL_DOWN * steps)
    return min(1.0, (step + 1) / RISE_STEPS, left)


def answer_loss(
    model: Transformer,
    examples: Sequence[Example],
    stretch: float,
    generator: torch.Generator,
    device: torch.device,
) -> Tensor:
    """Mean cross-entropy of the answers' characters and their ends."""
    prompts, mask = padded_left([model.tokenizer.encode(one.prompt) for one in examples], device)  # (B, P) each
    answers = [[*model.tokenizer.encode(one.answer), END] for one in examples]
    wanted, _ = padded_right(answers, device)  # (B, A)
    before = torch.cat((torch.full_like(wanted[:, :1], START), wanted[:, :-1]), 1)  # (B, A)
    read_at, write_at = positions(mask, wanted.shape[1], stretch, generator)
    past = model.read(prompts, mask, positions=read_at)
    logits = model.write(before[:, None], past, positions=write_at[:, None])[:, 0]  # (B, A, V)
    return F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=PAD)


def positions(mask: Tensor, length: int, stretch: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Positions of prompts (B, P) and answers (B, A); with a stretch above 1 they ascend by random gaps.

    Each text draws how wide its gaps may be, from 1 to `stretch`, so that most distances are met near and far.
    """
    rows, width = mask.shape
    gaps = torch.ones(rows, width + length)
    if stretch > 1:
        widest = (stretch - 1) * torch.rand(rows, 1, generator=generator)
        gaps = gaps + widest * torch.rand(rows, width + length, generator=generator)
    gaps = gaps.to(mask.device)
    gaps = torch.cat((gaps[:, :width] * mask, gaps[:, width:]), 1)
    places = (gaps.cumsum(1) - 1).clamp(min=0)
    return places[:, :width], places[:, width:]

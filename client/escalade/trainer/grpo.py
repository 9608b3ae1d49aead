"""GRPO as pure functions on tensors: which groups teach, advantages, and the loss.

G groups of K rollouts of at most A tokens. What the server could not score, or never got, is NaN in the rewards: it is
neither right nor wrong, has no advantage, and does not move its group's mean.

Guarantee: no state, no randomness, nothing changed in place; a rollout without tokens or without a reward adds nothing
to the loss and no NaN to the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Normalise = Literal["mean", "mean_std"]
SMALL = 1e-4
"""Keeps a group of nearly equal rewards from huge advantages."""


@dataclass(frozen=True)
class Clip:
    """How far a token's probability may move before its gradient stops."""

    low: float = 0.2
    high: float = 0.28
    """Above `low`, so that unlikely tokens of right answers may grow (clip-higher)."""


@dataclass(frozen=True)
class Loss:
    """One part of a step's loss, to be added to the others, and what it says."""

    total: Tensor
    """Scalar, with gradient."""
    clipped: Tensor
    """Share of the step's tokens whose ratio was clipped, this part's contribution."""
    kl: Tensor
    """KL from the reference per token, this part's contribution; 0 without a reference."""


def informative(rewards: Tensor) -> Tensor:
    """Which groups (G,) have something to learn: two rewards at least that differ, of (G, K)."""
    known = ~rewards.isnan()
    highest = rewards.masked_fill(~known, -torch.inf).amax(1)
    lowest = rewards.masked_fill(~known, torch.inf).amin(1)
    return (known.sum(1) >= 2) & (highest > lowest)


def advantages(rewards: Tensor, normalise: Normalise) -> Tensor:
    """How much better than its group each rollout did, (G, K); 0 where there is no reward.

    `mean` subtracts the group's mean; `mean_std` also divides by its standard deviation, so that hard and easy groups
    weigh the same.
    """
    known = ~rewards.isnan()
    count = known.sum(1, keepdim=True).clamp(min=1)  # (G, 1)
    mean = rewards.nan_to_num().sum(1, keepdim=True) / count
    centred = (rewards.nan_to_num() - mean) * known  # (G, K)
    if normalise == "mean":
        return centred
    deviation = (centred.square().sum(1, keepdim=True) / count).sqrt()
    return centred / (deviation + SMALL)


def loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantage: Tensor,
    mask: Tensor,
    *,
    clip: Clip,
    tokens: int,
    reference: Tensor | None = None,
    kl: float = 0.0,
) -> Loss:
    """The clipped objective, as its mean over all tokens of the step.

    Args:
        logprobs: Of the tokens under the weights being trained, (..., A).
        old_logprobs: Of the tokens under the weights that wrote them, (..., A).
        advantage: Of the rollouts, (...).
        mask: True where there is a token, (..., A).
        clip: How far the ratio of the two may go.
        tokens: Tokens of the whole step, so that parts of it may be added up.
        reference: Of the tokens under the reference model, (..., A).
        kl: Weight of the KL from the reference.
    """
    # Padding has whatever log probability the model gave it; it must not reach `exp`.
    difference = torch.where(mask, logprobs - old_logprobs, 0.0)
    ratio = difference.exp()
    gain = advantage[..., None]  # (..., 1)
    clipped = ratio.clamp(1 - clip.low, 1 + clip.high)
    objective = torch.minimum(ratio * gain, clipped * gain)
    total = -(objective * mask).sum() / max(tokens, 1)
    outside = ((ratio * gain > clipped * gain) & mask).sum() / max(tokens, 1)
    divergence = torch.zeros((), device=logprobs.device)
    if reference is not None:
        gap = torch.where(mask, reference - logprobs, 0.0)
        # Schulman's k3: never negative, and right in expectation.
        divergence = ((gap.exp() - gap - 1) * mask).sum() / max(tokens, 1)
        total = total + kl * divergence
    return Loss(total, outside.detach(), divergence.detach())

"""What can be trained or asked: one small protocol, and the small model behind it.

A `Writer` answers conversations with texts; a `Policy` is a writer whose own tokens and log probabilities are known, so
that it can be trained. Hugging Face models are in `hf`, endpoints in `endpoint`.

Guarantee: all chance comes from the generator passed in; a completion of no tokens is an empty text with an empty mask,
and none is longer than `max_tokens`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from escalade.trainer.model import END, PAD, START, ModelConfig, Transformer, sample
from escalade.types import Message

Conversation = Sequence[Message]


@dataclass(frozen=True)
class Sampling:
    """How completions are written."""

    max_tokens: int = 32
    temperature: float = 1.0
    """0 takes the likeliest token each time."""


@dataclass(frozen=True)
class Rollouts:
    """What a policy wrote: G groups of K rollouts, of at most A tokens after prompts of at most P."""

    prompts: Tensor
    """(G, P), padded on the left."""
    prompt_mask: Tensor
    """(G, P), True where there is a token."""
    tokens: Tensor
    """(G, K, A), padded on the right."""
    mask: Tensor
    """(G, K, A), True where there is a token."""
    logprobs: Tensor
    """(G, K, A), under the weights that wrote them and at their temperature; 0 on padding."""
    texts: tuple[tuple[str, ...], ...]
    """The completions as they are reported, G by K."""
    temperature: float

    def take(self, groups: Sequence[int]) -> Rollouts:
        """Some of the groups, with no more padding than they need."""
        index = torch.tensor(groups, dtype=torch.long, device=self.tokens.device)
        prompt_mask, mask = self.prompt_mask[index], self.mask[index]
        width = max(1, int(prompt_mask.sum(1).max())) if len(groups) else 1
        length = max(1, int(mask.sum(2).max())) if len(groups) else 1
        return Rollouts(
            prompts=self.prompts[index][:, -width:],
            prompt_mask=prompt_mask[:, -width:],
            tokens=self.tokens[index][:, :, :length],
            mask=mask[:, :, :length],
            logprobs=self.logprobs[index][:, :, :length],
            texts=tuple(self.texts[group] for group in groups),
            temperature=self.temperature,
        )

    def to(self, device: torch.device) -> Rollouts:
        """The same on another device."""
        tensors = ("prompts", "prompt_mask", "tokens", "mask", "logprobs")
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})


@dataclass(frozen=True)
class Scored:
    """A batch's rollouts with their rewards: all that an update needs, and all of it that a checkpoint keeps."""

    step: int
    rollouts: Rollouts
    rewards: Tensor
    """(G, K), NaN where the server has none."""
    figures: dict[str, float]
    """What is already known of the step, for its line of metrics."""


class Writer(Protocol):
    """Answers conversations."""

    def write(
        self, prompts: Sequence[Conversation], *, rollouts: int, sampling: Sampling, seed: int
    ) -> list[list[str]]:
        """Write so many completions of each conversation; the same seed writes the same, as far as the model can."""


class Policy(Writer, Protocol):
    """A model that can be trained here."""

    @property
    def module(self) -> nn.Module:
        """What holds the weights."""

    @property
    def device(self) -> torch.device:
        """Where they are."""

    def sample(
        self, prompts: Sequence[Conversation], *, rollouts: int, sampling: Sampling, generator: torch.Generator
    ) -> Rollouts:
        """Write so many completions of each conversation."""

    def logprobs(self, rollouts: Rollouts) -> Tensor:
        """Log probabilities (G, K, A) of the rollouts' tokens under the present weights, with gradient."""


def joined(parts: Sequence[Rollouts]) -> Rollouts:
    """Put groups of several batches side by side; all have as many rollouts per group."""
    width = max(part.prompts.shape[1] for part in parts)
    length = max(part.tokens.shape[2] for part in parts)

    def left(tensor: Tensor) -> Tensor:
        return nn.functional.pad(tensor, (width - tensor.shape[1], 0))

    def right(tensor: Tensor) -> Tensor:
        return nn.functional.pad(tensor, (0, length - tensor.shape[2]))

    return Rollouts(
        prompts=torch.cat([left(part.prompts) for part in parts]),
        prompt_mask=torch.cat([left(part.prompt_mask) for part in parts]),
        tokens=torch.cat([right(part.tokens) for part in parts]),
        mask=torch.cat([right(part.mask) for part in parts]),
        logprobs=torch.cat([right(part.logprobs) for part in parts]),
        texts=tuple(texts for part in parts for texts in part.texts),
        temperature=parts[0].temperature,
    )


def padded_left(rows: Sequence[Sequence[int]], device: torch.device, pad: int = PAD) -> tuple[Tensor, Tensor]:
    """Rows of tokens as (B, P) with the padding first, and where the tokens are."""
    width = max(1, *(len(row) for row in rows))
    tokens = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[False] * (width - len(row)) + [True] * len(row) for row in rows], device=device)
    return tokens, mask


def padded_right(rows: Sequence[Sequence[int]], device: torch.device, pad: int = PAD) -> tuple[Tensor, Tensor]:
    """Rows of tokens as (B, A) with the padding last, and where the tokens are."""
    width = max(1, *(len(row) for row in rows))
    tokens = torch.tensor([list(row) + [pad] * (width - len(row)) for row in rows], device=device)
    mask = torch.tensor([[True] * len(row) + [False] * (width - len(row)) for row in rows], device=device)
    return tokens, mask


class SmallPolicy:
    r"""The small model. It writes the bare answer; the opening of the box before it, and its end, are the template's.

    A rollout that runs out of tokens before its `END` leaves its box open, and so has no answer.
    """

    def __init__(self, config: ModelConfig, *, device: torch.device, seed: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.module = Transformer(config).to(device)
        self.device = device

    def prompt_tokens(self, prompts: Sequence[Conversation]) -> tuple[Tensor, Tensor]:
        """The last message of each conversation as tokens (G, P), and where they are."""
        return padded_left([self.module.tokenizer.encode(prompt[-1].content) for prompt in prompts], self.device)

    def text(self, tokens: Sequence[int]) -> str:
        """A rollout's tokens as the completion to report."""
        answer = self.module.tokenizer.decode(tokens)
        return f"\\boxed{{{answer}}}" if END in tokens else f"\\boxed{{{answer}"

    def sample(
        self, prompts: Sequence[Conversation], *, rollouts: int, sampling: Sampling, generator: torch.Generator
    ) -> Rollouts:
        """Write so many answers to each conversation."""
        tokens, mask = self.prompt_tokens(prompts)
        written, logprobs = sample(
            self.module,
            tokens,
            mask,
            rollouts=rollouts,
            max_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            generator=generator,
        )  # (G, K, A) each
        ended = (written == END).cumsum(-1)
        texts = tuple(tuple(self.text(row) for row in group) for group in written.tolist())
        return Rollouts(
            prompts=tokens,
            prompt_mask=mask,
            tokens=written,
            mask=(ended == 0) | ((ended == 1) & (written == END)),
            logprobs=logprobs,
            texts=texts,
            temperature=sampling.temperature,
        )

    def logprobs(self, rollouts: Rollouts) -> Tensor:
        """Log probabilities (G, K, A) of the rollouts' tokens, with gradient."""
        past = self.module.read(rollouts.prompts, rollouts.prompt_mask)
        first = torch.full_like(rollouts.tokens[:, :, :1], START)
        logits = self.module.write(torch.cat((first, rollouts.tokens[:, :, :-1]), 2), past)  # (G, K, A, V)
        logprobs = torch.log_softmax(logits / (rollouts.temperature or 1.0), -1)
        return logprobs.gather(-1, rollouts.tokens[..., None])[..., 0]

    def write(
        self, prompts: Sequence[Conversation], *, rollouts: int, sampling: Sampling, seed: int
    ) -> list[list[str]]:
        """Write so many answers to each conversation."""
        generator = torch.Generator(self.device).manual_seed(seed)
        written = self.sample(prompts, rollouts=rollouts, sampling=sampling, generator=generator)
        return [list(texts) for texts in written.texts]

"""A decoder-only transformer over characters, small enough to train on a CPU.

It reads a group's prompt once and writes all the group's rollouts after it, side by side: reading is `read`, writing
is `write`, and sampling is `write` one token at a time with a cache of what was written. Positions are rotary, so that
nothing is tied to a length, and may be given, so that the warm-up can spread them at random: distances longer than any
text seen are then no surprise. What it leaves out: dropout, tied weights, grouped queries, anything for many devices.

Guarantee: a token's logits are the same whether its rollout is written at once or token by token, alone or beside
others, in a batch of short or long prompts, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PAD, END, START, UNKNOWN = 0, 1, 2, 3
CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))


class Tokenizer:
    """One token per character; a text's first line is a single token where it is one of `words`."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        self._texts = ["", "", "", "?", *CHARACTERS, *words]
        self._characters = {character: number for number, character in enumerate(CHARACTERS, UNKNOWN + 1)}
        self._words = {word: number for number, word in enumerate(words, UNKNOWN + 1 + len(CHARACTERS))}

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return len(self._texts)

    def encode(self, text: str) -> list[int]:
        """Text to tokens; a character that is not printable ASCII becomes `UNKNOWN`."""
        first, newline, rest = text.partition("\n")
        if first in self._words and newline:
            return [self._words[first], *self._spell(rest)]
        return self._spell(text)

    def _spell(self, text: str) -> list[int]:
        return [self._characters.get(character, UNKNOWN) for character in text]

    def decode(self, tokens: Sequence[int]) -> str:
        """Tokens to text, up to the first `END`."""
        written = tokens[: tokens.index(END)] if END in tokens else tokens
        return "".join(self._texts[token] for token in written)


@dataclass(frozen=True)
class ModelConfig:
    """Sizes."""

    layers: int = 4
    heads: int = 4
    width: int = 128
    base: float = 10_000.0
    """Base of the rotary frequencies."""
    words: tuple[str, ...] = ()
    """Texts that are one token each, such as the names of environments."""


@dataclass
class Past:
    """What was read and written so far, per layer: keys and values."""

    read: list[tuple[Tensor, Tensor]]
    """Of the prompts, each (G, H, P, D)."""
    mask: Tensor
    """(G, P), True where there is a prompt token."""
    end: Tensor
    """(G,): the position after the prompt."""
    written: list[tuple[Tensor, Tensor]]
    """Of the rollouts, each (G, K, H, S, D); empty before the first token."""


class Block(nn.Module):
    """Attention and a feed-forward layer, each on the normalised stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def heads_of(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of (B, T, W), each (B, H, T, D)."""
        batch, length, width = x.shape
        qkv = self.qkv(norm(x)).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, H, T, D)
        return rotate(norm(q), turn), rotate(norm(k), turn), v

    def rest(self, x: Tensor, attended: Tensor) -> Tensor:
        """The stream after attention's result (B, H, T, D) and the feed-forward layer, (B, T, W)."""
        x = x + self.out(attended.transpose(1, 2).reshape(x.shape))
        x = x + self.down(F.relu(self.up(norm(x))).square())
        return x


class Transformer(nn.Module):
    """The model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = Tokenizer(config.words)
        self.embed = nn.Embedding(self.tokenizer.size, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.head = nn.Linear(config.width, self.tokenizer.size, bias=False)
        self._initialise()

    def _initialise(self) -> None:
        for name, weight in self.named_parameters():
            if name.endswith(("out.weight", "down.weight", "head.weight")):
                nn.init.zeros_(weight)  # each block begins as the identity
            elif name.startswith("embed"):
                nn.init.normal_(weight, std=1.0)
            else:
                nn.init.uniform_(weight, -((3 / weight.shape[1]) ** 0.5), (3 / weight.shape[1]) ** 0.5)

    def read(self, tokens: Tensor, mask: Tensor, *, positions: Tensor | None = None) -> Past:
        """Read prompts (G, P), padded on the left where `mask` (G, P) is False."""
        if positions is None:
            positions = (mask.cumsum(1) - 1).clamp(min=0)  # (G, P)
        length = tokens.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=tokens.device).tril()
        # A padding token sees itself alone, so that no row of the softmax is empty.
        seen = (causal & mask[:, None, :]) | torch.eye(length, dtype=torch.bool, device=tokens.device)  # (G, P, P)
        turn = turns(positions, self.config)
        x = norm(self.embed(tokens))
        past: list[tuple[Tensor, Tensor]] = []
        for block in self.blocks:
            assert isinstance(block, Block)
            q, k, v = block.heads_of(x, turn)
            x = block.rest(x, F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None]))
            past.append((k, v))
        return Past(past, mask, positions[:, -1] + 1, [])

    def write(self, tokens: Tensor, past: Past, *, positions: Tensor | None = None, keep: bool = False) -> Tensor:
        """Logits (G, K, A, V) of what follows each token of the rollouts (G, K, A), the first of which is `START`.

        With `keep`, the tokens are added to `past`, and the next call goes on after them.
        """
        groups, rollouts, length = tokens.shape
        before = past.written[0][0].shape[3] if past.written else 0
        if positions is None:
            steps = torch.arange(before, before + length, device=tokens.device)
            positions = past.end[:, None, None] + steps.expand(groups, rollouts, length)  # (G, K, A)
        turn = turns(positions.flatten(0, 1), self.config)
        causal = torch.ones(length, before + length, dtype=torch.bool, device=tokens.device).tril(before)
        x = norm(self.embed(tokens.flatten(0, 1)))  # (G*K, A, W)
        written: list[tuple[Tensor, Tensor]] = []
        for index, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            q, k, v = block.heads_of(x, turn)  # each (G*K, H, A, D)
            by_group = (groups, rollouts, *k.shape[1:])
            own = (k.reshape(by_group), v.reshape(by_group))  # each (G, K, H, A, D)
            if before:
                own = (torch.cat((past.written[index][0], own[0]), 3), torch.cat((past.written[index][1], own[1]), 3))
            written.append(own)
            x = block.rest(x, attend(q, past.read[index], past.mask, own, causal))
        if keep:
            past.written = written
        logits: Tensor = self.head(norm(x))
        return logits.view(groups, rollouts, length, -1).float()


def attend(q: Tensor, read: tuple[Tensor, Tensor], mask: Tensor, own: tuple[Tensor, Tensor], causal: Tensor) -> Tensor:
    """Attention of rollouts to their group's prompt, which they share, and to themselves.

    Args:
        q: Queries (G*K, H, A, D).
        read: The prompts' keys and values, each (G, H, P, D).
        mask: (G, P), True where there is a prompt token.
        own: The rollouts' own keys and values, each (G, K, H, S, D).
        causal: (A, S), True where a query may see a key.

    Returns:
        (G*K, H, A, D).
    """
    groups, rollouts, heads, _, depth = own[0].shape
    length, width = q.shape[2], mask.shape[1]
    by_rollout = q.reshape(groups, rollouts, heads, length, depth)
    # One matrix product per group and head for all its rollouts: (K*A, D) by (D, P).
    together = by_rollout.transpose(1, 2).reshape(groups, heads, rollouts * length, depth)
    to_read = (together @ read[0].transpose(2, 3)).masked_fill(~mask[:, None, None, :], -torch.inf)  # (G, H, K*A, P)
    to_read = to_read.view(groups, heads, rollouts, length, width).transpose(1, 2)  # (G, K, H, A, P)
    to_own = (by_rollout @ own[0].transpose(3, 4)).masked_fill(~causal, -torch.inf)  # (G, K, H, A, S)
    weights = torch.softmax(torch.cat((to_read, to_own), -1) * depth**-0.5, -1)  # (G, K, H, A, P+S)
    of_read = weights[..., :width].transpose(1, 2).reshape(groups, heads, rollouts * length, width) @ read[1]
    of_read = of_read.view(groups, heads, rollouts, length, depth).transpose(1, 2)  # (G, K, H, A, D)
    return (of_read + weights[..., width:] @ own[1]).reshape(q.shape)


def norm(x: Tensor) -> Tensor:
    """Scale the last dimension to a mean square of 1."""
    normed: Tensor = F.rms_norm(x, (x.shape[-1],))
    return normed


def turns(positions: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Cosines and sines for positions (B, T), each (B, 1, T, D/2)."""
    half = config.width // config.heads // 2
    speeds = config.base ** (-torch.arange(half, device=positions.device) / half)
    angles = positions[:, None, :, None].float() * speeds
    return angles.cos(), angles.sin()


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Turn the halves of each head (B, H, T, D) by its position's angles."""
    cosine, sine = turn
    first, second = x.chunk(2, -1)
    return torch.cat((first * cosine - second * sine, first * sine + second * cosine), -1).to(x.dtype)


@torch.no_grad()
def sample(
    model: Transformer,
    prompts: Tensor,
    mask: Tensor,
    *,
    rollouts: int,
    max_tokens: int,
    temperature: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Write `rollouts` continuations of each prompt; temperature 0 takes the likeliest token each time.

    Returns:
        Tokens (G, K, A), each rollout's last one `END` unless it ran out of tokens, `PAD` after that; and their log
        probabilities at the temperature (G, K, A), 0 on padding.
    """
    past = model.read(prompts, mask)
    token = torch.full((len(prompts), rollouts, 1), START, device=prompts.device)  # (G, K, 1)
    done = torch.zeros(len(prompts), rollouts, dtype=torch.bool, device=prompts.device)
    tokens, logprobs = [], []
    for _ in range(max_tokens):
        logits = model.write(token, past, keep=True)[:, :, -1]  # (G, K, V)
        logprob = torch.log_softmax(logits / (temperature or 1.0), -1)
        if temperature:
            token = torch.multinomial(logprob.exp().flatten(0, 1), 1, generator=generator).view_as(token)
        else:
            token = logprob.argmax(-1, keepdim=True)
        token = token.masked_fill(done[:, :, None], PAD)
        tokens.append(token[:, :, 0])
        logprobs.append(logprob.gather(-1, token)[:, :, 0].masked_fill(done, 0.0))
        done = done | (token[:, :, 0] == END)
        if done.all():
            break
    return torch.stack(tokens, -1), torch.stack(logprobs, -1)

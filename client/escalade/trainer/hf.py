"""Any causal language model of Hugging Face behind the policy protocol (extra `hf`).

Conversations go through the tokenizer's chat template; a tokenizer without one gets the messages' texts, a blank line
after each. Sampling is `generate` with its cache, all rollouts of some prompts at a time. What it leaves out: adapters,
quantised weights, many devices, and log probabilities computed without holding the logits of a part.

Guarantee: the log probabilities kept with a rollout come from the same computation that training uses, so that the
ratio of the two is 1 until the weights change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from escalade.errors import EscaladeError
from escalade.trainer.policies import Conversation, Rollouts, Sampling, padded_left, padded_right


class ModelUnavailable(EscaladeError):
    """A model cannot be loaded, or what it needs is not installed."""

    default_code = "model_unavailable"


class HFPolicy:
    """A causal language model and its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, *, device: torch.device, prompts_at_once: int = 8) -> None:
        """Take a model and its tokenizer.

        Args:
            model: A causal language model with `generate`.
            tokenizer: Its tokenizer.
            device: Where the model is to be.
            prompts_at_once: Prompts that are sampled from together; all rollouts of each count against memory.
        """
        # Any: `generate` and the tokenizer's methods come from mixins that have no usable types.
        self.module: Any = model.to(device)
        self.tokenizer = tokenizer
        self.device = device
        self.prompts_at_once = prompts_at_once
        ends: Any = self.module.generation_config.eos_token_id
        if ends is None:
            ends = tokenizer.eos_token_id
        if ends is None:
            raise ModelUnavailable("the model has no end-of-text token: set `eos_token_id` in its generation config")
        self.ends: list[int] = list(ends) if isinstance(ends, Sequence) else [ends]
        self.pad: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.ends[0]
        # Without the model's own penalties, cuts and forced tokens, which the log probabilities know nothing of.
        self._plain: Any = type(self.module.generation_config)(eos_token_id=self.ends, pad_token_id=self.pad)

    @classmethod
    def load(cls, name: str, *, device: torch.device, dtype: str, prompts_at_once: int = 8) -> HFPolicy:
        """Load a model by its name on the hub, or from a folder.

        Raises:
            ModelUnavailable: `transformers` is not installed, or the model is not there.
        """
        try:
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as error:
            raise ModelUnavailable(
                f"models of Hugging Face need {error.name}: run `pip install 'escalade[hf]'`"
            ) from None
        try:
            tokenizer = AutoTokenizer.from_pretrained(name)
            model = AutoModelForCausalLM.from_pretrained(name, dtype=getattr(torch, dtype))
        except (OSError, ValueError) as error:
            raise ModelUnavailable(f"`model.name`: {name!r} cannot be loaded: {str(error).splitlines()[0]}") from None
        return cls(model, tokenizer, device=device, prompts_at_once=prompts_at_once)

    def prompt_tokens(self, prompts: Sequence[Conversation]) -> tuple[Tensor, Tensor]:
        """Conversations as tokens (G, P), and where they are."""
        return padded_left([self._encode(prompt) for prompt in prompts], self.device, self.pad)

    def sample(
        self, prompts: Sequence[Conversation], *, rollouts: int, sampling: Sampling, generator: torch.Generator
    ) -> Rollouts:
        """Write so many completions of each conversation."""
        written: list[list[int]] = []
        for first in range(0, len(prompts), self.prompts_at_once):
            seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
            written += self._generate(prompts[first : first + self.prompts_at_once], rollouts, sampling, seed)
        return self.rollouts_of(prompts, written, rollouts, sampling)

    def rollouts_of(
        self, prompts: Sequence[Conversation], written: Sequence[Sequence[int]], rollouts: int, sampling: Sampling
    ) -> Rollouts:
        """Completions (G*K rows of tokens) as rollouts, with their log probabilities under the present weights."""
        tokens, mask = self.prompt_tokens(prompts)
        flat, flat_mask = padded_right(written, self.device, self.pad)  # (G*K, A) each
        shape = (len(prompts), rollouts, flat.shape[1])
        texts = self.tokenizer.batch_decode(written, skip_special_tokens=True)
        found = Rollouts(
            prompts=tokens,
            prompt_mask=mask,
            tokens=flat.view(shape),
            mask=flat_mask.view(shape),
            logprobs=torch.zeros(shape, device=self.device),
            texts=tuple(tuple(texts[group * rollouts : (group + 1) * rollouts]) for group in range(len(prompts))),
            temperature=sampling.temperature,
        )
        with torch.no_grad():
            parts = [self.logprobs(found.take([group])) for group in range(len(prompts))]  # each (1, K, <= A)
        for group, part in enumerate(parts):
            found.logprobs[group, :, : part.shape[2]] = part[0]
        return Rollouts(**{**vars(found), "logprobs": found.logprobs * found.mask})

    def logprobs(self, rollouts: Rollouts) -> Tensor:
        """Log probabilities (G, K, A) of the rollouts' tokens, with gradient."""
        groups, count, length = rollouts.tokens.shape
        prompts = rollouts.prompts.repeat_interleave(count, 0)  # (G*K, P)
        tokens = torch.cat((prompts, rollouts.tokens.flatten(0, 1)), 1)  # (G*K, P+A)
        mask = torch.cat((rollouts.prompt_mask.repeat_interleave(count, 0), rollouts.mask.flatten(0, 1)), 1)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        logits = self.module(
            input_ids=tokens, attention_mask=mask.long(), position_ids=positions, use_cache=False
        ).logits[:, -length - 1 : -1]  # (G*K, A, V)
        logprobs = torch.log_softmax(logits.float() / (rollouts.temperature or 1.0), -1)
        chosen = logprobs.gather(-1, rollouts.tokens.flatten(0, 1)[..., None])[..., 0]
        return chosen.view(groups, count, length)

    def write(
        self, prompts: Sequence[Conversation], *, rollouts: int, sampling: Sampling, seed: int
    ) -> list[list[str]]:
        """Write so many completions of each conversation."""
        texts: list[list[str]] = []
        for first in range(0, len(prompts), self.prompts_at_once):
            rows = self._generate(prompts[first : first + self.prompts_at_once], rollouts, sampling, seed + first)
            decoded = self.tokenizer.batch_decode(rows, skip_special_tokens=True)
            texts += [decoded[start : start + rollouts] for start in range(0, len(decoded), rollouts)]
        return texts

    def _encode(self, prompt: Conversation) -> list[int]:
        if self.tokenizer.chat_template is None:
            text = "".join(f"{message.content}\n\n" for message in prompt)
        else:
            messages = [message.model_dump() for message in prompt]
            text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        tokens: list[int] = self.tokenizer.encode(text, add_special_tokens=self.tokenizer.chat_template is None)
        return tokens

    @torch.no_grad()
    def _generate(
        self, prompts: Sequence[Conversation], rollouts: int, sampling: Sampling, seed: int
    ) -> list[list[int]]:
        """Rows of tokens, `rollouts` per prompt, each up to and with its end."""
        tokens, mask = self.prompt_tokens(prompts)
        choice: dict[str, Any] = {"do_sample": False}
        if sampling.temperature:
            # The whole distribution: what is cut from it here would be missing from the log probabilities.
            choice = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
        devices = [self.device] if self.device.type == "cuda" else []
        training, own = self.module.training, self.module.generation_config
        self.module.eval()
        self.module.generation_config = self._plain  # `generate` takes from the model's whatever it is not given
        try:
            with torch.random.fork_rng(devices=devices):  # `generate` draws from the global generator
                torch.manual_seed(seed)
                found = self.module.generate(
                    input_ids=tokens.repeat_interleave(rollouts, 0),
                    attention_mask=mask.long().repeat_interleave(rollouts, 0),
                    max_new_tokens=sampling.max_tokens,
                    pad_token_id=self.pad,
                    eos_token_id=self.ends,
                    use_cache=True,
                    **choice,
                )[:, tokens.shape[1] :]  # (G*K, A)
        finally:
            self.module.train(training)
            self.module.generation_config = own
        return [self._cut(row) for row in found.tolist()]

    def _cut(self, row: list[int]) -> list[int]:
        first = next((index for index, token in enumerate(row) if token in self.ends), len(row))
        return row[: first + 1]

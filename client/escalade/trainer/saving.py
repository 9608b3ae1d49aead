"""What a training keeps on disk: checkpoints to resume from, and weights to use.

Guarantee: a checkpoint is written whole or not at all, and read without running code from it.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from escalade.trainer.config import TrainConfig, TrainingFailed
from escalade.trainer.hf import HFPolicy
from escalade.trainer.model import ModelConfig
from escalade.trainer.policies import Policy, Rollouts, Scored, SmallPolicy

FORMAT = 1
"""Raised when older checkpoints can no longer be resumed."""
FREE = ("steps", "out", "device", "patience_s", "tensorboard", "checkpoint")
"""Settings that a resumed training may have otherwise than before."""


@dataclass(frozen=True)
class State:
    """A training at a step."""

    run: str
    label: str
    """Of the run's checkpoint on the server."""
    step: int
    """Batches asked for and sampled so far."""
    config: Mapping[str, Any]
    model: Mapping[str, Any]
    optimiser: Mapping[str, Any]
    generator: torch.Tensor
    pending: Scored | None
    """A batch that is sampled and scored, and not yet trained on."""
    reference: Mapping[str, Any] | None

    def into(
        self,
        module: nn.Module,
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator,
        reference: nn.Module | None,
    ) -> bool:
        """Put everything back in its place; False where the generator is of another kind of device and begins anew."""
        module.load_state_dict(self.model)
        optimiser.load_state_dict(dict(self.optimiser))
        same_kind = self.generator.shape == generator.get_state().shape
        if same_kind:
            generator.set_state(self.generator.cpu())
        else:
            # A CPU's generator reads the low 32 bits alone.
            generator.manual_seed((self.config["seed"] + 1_000_003 * self.step) % 2**32)
        if reference is not None and self.reference is not None:
            reference.load_state_dict(self.reference)
        return same_kind


def newest(out: Path) -> Path | None:
    """The last checkpoint in a folder."""
    found = sorted(out.glob("step-*.pt"), key=lambda path: int(path.stem.removeprefix("step-")))
    return found[-1] if found else None


def save(config: TrainConfig, state: State) -> Path:
    """Write a checkpoint, and remove those that are no longer kept."""
    path = config.out / f"{state.label}.pt"
    pending = None if state.pending is None else _packed(state.pending)
    document = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    _write(path, {"format": FORMAT, **document, "pending": pending})
    kept = sorted(config.out.glob("step-*.pt"), key=lambda one: int(one.stem.removeprefix("step-")))
    for old in kept[: -config.checkpoint.keep]:
        old.unlink()
    return path


def load(path: Path, config: TrainConfig, device: torch.device) -> State:
    """Read a checkpoint.

    Raises:
        TrainingFailed: It is damaged, of another version, or of a training that was configured otherwise.
    """
    document = _read(path, device)
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise TrainingFailed(f"{path} is a checkpoint of another version of escalade: resume it with that one")
    now = json.loads(json.dumps(config.model_dump(mode="json")))
    for name in now:
        if name not in FREE and now[name] != document["config"].get(name):
            raise TrainingFailed(f"{path} is of a training with another `{name}`: resume it with its own configuration")
    pending = document.pop("pending")
    return State(**document, pending=None if pending is None else _unpacked(pending))


def save_model(folder: Path, policy: Policy) -> None:
    """Write a model to use elsewhere: `model.pt` for the small one, Hugging Face's own files for the others."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(policy, SmallPolicy):
        sizes = dataclasses.asdict(policy.module.config)
        _write(folder / "model.pt", {"format": FORMAT, "config": sizes, "model": policy.module.state_dict()})
    elif isinstance(policy, HFPolicy):
        policy.module.save_pretrained(folder)
        policy.tokenizer.save_pretrained(folder)


def load_small(path: Path, device: torch.device) -> SmallPolicy:
    """The small model of a file or folder that `save_model` wrote.

    Raises:
        TrainingFailed: There is none, or it is of another version.
    """
    file = path / "model.pt" if path.is_dir() else path
    document = _read(file, device)
    if not isinstance(document, dict) or document.get("format") != FORMAT or "config" not in document:
        raise TrainingFailed(f"{file} holds no small model of this version of escalade")
    sizes = document["config"]
    policy = SmallPolicy(ModelConfig(**{**sizes, "words": tuple(sizes["words"])}), device=device, seed=0)
    policy.module.load_state_dict(document["model"])
    return policy


def _packed(pending: Scored) -> dict[str, Any]:
    return {**vars(pending), "rollouts": dict(vars(pending.rollouts))}


def _unpacked(document: dict[str, Any]) -> Scored:
    return Scored(**{**document, "rollouts": Rollouts(**document["rollouts"])})


def _write(path: Path, document: Mapping[str, Any]) -> None:
    part = path.with_suffix(".part")
    torch.save(dict(document), part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def _read(path: Path, device: torch.device) -> Any:
    try:
        # Plain data and tensors alone: a checkpoint from elsewhere must not run code.
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise TrainingFailed(f"{path} is not there") from None
    except Exception as error:
        # torch raises many kinds here, by what part of the file is broken.
        raise TrainingFailed(f"{path} is damaged and cannot be read: {str(error).splitlines()[0]}") from error

"""The configuration of a training: one TOML or YAML file, checked before anything starts.

Guarantee: an unknown or impossible setting is refused with its path and what would do; nothing here needs torch. Keys
of servers stay out of the file: they come from the command line or the environment.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from escalade.errors import EscaladeError
from escalade.types import CurriculumSettings, Mode, PoolFilter, Template


class TrainingFailed(EscaladeError):
    """A training cannot start or go on; its text says why and what to do, in one line."""

    default_code = "training_failed"


class Settings(BaseModel):
    """A part of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RunSettings(Settings):
    """The run on the server; see `escalade.types.RunRequest`."""

    curriculum: CurriculumSettings = CurriculumSettings()
    pool: PoolFilter = PoolFilter()
    groups: int = Field(default=32, ge=1, le=1_024)
    rollouts: int = Field(default=8, ge=2, le=1_024)
    mode: Mode = "answer"
    template: Template = "full"
    deadline_s: float = Field(default=3_600.0, gt=0, le=7 * 86_400)


class SmallModel(Settings):
    """The small transformer, begun anew or from saved weights."""

    kind: Literal["small"] = "small"
    layers: int = Field(default=4, ge=1, le=64)
    heads: int = Field(default=4, ge=1, le=64)
    width: int = Field(default=128, ge=8, le=4_096)
    start: Path | None = None
    """Weights to begin with, as `warmup` or a checkpoint's `model.pt` leaves them; sizes come from there."""

    @model_validator(mode="after")
    def _even_heads(self) -> SmallModel:
        if self.width % (2 * self.heads):
            raise ValueError("`width` must be a multiple of twice `heads`")
        return self


class HuggingFaceModel(Settings):
    """A causal language model of Hugging Face; needs the extra `hf`."""

    kind: Literal["hf"]
    name: str
    """Name on the hub, or a folder."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights. In float32, training on a GPU still computes in bfloat16 where that is safe."""
    prompts_at_once: int = Field(default=8, ge=1)
    """Prompts that are sampled from together."""


class EndpointModel(Settings):
    """A model behind an OpenAI-compatible endpoint: its rollouts drive the run, its weights stay as they are."""

    kind: Literal["endpoint"]
    url: str
    """Address with its version, such as `http://127.0.0.1:8000/v1`."""
    name: str
    """The model's name there."""
    timeout_s: float = Field(default=600.0, gt=0)
    """Longest wait for one answer."""


def _kind(model: Any) -> str:
    """What `model` is of; small unless it says otherwise."""
    return str(model.get("kind", "small") if isinstance(model, dict) else getattr(model, "kind", model))


Model = Annotated[
    Annotated[SmallModel, Tag("small")]
    | Annotated[HuggingFaceModel, Tag("hf")]
    | Annotated[EndpointModel, Tag("endpoint")],
    Discriminator(_kind),
]


class SamplingSettings(Settings):
    """How rollouts are written."""

    temperature: float = Field(default=1.0, gt=0, le=10)
    max_tokens: int = Field(default=32, ge=1, le=131_072)


class OptimiserSettings(Settings):
    """AdamW."""

    learning_rate: float = Field(default=3e-4, gt=0)
    warmup_steps: int = Field(default=10, ge=0)
    """Steps in which the learning rate rises to its full value."""
    weight_decay: float = Field(default=0.0, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0)
    """Longest gradient, as the norm over all weights."""


class GRPOSettings(Settings):
    """The loss, and what becomes of groups that teach nothing."""

    advantages: Literal["mean", "mean_std"] = "mean_std"
    clip_low: float = Field(default=0.2, ge=0, le=1)
    clip_high: float = Field(default=0.28, ge=0)
    kl: float = Field(default=0.0, ge=0)
    """Weight of the KL from the weights that the training began with; 0 keeps no copy of them."""
    without_signal: Literal["skip", "refill"] = "skip"
    """Leave out groups whose rewards are all equal, or also ask the server for others in their place."""
    refills: int = Field(default=2, ge=1, le=16)
    """With `refill`: how often for one batch."""
    groups_per_part: int = Field(default=1_024, ge=1)
    """Groups whose gradients are computed together; a batch's parts are accumulated."""
    updates: int = Field(default=1, ge=1, le=16)
    """Steps of the optimiser on one batch."""
    lag: Literal[0, 1] = 1
    """1: a batch is trained on after the next one is sampled, so that reporting it costs no time; its weights are then
    one step old, which the clipped ratio corrects. 0: every batch is sampled with the newest weights."""


class WarmupSettings(Settings):
    """Supervised learning of worked examples before the training; their answers need an admin key."""

    levels: list[int] = Field(default=[0, 1], min_length=1)
    """Only these levels of every environment."""
    environments: list[str] | None = None
    """None is the run's pool."""
    examples: int = Field(default=1_024, ge=1, le=100_000)
    """Worked examples per environment and level."""
    steps: int = Field(default=500, ge=1)
    batch: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    stretch: float = Field(default=1.0, ge=1)
    """Largest gap between two neighbouring positions, drawn anew for each example; 1 leaves positions as they are."""


class CheckpointSettings(Settings):
    """When the state is saved."""

    every: int = Field(default=50, ge=1)
    """Steps between two checkpoints; the end is one as well."""
    keep: int = Field(default=2, ge=1)
    """The newest so many stay on disk."""


class TrainConfig(Settings):
    """All of it."""

    name: str = Field(min_length=1, max_length=200)
    """Name of the run, for people."""
    out: Path
    """Folder for metrics and checkpoints."""
    steps: int = Field(ge=1)
    seed: int = Field(default=0, ge=0, lt=2**31)
    device: str = "auto"
    """`cpu`, `cuda`, `cuda:1`; `auto` is a GPU where there is one."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of the CPU; None is torch's choice."""
    patience_s: float = Field(default=86_400.0, ge=0)
    """How long to wait for a server that is away or busy."""
    tensorboard: bool = False
    run: RunSettings = RunSettings()
    model: Model = SmallModel()
    sampling: SamplingSettings = SamplingSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    grpo: GRPOSettings = GRPOSettings()
    warmup: WarmupSettings | None = None
    checkpoint: CheckpointSettings = CheckpointSettings()

    @model_validator(mode="after")
    def _warmup_fits(self) -> TrainConfig:
        if self.warmup is not None and self.model.kind != "small":
            raise ValueError("`warmup` is for the small model: another model already knows how to answer")
        return self


def read_config(path: Path) -> TrainConfig:
    """Read a configuration.

    Raises:
        TrainingFailed: The file cannot be read, or a setting is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingFailed(f"{path} cannot be read: {error}", code="config_unreadable") from None
    try:
        return TrainConfig.model_validate(_parsed(path, text))
    except ValidationError as error:
        raise TrainingFailed(f"{path}: {readable(error)}", code="config_invalid") from None


def readable(error: ValidationError) -> str:
    """What is wrong, setting by setting, in one line."""
    problems = []
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        problems.append(f"`{where}`: {what}" if where else what)
    return "; ".join(problems)


def _parsed(path: Path, text: str) -> Any:
    if path.suffix == ".toml":
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise TrainingFailed(f"{path} is not TOML: {error}", code="config_unreadable") from None
    if path.suffix in (".yaml", ".yml"):
        import yaml

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise TrainingFailed(
                f"{path} is not YAML: {' '.join(str(error).split())}", code="config_unreadable"
            ) from None
    raise TrainingFailed(f"{path}: the name of a configuration ends in .toml, .yaml or .yml", code="config_unreadable")

"""The trainer: GRPO on the batches of an Escalade run. Read it from `train` downwards.

A step: take the step's batch, sample its rollouts, hand them to the server to score, and train. With `lag = 1` the
next batch is asked for before this one is sampled, and the batch before is trained on, so that neither the server's
making nor its scoring is waited for; with `lag = 0` the scores are waited for, and the next batch follows them.
Groups without signal are left out or replaced. Everything is saved under one label on both sides: weights, optimiser,
generator, and the batch that is still to be trained on here, the curriculum there.

What it leaves out: more than one process, sharded weights, an inference server that follows the weights, evaluation
(`escalade evaluate`).

Guarantee: a training that was stopped or killed and is resumed goes on as if nothing had happened; on a CPU with as
many threads its losses are the same to the last bit. A rollout that the server could not score is left out, never a 0.
"""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import torch
from rich.console import Console
from torch import Tensor

from escalade import Client
from escalade.trainer import grpo, saving
from escalade.trainer.config import EndpointModel, SmallModel, TrainConfig, TrainingFailed
from escalade.trainer.desk import Desk, Say, Written, patiently
from escalade.trainer.hf import HFPolicy
from escalade.trainer.metrics import Metrics
from escalade.trainer.model import ModelConfig
from escalade.trainer.policies import Policy, Rollouts, Sampling, Scored, SmallPolicy, joined
from escalade.trainer.warmup import fetch, warm_up
from escalade.types import Batch, Group, Run


@dataclass(frozen=True)
class Sampled:
    """A batch's rollouts, and their rewards when they come."""

    step: int
    groups: tuple[Group, ...]
    rollouts: Rollouts
    rewards: Future[list[list[float | None]]]
    sample_s: float


Look = Callable[[int, Policy], None]


def look_away(step: int, policy: Policy) -> None:
    """Look at nothing."""


def train(
    config: TrainConfig,
    client: Client,
    console: Console,
    *,
    resume: bool = False,
    look: Look = look_away,
) -> Policy:
    """Train as configured, to the end.

    Args:
        config: What to do.
        client: The server.
        console: Where to tell how it goes.
        resume: Go on from the newest checkpoint.
        look: Is shown the policy before the first step, with its number, and after each update, with the next one's.

    Raises:
        TrainingFailed: It cannot start or go on.
        EscaladeError: The server refused a call.
    """
    start_s = time.monotonic()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    device = choose_device(config.device)
    config.out.mkdir(parents=True, exist_ok=True)
    saved = saving.newest(config.out)
    if saved is not None and not resume:
        raise TrainingFailed(f"{config.out} holds a training already: go on with --resume, or choose another `out`")
    if saved is None and resume:
        raise TrainingFailed(f"{config.out} holds no checkpoint to resume: leave out --resume")

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    if saved is not None:
        state = saving.load(saved, config, device)
        run = patiently(lambda: client.run(state.run), config.patience_s, say)
        patiently(lambda: client.restore(run.run, state.label), config.patience_s, say)
    else:
        state = None
        run = patiently(lambda: create_run(config, client), config.patience_s, say)
    policy = open_policy(config, client, run, device, say)
    generator = torch.Generator(device).manual_seed(config.seed)
    if state is None and config.warmup is not None:
        learn_examples(config, client, policy, run, say)
    reference = copy.deepcopy(policy) if config.grpo.kl else None
    optimiser = torch.optim.AdamW(
        policy.module.parameters(),
        lr=config.optimiser.learning_rate,
        betas=(config.optimiser.beta1, config.optimiser.beta2),
        weight_decay=config.optimiser.weight_decay,
    )
    pending: Scored | None = None
    first = 0
    if state is not None:
        if not state.into(policy.module, optimiser, generator, None if reference is None else reference.module):
            say(f"{saved} is of another kind of device: chance begins anew from `seed` and the step")
        first, pending = state.step, state.pending

    say(f"{run.run}: {run.curriculum.policy}, {run.pool_size} environments, {run.groups} groups of {run.rollouts}")
    look(first, policy)
    waiting: deque[Sampled] = deque()
    upcoming: Future[Batch] | None = None
    with (
        Metrics(config.out, steps=config.steps, first=first - (pending is not None), tensorboard=config.tensorboard,
                console=console) as metrics,
        Desk(client, run.run, patience_s=config.patience_s, say=metrics.say) as desk,
    ):  # fmt: skip
        for step in range(first, config.steps + 1):
            step_s = time.monotonic()
            last = step == config.steps
            if not last:
                batch = (upcoming or desk.batch(step)).result()
                more = step + 1 < config.steps
                early = desk.batch(step + 1) if more and config.grpo.lag else None
                waiting.append(roll_out(policy, batch.groups, step, config, generator, desk))
                upcoming = early or (desk.batch(step + 1) if more else None)
            waited_s = time.monotonic() - step_s - (0.0 if last else waiting[-1].sample_s)
            # With a lag the batch before this one is trained on now, else this one; after the last, what is left.
            if pending is None and waiting and (last or len(waiting) > config.grpo.lag):
                before_s = time.monotonic()
                pending = scored(waiting.popleft(), policy, config, generator, desk)
                waited_s += time.monotonic() - before_s
            if pending is not None:
                update_s = time.monotonic()
                figures = update(policy, reference, optimiser, pending, config)
                done_s = time.monotonic()
                figures |= {"update_s": done_s - update_s, "wait_s": waited_s, "step_s": done_s - step_s}
                metrics.step(pending.step, pending.figures | figures | {"elapsed_s": done_s - start_s})
                look(pending.step + 1, policy)
                pending = None
            if not last and ((step + 1) % config.checkpoint.every == 0 or step + 1 == config.steps):
                if waiting:
                    pending = scored(waiting.popleft(), policy, config, generator, desk)
                if upcoming is not None:
                    upcoming.result()
                label = f"step-{step + 1}"
                desk.checkpoint(label, step + 1)
                saving.save(
                    config, saving.State(
                        run=run.run, label=label, step=step + 1, config=config.model_dump(mode="json"),
                        model=policy.module.state_dict(), optimiser=optimiser.state_dict(),
                        generator=generator.get_state(), pending=pending,
                        reference=None if reference is None else reference.module.state_dict(),
                    ),
                )  # fmt: skip
    saving.save_model(config.out / "model", policy)
    say(f"finished {config.steps} steps in {time.monotonic() - start_s:.0f} s: {config.out}")
    return policy


def choose_device(name: str) -> torch.device:
    """The device of this name; `auto` is a GPU where there is one.

    Raises:
        TrainingFailed: This machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise TrainingFailed(f"`device`: {name!r} cannot be used: {str(error).splitlines()[0]}") from None
    return torch.device(name)


def create_run(config: TrainConfig, client: Client) -> Run:
    """Start the run on the server."""
    return client.create_run(
        config.name,
        curriculum=config.run.curriculum,
        pool=config.run.pool,
        groups=config.run.groups,
        rollouts=config.run.rollouts,
        seed=config.seed,
        deadline_s=config.run.deadline_s,
        mode=config.run.mode,
        template=config.run.template,
    )


def open_policy(config: TrainConfig, client: Client, run: Run, device: torch.device, say: Say) -> Policy:
    """The model to train: new, or from saved weights.

    Raises:
        TrainingFailed: The weights cannot be read, or are behind an endpoint.
        ModelUnavailable: A Hugging Face model cannot be loaded.
    """
    if isinstance(config.model, SmallModel):
        if config.model.start is not None:
            return saving.load_small(config.model.start, device)
        names = pool_of(config, client, run, say)
        sizes = ModelConfig(config.model.layers, config.model.heads, config.model.width, words=tuple(names))
        return SmallPolicy(sizes, device=device, seed=config.seed)
    if isinstance(config.model, EndpointModel):
        raise TrainingFailed("`model.kind`: what is behind an endpoint can be driven, not trained")
    name, dtype = config.model.name, config.model.dtype
    return HFPolicy.load(name, device=device, dtype=dtype, prompts_at_once=config.model.prompts_at_once)


def pool_of(config: TrainConfig, client: Client, run: Run, say: Say) -> list[str]:
    """Names of the environments that the training will meet, warm-up included."""
    pool = patiently(lambda: list(client.controllers(run.run)), config.patience_s, say)
    names = {controller.environment for controller in pool}
    if config.warmup is not None and config.warmup.environments is not None:
        names |= set(config.warmup.environments)
    return sorted(names)


def learn_examples(config: TrainConfig, client: Client, policy: Policy, run: Run, say: Say) -> None:
    """Warm the small model up, and keep the weights that come of it."""
    settings = config.warmup
    assert settings is not None
    assert isinstance(policy, SmallPolicy), "the configuration allows a warm-up for the small model alone"
    names = settings.environments or pool_of(config, client, run, say)
    examples = fetch(
        client, names, levels=settings.levels, count=settings.examples, seed=config.seed, template=config.run.template,
        patience_s=config.patience_s, say=say,
    )  # fmt: skip
    say(f"warm-up: {len(examples)} examples of {len(names)} environments, levels {settings.levels}")
    every = max(1, settings.steps // 10)

    def told(step: int, loss: float) -> None:
        if (step + 1) % every == 0:
            say(f"warm-up {step + 1}/{settings.steps}  loss {loss:.3f}")

    warm_up(policy, examples, settings, seed=config.seed, told=told)
    saving.save_model(config.out / "warmup", policy)


def roll_out(
    policy: Policy, groups: Sequence[Group], step: int, config: TrainConfig, generator: torch.Generator, desk: Desk
) -> Sampled:
    """Sample a batch's rollouts and hand them in."""
    start_s = time.monotonic()
    sampling = Sampling(config.sampling.max_tokens, config.sampling.temperature)
    with mixed_precision(policy.device):
        rollouts = policy.sample(
            [group.messages for group in groups], rollouts=groups[0].rollouts, sampling=sampling, generator=generator
        )
    counts = rollouts.mask.sum(2).tolist()  # (G, K)
    written = Written(
        tuple(group.group for group in groups), rollouts.texts, tuple(tuple(row) for row in counts), policy_step=step
    )
    sample_s = time.monotonic() - start_s
    return Sampled(step, tuple(groups), rollouts, desk.report(written), sample_s)


def scored(sampled: Sampled, policy: Policy, config: TrainConfig, generator: torch.Generator, desk: Desk) -> Scored:
    """Wait for a batch's rewards; where it is wanted, replace its groups without signal."""
    rewards = as_tensor(sampled.rewards.result(), policy.device)
    figures = figures_of(sampled, rewards)
    if config.grpo.without_signal == "refill":
        parts, found = [sampled.rollouts], [rewards]
        for refill in range(1, config.grpo.refills + 1):
            missing = len(sampled.groups) - int(grpo.informative(torch.cat(found)).sum())
            if missing <= 0:
                break
            batch = desk.refill(sampled.step, refill, missing).result()
            again = roll_out(policy, batch.groups, sampled.step, config, generator, desk)
            parts.append(again.rollouts)
            found.append(as_tensor(again.rewards.result(), policy.device))
        figures["refilled"] = float(sum(len(part.texts) for part in parts[1:]))
        return Scored(sampled.step, joined(parts), torch.cat(found), figures)
    return Scored(sampled.step, sampled.rollouts, rewards, figures)


def as_tensor(rewards: Sequence[Sequence[float | None]], device: torch.device) -> Tensor:
    """Rewards as (G, K), NaN for None."""
    return torch.tensor(
        [[float("nan") if reward is None else reward for reward in row] for row in rewards], device=device
    )


def figures_of(sampled: Sampled, rewards: Tensor) -> dict[str, float]:
    """What a batch's rewards say, as the server gave it: refills are not in it."""
    known = rewards[~rewards.isnan()]
    return {
        "accuracy": float(known.mean()) if len(known) else 0.0,
        "informative": float(grpo.informative(rewards).float().mean()),
        "level": sum(group.level for group in sampled.groups) / len(sampled.groups),
        "environments": float(len({group.environment for group in sampled.groups})),
        "unscored": float(rewards.isnan().sum()),
        "tokens": float(sampled.rollouts.mask.sum()),
        "length": float(sampled.rollouts.mask.sum(2).float().mean()),
        "sample_s": sampled.sample_s,
    }


def update(
    policy: Policy, reference: Policy | None, optimiser: torch.optim.Optimizer, batch: Scored, config: TrainConfig
) -> dict[str, float]:
    """Train on a batch; what came of it."""
    settings = config.grpo
    kept: list[int] = grpo.informative(batch.rewards).nonzero()[:, 0].tolist()
    figures = {"kept": float(len(kept)), "loss": 0.0, "gradient": 0.0, "clipped": 0.0, "kl": 0.0}
    if not kept:  # nothing to learn: the weights stay, and the learning rate's rise does not wait
        return figures
    rollouts = batch.rollouts.take(kept)
    advantage = grpo.advantages(batch.rewards[kept], settings.advantages)  # (G, K)
    tokens = int(rollouts.mask.sum())
    for group in optimiser.param_groups:
        rise = (batch.step + 1) / max(1, config.optimiser.warmup_steps)
        group["lr"] = config.optimiser.learning_rate * min(1.0, rise)
    for _ in range(settings.updates):
        optimiser.zero_grad(set_to_none=True)
        sums = {"loss": 0.0, "clipped": 0.0, "kl": 0.0}
        for start in range(0, len(kept), settings.groups_per_part):
            chosen = list(range(start, min(start + settings.groups_per_part, len(kept))))
            part = rollouts.take(chosen)
            with mixed_precision(policy.device):
                logprobs = policy.logprobs(part)  # (G, K, A)
                with torch.no_grad():
                    base = None if reference is None else reference.logprobs(part)
            lost = grpo.loss(
                logprobs, part.logprobs, advantage[chosen], part.mask,
                clip=grpo.Clip(settings.clip_low, settings.clip_high), tokens=tokens,
                reference=base, kl=settings.kl,
            )  # fmt: skip
            lost.total.backward()
            sums = {
                "loss": sums["loss"] + float(lost.total.detach()),
                "clipped": sums["clipped"] + float(lost.clipped),
                "kl": sums["kl"] + float(lost.kl),
            }
        norm = torch.nn.utils.clip_grad_norm_(policy.module.parameters(), config.optimiser.clip_norm)
        if not norm.isfinite():
            raise TrainingFailed(f"the gradient of step {batch.step} is not finite: lower `optimiser.learning_rate`")
        optimiser.step()
        figures |= sums | {"gradient": float(norm)}
    return figures


def mixed_precision(device: torch.device) -> torch.autocast:
    """On a GPU, compute in bfloat16 where that is safe; on a CPU, as the weights are."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")

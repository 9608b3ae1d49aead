"""GRPO with TRL over an Escalade run: python examples/trl_grpo.py MODEL [--steps N] [--run RUN] [--output FOLDER].

The server is found as always: ESCALADE_URL and ESCALADE_KEY, or the one on this machine. Needs `escalade[trl]`.
"""

import argparse

import torch
from trl import GRPOConfig, GRPOTrainer

from escalade import Client
from escalade.integrations.trl import checkpoints, dataset, reward

options = argparse.ArgumentParser()
options.add_argument("model")
options.add_argument("--steps", type=int, default=200)
options.add_argument("--run", help="a run to go on with; default a new one")
options.add_argument("--tokens", type=int, default=512)
options.add_argument("--output", default="trl-output")
given = options.parse_args()

with Client() as client:
    run = client.run(given.run) if given.run else client.create_run("trl", groups=8, rollouts=4, seed=1)
    settings = GRPOConfig(
        output_dir=given.output, max_steps=given.steps, max_completion_length=given.tokens,
        num_generations=run.rollouts, generation_batch_size=run.groups * run.rollouts,
        per_device_train_batch_size=run.groups * run.rollouts, gradient_accumulation_steps=1,
        shuffle_dataset=False, logging_steps=1, save_steps=2, report_to="none", bf16=torch.cuda.is_available(),
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=given.model, args=settings, train_dataset=dataset(run.run, client=client),
        reward_funcs=reward(run.run, client=client), callbacks=[checkpoints(run.run, client=client)],
    )  # fmt: skip
    trainer.train()
    figures = client.metrics(run.run).steps
    print(f"{run.run}: {sum(step.closed for step in figures)} groups closed in {len(figures)} batches")

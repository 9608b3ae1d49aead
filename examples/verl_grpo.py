"""GRPO with verl over an Escalade run: python examples/verl_grpo.py MODEL [--run RUN] [SETTING=VALUE ...].

The server is found as always: ESCALADE_URL and ESCALADE_KEY, or the one on this machine. Needs `escalade[verl]`, vLLM
and a GPU; the settings are verl's own. `--cfg job` shows the whole configuration and trains nothing.
"""

import argparse
import sys

from verl.trainer.main_ppo import main

from escalade import Client

options = argparse.ArgumentParser()
options.add_argument("model")
options.add_argument("--run", help="a run to go on with; default a new one")
given, settings = options.parse_known_args()

with Client() as client:
    run = client.run(given.run) if given.run else client.create_run("verl", groups=64, rollouts=8, seed=1)

sys.argv[1:] = [
    "data.custom_cls.path=pkg://escalade.integrations.verl", "data.custom_cls.name=RunDataset",
    f"data.train_files=run:{run.run}", f"data.train_batch_size={run.groups}",
    "data.shuffle=False", "data.dataloader_num_workers=0",
    "data.val_files=[evaluation:toll-road:3:32,evaluation:ribbon-code:3:32]", "data.val_batch_size=64",
    "reward.custom_reward_function.path=pkg://escalade.integrations.verl",
    "algorithm.adv_estimator=grpo", f"actor_rollout_ref.rollout.n={run.rollouts}",
    f"actor_rollout_ref.model.path={given.model}", "actor_rollout_ref.rollout.name=vllm",
    f"actor_rollout_ref.actor.ppo_mini_batch_size={run.groups}", "actor_rollout_ref.actor.use_dynamic_bsz=True",
    "trainer.n_gpus_per_node=1", "trainer.total_training_steps=200", "trainer.test_freq=20", "trainer.logger=console",
    *settings,
]  # fmt: skip
main()

"""verl itself over a run of the real server, as far as it goes without a GPU: `make test-verl`.

The example's configuration goes through verl's own composition and checks; verl's own data loader reads the run, and
its own reward worker scores and reports completions.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from escalade import Client
from escalade.integrations._judging import close_shared_clients

pytestmark = [
    pytest.mark.verl,
    pytest.mark.filterwarnings("ignore"),  # what the peer does with its own libraries is its own affair
]
EXAMPLE = Path(__file__).parents[3] / "examples" / "verl_grpo.py"


@pytest.fixture
def run(client: Client, endpoint: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    for name, value in endpoint.items():
        monkeypatch.setenv(name, value)
    pool = {"environments": ["toll-road"]}
    yield client.create_run("verl", groups=2, rollouts=2, reveal_answers=True, pool=pool).run
    close_shared_clients()


@pytest.fixture
def config(run: str, endpoint: dict[str, str], tiny_model: Path, tmp_path: Path):
    """What the example gives to verl, composed by verl."""
    from omegaconf import OmegaConf

    done = subprocess.run(
        [sys.executable, str(EXAMPLE), str(tiny_model), "--run", run, "--cfg", "job"], cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"} | endpoint,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Its libraries print to standard output before the document begins.
    return OmegaConf.create(done.stdout[done.stdout.index("actor_rollout_ref:") :])


def test_verl_accepts_the_examples_settings(config):
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))


async def test_its_loader_reads_the_run_and_its_reward_worker_reports(config, run: str, client: Client):
    import numpy as np
    import torch
    from tensordict import TensorDict
    from torchdata.stateful_dataloader import StatefulDataLoader
    from verl import DataProto
    from verl.experimental.reward_loop.reward_loop import RewardLoopWorker
    from verl.trainer.ppo.utils import create_rl_dataset, create_rl_sampler
    from verl.utils.dataset.rl_dataset import collate_fn

    data = config.data
    training, held_out = (
        create_rl_dataset(files, data, None, None, max_samples=-1) for files in (data.train_files, data.val_files)
    )
    assert len(held_out) == data.val_batch_size
    loader = StatefulDataLoader(
        training, batch_size=data.train_batch_size, num_workers=data.dataloader_num_workers, drop_last=True,
        collate_fn=collate_fn, sampler=create_rl_sampler(data, training),
    )  # fmt: skip
    batches = iter(loader)
    batch = next(batches)
    assert [info["group"] for info in batch["extra_info"]] == ["0.0", "0.1"]
    assert [info["group"] for info in next(batches)["extra_info"]] == ["1.0", "1.1"]

    groups = client.batch(run, 0).groups
    answers = [f"\\boxed{{{group.answer.strip()}}}" for group in groups if group.answer is not None]
    texts = [answers[0], "", "no idea", answers[1]]
    worker = RewardLoopWorker(config)
    tokens = [torch.tensor(worker.input_tokenizer(text)["input_ids"], dtype=torch.int64) for text in texts]
    responses = torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True)  # (4, T)
    written = torch.stack([torch.arange(responses.shape[1]) < len(one) for one in tokens]).long()  # (4, T)
    place = [0, 0, 1, 1]  # as verl repeats rows
    asked = DataProto(
        batch=TensorDict({"responses": responses, "attention_mask": written}, batch_size=len(texts)),
        non_tensor_batch={
            name: np.array([batch[name][row] for row in place], dtype=object)
            for name in ("data_source", "reward_model", "extra_info")
        },
    )
    scored = await worker.compute_score_batch(asked)
    assert [one["reward_score"] for one in scored] == [1.0, 0.0, 0.0, 1.0]
    assert [one["reward_extra_info"]["acc"] for one in scored] == [1.0, 0.0, 0.0, 1.0]
    closed = [event.payload for event in client.events(run) if event.kind == "closed"]
    assert sorted((one["group"], one["right"], one["scored"]) for one in closed) == [("0.0", 1, 2), ("0.1", 1, 2)]


def test_a_resumed_loader_goes_on_where_it_was(config):
    from torchdata.stateful_dataloader import StatefulDataLoader
    from verl.trainer.ppo.utils import create_rl_dataset, create_rl_sampler
    from verl.utils.dataset.rl_dataset import collate_fn

    def loader():
        training = create_rl_dataset(config.data.train_files, config.data, None, None, max_samples=-1)
        return StatefulDataLoader(
            training, batch_size=2, num_workers=0, drop_last=True, collate_fn=collate_fn,
            sampler=create_rl_sampler(config.data, training),
        )  # fmt: skip

    first = loader()
    batches = iter(first)
    next(batches)
    state = first.state_dict()
    second = loader()
    second.load_state_dict(state)
    assert [info["group"] for info in next(iter(second))["extra_info"]] == ["1.0", "1.1"]

"""Configuration, waiting for a server, metrics, warm-up and what is kept on disk."""

import json
import random
import threading

import pytest
import torch
from rich.console import Console

from escalade import ConnectionFailed, NotFound, RateLimited, Unavailable
from escalade.trainer import saving
from escalade.trainer.config import SmallModel, TrainConfig, TrainingFailed, WarmupSettings, read_config
from escalade.trainer.desk import patiently
from escalade.trainer.metrics import Metrics
from escalade.trainer.model import ModelConfig
from escalade.trainer.policies import Sampling, SmallPolicy, joined
from escalade.trainer.train import choose_device
from escalade.trainer.warmup import Example, positions, schedule, warm_up
from escalade.types import Message

CPU = torch.device("cpu")
LEAST = {"name": "n", "out": "o", "steps": 1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.toml", 'name = "n"\nout = "o"\nsteps = 1\n[run]\ntemplate = "compact"\n[model]\nwidth = 32\n'),
        ("c.yaml", "name: n\nout: o\nsteps: 1\nrun: {template: compact}\nmodel: {width: 32}\n"),
    ],
)
def test_a_configuration_is_toml_or_yaml(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    found = read_config(tmp_path / name)
    assert found.run.template == "compact"
    assert found.model == SmallModel(width=32)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps = 1\nout = 'o'", "`name`"),
        ("name = 'n'\nout = 'o'\nsteps = 1\nlearning_rate = 1", "`learning_rate`: Extra inputs"),
        ("name = 'n'\nout = 'o'\nsteps = 1\n[grpo]\nlag = 2", "`grpo.lag`"),
        ("name = 'n'\nout = 'o'\nsteps = 1\n[model]\nkind = 'large'", "`model`"),
        ("name = 'n'\nout = 'o'\nsteps = 1\n[model]\nwidth = 30", "multiple of twice"),
        ("name = 'n'\nout = 'o'\nsteps = 1\n[model]\nkind = 'hf'\nname = 'x'\n[warmup]\n", "for the small model"),
        ("name = 'n'\nout = 'o'\nsteps = 1\n[model]\nkind = 'hf'\nname = 'x'\ndtype = 'float16'", "`model.hf.dtype`"),
        ("name = ", "is not TOML"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(tmp_path, text, told):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(TrainingFailed, match=r"c.toml") as caught:
        read_config(tmp_path / "c.toml")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_files_are_told_apart(tmp_path):
    with pytest.raises(TrainingFailed, match="cannot be read"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(TrainingFailed, match=r"\.toml, \.yaml"):
        read_config(tmp_path / "c.json")
    (tmp_path / "c.yaml").write_text("a: [")
    with pytest.raises(TrainingFailed, match="is not YAML"):
        read_config(tmp_path / "c.yaml")


def test_a_device_that_is_not_there_is_named():
    assert choose_device("cpu") == CPU
    with pytest.raises(TrainingFailed, match="'abacus' cannot be used"):
        choose_device("abacus")


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def test_a_full_queue_or_a_lost_connection_is_waited_for_and_said_once():
    said = []
    call = Flaky(RateLimited("the queue is full"), Unavailable("busy", code="sandbox_busy"))
    assert patiently(call, 60.0, said.append) == "done"
    assert call.calls == 3
    assert len(said) == 2
    assert said[0] == "waiting for the server: the queue is full (rate_limited)"
    assert said[1].startswith("the server is back after")


def test_what_waiting_cannot_cure_is_raised_at_once():
    call = Flaky(NotFound("There is no run run_x.", code="run_not_found"))
    with pytest.raises(NotFound):
        patiently(call, 60.0, lambda text: None)
    assert call.calls == 1


def test_patience_ends():
    with pytest.raises(TrainingFailed, match=r"gave up after 0 s: no connection \(connection_failed\)"):
        patiently(Flaky(ConnectionFailed("no connection")), 0.1, lambda text: None)


def test_a_training_that_ends_waits_for_nobody():
    closing = threading.Event()
    closing.set()
    with pytest.raises(ConnectionFailed):
        patiently(Flaky(ConnectionFailed("no connection")), 60.0, lambda text: None, closing)


def test_metrics_hold_each_step_once_though_a_crash_cut_a_line_short(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 0, "loss": 1}\n{"step": 1, "loss": 2}\n{"step": 2, "loss": 3}\n{"step": 3, "lo')
    console = Console(file=(tmp_path / "console").open("w"))
    with console.file, Metrics(tmp_path, steps=4, first=2, tensorboard=False, console=console) as metrics:
        metrics.step(2, {"loss": 4.0})
    assert [json.loads(line)["loss"] for line in path.read_text().splitlines()] == [1, 2, 4.0]


def test_a_damaged_or_foreign_checkpoint_is_one_line(tmp_path):
    config = TrainConfig.model_validate(LEAST)
    path = tmp_path / "step-1.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingFailed, match="damaged"):
        saving.load(path, config, CPU)
    torch.save({"format": 0}, path)
    with pytest.raises(TrainingFailed, match="another version"):
        saving.load(path, config, CPU)
    with pytest.raises(TrainingFailed, match="no small model"):
        saving.load_small(path, CPU)
    with pytest.raises(TrainingFailed, match="is not there"):
        saving.load_small(tmp_path / "none.pt", CPU)


@pytest.mark.parametrize("same_kind", [True, False])
def test_a_checkpoint_of_another_kind_of_device_begins_its_chance_anew(same_kind):
    policy = small()
    optimiser = torch.optim.AdamW(policy.module.parameters())
    gpu = torch.zeros(16, dtype=torch.uint8)  # as long as the state of a GPU's generator
    then = torch.Generator().manual_seed(3)
    state = saving.State(
        run="r", label="step-2", step=2, config={"seed": 3}, model=policy.module.state_dict(), pending=None,
        optimiser=optimiser.state_dict(), generator=then.get_state() if same_kind else gpu, reference=None,
    )  # fmt: skip
    found = [torch.Generator(), torch.Generator()]
    assert [state.into(policy.module, optimiser, one, None) for one in found] == [same_kind] * 2
    draws = [torch.rand(4, generator=one).tolist() for one in (*found, then)]
    assert draws[0] == draws[1]
    assert (draws[0] == draws[2]) is same_kind


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code ran')",)


def test_a_checkpoint_runs_no_code(tmp_path):
    torch.save({"format": saving.FORMAT, "config": Bomb()}, tmp_path / "model.pt")
    with pytest.raises(TrainingFailed, match="damaged"):
        saving.load_small(tmp_path, CPU)


def small(seed=0):
    return SmallPolicy(ModelConfig(layers=1, heads=1, width=32), device=CPU, seed=seed)


def test_a_saved_small_model_writes_the_same(tmp_path):
    policy = small()
    saving.save_model(tmp_path, policy)
    asked = [[Message(role="user", content="a\n1")]]
    ask = {"rollouts": 3, "sampling": Sampling(5, 1.0), "seed": 2}
    assert saving.load_small(tmp_path, CPU).write(asked, **ask) == policy.write(asked, **ask)


def test_a_rollout_that_does_not_end_leaves_its_box_open():
    policy = small()
    letters = policy.module.tokenizer.encode("12")
    assert policy.text([*letters, 1, 0]) == "\\boxed{12}"
    assert policy.text(letters) == "\\boxed{12"
    assert policy.text([1]) == "\\boxed{}"


def test_rollouts_are_cut_and_joined_without_losing_a_token():
    policy = small()
    generator = torch.Generator().manual_seed(0)
    asked = [[Message(role="user", content=text)] for text in ("a", "abcdef", "abc")]
    whole = policy.sample(asked, rollouts=2, sampling=Sampling(12, 1.0), generator=generator)
    again = joined([whole.take([0]), whole.take([1, 2])])
    assert again.texts == whole.texts
    assert torch.equal(again.tokens[again.mask], whole.tokens[whole.mask])
    assert torch.equal(again.prompts[again.prompt_mask], whole.prompts[whole.prompt_mask])
    assert torch.equal(again.logprobs[again.mask], whole.logprobs[whole.mask])
    first = policy.logprobs(whole).detach()
    torch.testing.assert_close(first[whole.mask], whole.logprobs[whole.mask], atol=1e-4, rtol=1e-4)


def test_a_warm_up_learns_its_examples():
    rng = random.Random(1)
    words = ["".join(rng.choices("abc", k=2)) for _ in range(64)]
    examples = [Example("copy", 0, f"copy\n{word}", word) for word in words]
    policy = small()
    losses = []
    settings = WarmupSettings(steps=150, batch=16, learning_rate=1e-2)
    warm_up(policy, examples, settings, seed=1, told=lambda step, loss: losses.append(loss))
    assert losses[-1] < 0.5 * losses[0]


def test_the_learning_rate_rises_stays_and_falls():
    assert schedule(0, 1_000) == pytest.approx(1 / 50)
    assert schedule(500, 1_000) == 1.0
    assert schedule(999, 1_000) == pytest.approx(1 / 400)


def test_stretched_positions_ascend_and_leave_the_padding_out():
    mask = torch.tensor([[False, False, True, True], [True, True, True, True]])
    read, written = positions(mask, 3, 3.0, torch.Generator().manual_seed(0))
    together = torch.cat((read, written), 1)
    assert (together.diff(dim=1)[1] >= 1).all()
    assert (together[0, 3:].diff() >= 1).all()
    assert (together.diff(dim=1) <= 3 + 1e-5).all()
    read, written = positions(mask, 3, 1.0, torch.Generator().manual_seed(0))
    assert written.tolist() == [[2, 3, 4], [4, 5, 6]]

"""TRL's own trainer over a run, in steps: environments with tools, resuming, a server that goes away."""

import threading
from pathlib import Path
from typing import Any

import pytest

from escalade import Client, NotFound
from escalade.integrations import trl as adapter

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # what the peer does with its own libraries is its own affair
]
ANSWER = "Alice"
"""What the model that calls tools submits, whatever it is asked."""


def config(folder: Path, steps: int, **changes: Any):
    from trl import GRPOConfig

    settings = {
        "output_dir": str(folder), "max_steps": steps, "max_completion_length": 8, "num_generations": 2,
        "generation_batch_size": 4, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1,
        "shuffle_dataset": False, "save_strategy": "no", "report_to": "none", "use_cpu": True, "disable_tqdm": True,
    }  # fmt: skip
    return GRPOConfig(**settings | changes)


def trainer(run: str, client: Client, model: Path, settings: Any, *callbacks: Any):
    from trl import GRPOTrainer

    return GRPOTrainer(
        model=str(model), args=settings, train_dataset=adapter.dataset(run, client=client),
        reward_funcs=adapter.reward(run, client=client),
        callbacks=[adapter.checkpoints(run, client=client), *callbacks],
    )  # fmt: skip


def new_run(client: Client, **changes: Any) -> str:
    settings = {"groups": 2, "rollouts": 2, "seed": 1, "template": "compact", "pool": {"environments": ["toll-road"]}}
    return client.create_run("trl", **settings | changes).run


def closed(client: Client, run: str) -> list[dict[str, Any]]:
    return [event.payload for event in client.events(run) if event.kind == "closed"]


def at_the_end_of(step: int, do):
    """A callback that does something at the end of a step, once."""
    from transformers import TrainerCallback

    class Once(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: object) -> None:
            if state.global_step == step:
                do()

    return Once()


def test_a_resumed_training_takes_the_curriculum_back_with_the_weights(
    client: Client, tiny_model: Path, tmp_path: Path
):
    run = new_run(client)
    settings = config(tmp_path, 3, save_strategy="steps", save_steps=1)
    trainer(run, client, tiny_model, settings).train()
    assert len(closed(client, run)) == 6
    trainer(run, client, tiny_model, settings).train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    # The groups of the third step are asked, reported and closed again; nothing else is.
    assert [one["group"] for one in closed(client, run)] == ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1", "2.0", "2.1"]
    assert client.run(run).generation == 1
    assert {one["expired"] for one in closed(client, run)} == {0}
    # The last checkpoint is the resumed training's.
    assert client.restore(run, "step-3").generation == 2


def test_a_server_that_restarts_costs_a_pause_and_nothing_else(own_server, tiny_model: Path, tmp_path: Path, caplog):
    with Client(own_server.url, (own_server.data / "admin.key").read_text().strip(), retries=0) as client:
        run = new_run(client)
        restarts: list[threading.Thread] = []

        def restart():
            own_server.kill()
            restarts.append(threading.Timer(2.0, own_server.start))
            restarts[0].start()

        trainer(run, client, tiny_model, config(tmp_path, 4), at_the_end_of(1, restart)).train()
        restarts[0].join()
        found = closed(client, run)
        assert [(one["rollouts"], one["expired"], one["errors"]) for one in found] == [(2, 0, 0)] * 8
        assert sorted(one["group"] for one in found) == [f"{step}.{place}" for step in range(4) for place in range(2)]
    said = [record.message for record in caplog.records if record.name == "escalade"]
    assert any(line.startswith("waiting for the server: ") for line in said)
    assert any(line.startswith("the server is back") for line in said)


def test_a_run_that_is_deleted_ends_the_training_in_one_line(client: Client, tiny_model: Path, tmp_path: Path):
    run = new_run(client)
    delete = at_the_end_of(1, lambda: client.delete_run(run))
    with pytest.raises(NotFound, match="There is no run") as caught:
        trainer(run, client, tiny_model, config(tmp_path, 3), delete).train()
    assert "\n" not in str(caught.value)


def test_environments_report_what_the_model_submits(client: Client, calling_model, tmp_path: Path):
    from trl import GRPOTrainer

    run = new_run(client, pool={"environments": ["pebble-duel"]}, reveal_answers=True, groups=4)
    settings = config(tmp_path, 2, generation_batch_size=8, per_device_train_batch_size=8, max_completion_length=200,
                      max_tool_calling_iterations=1, logging_steps=1)  # fmt: skip
    training = GRPOTrainer(
        model=str(calling_model(ANSWER)), args=settings, train_dataset=adapter.dataset(run, client=client),
        environment_factory=adapter.environment_factory(run, client=client),
        callbacks=[adapter.checkpoints(run, client=client)],
    )  # fmt: skip
    training.train()
    rewarded = [line for line in training.state.log_history if "rewards/Environment/mean" in line]
    found = {one["group"]: one for one in closed(client, run)}
    assert len(found) == 8
    for step, line in enumerate(rewarded):
        groups = client.batch(run, step).groups
        right = [group.answer is not None and group.answer.strip() == ANSWER for group in groups]
        assert [found[group.group]["right"] for group in groups] == [2 * one for one in right]
        assert line["rewards/Environment/mean"] == pytest.approx(sum(right) / len(right))
        assert line["tools/call_frequency"] == 1.0
    assert len(rewarded) == 2

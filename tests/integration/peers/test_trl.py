"""TRL itself over a run of the real server: GRPO steps, resuming, and what the adapter refuses."""

import subprocess
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from escalade import Client, InvalidRequest
from escalade.integrations import trl as adapter

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # what the peer does with its own libraries is its own affair
]
EXAMPLE = Path(__file__).parents[3] / "examples" / "trl_grpo.py"


def small_run(client: Client, **changes: int) -> str:
    settings = {"groups": 2, "rollouts": 2, "seed": 1} | changes
    pool = {"environments": ["toll-road", "middle-score"]}
    return client.create_run("trl", template="compact", pool=pool, **settings).run


def test_grpo_trains_and_closes_the_groups(client: Client, endpoint: dict[str, str], tiny_model: Path, tmp_path: Path):
    run = small_run(client)
    command = [sys.executable, EXAMPLE, tiny_model, "--run", run, "--steps", "3", "--tokens", "8", "--output", tmp_path]
    done = subprocess.run(
        list(map(str, command)), env={"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)} | endpoint,
        capture_output=True, text=True, timeout=540,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{run}: 6 groups closed" in done.stdout
    closed = [event.payload for event in client.events(run) if event.kind == "closed"]
    assert [(one["rollouts"], one["expired"], one["errors"], one["reason"]) for one in closed] == [
        (2, 0, 0, "complete")
    ] * 6
    assert [one.label for one in client.checkpoints(run)][:1] == ["step-2"]


def test_the_stream_is_the_same_whenever_it_is_read(client: Client):
    run = small_run(client)
    stream = adapter.dataset(run, client=client)
    first, again = list(islice(stream, 5)), list(islice(stream, 5))
    assert first == again
    assert [row["group"] for row in first] == ["0.0", "0.1", "1.0", "1.1", "2.0"]
    assert first[0]["prompt"][0]["role"] == "user"
    with pytest.raises(InvalidRequest, match="shuffle_dataset=False"):
        stream.shuffle(seed=0)


async def test_rewards_are_scores_and_rows_outside_of_runs_are_scored(client: Client):
    run = client.create_run("trl", groups=1, rollouts=2, reveal_answers=True, pool={"environments": ["toll-road"]}).run
    [group] = client.batch(run, 0).groups
    assert group.answer is not None
    right = [{"role": "assistant", "content": f"so \\boxed{{{group.answer.strip()}}}"}]
    logged: dict[str, float] = {}
    rewards = await adapter.reward(run, client=client)(
        prompts=["", "", ""], completions=[right, "no idea", right], completion_ids=[[1], [1, 2], [1]],
        instance=[group.instance] * 3, group=[group.group, group.group, None], level=[0, 0, 0],
        trainer_state=SimpleNamespace(global_step=7), log_metric=logged.__setitem__, log_extra=lambda *_: None,
    )  # fmt: skip
    assert rewards == [1.0, 0.0, 1.0]
    assert logged == {"escalade/unscored": 0.0}
    assert [event.payload["right"] for event in client.events(run) if event.kind == "closed"] == [1]


def test_environments_take_the_first_answer_submitted(client: Client):
    run = client.create_run("trl", groups=1, rollouts=2, reveal_answers=True, pool={"environments": ["toll-road"]}).run
    row = next(iter(adapter.dataset(run, client=client)))
    [group] = client.batch(run, 0).groups
    make = adapter.environment_factory(run, client=client)
    right, silent = make(), make()
    assert right.reset(**row) is silent.reset(**row) is None
    assert group.answer is not None
    right.submit(group.answer.strip())
    right.submit("something else")
    assert (right.get_reward(), silent.get_reward()) == (1.0, 0.0)
    assert [event.payload["right"] for event in client.events(run) if event.kind == "closed"] == [1]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"shuffle_dataset": True}, "shuffle_dataset"),
        ({"num_generations": 4}, "num_generations"),
        ({"generation_batch_size": 6}, "generation_batch_size"),
    ],
)
def test_settings_that_would_spoil_the_curriculum_are_refused(client: Client, changes: dict[str, int], word: str):
    run = small_run(client)
    settings = {"shuffle_dataset": False, "num_generations": 2, "generation_batch_size": 4} | changes
    state = SimpleNamespace(global_step=0, is_world_process_zero=True)
    with pytest.raises(InvalidRequest, match=word):
        adapter.checkpoints(run, client=client).on_train_begin(SimpleNamespace(**settings), state, None)


def test_resuming_restores_the_run(client: Client):
    run = small_run(client)
    callback = adapter.checkpoints(run, client=client)
    settings = SimpleNamespace(shuffle_dataset=False, num_generations=2, generation_batch_size=4)
    client.batch(run, 0)
    at_two = SimpleNamespace(global_step=2, is_world_process_zero=True)
    callback.on_save(settings, at_two, None)
    client.batch(run, 1)
    callback.on_train_begin(settings, at_two, None)
    assert client.run(run).generation == 1
    with pytest.raises(InvalidRequest, match="step 3"):
        callback.on_train_begin(settings, SimpleNamespace(global_step=3, is_world_process_zero=True), None)

"""verl's contract over a run of the real server. verl itself pins another torch; see docs/integrations.md."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from escalade import Client, InvalidRequest
from escalade.integrations import trl as trl_adapter
from escalade.integrations import verl as adapter
from escalade.integrations._judging import close_shared_clients

SOLUTION = "server/escalade_server/catalogue/toll-road/submissions/accepted/solution.py"
SETTINGS = {"shuffle": False, "dataloader_num_workers": 0, "train_batch_size": 2}


@pytest.fixture
def run(client: Client, endpoint: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    for name, value in endpoint.items():
        monkeypatch.setenv(name, value)
    settings = {"groups": 2, "rollouts": 4, "reveal_answers": True, "pool": {"environments": ["toll-road"]}}
    yield client.create_run("verl", **settings).run
    close_shared_clients()


def test_rows_are_those_of_the_runs_batches_in_any_order(run: str):
    first, again = (adapter.RunDataset(f"run:{run}", config=SETTINGS) for _ in range(2))
    rows = [first[index] for index in range(4)]
    assert [row["extra_info"]["group"] for row in rows] == ["0.0", "0.1", "1.0", "1.1"]
    assert {row["extra_info"]["run"] for row in rows} == {run}
    assert [again[index]["raw_prompt"] for index in (3, 0)] == [rows[3]["raw_prompt"], rows[0]["raw_prompt"]]
    assert len(adapter.RunDataset([f"run:{run}"], config=SETTINGS, max_samples=6)) == 6


async def test_rollouts_scored_at_once_close_their_group(run: str, client: Client):
    row = adapter.RunDataset(f"run:{run}", config=SETTINGS)[0]
    answer = client.batch(run, 0).groups[0].answer
    assert answer is not None
    texts = [f"\\boxed{{{answer.strip()}}}", "no idea", "no idea", "no idea"]

    def scored(text: str):
        return adapter.compute_score("escalade", text, "", row["extra_info"] | {"num_turns": None}, reward_router="x")

    scores = await asyncio.gather(*map(scored, texts))
    assert [one["score"] for one in scores] == [1.0, 0.0, 0.0, 0.0]
    closed = [event.payload for event in client.events(run) if event.kind == "closed"]
    assert [(one["group"], one["right"], one["scored"]) for one in closed] == [("0.0", 1, 4)]
    # A trainer that goes back without restoring the run still gets its reward; the curriculum learns nothing.
    assert (await scored(texts[0]))["score"] == 1.0
    assert len([event for event in client.events(run) if event.kind == "closed"]) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "program", "program": {"instances": 2, "languages": ["python"]}},
        {"reveal_answers": True, "scoring": {"extraction": {"boxed": False, "answer_tag": False, "final_line": True}}},
    ],
    ids=["program", "final-line"],
)
async def test_a_rollout_too_many_is_judged_as_its_run_says(run: str, client: Client, settings: dict[str, Any]):
    run = client.create_run("verl", groups=2, rollouts=2, pool={"environments": ["toll-road"]}, **settings).run
    info = adapter.RunDataset(f"run:{run}", config=SETTINGS)[0]["extra_info"]
    text = f"Final answer: {(client.batch(run, 0).groups[0].answer or '').strip()}"
    if "program" in settings:
        text = f"```python\n{(Path(__file__).parents[3] / SOLUTION).read_text()}\n```"
    scores = [await adapter.compute_score("escalade", text, "", info) for _ in range(3)]
    assert [one["score"] for one in scores] == [1.0, 1.0, 1.0]


async def test_a_model_that_writes_nothing_or_a_hundred_thousand_tokens_is_scored(run: str, client: Client):
    info = adapter.RunDataset(f"run:{run}", config=SETTINGS)[0]["extra_info"]
    answer = client.batch(run, 0).groups[0].answer
    assert answer is not None
    texts = ["", "so " * 100_000, "so " * 100_000 + f"\\boxed{{{answer.strip()}}}", "so " * 1_500_000]
    scores = await asyncio.gather(*(adapter.compute_score("escalade", text, "", info) for text in texts))
    assert [one["score"] for one in scores] == [0.0, 0.0, 1.0, 0.0]
    rewards = await trl_adapter.reward(run, client=client)(
        prompts=[""] * 4, completions=texts, completion_ids=[[]] * 4, instance=[info["instance"]] * 4
    )
    assert rewards == [0.0, 0.0, 1.0, 0.0]


async def test_a_server_that_restarts_costs_a_pause_and_nothing_else(own_server, monkeypatch: pytest.MonkeyPatch):
    key = (own_server.data / "admin.key").read_text().strip()
    monkeypatch.setenv("ESCALADE_URL", own_server.url)
    monkeypatch.setenv("ESCALADE_KEY", key)
    with Client(own_server.url, key) as client:
        run = client.create_run("verl", groups=2, rollouts=2, pool={"environments": ["toll-road"]}).run
        rows = adapter.RunDataset(f"run:{run}", config=SETTINGS)
        infos = [rows[0]["extra_info"], rows[1]["extra_info"]] * 2
        own_server.kill()
        scoring = [asyncio.create_task(adapter.compute_score("escalade", "no idea", "", info)) for info in infos]
        await asyncio.sleep(1)
        assert not any(task.done() for task in scoring)
        await asyncio.to_thread(own_server.start)
        assert [one["score"] for one in await asyncio.gather(*scoring)] == [0.0] * 4
        assert rows[2]["extra_info"]["group"] == "1.0"
        closed = [event.payload for event in client.events(run) if event.kind == "closed"]
        assert sorted((one["group"], one["scored"], one["expired"]) for one in closed) == [("0.0", 2, 0), ("0.1", 2, 0)]
    close_shared_clients()


async def test_held_out_rows_are_scored_and_belong_to_no_run(run: str, client: Client):
    rows = adapter.RunDataset(["evaluation:toll-road:0:2", "evaluation:middle-score:1:1"], config={})
    assert [rows[index]["extra_info"]["environment"] for index in range(len(rows))] == [
        "toll-road", "toll-road", "middle-score",
    ]  # fmt: skip
    assert "run" not in rows[0]["extra_info"]
    assert (await adapter.compute_score("escalade", "no idea", "", rows[0]["extra_info"]))["score"] == 0.0


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"shuffle": True}, "shuffle"), ({"dataloader_num_workers": 8}, "workers"), ({"train_batch_size": 3}, "batch")],
)
def test_settings_that_would_spoil_the_order_are_refused(run: str, changes: dict[str, int], word: str):
    with pytest.raises(InvalidRequest, match=word):
        adapter.RunDataset(f"run:{run}", config=SETTINGS | changes)


def test_a_run_that_needs_lengths_is_refused(run: str, client: Client):
    penalty = {"length_penalty": {"free_tokens": 10, "most_tokens": 100}}
    run = client.create_run("verl", groups=2, scoring=penalty, pool={"environments": ["toll-road"]}).run
    with pytest.raises(InvalidRequest, match=r"`length_penalty`.*trl\.reward"):
        adapter.RunDataset(f"run:{run}", config=SETTINGS)


def test_names_of_no_data_are_refused(run: str):
    for name in ("train.parquet", "evaluation:toll-road", "evaluation:toll-road:x:1"):
        with pytest.raises(InvalidRequest, match="is no data"):
            adapter.RunDataset(name)

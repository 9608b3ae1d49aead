"""Exports from a real server: the same rows again, answers that the server takes, splits that share nothing."""

import json
import os
import subprocess

import pyarrow.parquet
import pytest
import serving

from escalade import Client, ScoreItem
from escalade.exports import ExportFailed, Request, export
from escalade.integrations._judging import close_shared_clients

CHOSEN = ("coin-row", "ribbon-code", "toll-road")


def made(client, path, **choice):
    request = Request(**{"environments": CHOSEN, "levels": "0-2", "count": 5} | choice)
    return export(client, path, request, command="test", told=lambda seen, total: None)


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_answers_of_a_file_are_right_and_its_rows_can_be_drawn_again(client, tmp_path):
    manifest = made(client, tmp_path / "data.jsonl", seed=4)
    found = rows(tmp_path / "data.jsonl")
    assert len(found) == manifest.rows > 30
    items = [ScoreItem(instance=one["instance"], completion=f"\\boxed{{{one['answer']}}}") for one in found]
    assert {outcome.verdict for outcome in client.score(items).outcomes} == {"accepted"}
    assert manifest.server_version == client.health()["version"] != "unknown"
    assert manifest.licences == ["CC0-1.0"]
    last = found[-1]
    again = client.instances(last["environment"], level=last["level"], count=last["draw"] + 1, seed=4)
    assert again.instances[-1].instance == last["instance"]
    made(client, tmp_path / "again.jsonl", seed=4)
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "data.jsonl").read_bytes()


def test_the_splits_share_no_instance(client, tmp_path):
    made(client, tmp_path / "train.jsonl")
    made(client, tmp_path / "evaluation.jsonl", split="evaluation")
    train, evaluation = (
        {one["instance"] for one in rows(tmp_path / f"{name}.jsonl")} for name in ("train", "evaluation")
    )
    assert train
    assert evaluation
    assert not train & evaluation


def test_a_trainers_key_gets_the_prompts_alone(server, client, tmp_path):
    with Client(server.url, client.create_key("trainer", ["train"]).secret) as trainer:
        assert not made(trainer, tmp_path / "data.parquet", shape="verl").answers
    found = pyarrow.parquet.read_table(tmp_path / "data.parquet").to_pylist()
    assert {one["reward_model"]["ground_truth"] for one in found} == {""}


@pytest.fixture
def shared_clients():
    yield
    close_shared_clients()


@pytest.mark.usefixtures("shared_clients")
async def test_verl_scores_rows_by_the_server(server, client, tmp_path, monkeypatch):
    verl = pytest.importorskip("escalade.integrations.verl", reason="needs torch", exc_type=ImportError)
    monkeypatch.setenv("ESCALADE_KEY", (server.data / "admin.key").read_text().strip())
    made(client, tmp_path / "data.jsonl", shape="verl", count=1)
    row = rows(tmp_path / "data.jsonl")[0]
    truth = row["reward_model"]["ground_truth"]
    for solution, score in ((f"\\boxed{{{truth}}}", 1.0), ("\\boxed{}", 0.0)):
        got = await verl.compute_score(row["data_source"], solution, truth, row["extra_info"], url=server.url)
        assert got["score"] == score


def test_an_unknown_environment_is_one_line(client, tmp_path):
    with pytest.raises(ExportFailed, match="There is no environment named 'nowhere'"):
        made(client, tmp_path / "data.jsonl", environments=("nowhere",))


def test_the_command_line_exports_from_a_server_of_this_machine(server, tmp_path):
    words = ["export", str(tmp_path / "data.jsonl"), "--environment", "coin-row", "--levels", "0-1", "--count", "2"]
    done = subprocess.run(
        serving.command("--url", server.url, *words),
        env=serving.environment(server.data, PATH=os.environ["PATH"]), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "data.jsonl")) == 4

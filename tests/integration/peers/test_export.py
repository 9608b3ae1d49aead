"""Hugging Face's `datasets` over exported files."""

from pathlib import Path

import pytest

from escalade import Client
from escalade.exports import Request, export

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("shape", ["trl", "trl-chat", "verl", "openai"])
@pytest.mark.parametrize(("suffix", "kind"), [("jsonl", "json"), ("parquet", "parquet")])
def test_datasets_reads_every_shape(client: Client, tmp_path: Path, shape: str, suffix: str, kind: str):
    import datasets

    file = tmp_path / f"data.{suffix}"
    request = Request(shape=shape, environments=("coin-row", "toll-road"), levels="0-1", count=4)
    manifest = export(client, file, request, command="test", told=lambda seen, total: None)
    found = datasets.load_dataset(kind, data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(found) == manifest.rows
    prompt = found[0]["messages" if shape == "openai" else "prompt"]
    assert "Input:" in (prompt if shape == "trl" else prompt[-1]["content"])
    assert (found[0]["reward_model"]["ground_truth"] if shape == "verl" else found[0]["answer"]) != ""

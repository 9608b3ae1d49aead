"""Atropos's own environment class over a run of the real server, with a model server that says what it is told."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from escalade import Client, InvalidRequest
from escalade.integrations._judging import close_shared_clients

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # what the peer does with its own libraries is its own affair
]
EXAMPLE = Path(__file__).parents[3] / "examples" / "atropos_environment.py"
LIMIT_S = 240.0
"""How long Atropos's programs may take to start."""


class Model(ThreadingHTTPServer):
    """An OpenAI-compatible server whose completions are `texts`, in turn."""

    texts: tuple[str, ...] = ("no idea",)


class _Answering(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        choices = [
            {
                "index": place, "finish_reason": "stop",
                "message": {"role": "assistant", "content": self.server.texts[place % len(self.server.texts)]},
            }
            for place in range(asked.get("n", 1))
        ]  # fmt: skip
        body = json.dumps(
            {"id": "x", "object": "chat.completion", "created": 0, "model": asked["model"], "choices": choices}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def model() -> Iterator[Model]:
    with Model(("127.0.0.1", 0), _Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def make(model: Model, tiny_model: Path, endpoint: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    """Makes environments as Atropos's command line does."""
    from atroposlib.envs.server_handling.server_baseline import APIServerConfig

    from escalade.integrations.atropos import EscaladeEnvironment, EscaladeEnvironmentConfig

    for name, value in endpoint.items():
        monkeypatch.setenv(name, value)

    def build(**settings: object) -> EscaladeEnvironment:
        address = f"http://127.0.0.1:{model.server_port}/v1"
        server = APIServerConfig(
            model_name="tiny", base_url=address, api_key="x", server_type="openai", health_check=False
        )
        config = EscaladeEnvironmentConfig(tokenizer_name=str(tiny_model), use_wandb=False, group_size=2, **settings)
        return EscaladeEnvironment(config, [server])

    yield build
    close_shared_clients()


def texts_in(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.rglob("*.json")]


async def test_groups_come_back_as_tokens_masks_and_scores(make, model: Model, client: Client):
    run = client.create_run(
        "atropos", groups=2, rollouts=2, reveal_answers=True, pool={"environments": ["toll-road"]}
    ).run
    environment = make(run=run)
    await environment.setup()
    items = [await environment.get_next_item() for _ in range(3)]
    assert [item.group for item in items] == ["0.0", "0.1", "1.0"]
    model.texts = (f"\\boxed{{{items[0].answer.strip()}}}", "no idea")
    group, backlog = await environment.collect_trajectories(items[0])
    assert (group["scores"], backlog) == ([1.0, 0.0], [])
    for tokens, masks, text in zip(group["tokens"], group["masks"], model.texts, strict=True):
        written = [mask for mask in masks if mask != -100]
        assert environment.tokenizer.decode(written) == text + "<|end|>"
        assert tokens[-len(written) :] == written
        assert items[0].messages[0].content in environment.tokenizer.decode(tokens[: -len(written)])
    closed = [event.payload for event in client.events(run) if event.kind == "closed"]
    assert [(one["group"], one["right"], one["scored"]) for one in closed] == [("0.0", 1, 2)]


async def test_a_group_with_a_rollout_that_was_not_scored_is_dropped(make, client: Client, unscoring, caplog):
    run = client.create_run("atropos", groups=1, rollouts=2, pool={"environments": ["toll-road"]}).run
    environment = make(run=run, url=os.environ["ESCALADE_URL"])
    await environment.setup()
    assert await environment.collect_trajectories(await environment.get_next_item()) == (None, [])
    assert "group 0.0: 2 rollouts were not scored; dropped" in caplog.text


async def test_a_run_that_needs_lengths_is_refused(make, client: Client):
    penalty = {"length_penalty": {"free_tokens": 10, "most_tokens": 100}}
    run = client.create_run("atropos", groups=1, rollouts=2, scoring=penalty, pool={"environments": ["toll-road"]}).run
    with pytest.raises(InvalidRequest, match=r"`length_penalty`.*trl\.reward"):
        await make(run=run).setup()


async def test_a_restarted_environment_goes_on_with_the_next_batch(make, client: Client):
    run = client.create_run("atropos", groups=2, rollouts=2, pool={"environments": ["toll-road"]}).run
    client.batch(run, 4)
    environment = make(run=run)
    await environment.setup()
    assert (await environment.get_next_item()).group == "5.0"
    other = make(run=client.create_run("other", groups=2, rollouts=3, pool={"environments": ["toll-road"]}).run)
    with pytest.raises(InvalidRequest, match="group_size"):
        await other.setup()


async def test_evaluation_scores_held_out_instances(make, tmp_path: Path):
    environment = make(evaluation=["toll-road"], evaluation_count=3, data_dir_to_save_evals=str(tmp_path), groups=1)
    await environment.setup()
    await environment.evaluate()
    assert any("escalade/toll-road" in text for text in texts_in(tmp_path))


@contextmanager
def running(*command: object, **variables: str) -> Iterator[None]:
    """A program, until the test is over."""
    environment = {"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1"} | variables
    process = subprocess.Popen(
        list(map(str, command)), env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.kill()
        process.wait(60)


def test_a_trainer_gets_batches_through_atropos_own_server(
    client: Client, model: Model, tiny_model: Path, endpoint: dict[str, str], another_port: int, tmp_path: Path
):
    run = client.create_run("atropos", groups=2, rollouts=2, pool={"environments": ["pebble-duel"]}).run
    model.texts = ("\\boxed{Alice}", "\\boxed{Bob}")  # one of them wins
    api = f"http://127.0.0.1:{another_port}"
    serving = (sys.executable, "-m", "atroposlib.cli.run_api", "--host", "127.0.0.1", "--port", another_port)
    example = (
        sys.executable, EXAMPLE, "serve", "--env.run", run, "--env.group_size", 2, "--env.batch_size", 4,
        "--env.tokenizer_name", tiny_model, "--env.use_wandb", "false", "--env.rollout_server_url", api,
        "--openai.base_url", f"http://127.0.0.1:{model.server_port}/v1", "--openai.model_name", "tiny",
        "--openai.api_key", "x", "--openai.server_type", "openai", "--openai.health_check", "false",
    )  # fmt: skip
    home = {"HOME": str(tmp_path)}
    with running(*serving, **home), httpx.Client(base_url=api, transport=httpx.HTTPTransport(retries=10)) as trainer:
        until("the API answers", lambda: answered(trainer))
        settings = {"wandb_group": "g", "wandb_project": "p", "batch_size": 4, "max_token_len": 2048, "num_steps": 4}
        settings |= {"checkpoint_dir": str(tmp_path), "save_checkpoint_interval": 10, "starting_step": 0}
        assert "uuid" in trainer.post("/register", json=settings).json()
        with running(*example, **home, **endpoint):
            batch = until("a batch", lambda: trainer.get("/batch").json()["batch"])
    assert [sorted(group["scores"]) for group in batch] == [[0.0, 1.0]] * 2
    assert all(len(group["tokens"]) == len(group["masks"]) == 2 for group in batch)
    closed = [event.payload for event in client.events(run) if event.kind == "closed"]
    assert len(closed) >= 2
    assert {(one["right"], one["scored"]) for one in closed} == {(1, 2)}


def answered(trainer: httpx.Client) -> bool:
    try:
        return trainer.get("/").is_success
    except httpx.TransportError:
        return False


def until(what: str, look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {LIMIT_S:.0f} s")

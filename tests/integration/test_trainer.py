"""The trainer against a real server: it trains, resumes exactly, waits for a server that is away, fails in one line."""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import serving
import torch
from ports import free_port
from rich.console import Console

from escalade import Client, ConnectionFailed, NotFound
from escalade.trainer import saving
from escalade.trainer.assess import accuracy, ask, assess, questions
from escalade.trainer.config import TrainConfig, TrainingFailed
from escalade.trainer.desk import Desk, Written
from escalade.trainer.policies import Sampling
from escalade.trainer.train import train

LIMIT_S = 120.0
ENVIRONMENT = "pebble-duel"
"""Its answers are one of two names, so that a model that has barely learned is right half of the time."""


@pytest.fixture
def client(server):
    with Client(server.url, (server.data / "admin.key").read_text().strip(), retries=0) as opened:
        yield opened


@pytest.fixture
def console(tmp_path):
    with (tmp_path / "console").open("w+") as file:
        yield Console(file=file, width=200)


def said(console):
    console.file.flush()
    return Path(console.file.name).read_text()


def configured(out, **changes):
    settings = {
        "name": "test", "out": out, "steps": 6, "seed": 3, "threads": 1,
        "run": {"groups": 4, "rollouts": 4, "template": "compact", "pool": {"environments": [ENVIRONMENT]}},
        "model": {"layers": 1, "heads": 1, "width": 16},
        "sampling": {"max_tokens": 6},
        "optimiser": {"learning_rate": 3e-3},
        "warmup": {"levels": [0], "examples": 64, "steps": 120, "batch": 16, "learning_rate": 1e-2},
        "checkpoint": {"every": 2, "keep": 3},
    }  # fmt: skip
    return TrainConfig.model_validate(settings | changes)


@pytest.fixture(scope="module")
def warm(server, tmp_path_factory):
    """Weights that are right about half of the time, made once."""
    out = tmp_path_factory.mktemp("warm")
    with Client(server.url, (server.data / "admin.key").read_text().strip()) as client:
        train(configured(out, steps=1), client, Console(quiet=True))
    return out / "warmup"


def from_warm(out, warm, **changes):
    return configured(out, warmup=None, model={"start": warm}, **changes)


def lines(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_a_training_reports_every_rollout_and_leaves_figures_weights_and_checkpoints(client, tmp_path, console, warm):
    out = tmp_path / "out"
    train(from_warm(out, warm, tensorboard=True), client, console)
    found = lines(out)
    assert [line["step"] for line in found] == list(range(6))
    assert any(line["kept"] and line["gradient"] > 0 for line in found), "some groups taught something"
    assert {path.name for path in out.glob("*.pt")} == {"step-2.pt", "step-4.pt", "step-6.pt"}
    assert list((out / "tensorboard").iterdir())
    run = said(console).split(":")[0].split()[-1]
    closed = [event for event in client.events(run) if event.kind == "closed"]
    assert len(closed) == 6 * 4
    assert [one.label for one in client.checkpoints(run)] == ["step-2", "step-4", "step-6"]
    trained = saving.load_small(out / "model", torch.device("cpu"))
    asked = questions(client, {ENVIRONMENT: [0, 1]}, count=8, seed=1, template="compact")
    cells = assess(trained, client, asked, rollouts=2, sampling=Sampling(6, 1.0), seed=0)
    assert [(cell.level, cell.scored) for cell in cells] == [(0, 16), (1, 16)]
    assert 0 < accuracy(cells) <= 1


@pytest.mark.parametrize(("lag", "ahead"), [(1, 2), (0, 1)], ids=["lag", "no-lag"])
def test_a_lag_asks_for_a_batch_before_the_one_before_is_scored(client, tmp_path, console, warm, lag, ahead):
    train(from_warm(tmp_path / "out", warm, steps=4, grpo={"lag": lag}), client, console)
    kinds = [event.kind for event in client.events(said(console).split(":")[0].split()[-1])]
    kinds = [kind for kind in kinds if kind in ("batch", "closed")]
    assert kinds == ["batch"] * ahead + (["closed"] * 4 + ["batch"]) * (4 - ahead) + ["closed"] * 4 * ahead


class Stopped(Exception):
    """The training is cut off here."""


@pytest.mark.parametrize(
    "grpo",
    [
        {"lag": 1},
        {"lag": 0, "updates": 2, "groups_per_part": 1},
        {"lag": 1, "without_signal": "refill", "refills": 1, "kl": 0.05, "advantages": "mean"},
    ],
    ids=["lag", "no-lag", "refill-and-kl"],
)
def test_a_resumed_training_has_the_losses_of_an_undisturbed_one(client, tmp_path, console, warm, grpo):
    train(from_warm(tmp_path / "whole", warm, grpo=grpo), client, console)

    def stop(step, policy):
        if step == 5:  # after the checkpoint at 4: the server has gone on, and is taken back
            raise Stopped

    with pytest.raises(Stopped):
        train(from_warm(tmp_path / "parts", warm, grpo=grpo), client, console, look=stop)
    train(from_warm(tmp_path / "parts", warm, grpo=grpo), client, console, resume=True)
    whole, parts = lines(tmp_path / "whole"), lines(tmp_path / "parts")
    exact = ("step", "loss", "gradient", "accuracy", "level", "tokens", "kept", "clipped", "kl", "refilled")
    assert [{key: line.get(key) for key in exact} for line in parts] == [
        {key: line.get(key) for key in exact} for line in whole
    ]
    assert any(line["loss"] for line in whole)
    weights = [saving.load_small(tmp_path / name / "model", torch.device("cpu")) for name in ("whole", "parts")]
    for one, other in zip(*(policy.module.parameters() for policy in weights), strict=True):
        assert torch.equal(one, other)


def test_a_server_that_restarts_costs_a_pause_and_nothing_else(tmp_path, console):
    with serving.started(tmp_path / "data", free_port(), ESCALADE_SANDBOX="process") as server:
        key = (server.data / "admin.key").read_text().strip()
        with Client(server.url, key, retries=0) as client:
            restarts = []

            def restart():
                time.sleep(0.5)
                server.start()

            def look(step, policy):
                if step == 3 and not restarts:
                    server.kill()
                    restarts.append(threading.Thread(target=restart))
                    restarts[0].start()

            out = tmp_path / "out"
            train(configured(out), client, console, look=look)
            restarts[0].join()
            assert [line["step"] for line in lines(out)] == list(range(6))
            assert sum(line["unscored"] for line in lines(out)) == 0
            assert said(console).count("waiting for the server") == 1
            assert said(console).count("the server is back") == 1


class Interrupted(Client):
    """Finds no server the first time it makes a call of any kind, as in an outage."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.lost = []

    def _lose(self, call):
        if call not in self.lost:
            self.lost.append(call)
            raise ConnectionFailed("gone")

    def controllers(self, *arguments, **options):
        self._lose("controllers")
        return super().controllers(*arguments, **options)

    def environment(self, *arguments, **options):
        self._lose("environment")
        return super().environment(*arguments, **options)

    def instances(self, *arguments, **options):
        self._lose("instances")
        return super().instances(*arguments, **options)

    def score(self, *arguments, **options):
        self._lose("score")
        return super().score(*arguments, **options)


def test_an_outage_during_warm_up_or_evaluation_costs_a_pause_and_nothing_else(server, tmp_path, console):
    key = (server.data / "admin.key").read_text().strip()
    with Interrupted(server.url, key) as client:
        policy = train(configured(tmp_path / "out", steps=1), client, console)
        assert client.lost == ["controllers", "environment", "instances"]
        assert said(console).count("waiting for the server: gone") == 3
        client.lost.clear()
        heard = []
        levels = {ENVIRONMENT: [0, 1]}
        asked = questions(client, levels, count=2, seed=1, template="compact", say=heard.append)
        tallies = ask(policy, client, asked, rollouts=1, sampling=Sampling(6, 1.0), seed=0, say=heard.append)
        assert sum(one.scored for one in tallies) == 4
        assert client.lost == ["instances", "score"]
        assert sum("waiting for the server" in text for text in heard) == 2


def test_a_server_that_stays_away_is_given_up_in_one_line(tmp_path, console, warm):
    config = from_warm(tmp_path / "out", warm, patience_s=0.6)
    with (
        Client(f"http://127.0.0.1:{free_port()}", "none", retries=0) as nobody,
        pytest.raises(TrainingFailed, match=r"gave up after .* can be resumed"),
    ):
        train(config, nobody, console)


def test_a_run_that_is_deleted_ends_the_training(client, tmp_path, console, warm):
    def look(step, policy):
        if step == 2:
            client.delete_run(said(console).split(":")[0].split()[-1])

    with pytest.raises(NotFound, match="There is no run"):
        train(from_warm(tmp_path / "out", warm), client, console, look=look)


def test_a_model_that_writes_nothing_or_a_hundred_thousand_tokens_is_scored(client, console):
    run = client.create_run("texts", groups=1, rollouts=2, pool={"environments": [ENVIRONMENT]})
    with Desk(client, run.run, patience_s=5.0, say=console.print) as desk:
        group = desk.batch(0).result().groups[0].group
        written = Written((group,), (("", "so " * 100_000),), ((0, 100_000),), policy_step=0)
        assert desk.report(written).result() == [[0.0, 0.0]]


def command_line(tmp_path, url, key, **changes):
    document = configured(tmp_path / "out", **changes).model_dump(mode="json", exclude_unset=True)
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(document | {"patience_s": 0.5}))  # JSON is YAML
    command = [sys.executable, "-c", "from escalade.cli import main; main()", "--url", url, "--key", key]
    return subprocess.run(
        [*command, "train", "--config", str(file)], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def test_a_folder_that_cannot_be_made_is_one_line_before_the_first_question(server, tmp_path, warm):
    (tmp_path / "file").touch()
    command = [sys.executable, "-c", "from escalade.cli import main; main()", "--url", server.url]
    key = (server.data / "admin.key").read_text().strip()
    done = subprocess.run(
        [*command, "--key", key, "evaluate", "--model", f"small:{warm}", "--environments", ENVIRONMENT,
         "--levels", "0", "--instances", "1", "--rollouts", "1", "--k", "1", "--template", "compact",
         "--out", str(tmp_path / "file" / "x")],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.startswith("error: `--out`: ")
    assert done.stderr.count("\n") == 1


def test_a_wrong_key_is_one_line(server, tmp_path):
    done = command_line(tmp_path, server.url, "esc_wrong")
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "refused the key" in done.stderr


def test_a_server_of_another_kind_or_version_is_one_line(tmp_path):
    class Other(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        try:
            done = command_line(tmp_path, f"http://127.0.0.1:{other.server_port}", "key")
        finally:
            other.shutdown()
            thread.join()
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "same version" in done.stderr


def test_a_folder_with_a_training_is_not_begun_anew(client, tmp_path, console, warm):
    out = tmp_path / "out"
    with pytest.raises(TrainingFailed, match="holds no checkpoint"):
        train(from_warm(out, warm), client, console, resume=True)
    train(from_warm(out, warm, steps=2), client, console)
    with pytest.raises(TrainingFailed, match="--resume"):
        train(from_warm(out, warm, steps=2), client, console)
    with pytest.raises(TrainingFailed, match="another `seed`"):
        train(from_warm(out, warm, steps=2, seed=4), client, console, resume=True)

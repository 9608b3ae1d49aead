"""A run driven by an inference endpoint, against a real server and an endpoint on this machine: `escalade train`."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import serving
from ports import free_port

from escalade import Client

LIMIT_S = 120.0
STEPS, GROUPS, ROLLOUTS = 4, 3, 4


class Duellist(BaseHTTPRequestHandler):
    """Names either player, as the seed has it, so that groups have right and wrong rollouts."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.add(self.headers.get("Authorization"))
        names = ["\\boxed{Alice}", "\\boxed{Bob}"]
        texts = [names[(asked["seed"] + place) % 2] for place in range(asked["n"])]
        body = json.dumps({"choices": [{"message": {"content": text}} for text in texts]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def endpoint():
    with ThreadingHTTPServer(("127.0.0.1", 0), Duellist) as opened:
        opened.daemon_threads = False
        opened.keys = set()
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


def test_an_endpoint_drives_a_run_and_the_curriculum_follows(endpoint, tmp_path):
    config = tmp_path / "drive.toml"
    config.write_text(
        f"""
name = "driven"
out = "{tmp_path / "out"}"
steps = {STEPS}
[run]
groups = {GROUPS}
rollouts = {ROLLOUTS}
pool = {{environments = ["pebble-duel"]}}
[model]
kind = "endpoint"
url = "http://127.0.0.1:{endpoint.server_port}/v1"
name = "some-model"
"""
    )
    with serving.started(tmp_path / "server", free_port(), ESCALADE_SANDBOX="process") as server:
        key = (server.data / "admin.key").read_text().strip()
        command = [sys.executable, "-c", "from escalade.cli import main; main()", "--url", server.url, "--key", key]
        command += ["train", "--config", str(config), "--endpoint-key", "secret"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        with Client(server.url, key) as client:
            (run,) = client.runs()
            closed = [event for event in client.events(run.run) if event.kind == "closed"]
            (controller,) = client.controllers(run.run)
        again = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert endpoint.keys == {"Bearer secret"}
    assert len(closed) == STEPS * GROUPS
    assert controller.visits == STEPS * GROUPS
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(STEPS))
    assert all((line["accuracy"], line["informative"], line["unscored"]) == (0.5, 1.0, 0.0) for line in lines)
    assert again.returncode == 1
    assert "holds the figures of another run" in again.stderr

"""`make demo-train`, end to end and short: its own process, its own server, over HTTP."""

import json
import subprocess
import sys

LIMIT_S = 300.0


def test_the_demo_warms_up_trains_and_measures_before_and_after(tmp_path):
    command = [
        sys.executable, "-m", "escalade.trainer.demo", "--data", str(tmp_path), "--sandbox", "process", "--steps", "3",
        "--warmup-steps", "10", "--examples", "2", "--count", "1", "--threads", "1",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    log = (tmp_path / "server.log").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + log
    assert "warm-up 10/10" in done.stdout
    assert "step 3/3" in done.stdout
    assert "levels of the warm-up: " in done.stdout
    assert "levels above the warm-up: " in done.stdout
    assert done.stdout.count("controller of ") == 4
    assert "level 14" in done.stdout
    cells = [json.loads(line) for line in (tmp_path / "training" / "levels.jsonl").read_text().splitlines()]
    assert {cell["step"] for cell in cells} == {0, 3}
    assert {cell["level"] for cell in cells} == set(range(15))
    assert all(cell["scored"] == 4 for cell in cells)
    assert len((tmp_path / "training" / "metrics.jsonl").read_text().splitlines()) == 3
    assert "Finished server process" in log

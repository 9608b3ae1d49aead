"""The notebook, executed whole: `examples/quickstart.ipynb` starts a server of its own and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat

NOTEBOOK = Path(__file__).parents[2] / "examples" / "quickstart.ipynb"
LIMIT_S = 540.0
"""The first start with Docker builds the toolchain image."""


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_it_is_committed_without_outputs():
    cells = code_cells(NOTEBOOK)
    assert cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


def test_every_cell_runs_and_shows_what_it_promises(tmp_path, monkeypatch):
    for name in ("TMPDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", "execute", str(NOTEBOOK), "--output", str(tmp_path / "executed.ipynb")],
        capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [
        cell for cell in nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells if cell.cell_type == "code"
    ]
    outputs = [output for cell in cells for output in cell.outputs]
    said = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert "built-in environments" in said
    assert "my-problem: " in said
    assert "1.0 accepted" in said
    assert "0.0 wrong -1" in said
    assert "0.0 no_answer None" in said
    assert "240 groups closed" in said
    assert [kind for output in outputs for kind in output.get("data", {}) if kind == "image/png"] == ["image/png"]
    assert not list(tmp_path.glob("escalade-*")), "the server's folder is gone"

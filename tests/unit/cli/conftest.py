"""The command line in this process, against the fake API of the SDK's tests."""

import importlib.util
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from escalade.cli.app import build_app


def _load(name):
    # Tests are no package; what they share is loaded by path.
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "client" / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_load("fake_api")
_load("fake_histories")
_load("fake_syntheses")


@pytest.fixture
def api():
    from fake_api import FakeApi

    with FakeApi().serving() as served:
        yield served


@pytest.fixture
def environ(api, tmp_path):
    """The variables that commands see, and nothing of this machine's own set-up."""
    from fake_api import KEY

    return {
        "ESCALADE_URL": api.url,
        "ESCALADE_KEY": KEY,
        "ESCALADE_DATA": str(tmp_path / "data"),
        "COLUMNS": "200",
        "FORCE_COLOR": None,
        "NO_COLOR": None,
    }


@pytest.fixture
def cli(environ):
    """Run a command: `cli("environments", "list")`."""
    app = build_app()

    def run(*arguments, terminal=False, answer=None, **variables):
        # Rich takes a stream for a terminal when FORCE_COLOR is set.
        env = environ | ({"FORCE_COLOR": "1", "TERM": "xterm"} if terminal else {}) | variables
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env=env, input=answer)

    return run

"""The command line in this process, against the fake API of the SDK's tests."""

import fake_histories  # noqa: F401 - it adds its routes to the fake API
import fake_syntheses  # noqa: F401 - so does it
import pytest
from fake_api import KEY, FakeApi
from typer.testing import CliRunner

from escalade.cli.app import build_app


@pytest.fixture
def api():
    with FakeApi().serving() as served:
        yield served


@pytest.fixture
def environ(api, tmp_path):
    """The variables that commands see, and nothing of this machine's own set-up."""
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

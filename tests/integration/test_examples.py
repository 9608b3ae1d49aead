"""The examples of the SDK's documentation, run as they stand against a real server."""

import contextlib
import doctest
import inspect
import re
from pathlib import Path

import pytest

import escalade

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LEFT_TO_THE_READER = {"my_model": lambda messages: "\\boxed{4}", "steps": 2}
"""What a page's example says by name alone."""
IN_SMALL = ("groups=64, rollouts=8", "groups=2, rollouts=2")
"""Sixty-four groups would take a minute to make for the first time."""


@pytest.fixture
def reachable(server, monkeypatch):
    """The server, where a client looks for it."""
    monkeypatch.setenv("ESCALADE_URL", server.url)
    monkeypatch.setenv("ESCALADE_DATA", str(server.data))
    monkeypatch.delenv("ESCALADE_KEY", raising=False)


def run(test):
    """Run a docstring's examples; what they print is part of the failure."""
    failures = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=failures.append)
    assert runner.failures == 0, "".join(failures)


def example_of(value, name):
    [found] = doctest.DocTestFinder(recurse=False).find(value, name, globs={})
    return found


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize("name", escalade.__all__)
def test_every_public_name_has_an_example_that_works(name):
    test = example_of(getattr(escalade, name), name)
    assert name in test.docstring
    assert any(re.search(rf"\b{name}\b", example.source) for example in test.examples), f"{name} has no example"
    run(test)


@pytest.mark.usefixtures("reachable")
def test_the_packages_own_example_works():
    run(example_of(escalade, "escalade"))


def blocks():
    for page in PAGES:
        for match in re.finditer(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
            line = page.read_text()[: match.start()].count("\n") + 2
            if "escalade.integrations" in match[1]:
                continue  # trains a model with somebody else's trainer: tests/integration/peers runs examples/ instead
            if re.search(r"^(from|import) escalade\b(?!_)", match[1], re.MULTILINE):
                yield pytest.param(page, line, match[1], id=f"{page.name}:{line}")


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize(("page", "line", "source"), list(blocks()))
def test_a_pages_example_works(page, line, source):
    code = compile("\n" * (line - 1) + source.replace(*IN_SMALL), page, "exec")
    with contextlib.redirect_stdout(None):
        exec(code, dict(LEFT_TO_THE_READER))


def test_the_api_describes_no_example_of_the_sdk(server):
    import httpx

    text = httpx.get(f"{server.url}/openapi.json", timeout=60).text
    assert "One rollout's answer to one group." in text
    assert ">>>" not in text


def test_examples_are_found_where_there_are_some():
    assert any(param.values[0].name == "README.md" and IN_SMALL[0] in param.values[2] for param in blocks())
    assert inspect.getdoc(escalade.Client).count(">>>") > 5

"""docs/configuration.md says what the programs read: no variable more and none less, with the defaults there are."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from escalade.settings import data_folder, resolve_endpoint
from escalade_sandbox.settings import load_settings
from escalade_server.settings import Settings, Thresholds

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `(\w+)` \| ([\w, ]+) \| (.*?) \| (.+) \|$", re.MULTILINE)
TABLE = {
    name: (set(readers.split(", ")), default)
    for name, readers, default, _ in ROW.findall((ROOT / "docs" / "configuration.md").read_text())
}


class Recorder(Mapping):
    """An environment without any variable, which remembers what it was asked for."""

    def __init__(self):
        self.asked = set()

    def __getitem__(self, name):
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0

    @property
    def ours(self):
        return {name for name in self.asked if name.startswith("ESCALADE_")}


def server_defaults():
    fields = {name.upper(): field.default for name, field in Settings.model_fields.items()}
    assert isinstance(fields.pop("VERIFICATION"), Thresholds)
    fields |= {f"VERIFICATION_{name.upper()}": field.default for name, field in Thresholds.model_fields.items()}
    return {f"ESCALADE_{name}": default for name, default in fields.items()}


def described_for(reader):
    return {name for name, (readers, _) in TABLE.items() if reader in readers}


def test_every_row_can_be_read_and_is_there_once():
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert len(re.findall(r"^\| `", text, re.MULTILINE)) == len(TABLE) > 50
    assert set().union(*(readers for readers, _ in TABLE.values())) == {
        "client",
        "server",
        "sandbox",
        "compose",
        "trainer",
        "tests",
    }


def test_the_table_has_what_the_client_reads():
    seen = Recorder()
    resolve_endpoint(None, None, seen)
    data_folder(seen)
    assert described_for("client") == seen.ours


def test_the_table_has_what_the_sandbox_reads():
    seen = Recorder()
    load_settings(seen)
    assert described_for("sandbox") == seen.ours


def test_the_table_has_what_the_server_reads():
    assert described_for("server") == set(server_defaults())


@pytest.mark.parametrize(("name", "default"), [(name, value) for name, value in server_defaults().items() if value])
def test_the_defaults_are_those_of_the_server(name, default):
    if isinstance(default, int | float):
        assert float(TABLE[name][1]) == default
    elif isinstance(default, str):
        assert TABLE[name][1].strip("`") == default


def test_the_table_has_what_the_compose_file_takes():
    taken = set(re.findall(r"\$\{(ESCALADE_\w+)", (ROOT / "docker-compose.yml").read_text()))
    assert described_for("compose") == taken - set(server_defaults())
    assert taken <= set(TABLE)


def test_the_page_says_what_the_compose_file_passes_on():
    taken = set(re.findall(r"\$\{(ESCALADE_\w+)", (ROOT / "docker-compose.yml").read_text()))
    page = (ROOT / "docs" / "configuration.md").read_text()
    passed_on = page[page.index("passes on") : page.index("for any other")]
    assert set(re.findall(r"ESCALADE_\w+", passed_on)) == taken & set(server_defaults())


@pytest.mark.parametrize("service", ["server", "sandbox"])
def test_an_empty_variable_counts_as_not_set(service, monkeypatch):
    names = described_for(service)
    if service == "sandbox":
        assert load_settings(dict.fromkeys(names, "")) == load_settings({})
        return
    for name in names:
        monkeypatch.delenv(name, raising=False)
    unset = Settings()
    for name in names:
        monkeypatch.setenv(name, "")
    assert Settings() == unset


def test_the_table_has_what_the_trainer_reads():
    sources = [path.read_text() for path in (ROOT / "client" / "escalade" / "trainer").glob("*.py")]
    read = {name for source in sources for name in re.findall(r'envvar="(ESCALADE_\w+)"', source)}
    assert described_for("trainer") == read


def test_the_table_has_what_the_tests_read():
    sources = [path.read_text() for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    read = {name for source in sources for name in re.findall(r'environ\.get\("(ESCALADE_\w+)"', source)}
    assert described_for("tests") == read


def test_no_page_names_a_variable_that_does_not_exist():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        named = set(re.findall(r"ESCALADE_[A-Z_]*[A-Z]\b", page.read_text()))
        # A prefix, such as `ESCALADE_VERIFICATION_`, is none.
        assert named <= set(TABLE), page.name


@pytest.mark.parametrize(
    ("given", "base"), [("", "~/.local/share"), ("relative", "~/.local/share"), ("/data", "/data")]
)
def test_server_and_client_keep_their_files_in_the_same_folder(monkeypatch, given, base):
    monkeypatch.delenv("ESCALADE_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", given)
    assert Settings().data == data_folder() == Path(base).expanduser() / "escalade"

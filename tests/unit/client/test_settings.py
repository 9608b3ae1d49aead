"""Where address and key come from."""

import os
import subprocess
import sys

import pytest

import escalade
from escalade.settings import DEFAULT_URL, data_folder, is_loopback, resolve_endpoint


def test_what_is_given_wins_over_the_environment():
    environ = {"ESCALADE_URL": "http://env:1", "ESCALADE_KEY": "env"}
    endpoint = resolve_endpoint("https://given:2/", "mine", environ)
    assert (endpoint.url, endpoint.key, endpoint.key_source) == ("https://given:2", "mine", "given")
    endpoint = resolve_endpoint(None, None, environ)
    assert (endpoint.url, endpoint.key, endpoint.key_source) == ("http://env:1", "env", "ESCALADE_KEY")


def test_the_admin_key_file_opens_loopback_alone(tmp_path):
    environ = {"ESCALADE_DATA": str(tmp_path)}
    assert resolve_endpoint(None, None, environ).key is None
    (tmp_path / "admin.key").write_text("secret\n")
    endpoint = resolve_endpoint(None, None, environ)
    assert (endpoint.url, endpoint.key) == (DEFAULT_URL, "secret")
    assert endpoint.key_source == str(tmp_path / "admin.key")
    assert "secret" not in repr(endpoint)
    assert resolve_endpoint("http://localhost:9", None, environ).key == "secret"
    assert resolve_endpoint("http://trainer.example", None, environ).key is None


def test_a_key_file_that_cannot_be_read_is_no_key(tmp_path):
    (tmp_path / "admin.key").mkdir()
    assert resolve_endpoint(None, None, {"ESCALADE_DATA": str(tmp_path)}).key is None


def test_the_data_folder_follows_xdg(tmp_path):
    assert data_folder({"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "escalade"
    assert data_folder({"ESCALADE_DATA": "/data"}).as_posix() == "/data"
    fallback = data_folder({"XDG_DATA_HOME": "relative/path"})
    assert fallback.as_posix().endswith(".local/share/escalade")
    assert data_folder({}) == fallback


@pytest.mark.parametrize(
    "url", ["localhost:8700", "ftp://host", "http://", "http://host:99999", "http://[::1", "nonsense"]
)
def test_an_address_that_cannot_work_is_named(url):
    with pytest.raises(escalade.InvalidRequest, match="not a server address"):
        resolve_endpoint(url, None, {})


def test_a_password_in_the_address_is_refused_without_showing_it():
    with pytest.raises(escalade.InvalidRequest) as caught:
        resolve_endpoint("http://:hush@host", None, {})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "  ", "two words", "schlüssel", "a\nb"])
def test_a_key_that_no_header_can_carry_is_refused(key):
    with pytest.raises(escalade.InvalidRequest, match="printable ASCII"):
        resolve_endpoint("http://host", key, {})


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8700", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8700", True),
        ("http://localhost", True),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
    ],
)
def test_loopback_is_known_by_name_and_address(url, loopback):
    assert is_loopback(url) is loopback


def test_a_client_hides_its_key():
    with escalade.Client("http://host", "hush") as client:
        assert repr(client) == "Client('http://host')"


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(api):
    from fake_api import KEY

    code = (
        "import escalade, sys; print(escalade.Client(sys.argv[1], sys.argv[2], retries=0).environment('knapsack').name)"
    )
    environ = {**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", code, api.url, KEY], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "knapsack", done.stderr

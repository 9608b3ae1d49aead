"""The sandbox's settings: what they mean, and how they complain."""

from pathlib import Path

import pytest

from escalade_sandbox.settings import SettingsError, load_settings

KEY = "0123456789abcdef"


def test_an_empty_environment_means_docker_with_a_cache():
    settings = load_settings({"XDG_CACHE_HOME": "/cache"})
    assert (settings.backend, settings.slots, settings.key) == ("docker", None, None)
    assert settings.cache_folder == Path("/cache/escalade/programs")


def test_addresses_mean_a_remote_sandbox_unless_another_is_named():
    assert load_settings({"ESCALADE_SANDBOX_URL": "http://a, http://b"}).urls == ("http://a", "http://b")
    assert load_settings({"ESCALADE_SANDBOX_URL": "http://a"}).backend == "http"
    assert load_settings({"ESCALADE_SANDBOX_URL": "http://a", "ESCALADE_SANDBOX": "docker"}).backend == "docker"


def test_the_cache_can_be_elsewhere_or_nowhere():
    assert load_settings({"ESCALADE_SANDBOX_CACHE": "/x"}).cache_folder == Path("/x")
    assert load_settings({"ESCALADE_SANDBOX_CACHE": "none"}).cache_folder is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ESCALADE_SANDBOX", "chroot"),
        ("ESCALADE_SANDBOX_SLOTS", "0"),
        ("ESCALADE_SANDBOX_SLOTS", "many"),
        ("ESCALADE_SANDBOX_KEY", "short"),
        ("ESCALADE_SANDBOX_KEY", KEY + "\n" + KEY),
        ("ESCALADE_SANDBOX_KEY", KEY + "\xfc"),
        ("ESCALADE_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_names_its_variable(name, value):
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    assert name in str(caught.value)
    assert KEY not in str(caught.value)


def test_the_key_is_not_shown():
    assert KEY not in repr(load_settings({"ESCALADE_SANDBOX_KEY": KEY}))


def test_the_newline_that_ends_a_secrets_file_is_no_part_of_the_key():
    assert load_settings({"ESCALADE_SANDBOX_KEY": KEY + "\n"}).key == KEY
    assert load_settings({"ESCALADE_SANDBOX_KEY": "\n"}).key is None

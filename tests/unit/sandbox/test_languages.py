"""Languages, and the image that must agree with them."""

from pathlib import Path

import pytest

import escalade_sandbox
from escalade_sandbox.image import default_image
from escalade_sandbox.languages import CPP_FLAGS, LANGUAGES, find
from escalade_sandbox.types import UnknownLanguage

DOCKERFILE = Path(escalade_sandbox.__file__).parents[1] / "Dockerfile"


def test_the_header_is_precompiled_with_the_flags_that_programs_are_compiled_with():
    standard, command = LANGUAGES["cpp"].standards[0]
    assert command[1 : 2 + len(CPP_FLAGS)] == (f"-std={standard}", *CPP_FLAGS)
    assert f"g++ -std={standard} {' '.join(CPP_FLAGS)} -x c++-header" in DOCKERFILE.read_text()


def test_the_images_name_follows_its_content():
    assert default_image() == default_image()
    assert default_image().startswith("escalade-toolchain:")


def test_every_language_can_tell_its_version():
    assert all(language.version_command for language in LANGUAGES.values())


def test_an_unknown_language_names_the_known():
    with pytest.raises(UnknownLanguage, match="cpp, go, java, python"):
        find("fortran")

"""Modules that an LLM wrote, at first sight."""

import pytest

from escalade_server.problems.builtin import load_catalogue
from escalade_server.synthesis.screening import module_faults


def faults(source):
    return module_faults(source, function="generate_testcase", arguments=1)


@pytest.mark.parametrize("entry", load_catalogue(), ids=lambda entry: entry.slug)
def test_the_built_in_generators_and_checkers_pass(entry):
    assert faults(entry.definition.generator.source) == []
    if entry.definition.checker is not None:
        found = module_faults(entry.definition.checker.source, function="check", arguments=3)
        # Run as programs they read files and print, which as functions they do not.
        assert [fault for fault in found if "calls open" not in fault and "imports" not in fault] == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("", "blank"),
        ("def generate_testcase(params:\n", "line 1"),
        ("def make(params):\n    return '', {}\n", "does not define the function generate_testcase"),
        ("if True:\n    def generate_testcase(params): ...\n", "at its top level"),
        ("def generate_testcase(): ...\n", "1 positional argument"),
        ("def generate_testcase(params, seed): ...\n", "1 positional argument"),
        ("def generate_testcase(params, *, size): ...\n", "1 positional argument"),
        ("import time\ndef generate_testcase(params): ...\n", "line 1 imports time"),
        ("import os.path\ndef generate_testcase(params): ...\n", "imports os.path"),
        ("from numpy import random\ndef generate_testcase(params): ...\n", "imports numpy"),
        ("from . import x\ndef generate_testcase(params): ...\n", "imports"),
        ("import random\ndef generate_testcase(params):\n    random.seed(1)\n", "line 3 uses random.seed"),
        ("from random import SystemRandom\ndef generate_testcase(params): ...\n", "random.SystemRandom"),
        ("def generate_testcase(params):\n    return eval('1'), {}\n", "line 2 calls eval"),
        ("def generate_testcase(params):\n    return str(hash('a')), {}\n", "calls hash"),
        ("#" * (70 << 10), "at most"),
        ("x = " + "(" * 5_000, "no Python"),
        ("x = '\0'", "no Python"),
    ],
)
def test_what_would_fail_later_is_said_now(source, fault):
    assert any(fault in one for one in faults(source))


@pytest.mark.parametrize(
    "source",
    [
        "def generate_testcase(params, seed=None): ...",
        "def generate_testcase(*params): ...",
        "import random\nfrom math import gcd\ndef generate_testcase(p):\n    return str(random.randint(1, 2)), {}",
    ],
)
def test_ordinary_modules_pass(source):
    assert faults(source) == []

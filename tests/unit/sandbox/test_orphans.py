"""Which containers may be removed."""

import os
import subprocess
import sys

from escalade_sandbox.owners import is_orphan, process_identity


def test_a_living_process_keeps_its_containers():
    assert not is_orphan(process_identity())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        identity = process_identity(child.pid)
        assert not is_orphan(identity)
        child.communicate(b"\n")
        assert is_orphan(identity)


def test_a_process_that_took_a_dead_ones_number_does_not_keep_its_containers():
    boot, namespace, number, started = process_identity().split(" ")
    assert number == str(os.getpid())
    assert is_orphan(f"{boot} {namespace} {number} {int(started) - 1}")


def test_what_an_earlier_boot_left_is_an_orphan_and_what_another_namespace_runs_is_not():
    boot, namespace, number, started = process_identity().split(" ")
    assert is_orphan(f"another-boot {namespace} {number} {started}")
    assert not is_orphan(f"{boot} pid:[1] {number} {started}")
    assert is_orphan("")

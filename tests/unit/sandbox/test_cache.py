"""The compile cache: what counts as the same program, and what outlives what."""

import os
import tracemalloc
from dataclasses import fields, replace

import pytest

from escalade_sandbox.cache import CompileCache, key_of, make_artifact
from escalade_sandbox.languages import find
from escalade_sandbox.types import Compilation, Limits, Program, Status, Trust

CPP = find("cpp")
LIMITS = Limits()
DONE = Compilation(Status.OK, standard="gnu++17", cpu_ms=1.5)


def test_a_key_tells_apart_everything_that_could_make_another_binary():
    program = Program("cpp", "int main() {}")
    base = key_of(CPP, program, LIMITS, "image", Trust.CANDIDATE)
    others = [
        key_of(CPP, replace(program, source="int main() { }"), LIMITS, "image", Trust.CANDIDATE),
        key_of(CPP, replace(program, files={"a.h": b""}), LIMITS, "image", Trust.CANDIDATE),
        key_of(CPP, program, LIMITS, "other image", Trust.CANDIDATE),
        key_of(CPP, program, LIMITS, "image", Trust.TRUSTED),
        key_of(replace(CPP, standards=CPP.standards[:1]), program, LIMITS, "image", Trust.CANDIDATE),
    ]
    others += [
        key_of(CPP, program, replace(LIMITS, **{field.name: 7}), "image", Trust.CANDIDATE) for field in fields(Limits)
    ]
    assert len({base, *others}) == 6 + len(fields(Limits))
    assert base == key_of(CPP, Program("cpp", "int main() {}"), Limits(cpu_s=10), "image", Trust.CANDIDATE)


def test_the_boundary_between_a_files_name_and_content_is_part_of_the_key():
    one = key_of(CPP, Program("cpp", "", files={"ab": b"c"}), LIMITS, "", Trust.TRUSTED)
    two = key_of(CPP, Program("cpp", "", files={"a": b"bc"}), LIMITS, "", Trust.TRUSTED)
    assert one != two


def test_a_descriptor_that_was_handed_out_outlives_its_eviction():
    cache = CompileCache(most_bytes=10)
    for name in ("a", "b"):
        made = make_artifact(DONE, name.encode() * 8)
        cache.put(name, made)
        made.close()
    held = cache.get("b")
    newest = make_artifact(DONE, b"c" * 8)
    cache.put("c", newest)
    newest.close()
    assert cache.get("a") is None
    assert cache.get("b") is None
    assert held is not None
    assert held.read() == b"b" * 8
    assert held.compilation.cached
    held.close()
    cache.clear()


def test_a_binary_cannot_be_changed_through_its_descriptor():
    made = make_artifact(DONE, b"program")
    assert made.descriptor is not None
    with pytest.raises(PermissionError):
        os.pwrite(made.descriptor, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(made.descriptor, 0)
    made.close()


def test_a_folder_brings_programs_and_refusals_to_a_later_process(tmp_path):
    first = CompileCache(tmp_path / "cache")
    good, bad = make_artifact(DONE, b"\x7fELF\n\0"), make_artifact(Compilation(Status.COMPILE_ERROR, "no"), None)
    first.save("good", good)
    first.save("bad", bad)
    good.close()
    later = CompileCache(tmp_path / "cache")
    loaded, refused = later.load("good"), later.load("bad")
    assert loaded is not None
    assert refused is not None
    assert (loaded.read(), loaded.compilation) == (b"\x7fELF\n\0", DONE)
    assert (refused.descriptor, refused.compilation.diagnostics) == (None, "no")
    assert later.load("absent") is None
    loaded.close()


def test_a_large_program_is_saved_and_loaded_in_pieces(tmp_path):
    made = make_artifact(DONE, bytes(32 << 20))
    cache = CompileCache(tmp_path)
    tracemalloc.start()
    try:
        cache.save("key", made)
        loaded = cache.load("key")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert loaded is not None
    assert (loaded.size_bytes, loaded.compilation) == (32 << 20, DONE)
    assert peak_bytes < 8 << 20
    loaded.close()
    made.close()


def test_a_damaged_file_is_as_good_as_none(tmp_path):
    cache = CompileCache(tmp_path)
    made = make_artifact(DONE, b"program")
    cache.save("key", made)
    made.close()
    path = tmp_path / "key"
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    assert cache.load("key") is None
    path.write_bytes(b"nonsense")
    assert cache.load("key") is None


def test_what_the_compiler_had_no_time_for_is_not_remembered(tmp_path):
    cache = CompileCache(tmp_path)
    limited = make_artifact(Compilation(Status.COMPILE_LIMIT), None)
    cache.put("key", limited)
    cache.save("key", limited)
    assert cache.get("key") is None
    assert cache.load("key") is None

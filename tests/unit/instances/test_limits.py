"""Limits of programs follow from what the references used."""

from hypothesis import given
from hypothesis import strategies as st

from escalade_server.instances.limits import Usage, limits_of, of_document, to_document
from escalade_server.problems.builtin import load_catalogue

DEFINITION = load_catalogue()[0].definition
MIB = 1 << 20
USAGES = st.builds(Usage, st.floats(0, DEFINITION.time_limit_s), st.integers(0, DEFINITION.memory_limit_bytes))
MEASURED = st.dictionaries(st.sampled_from(["cpp", "python"]), USAGES, min_size=1)


@given(MEASURED)
def test_every_reference_keeps_twice_its_time_and_no_program_more_than_twice_the_problems(measured) -> None:
    limits = limits_of(DEFINITION, measured)
    for language, usage in measured.items():
        assert limits.cpu_s[language] >= 2 * usage.cpu_s
        assert limits.memory_bytes >= min(usage.memory_bytes, DEFINITION.memory_limit_bytes)
    assert limits.cpu_s["python"] >= limits.cpu_s["cpp"] or "python" in measured
    assert all(0.5 <= limit <= 2 * DEFINITION.time_limit_s + 0.5 for limit in limits.cpu_s.values())
    assert limits.memory_bytes <= max(64 * MIB, DEFINITION.memory_limit_bytes)


@given(MEASURED)
def test_limits_are_stored_as_they_are(measured) -> None:
    limits = limits_of(DEFINITION, measured)
    assert of_document(to_document(limits, measured)) == limits


def test_small_differences_of_measurement_make_none() -> None:
    one = limits_of(DEFINITION, {"cpp": Usage(0.002, 5 * MIB), "python": Usage(0.031, 11 * MIB)})
    other = limits_of(DEFINITION, {"cpp": Usage(0.009, 4 * MIB), "python": Usage(0.052, 12 * MIB)})
    assert one == other
    assert one.cpu_s == {"cpp": 1.5, "python": 1.5}
    assert one.memory_bytes == 192 * MIB


def test_a_language_without_a_reference_is_held_against_the_other() -> None:
    only_cpp = limits_of(DEFINITION, {"cpp": Usage(0.05, MIB)})
    assert only_cpp.cpu_s == {"cpp": 1.5, "python": 3.0}
    only_python = limits_of(DEFINITION, {"python": Usage(0.3, MIB)})
    assert only_python.cpu_s == {"cpp": 2.5, "python": 2.5}

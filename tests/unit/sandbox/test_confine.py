"""The system-call filter, run by an interpreter of its own language."""

import errno
import struct

import pytest

from escalade_sandbox.agent import confine

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def run_filter(machine: str, number: int, architecture: int | None = None, argument: int = 0) -> int:
    """What the kernel would do with a call."""
    program = confine._filter_program(machine)
    data = struct.pack("=iIQ6Q", number, architecture or confine._ARCHITECTURES[machine][0], 0, argument, 0, 0, 0, 0, 0)
    instructions = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    position, accumulator = 0, 0
    while True:
        code, if_true, if_false, value = instructions[position]
        position += 1
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif code == 0x15:
            position += if_true if accumulator == value else if_false
        elif code == 0x35:
            position += if_true if accumulator >= value else if_false
        else:
            assert code == 0x06
            return value


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_what_no_job_needs_is_refused_and_the_rest_is_not(machine):
    _, denied, socket_number = confine._ARCHITECTURES[machine]
    for number in range(500):
        if number == socket_number:
            continue
        expected = ERRNO | errno.EPERM if number in denied.values() else ALLOW
        assert run_filter(machine, number) == expected, number


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    ("family", "allowed"), [(1, True), (2, True), (10, True), (16, False), (38, False), (40, False)]
)
def test_sockets_are_of_ordinary_families(machine, family, allowed):
    number = confine._ARCHITECTURES[machine][2]
    expected = ALLOW if allowed else ERRNO | errno.EAFNOSUPPORT
    assert run_filter(machine, number, argument=family) == expected


def test_calls_of_another_architecture_end_the_process():
    assert run_filter("x86_64", 1, architecture=0x40000003) == KILL
    assert run_filter("x86_64", 0x40000000 | 101) == ERRNO | errno.ENOSYS

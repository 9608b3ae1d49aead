"""What stands between a job's process and everything else, set in the child before a byte of the job's code runs.

Guarantee: after `become_job` the process has no capability, its own session, the limits of its job, and only the
descriptors it was given. `deny_system_calls` is inherited by every child and cannot be lifted.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import resource
import signal
import struct
from typing import NamedTuple

PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
STACK_BYTES = 256 << 20
"""Deep recursion is ordinary in contest solutions; threads get the same, so more would exhaust their address space."""
ADDRESS_SPACE_SLACK_BYTES = 16 << 30
"""Memory is limited by what is used, not by what is reserved; this stops only absurd reservations."""

_libc = ctypes.CDLL(None, use_errno=True)


class Confinement(NamedTuple):
    """Who a job's processes are and where they may write."""

    work: str
    """The working folder."""
    uid: int | None
    """The user and group of jobs; None where they run as the agent's own user."""
    limit_processes: bool
    """Whether the process limit can be left to the kernel, which counts by user."""


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process.

    Raises:
        OSError: The kernel refused.
    """
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def become_job(
    confinement: Confinement,
    *,
    cpu_s: float,
    memory_bytes: int,
    file_bytes: int,
    processes: int,
    descriptors: list[int],
) -> None:  # fmt: skip
    """Turn this freshly forked process into the job's: `descriptors[i]` becomes descriptor i, all others close."""
    os.setsid()
    lowest = len(descriptors)
    # First out of the way of the numbers that are about to be assigned, then into place.
    moved = [_move_above(fd, lowest) for fd in descriptors]
    for number, fd in enumerate(moved):
        os.dup2(fd, number, inheritable=True)
    os.closerange(lowest, 4096)
    _write_best_effort("/proc/self/oom_score_adj", b"1000")
    ceiling_s = cpu_ceiling_s(cpu_s)
    address_space_bytes = memory_bytes + ADDRESS_SPACE_SLACK_BYTES
    _limit(resource.RLIMIT_CPU, ceiling_s)
    _limit(resource.RLIMIT_AS, address_space_bytes)
    _limit(resource.RLIMIT_FSIZE, file_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 512)
    _set_stack_limit()
    if confinement.limit_processes:
        _limit(resource.RLIMIT_NPROC, processes)
    os.umask(0o022)
    if confinement.uid is not None:
        os.setgroups([])
        os.setresgid(confinement.uid, confinement.uid, confinement.uid)
        os.setresuid(confinement.uid, confinement.uid, confinement.uid)
    os.chdir(confinement.work)


def restore_signals() -> None:
    """Undo what Python ignores, since what is ignored stays so through exec."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    # Some runtimes start with lower limits than we would set, and nobody may raise those.
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def cpu_ceiling_s(cpu_s: float) -> int:
    """Return the CPU limit that the kernel itself keeps, should the agent be late."""
    return max(1, int(cpu_s) + 2)


def _set_stack_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    soft = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))


def raise_stack_limit() -> None:
    """Give this process, and so the layout of what it executes, the stack that jobs get."""
    _set_stack_limit()


def _move_above(fd: int, lowest: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(lowest, 3)) if fd < lowest else fd


def _write_best_effort(path: str, data: bytes) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(fd, data)
    except OSError:
        pass
    finally:
        os.close(fd)


_X86_64 = {
    "ptrace": 101, "shmget": 29, "shmat": 30, "shmctl": 31, "semget": 64, "semop": 65, "semctl": 66, "shmdt": 67,
    "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "semtimedop": 220, "mq_open": 240, "mq_unlink": 241,
    "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298,
    "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "bpf": 321,
    "userfaultfd": 323, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "pidfd_getfd": 438,
    "memfd_secret": 447,
}  # fmt: skip
_AARCH64 = {
    "unshare": 97, "ptrace": 117, "mq_open": 180, "mq_unlink": 181, "msgget": 186, "msgctl": 187, "msgrcv": 188,
    "msgsnd": 189, "semget": 190, "semctl": 191, "semtimedop": 192, "semop": 193, "shmget": 194, "shmctl": 195,
    "shmat": 196, "shmdt": 197, "add_key": 217, "request_key": 218, "keyctl": 219, "perf_event_open": 241,
    "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "bpf": 280,
    "userfaultfd": 282, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "pidfd_getfd": 438,
    "memfd_secret": 447,
}  # fmt: skip
_ARCHITECTURES = {"x86_64": (0xC000003E, _X86_64, 41), "aarch64": (0xC00000B7, _AARCH64, 198)}
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_X32_BIT = 0x40000000
_ADDRESS_FAMILIES = (1, 2, 10)
"""Unix, IPv4, IPv6. No namespace holds back some of the others (AF_VSOCK reaches the hypervisor)."""


def _filter_program(machine: str) -> bytes:
    """Return a classic BPF program over struct seccomp_data: number at 0, architecture at 4, first argument at 16."""
    architecture, denied, socket_number = _ARCHITECTURES[machine]
    body: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),  # a 32-bit call on a 64-bit kernel would bypass every number below
        (_LOAD, 0, 0, 0),
    ]
    if machine == "x86_64":
        body += [(_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    for number in sorted(denied.values()):
        body += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    body += [(_EQUAL, 0, len(_ADDRESS_FAMILIES) + 2, socket_number), (_LOAD, 0, 0, 16)]
    for position, family in enumerate(_ADDRESS_FAMILIES):
        body.append((_EQUAL, len(_ADDRESS_FAMILIES) - position, 0, family))
    body += [(_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in body)


class _SockFprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def deny_system_calls() -> bool:
    """Refuse, on top of the engine's own profile, what no job needs and what has broken sandboxes.

    Returns:
        False on a machine or kernel without such filters.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        return False
    program = _filter_program(machine)
    fprog = _SockFprog(len(program) // 8, program)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    mode_filter = 2
    return bool(_libc.prctl(PR_SET_SECCOMP, mode_filter, ctypes.byref(fprog), 0, 0) == 0)

"""Starts one run of a program and says how it went.

Guarantee: the outcome follows from what the agent measured and what the kernel reported; nothing that the program
writes is read as anything but its output. (The one exception cannot help it: a failure that says "MemoryError" is
reported as `memory_limit` instead of `nonzero_exit`.)
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from . import confine, monitor
from .accounting import Accounting
from .confine import Confinement
from .monitor import Capture, Observation, RunLimits
from .zygote import End, Zygote

FILE_BYTES_AT_LEAST = 64 << 20
_LAUNCH = struct.Struct("=qqqqqqii")
_EXEC_FAILED, _NOT_FOUND, _NOT_EXECUTABLE = "execve", 127, 126
"""The last step before a program runs, and how a shell says that it could not be taken."""
_NOT_OF_THE_BINARY = frozenset({0, errno.EAGAIN, errno.ENOSYS, errno.EMFILE, errno.ENFILE, errno.EBADF})
"""Errors of execve that nothing in a file, nor the interpreter that it names, brings about."""
_MEMORY_ERRORS = (b"MemoryError", b"std::bad_alloc", b"cannot allocate memory", b"virtual memory exhausted")


@dataclass(frozen=True, slots=True)
class Host:
    """What a run needs of the agent around it."""

    meter: Accounting
    confinement: Confinement
    kill: Callable[[set[int]], bool]
    """Ends every process of the job but these."""
    sweep: Callable[[], None]
    """Removes what a run left in its folder."""
    reaped: Callable[[int], End | None]
    """How a child of the agent ended, once it has."""
    wake_fd: int
    """Readable when a child of the agent may have ended."""
    environment: Mapping[str, str]
    agent_path: str
    launcher: Zygote | None
    """Starts compiled programs at a fraction of the cost, where the image has it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One run, as it goes onto the wire."""

    status: str
    stdout: bytearray
    stderr: bytearray
    stdout_complete: bool
    stderr_complete: bool
    exit_code: int | None
    signal: int | None
    cpu_ms: float
    wall_ms: float
    memory_bytes: int

    def because(self, status: str, reason: bytes) -> Ended:
        """Return the same under another name, with the reason in its standard error."""
        return replace(self, status=status, stderr=self.stderr + reason)


def memory_file(data: bytes | memoryview, name: str = "input") -> int:
    """Return a descriptor of a regular file in memory that holds the data, at its start."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def file_bytes(limits: RunLimits) -> int:
    """Return the longest file that a run may write."""
    return max(limits.output_bytes, FILE_BYTES_AT_LEAST)


def classify(seen: Observation, stdout: Capture, stderr: Capture, limits: RunLimits) -> Ended:
    """Name what happened."""
    exit_code = os.WEXITSTATUS(seen.status) if os.WIFEXITED(seen.status) else None
    number = os.WTERMSIG(seen.status) if os.WIFSIGNALED(seen.status) else None
    if seen.exceeded == "processes":
        status = "signalled"
    elif seen.exceeded:
        status = f"{seen.exceeded}_limit"
    elif seen.memory_bytes > limits.memory_bytes:
        status = "memory_limit"
    elif seen.cpu_ns > limits.cpu_s * 1e9 or number == signal.SIGXCPU:
        status = "time_limit"
    elif number is not None:
        status = "memory_limit" if number == signal.SIGABRT and _out_of_memory(stderr) else "signalled"
    elif exit_code != 0:
        status = "memory_limit" if _out_of_memory(stderr) else "nonzero_exit"
    else:
        status = "ok" if _is_utf8(stdout.data) else "invalid_output"
    return Ended(
        status, stdout.data, stderr.data, stdout.complete, stderr.complete, exit_code, number,
        round(seen.cpu_ns / 1e6, 3), round(seen.wall_ns / 1e6, 3), seen.memory_bytes,
    )  # fmt: skip


def _out_of_memory(stderr: Capture) -> bool:
    return any(words in stderr.data[-2048:] for words in _MEMORY_ERRORS)


def _is_utf8(data: bytearray) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class ExecRun:
    """Runs a program that the kernel executes: a descriptor of a binary, or a path."""

    def __init__(self, host: Host, program: int | str, argv0: str) -> None:
        self._host = host
        self._program = program
        self._argv0 = argv0

    def run(self, stdin: bytes | memoryview, arguments: list[str], limits: RunLimits, spared: set[int]) -> Ended:
        """Run it once.

        Raises:
            OSError: It could not be started, for no reason that lies in a compiled program.
            Lost: It cannot be ended.
        """
        host = self._host
        stdout, stdout_fd = monitor.capture_pipe(limits.output_bytes)
        stderr, stderr_fd = monitor.capture_pipe(limits.error_bytes)
        failure_read, failure_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        stdin_fd = memory_file(stdin)
        monitor.widen(stdout_fd)
        ours = [stdin_fd, stdout_fd, stderr_fd, failure_write]
        try:
            before = monitor.read_meters(host.meter)
            if host.launcher is not None and isinstance(self._program, int):
                launcher = host.launcher
                launcher.fork(self._launch_request(arguments, limits), [*ours, self._program])
                wake_fd, ended, floor_bytes = launcher.fileno(), launcher.ended, 0
            else:
                wake_fd, ended, floor_bytes = host.wake_fd, self._fork(arguments, limits, ours), _own_peak_bytes()
            for fd in ours:
                os.close(fd)
            ours = []
            seen = monitor.watch(
                meter=host.meter, before=before, limits=limits, stdout=stdout, stderr=stderr,
                wake_fds=[wake_fd], ended=ended, kill=lambda: host.kill(spared), memory_floor_bytes=floor_bytes,
            )  # fmt: skip
            result = classify(seen, stdout, stderr, limits)
            refusal = self._refusal(failure_read)
            return result if refusal is None else refused(result, refusal)
        finally:
            for fd in (*ours, failure_read, stdout.fd, stderr.fd):
                os.close(fd)

    def _refusal(self, failure_fd: int) -> int | None:
        """Return the error with which the kernel refused a binary that is itself at fault.

        A program that names an interpreter that is not there must not pass for a broken sandbox.

        Raises:
            OSError: Anything else failed.
        """
        try:
            text = os.read(failure_fd, 4096).decode("utf-8", "replace")
        except BlockingIOError:
            return None
        if not text:
            return None
        first, _, step = text.partition(" ")
        number = int(first)
        if step.startswith(_EXEC_FAILED) and number not in _NOT_OF_THE_BINARY and self._is_executable_binary():
            return number
        reason = os.strerror(number) if number else "internal error"
        raise OSError(number, f"the program could not be started: {reason} ({step})")

    def _is_executable_binary(self) -> bool:
        """Whether a descriptor was to be executed; where memory may not be executed, its file has no such mode."""
        return isinstance(self._program, int) and bool(os.fstat(self._program).st_mode & 0o111)

    def _launch_request(self, arguments: list[str], limits: RunLimits) -> bytes:
        host = self._host
        variables = [f"{name}={value}" for name, value in host.environment.items()]
        numbers = _LAUNCH.pack(
            host.confinement.uid or 0, confine.cpu_ceiling_s(limits.cpu_s),
            limits.memory_bytes + confine.ADDRESS_SPACE_SLACK_BYTES, file_bytes(limits), limits.processes,
            confine.STACK_BYTES, 1 + len(arguments), len(variables),
        )  # fmt: skip
        strings = [host.confinement.work, self._argv0, *arguments, *variables]
        return numbers + b"".join(text.encode("utf-8", "surrogateescape") + b"\0" for text in strings)

    def _fork(self, arguments: list[str], limits: RunLimits, descriptors: list[int]) -> Callable[[], End | None]:
        pid = os.fork()
        if pid == 0:
            self._become(arguments, limits, descriptors)
        return lambda: self._host.reaped(pid)

    def _become(self, arguments: list[str], limits: RunLimits, descriptors: list[int]) -> None:
        """Become the program in a forked child; never returns."""
        step = "become_job"
        try:
            signal.set_wakeup_fd(-1)
            kept = [*descriptors, self._program] if isinstance(self._program, int) else descriptors
            confine.become_job(
                self._host.confinement, cpu_s=limits.cpu_s, memory_bytes=limits.memory_bytes,
                file_bytes=file_bytes(limits), processes=limits.processes, descriptors=kept,
            )  # fmt: skip
            confine.restore_signals()
            for fd in range(3, len(kept)):
                os.set_inheritable(fd, False)
            program = self._program if isinstance(self._program, str) else 4
            step = _EXEC_FAILED
            os.execve(program, [self._argv0, *arguments], dict(self._host.environment))
        except BaseException as error:  # the process boundary: the agent's code must not go on in the child
            number = error.errno if isinstance(error, OSError) else 0
            os.write(3, f"{number} {step} {error!r}".encode())
        finally:
            os._exit(127)


def refused(ended: Ended, number: int) -> Ended:
    """Return what a run is whose program the kernel would not execute, as a shell would put it."""
    reason = f"the program cannot be executed: {os.strerror(number)}\n".encode()
    exit_code = _NOT_FOUND if number == errno.ENOENT else _NOT_EXECUTABLE
    return replace(ended.because("nonzero_exit", reason), exit_code=exit_code, signal=None)


def _own_peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fork_request(host: Host, limits: RunLimits, *, more_processes: int = 0) -> bytes:
    """Return what a zygote is told: numbers, and nothing of the job."""
    message = {
        "confinement": host.confinement._asdict(),
        "cpu_s": limits.cpu_s,
        "memory_bytes": limits.memory_bytes,
        "file_bytes": file_bytes(limits),
        "processes": limits.processes + more_processes,
    }
    return json.dumps(message).encode()


def describe(path: str, arguments: list[str], function: str | None) -> int:
    """Return a descriptor of what only the confined child reads."""
    text = "\0".join((path, function or "", *arguments))
    return memory_file(os.fsencode(text), "job")


class ScriptRun:
    """Runs a Python file as a script in a fork of the zygote."""

    def __init__(self, host: Host, zygote: Zygote, path: str) -> None:
        self._host, self._zygote, self._path = host, zygote, path

    def run(self, stdin: bytes | memoryview, arguments: list[str], limits: RunLimits, spared: set[int]) -> Ended:
        """Run it once.

        Raises:
            ChildProcessError: The zygote died.
            Lost: It cannot be ended.
        """
        host, zygote = self._host, self._zygote
        stdout, stdout_fd = monitor.capture_pipe(limits.output_bytes)
        stderr, stderr_fd = monitor.capture_pipe(limits.error_bytes)
        given = [memory_file(stdin), stdout_fd, stderr_fd, describe(self._path, arguments, None)]
        before = monitor.read_meters(host.meter)
        try:
            try:
                zygote.fork(fork_request(host, limits), [*given, given[3]])
            finally:
                for fd in given:
                    os.close(fd)
            seen = monitor.watch(
                meter=host.meter, before=before, limits=limits, stdout=stdout, stderr=stderr,
                wake_fds=[zygote.fileno()], ended=zygote.ended, kill=lambda: host.kill(spared),
            )  # fmt: skip
            return classify(seen, stdout, stderr, limits)
        finally:
            os.close(stdout.fd)
            os.close(stderr.fd)

"""Starts one run of a program and says how it went.

Guarantee: the outcome follows from what the agent measured and what the kernel reported; nothing that the program
writes is read as anything but its output. (The one exception cannot help it: a failure that says "MemoryError" is
reported as `memory_limit` instead of `nonzero_exit`.)
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from . import confine, job, monitor
from .accounting import Accounting
from .confine import Confinement
from .monitor import Capture, Observation, RunLimits
from .zygote import End, Zygote

FILE_BYTES_AT_LEAST = 64 << 20
_MEMORY_ERRORS = (b"MemoryError", b"std::bad_alloc", b"cannot allocate memory", b"virtual memory exhausted")


@dataclass(frozen=True, slots=True)
class Host:
    """What a run needs of the agent around it."""

    meter: Accounting
    confinement: Confinement
    kill: Callable[[set[int]], bool]
    """Ends every process of the job but these."""
    reaped: Callable[[int], End | None]
    """How a child of the agent ended, once it has."""
    wake_fd: int
    """Readable when a child of the agent may have ended."""
    environment: Mapping[str, str]
    agent_path: str


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


def memory_file(data: bytes | memoryview, name: str = "input") -> int:
    """Return a descriptor of a regular file in memory that holds the data, at its start."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _file_bytes(limits: RunLimits) -> int:
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
        self._memory_floor_bytes = _own_peak_bytes()

    def run(self, stdin: bytes | memoryview, arguments: list[str], limits: RunLimits, spared: set[int]) -> Ended:
        """Run it once.

        Raises:
            OSError: The kernel would not execute it.
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
            pid = os.fork()
            if pid == 0:
                self._become(arguments, limits, ours)
            for fd in ours:
                os.close(fd)
            ours = []
            seen = monitor.watch(
                meter=host.meter, limits=limits, stdout=stdout, stderr=stderr, wake_fds=[host.wake_fd],
                ended=lambda: host.reaped(pid), kill=lambda: host.kill(spared),
                memory_floor_bytes=self._memory_floor_bytes,
            )  # fmt: skip
            _raise_failure(failure_read)
            return classify(seen, stdout, stderr, limits)
        finally:
            for fd in (*ours, failure_read, stdout.fd, stderr.fd):
                os.close(fd)

    def _become(self, arguments: list[str], limits: RunLimits, descriptors: list[int]) -> None:
        """Become the program in a forked child; never returns."""
        try:
            signal.set_wakeup_fd(-1)
            kept = [*descriptors, self._program] if isinstance(self._program, int) else descriptors
            confine.become_job(
                self._host.confinement, cpu_s=limits.cpu_s, memory_bytes=limits.memory_bytes,
                file_bytes=_file_bytes(limits), processes=limits.processes, descriptors=kept,
            )  # fmt: skip
            confine.restore_signals()
            for fd in range(3, len(kept)):
                os.set_inheritable(fd, False)
            program = self._program if isinstance(self._program, str) else 4
            os.execve(program, [self._argv0, *arguments], dict(self._host.environment))
        except BaseException as error:  # the process boundary: the agent's code must not go on in the child
            number = error.errno if isinstance(error, OSError) else 0
            os.write(3, json.dumps([number, repr(error)]).encode())
        finally:
            os._exit(127)


def _raise_failure(fd: int) -> None:
    try:
        text = os.read(fd, 4096)
    except BlockingIOError:
        return
    if text:
        number, message = json.loads(text)
        raise OSError(number, f"the program could not be started: {message}")


def _own_peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _limit_message(host: Host, limits: RunLimits) -> dict[str, object]:
    return {
        "confinement": asdict(host.confinement),
        "cpu_s": limits.cpu_s,
        "memory_bytes": limits.memory_bytes,
        "file_bytes": _file_bytes(limits),
        "processes": limits.processes,
    }


def _description(host: Host, path: str, arguments: list[str], function: str | None) -> int:
    text = json.dumps(
        {"path": path, "arguments": arguments, "function": function, "agent_path": host.agent_path}
    ).encode()
    return memory_file(text, "job")


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
        given = [memory_file(stdin), stdout_fd, stderr_fd, _description(host, self._path, arguments, None)]
        try:
            try:
                zygote.fork(_limit_message(host, limits), [*given, given[3]])
            finally:
                for fd in given:
                    os.close(fd)
            seen = monitor.watch(
                meter=host.meter, limits=limits, stdout=stdout, stderr=stderr, wake_fds=[zygote.fileno()],
                ended=zygote.ended, kill=lambda: host.kill(spared),
            )  # fmt: skip
            return classify(seen, stdout, stderr, limits)
        finally:
            os.close(stdout.fd)
            os.close(stderr.fd)


class FunctionRun:
    """Calls a function of a Python module, imported once, in a fork for each input."""

    def __init__(self, host: Host, zygote: Zygote, path: str, function: str) -> None:
        self._host, self._zygote = host, zygote
        self._path, self._function = path, function
        self._module: _Module | None = None
        self._failed_import: Ended | None = None

    def run(self, stdin: bytes | memoryview, _arguments: list[str], limits: RunLimits, spared: set[int]) -> Ended:
        """Call it once.

        Raises:
            ChildProcessError: The zygote died.
            Lost: It cannot be ended.
        """
        if self._module is None and self._failed_import is None:
            self._import(limits, spared)
        if self._module is None:
            assert self._failed_import is not None
            return self._failed_import
        ended = self._module.call(stdin, limits, spared)
        if not self._module.alive:
            self.close()
            self._host.kill(spared)
        return ended

    def close(self) -> None:
        """End the module's process; the caller kills what is left of it."""
        if self._module is not None:
            self._module.close()
            self._module = None

    def _import(self, limits: RunLimits, spared: set[int]) -> None:
        host, zygote = self._host, self._zygote
        stdout, stdout_fd = monitor.capture_pipe(0)
        stderr, stderr_fd = monitor.capture_pipe(limits.error_bytes)
        os.close(stdout_fd)
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        description = _description(host, self._path, [], self._function)
        try:
            # Room for the calls' processes beside the module's own.
            message = _limit_message(host, limits) | {"processes": limits.processes + 1}
            pid = zygote.fork(message, [null, null, stderr_fd, description, theirs.fileno()])
        finally:
            for fd in (null, description, stderr_fd):
                os.close(fd)
            theirs.close()
        control.setblocking(False)
        ready: list[bool] = []

        def ended() -> End | None:
            found = zygote.ended()
            if found is not None:
                return found
            try:
                ready.append(control.recv(64) == job.READY)
            except BlockingIOError:
                return None
            # The module's process lives on; a status of zero stands for "so far, so good".
            return End(0, 0, 0) if ready[-1] else None

        try:
            seen = monitor.watch(
                meter=host.meter, limits=limits, stdout=stdout, stderr=stderr,
                wake_fds=[zygote.fileno(), control.fileno()], ended=ended,
                kill=lambda: host.kill(spared | {pid} if ready and ready[-1] else spared),
            )  # fmt: skip
        finally:
            os.close(stdout.fd)
            os.close(stderr.fd)
        if ready and ready[-1] and seen.exceeded is None:
            self._module = _Module(host, zygote, control, pid)
            return
        control.close()
        self._failed_import = classify(seen, stdout, stderr, limits)
        if self._failed_import.status == "ok":
            self._failed_import = _as_failure(self._failed_import, "the program ended before the function was called")


def _as_failure(ended: Ended, reason: str) -> Ended:
    values: dict[str, Any] = {name: getattr(ended, name) for name in Ended.__slots__}
    return Ended(**values | {"status": "nonzero_exit", "stderr": ended.stderr + reason.encode() + b"\n"})


class _Module:
    """The process that holds the imported module. It runs the job's code, so its word is believed of itself only."""

    def __init__(self, host: Host, zygote: Zygote, control: socket.socket, pid: int) -> None:
        self._host, self._zygote, self._control, self._pid = host, zygote, control, pid
        self.alive = True

    def close(self) -> None:
        self._control.close()

    def call(self, stdin: bytes | memoryview, limits: RunLimits, spared: set[int]) -> Ended:
        host, control = self._host, self._control
        value, value_fd = monitor.capture_pipe(limits.output_bytes)
        stderr, stderr_fd = monitor.capture_pipe(limits.error_bytes)
        given = [memory_file(stdin), value_fd, stderr_fd]
        try:
            try:
                socket.send_fds(control, [b"C"], given)
            except OSError:
                # It is dead or no longer listens; the watch below ends it.
                self.alive = False
            finally:
                for fd in given:
                    os.close(fd)

            def ended() -> End | None:
                try:
                    message = control.recv(64)
                except BlockingIOError:
                    message = None
                if message and len(message) == job.CALLED.size:
                    return End(*job.CALLED.unpack(message)[1:])
                found = self._zygote.ended()
                if found is not None:
                    self.alive = False
                    # Its figures are those of all its calls.
                    return End(found.status or 1 << 8, 0, 0)
                if message is not None and self.alive:
                    self.alive = False
                    host.kill(spared)
                return None

            def kill() -> None:
                host.kill(spared | {self._pid} if self.alive else spared)

            seen = monitor.watch(
                meter=host.meter, limits=limits, stdout=value, stderr=stderr,
                wake_fds=[control.fileno(), self._zygote.fileno()], ended=ended, kill=kill,
            )  # fmt: skip
            return classify(seen, value, stderr, limits)
        finally:
            os.close(value.fd)
            os.close(stderr.fd)

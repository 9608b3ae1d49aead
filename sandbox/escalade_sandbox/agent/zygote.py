"""A preloaded interpreter that forks for each Python job, so that a job starts in a millisecond.

Guarantee: this process never holds a byte of any job: what it is told is numbers and descriptors, and only the forked
child, which is confined first, reads the job from them. A child finds itself in a fresh `__main__`, with fresh
standard streams and reseeded `random`, as if it had been started on its own.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from . import calls, confine, job

DESCRIPTORS = 5
"""Of a request: standard input, output, error, the job's description, the control socket (or /dev/null)."""
STARTED = struct.Struct("=ci")
ENDED = struct.Struct("=ciqq")
"""Kind, wait status, CPU nanoseconds, peak resident bytes."""
WAIT_S = 30.0
# What contest programs and generators import, but for `threading`: what that does after each fork in the child touches
# as many pages as all the rest, 100 of 200.
PRELOADED = (
    "array", "bisect", "collections", "contextlib", "copy", "datetime", "decimal", "enum", "fractions", "functools",
    "heapq", "io", "itertools", "json", "linecache", "math", "operator", "random", "re", "statistics", "string",
    "time", "traceback", "typing",
)  # fmt: skip


class End(NamedTuple):
    """How a process ended."""

    status: int
    """As wait(2) gives it."""
    cpu_ns: int
    peak_bytes: int
    """Resident memory of the largest of its processes."""


def end_of(status: int, usage: resource.struct_rusage) -> End:
    """Return what wait4(2) told."""
    return End(status, int((usage.ru_utime + usage.ru_stime) * 1e9), usage.ru_maxrss * 1024)


def _preload() -> None:
    for name in PRELOADED:
        __import__(name)


def main(control_fd: int) -> None:
    """Serve requests until the agent closes the socket."""
    confine.raise_stack_limit()
    confine.prctl(confine.PR_SET_DUMPABLE, 0)
    _preload()
    job.prepare()
    # Collections in the children would otherwise copy every preloaded page.
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=control_fd)
    with contextlib.suppress(ConnectionError):
        _serve(control)


def _serve(control: socket.socket) -> None:
    control.send(STARTED.pack(b"R", os.getpid()))
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, 4096, DESCRIPTORS)
        if not request:
            return
        limits = json.loads(request)
        child = os.fork()
        if child == 0:
            _enter(control, limits, descriptors)
        for fd in descriptors:
            os.close(fd)
        control.send(STARTED.pack(b"S", child))
        _, status, usage = os.wait4(child, 0)
        control.send(ENDED.pack(b"E", *end_of(status, usage)))


def _enter(control: socket.socket, limits: dict[str, object], descriptors: list[int]) -> None:
    """Become the job in a forked child; never returns."""
    code = 1
    try:
        control.detach()
        confinement = confine.Confinement(**limits.pop("confinement"))  # type: ignore[arg-type]
        confine.become_job(confinement, descriptors=descriptors, **limits)  # type: ignore[arg-type]
        confine.prctl(confine.PR_SET_DUMPABLE, 1)
        code = job.run(calls.serve)
    except BaseException as error:  # the process boundary: whatever happens, the zygote's loop must not go on twice
        os.write(2, f"the sandbox could not start the program: {error!r}\n".encode())
    finally:
        os._exit(code)


class Zygote:
    """The agent's side: starts the interpreter, asks for children, learns how they end."""

    def __init__(self, spawn: Callable[[int], int]) -> None:
        """Start it.

        Args:
            spawn: Starts `main` in a new process that inherits the descriptor it is given; returns the number.
        """
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = spawn(theirs.fileno())
        theirs.close()
        self._control.settimeout(WAIT_S)
        self._busy = False
        self._receive(STARTED)

    def fileno(self) -> int:
        """Readable when the child has ended."""
        return self._control.fileno()

    def _receive(self, form: struct.Struct) -> tuple[Any, ...]:
        message = self._control.recv(64)
        if len(message) != form.size:
            raise ChildProcessError("the preloaded interpreter died")
        return form.unpack(message)

    def fork(self, request: bytes, descriptors: list[int]) -> int:
        """Start a child and return its number; an earlier one must have been killed.

        Raises:
            ChildProcessError: The zygote died.
            OSError: The zygote did not answer.
        """
        self.settle()
        socket.send_fds(self._control, [request], descriptors)
        self._busy = True
        return int(self._receive(STARTED)[1])

    def ended(self) -> End | None:
        """Return how the child ended, or None while it runs.

        Raises:
            ChildProcessError: The zygote died.
        """
        self._control.setblocking(False)
        try:
            _, *figures = self._receive(ENDED)
        except BlockingIOError:
            return None
        finally:
            self._control.settimeout(WAIT_S)
        self._busy = False
        return End(*figures)

    def settle(self) -> None:
        """Wait for the end of a killed child whose status nobody needs any more.

        Raises:
            ChildProcessError: The zygote died.
            OSError: The child does not end.
        """
        if self._busy:
            self._receive(ENDED)
            self._busy = False

    def close(self) -> None:
        """Let it end."""
        self._control.close()


if __name__ == "__main__":
    sys.exit("started by the agent only")

"""Watches one run: reads its output, meters it and ends it.

Guarantee: `watch` returns within the wall limit plus the time that killing takes, whatever the program does; at most
one byte more than each output limit is ever held.
"""

from __future__ import annotations

import fcntl
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from .accounting import Accounting
from .zygote import End

PIECE_BYTES = 1 << 16
KILL_GRACE_S = 10.0
PIPE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The agent's copy of a job's limits; the wire gives them by these names."""

    cpu_s: float
    wall_s: float
    memory_bytes: int
    output_bytes: int
    error_bytes: int
    processes: int


@dataclass(slots=True)
class Capture:
    """One output of a process, read from a pipe."""

    fd: int
    limit_bytes: int
    data: bytearray = field(default_factory=bytearray)
    complete: bool = True
    open: bool = True

    def read(self) -> bool:
        """Read once; true if there may be more now."""
        try:
            piece = os.read(self.fd, PIECE_BYTES)
        except BlockingIOError:
            return False
        if not piece:
            self.open = False
            return False
        room = self.limit_bytes - len(self.data)
        if len(piece) > room:
            self.complete = False
            piece = piece[:room]
        self.data += piece
        return True

    def drain(self) -> None:
        """Read what is left in a pipe whose writers are dead."""
        for _ in range(2 * PIPE_BYTES // PIECE_BYTES + 2):
            if not self.open or not self.read():
                return


@dataclass(slots=True)
class Observation:
    """What was seen of one run."""

    exceeded: str | None = None
    """The limit that ended it: `time`, `memory` or `output`."""
    status: int = 0
    """As wait(2) gives it."""
    cpu_ns: int = 0
    wall_ns: int = 0
    memory_bytes: int = 0


class Lost(Exception):
    """A run that cannot be ended: the container must be thrown away."""


def capture_pipe(limit_bytes: int) -> tuple[Capture, int]:
    """Return the end to read from, and the descriptor for the process to write to."""
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(read_fd, False)
    return Capture(read_fd, limit_bytes), write_fd


def widen(fd: int) -> None:
    """Let a pipe hold more, so that a talkative program and the agent wake each other less often."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return


class Baseline(NamedTuple):
    """The meters just before a run is started."""

    started_ns: int
    cpu_ns: int
    memory_bytes: int
    out_of_memory_kills: int


def read_meters(meter: Accounting) -> Baseline:
    """Read everything that a run is measured against."""
    return Baseline(time.monotonic_ns(), meter.cpu_ns(), meter.memory_bytes(), meter.out_of_memory_kills())


def watch(
    *,
    meter: Accounting,
    before: Baseline,
    limits: RunLimits,
    stdout: Capture,
    stderr: Capture,
    wake_fds: list[int],
    ended: Callable[[], End | None],
    kill: Callable[[], object],
    memory_floor_bytes: int = 0,
) -> Observation:
    """Follow a run that has just been started to its end.

    Args:
        meter: Its CPU time and memory.
        before: What that showed before it started.
        limits: What it may use.
        stdout: Its standard output; one byte over the limit ends it.
        stderr: Its standard error; what is over the limit is dropped.
        wake_fds: Become readable when the process may have ended.
        ended: Returns how it ended, once it has.
        kill: Ends everything that belongs to the run.
        memory_floor_bytes: A process inherits its parent's peak when it is forked; up to here it may be that.

    Raises:
        Lost: It did not end although it was killed.
    """
    seen = Observation()
    started_ns, cpu_before_ns, memory_before, oom_before = before
    deadline_ns = started_ns + int(limits.wall_s * 1e9)
    poll = select.poll()
    captures = {capture.fd: capture for capture in (stdout, stderr)}
    for fd in (*captures, *wake_fds):
        poll.register(fd, select.POLLIN)
    tick_ms, killed_at_ns = 2.0, 0
    while True:
        now_ns = time.monotonic_ns()
        until_ms = (deadline_ns - now_ns) / 1e6 if not killed_at_ns else 50.0
        for fd, _ in poll.poll(max(0.0, min(tick_ms, until_ms)) or 0):
            if (capture := captures.get(fd)) is not None:
                for _ in range(8):
                    if not capture.read():
                        break
                if not capture.open:
                    poll.unregister(fd)
                    del captures[fd]
        end = ended()
        now_ns = time.monotonic_ns()
        if end is not None:
            break
        if killed_at_ns:
            if now_ns - killed_at_ns > KILL_GRACE_S * 1e9:
                raise Lost("a killed process did not end")
            continue
        memory_bytes = meter.memory_bytes() - memory_before
        seen.memory_bytes = max(seen.memory_bytes, memory_bytes)
        seen.cpu_ns = max(seen.cpu_ns, meter.cpu_ns() - cpu_before_ns)
        if not stdout.complete:
            seen.exceeded = "output"
        elif memory_bytes > limits.memory_bytes or meter.out_of_memory_kills() > oom_before:
            seen.exceeded = "memory"
        elif seen.cpu_ns > limits.cpu_s * 1e9 or now_ns >= deadline_ns:
            seen.exceeded = "time"
        elif meter.process_count() > limits.processes:
            seen.exceeded = "processes"
        if seen.exceeded:
            kill()
            killed_at_ns = now_ns
        tick_ms = min(10.0, tick_ms * 1.3)
    seen.status, seen.wall_ns = end.status, now_ns - started_ns
    kill()
    for capture in captures.values():
        capture.drain()
    seen.cpu_ns = max(seen.cpu_ns, end.cpu_ns, meter.cpu_ns() - cpu_before_ns)
    if end.peak_bytes > memory_floor_bytes:
        seen.memory_bytes = max(seen.memory_bytes, end.peak_bytes)
    if seen.exceeded is None:
        if not stdout.complete:
            seen.exceeded = "output"
        elif meter.out_of_memory_kills() > oom_before:
            seen.exceeded = "memory"
    return seen

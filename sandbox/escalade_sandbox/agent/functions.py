"""Calls a function of a Python module, imported once, in a fork for each input.

Guarantee: each call's outcome is decided by the agent's measurements and the kernel's report where they speak, and
else by the module's own process, which can lie about nothing but itself. A call that must be ended costs a new import,
never another call's outcome: where calls shared the process that went, the first unanswered one is made again, apart.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Iterator, Sequence

from . import calls, monitor
from .monitor import Capture, Observation, RunLimits
from .runner import Ended, Host, classify, describe, fork_request, memory_file
from .zygote import End, Zygote


class FunctionRun:
    """One module and function."""

    def __init__(self, host: Host, zygote: Zygote, path: str, function: str) -> None:
        self._host, self._zygote = host, zygote
        self._path, self._function = path, function
        self._module: _Module | None = None
        self._failed_import: Ended | None = None
        self._apart = False

    def run(
        self, inputs: Sequence[bytes | memoryview], limits: RunLimits, *, tidy: bool, share: bool
    ) -> Iterator[list[Ended]]:
        """Call it on each input, in order; as many outcomes are given at once as there are.

        Args:
            inputs: What to call it on.
            limits: Of each call.
            tidy: Whether the module removes what the calls leave in the folder.
            share: Whether all calls are of one trust, so that they may share a process.

        Raises:
            ChildProcessError: The zygote died.
            Lost: A call cannot be ended.
        """
        done = 0
        while done < len(inputs):
            if self._module is None and self._failed_import is None:
                self._import(limits)
            if self._module is None:
                assert self._failed_import is not None
                yield [self._failed_import]
                done += 1
                continue
            share = share and not self._apart
            for ended in self._module.call(inputs[done:], limits, tidy=tidy, share=share):
                yield ended
                done += len(ended)
            self._apart = self._apart or self._module.lost_shared
            if not self._module.alive:
                self.close()
                self._host.sweep()

    def close(self) -> None:
        """End the module's process."""
        if self._module is not None:
            self._module.close()
            self._module = None
            self._host.kill(set())

    def _import(self, limits: RunLimits) -> None:
        host, zygote = self._host, self._zygote
        stdout, stdout_fd = monitor.capture_pipe(0)
        stderr, stderr_fd = monitor.capture_pipe(limits.error_bytes)
        os.close(stdout_fd)
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        description = describe(self._path, [], self._function)
        before = monitor.read_meters(host.meter)
        try:
            # Room for the calls' processes beside the module's own.
            request = fork_request(host, limits, more_processes=1)
            pid = zygote.fork(request, [null, null, stderr_fd, description, theirs.fileno()])
        finally:
            for fd in (null, description, stderr_fd):
                os.close(fd)
            theirs.close()
        control.setblocking(False)
        ready = False

        def ended() -> End | None:
            nonlocal ready
            found = zygote.ended()
            if found is not None:
                return found
            try:
                ready = control.recv(64) == calls.READY
            except BlockingIOError:
                return None
            # Its process lives on; a status of zero stands for "so far, so good".
            return End(0, 0, 0) if ready else None

        try:
            seen = monitor.watch(
                meter=host.meter, before=before, limits=limits, stdout=stdout, stderr=stderr,
                wake_fds=[zygote.fileno(), control.fileno()], ended=ended,
                kill=lambda: host.kill({pid} if ready else set()),
            )  # fmt: skip
        finally:
            os.close(stdout.fd)
            os.close(stderr.fd)
        if ready and seen.exceeded is None:
            self._module = _Module(host, zygote, control)
            return
        control.close()
        host.kill(set())
        failed = classify(seen, stdout, stderr, limits)
        if failed.status == "ok":
            failed = failed.because("nonzero_exit", b"the program ended before the function was called\n")
        self._failed_import = failed


class _Module:
    """The process that holds the imported module."""

    def __init__(self, host: Host, zygote: Zygote, control: socket.socket) -> None:
        self._host, self._zygote, self._control = host, zygote, control
        self.alive = True
        self.lost_shared = False
        """Whether the process went in a call that may have been one of several in it."""

    def close(self) -> None:
        self._control.close()

    def call(
        self, inputs: Sequence[bytes | memoryview], limits: RunLimits, *, tidy: bool, share: bool
    ) -> Iterator[list[Ended]]:
        """Yield the outcomes of the calls until all are made, or the process had to go."""
        parts = b"".join(calls.SIZE.pack(len(data)) + bytes(data) for data in inputs)
        results_read, results_write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(results_read, False)
        monitor.widen(results_write)
        inputs_fd = memory_file(parts)
        request = calls.REQUEST.pack(len(inputs), limits.output_bytes, limits.error_bytes, tidy, share)
        try:
            try:
                socket.send_fds(self._control, [request], [inputs_fd, results_write])
            except OSError:
                # It is dead, or listens no longer; what follows finds that out and says how it ended.
                self.alive = False
            finally:
                os.close(inputs_fd)
                os.close(results_write)
            yield from _Calls(self, self._host, self._zygote, results_read, limits).follow(len(inputs), share=share)
        finally:
            os.close(results_read)


class _Calls:
    """Reads the outcomes of a series of calls, and ends the module when one exceeds its limits."""

    def __init__(self, module: _Module, host: Host, zygote: Zygote, fd: int, limits: RunLimits) -> None:
        self._module, self._host, self._zygote, self._fd, self._limits = module, host, zygote, fd, limits
        self._received = bytearray()
        self._stopped = False
        self._begin()

    def _begin(self) -> None:
        self._started_ns, self._cpu_ns, self._memory_bytes, self._kills = monitor.read_meters(self._host.meter)
        self._peak_bytes = 0

    def follow(self, count: int, *, share: bool) -> Iterator[list[Ended]]:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._zygote.fileno(), select.POLLIN)
        tick_ms = 2.0
        while count:
            poll.poll(tick_ms)
            open_still = self._receive()
            if answers := self._take_all(count):
                yield answers
                count -= len(answers)
                self._begin()
            if not count or self._stopped:
                return
            if not self._module.alive:
                yield [self._dead(self._zygote.ended())]
                return
            tick_ms = 2.0 if answers else min(10.0, tick_ms * 1.3)
            exceeded = self._exceeded()
            gone = self._zygote.ended() if not open_still or not answers else None
            if exceeded is None and gone is None and open_still:
                continue
            self._receive()
            if last := self._take_all(count):
                # They came between the look at the pipe and the look at the clock.
                self._module.alive = False
                yield last
            elif share:
                self._module.alive, self._module.lost_shared = False, True
                self._host.kill(set())
            else:
                yield [self._dead(gone, exceeded)]
            return

    def _receive(self) -> bool:
        """Read what is there; false at the end."""
        while True:
            try:
                piece = os.read(self._fd, 1 << 18)
            except BlockingIOError:
                return True
            if not piece:
                return False
            self._received += piece

    def _take_all(self, most: int) -> list[Ended]:
        """Return the outcomes that have come whole."""
        found: list[Ended] = []
        while len(found) < most and (frame := self._take()) is not None:
            found.append(frame)
        return found

    def _take(self) -> Ended | None:
        """Return the next call's outcome if it has come whole."""
        limits = self._limits
        if len(self._received) < calls.OUTCOME.size:
            return None
        figures = calls.OUTCOME.unpack_from(self._received)
        status, cpu_ns, wall_ns, peak_bytes, value_bytes, error_bytes, value_over, error_over, shared, last = figures
        if not (0 <= value_bytes <= limits.output_bytes and 0 <= error_bytes <= limits.error_bytes):
            self._module.alive = False
            return None
        end = calls.OUTCOME.size + value_bytes + error_bytes
        if len(self._received) < end:
            return None
        body = self._received[calls.OUTCOME.size : end]
        del self._received[:end]
        if last:
            self._stopped, self._module.alive = True, False
        value = Capture(-1, limits.output_bytes, body[:value_bytes], complete=not value_over)
        error = Capture(-1, limits.error_bytes, body[value_bytes:], complete=not error_over)
        if shared:
            # The agent's meters saw it together with others; none exceeded its limits, or it would not have come.
            seen = Observation(status=status, cpu_ns=cpu_ns, wall_ns=wall_ns, memory_bytes=peak_bytes)
        else:
            seen = self._observe(status)
            seen.cpu_ns = max(seen.cpu_ns, cpu_ns)
            seen.memory_bytes = max(seen.memory_bytes, peak_bytes)
            self._begin()
        if value_over:
            seen.exceeded = "output"
        return classify(seen, value, error, limits)

    def _observe(self, status: int) -> Observation:
        meter = self._host.meter
        return Observation(
            status=status,
            cpu_ns=max(0, meter.cpu_ns() - self._cpu_ns),
            wall_ns=time.monotonic_ns() - self._started_ns,
            memory_bytes=self._peak_bytes,
        )

    def _exceeded(self) -> str | None:
        meter, limits = self._host.meter, self._limits
        self._peak_bytes = max(self._peak_bytes, meter.memory_bytes() - self._memory_bytes)
        if self._peak_bytes > limits.memory_bytes or meter.out_of_memory_kills() > self._kills:
            return "memory"
        if meter.cpu_ns() - self._cpu_ns > limits.cpu_s * 1e9:
            return "time"
        if time.monotonic_ns() - self._started_ns > limits.wall_s * 1e9:
            return "time"
        return "processes" if meter.process_count() > limits.processes + 1 else None

    def _dead(self, gone: End | None, exceeded: str | None = None) -> Ended:
        """End the module's process, and say that the call under way ended with it."""
        self._module.alive = False
        seen = self._observe(gone.status if gone is not None and gone.status else int(signal.SIGKILL))
        seen.exceeded = exceeded
        self._host.kill(set())
        empty = Capture(-1, 0), Capture(-1, 0)
        return classify(seen, *empty, self._limits)

"""Calls a function of a module that was imported once, inside the confined child of a zygote.

Guarantee: no call sees another. Each is made in a fork of the imported module's state; or, where all of the module's
code is of one trust and `sharing` finds that nothing it changes would last, in this process with the module's body run
anew, which is the same at a tenth of the cost. Such a call counts only if it returned; else it is made again in a fork.
"""

from __future__ import annotations

import ast
import ctypes
import gc
import json
import os
import random
import resource
import socket
import struct
import sys
import time
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from . import job, sharing

REQUEST = struct.Struct("=iqq??")
"""Calls to make, most bytes of a value, most bytes of standard error, whether to tidy the folder, whether calls may
share the process."""
REQUEST_DESCRIPTORS = 2
"""Of a request: the inputs, the outcomes."""
SIZE = struct.Struct("=q")
OUTCOME = struct.Struct("=iqqqqq????")
"""Wait status, CPU and elapsed nanoseconds, peak resident bytes, bytes of the value, bytes of standard error; whether
the value and the error were cut; whether the call shared the process; whether this process cannot go on."""
READY = b"R"
SHARED_AT_LEAST = 4
"""Fewer calls are not worth the look at the module's text."""
SHARED_BODY_NS, SHARED_CALL_NS = 1_000_000, 10_000_000
"""A module whose body takes longer to run than a fork, or calls that dwarf the cost of one, are forked for."""
SHARED_GROWTH_BYTES = 16 << 20
"""Calls that need more memory are forked for, so that each has a peak of its own."""
PROCESS_NS = 1_000_000_000
"""CPU time after which the process is replaced: the kernel's limit, meant for one call, counts all of it."""
HELD_BYTES, HELD_NS = 1 << 16, 2_000_000
"""How much of what came out, and for how long, is kept back to be told at once."""
_SUBREAPER = 36
Function = Callable[..., Any]


class Outcome(NamedTuple):
    """One call, as the agent is told of it."""

    status: int
    cpu_ns: int
    wall_ns: int
    peak_bytes: int
    value: bytes
    error: bytes
    value_cut: bool
    error_cut: bool
    shared: bool

    def pack(self, *, last: bool) -> bytes:
        """Return the bytes that `OUTCOME` describes."""
        sizes = len(self.value), len(self.error)
        flags = self.value_cut, self.error_cut, self.shared, last
        head = OUTCOME.pack(self.status, self.cpu_ns, self.wall_ns, self.peak_bytes, *sizes, *flags)
        return head + self.value + self.error


def serve(path: str, function_name: str, control_fd: int) -> None:
    """Import the module, say so, and make calls until the agent hangs up."""
    control = socket.socket(fileno=control_fd)
    with open(path, "rb") as file:
        source = file.read()
    _seed(0)  # whatever the body draws is then the same for every call of every process
    module = job.execute(compile(source, path, "exec", dont_inherit=True), path, "program")
    function = _function_of(module, function_name)
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    # The calls only read this state; collecting it in each fork would copy it.
    gc.collect()
    gc.freeze()
    calls = _Calls(function, _Shared(module, source, function_name), control_fd)
    control.send(READY)
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, 64, REQUEST_DESCRIPTORS)
        if not request:
            return
        calls.make(REQUEST.unpack(request), *descriptors)
        for fd in descriptors:
            os.close(fd)


def _function_of(module: ModuleType, name: str) -> Function:
    function: Function | None = getattr(module, name, None)
    if not callable(function):
        raise AttributeError(f"the program defines no function {name!r}")
    return function


def _seed(seed: Any) -> None:
    random.seed(seed)  # noqa: TID251 - the contract: the module is seeded before the call


class _Calls:
    """Makes the calls of one request after the other."""

    def __init__(self, function: Function, shared: _Shared, control_fd: int) -> None:
        self._function, self._shared, self._control_fd = function, shared, control_fd
        self._kept = set(os.listdir("."))
        self._value_fd, self._error_fd = os.memfd_create("value"), os.memfd_create("error")
        # Nobody reads what this process says any more; its calls' words are taken from here.
        os.dup2(self._error_fd, 2)
        self._ready_ns = time.process_time_ns()

    def make(self, request: tuple[int, int, int, bool, bool], inputs_fd: int, outcomes_fd: int) -> None:
        count, most_value_bytes, most_error_bytes, tidy, may_share = request
        sharing_now = may_share and count >= SHARED_AT_LEAST and self._shared.is_possible()
        out = _Outbox(outcomes_fd)
        for _ in range(count):
            data = os.read(inputs_fd, SIZE.unpack(os.read(inputs_fd, SIZE.size))[0])
            # Read here and not in the child: every page that the reading touches is copied there.
            given = _decode(data)
            outcome, last = None, False
            if sharing_now and not isinstance(given, Exception):
                outcome = self._shared.call(*given, self._error_fd, most_value_bytes, most_error_bytes)
                sharing_now = outcome is not None and self._shared.is_possible()
            if outcome is None:
                out.flush()
                outcome = self._fork(given, outcomes_fd, most_value_bytes, most_error_bytes)
                last = not _is_childless() or (tidy and not self._tidy())
            last = last or time.process_time_ns() - self._ready_ns > PROCESS_NS
            out.put(outcome, last=last)
            if last:
                # The agent cleans up with more power, and starts another.
                out.flush()
                os._exit(0)
        out.flush()

    def _fork(
        self, given: tuple[list[Any], Any] | Exception, outcomes_fd: int, most_value_bytes: int, most_error_bytes: int
    ) -> Outcome:
        started_ns = time.monotonic_ns()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(outcomes_fd)
                os.close(self._control_fd)
                code = _call(self._function, given, self._value_fd, self._error_fd)
            finally:
                os._exit(code)
        _, status, usage = os.wait4(child, 0)
        value, value_cut = _take(self._value_fd, most_value_bytes)
        error, error_cut = _take(self._error_fd, most_error_bytes)
        cpu_ns = int((usage.ru_utime + usage.ru_stime) * 1e9)
        wall_ns = time.monotonic_ns() - started_ns
        peak_bytes = usage.ru_maxrss * 1024
        return Outcome(status, cpu_ns, wall_ns, peak_bytes, value, error, value_cut, error_cut, shared=False)

    def _tidy(self) -> bool:
        """Remove files that a call left; false if there is more to it than plain files."""
        try:
            for name in os.listdir("."):
                if name not in self._kept:
                    os.unlink(name)
        except OSError:
            return False
        return True


class _Outbox:
    """Outcomes on their way to the agent, which is woken once for many."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._held = bytearray()
        self._sent_ns = time.monotonic_ns()

    def put(self, outcome: Outcome, *, last: bool) -> None:
        self._held += outcome.pack(last=last)
        if not outcome.shared or len(self._held) > HELD_BYTES or time.monotonic_ns() - self._sent_ns > HELD_NS:
            self.flush()

    def flush(self) -> None:
        _write_all(self._fd, self._held)
        self._held.clear()
        self._sent_ns = time.monotonic_ns()


class _Shared:
    """Makes calls in this process, running the module's body before each."""

    def __init__(self, first: ModuleType, source: bytes, function_name: str) -> None:
        self._first, self._source, self._function_name = first, source, function_name
        self._path = str(first.__file__)
        self._code: CodeType | None = None
        self._refused = False
        self._slow_bodies = 0
        self._recursion_limit = sys.getrecursionlimit()
        self._first_peak_bytes = 0

    def is_possible(self) -> bool:
        """Whether calls may still be made here."""
        if self._code is None and not self._refused:
            try:
                tree = ast.parse(self._source)
                self._refused = not sharing.may_share(tree)
                self._code = compile(tree, self._path, "exec", dont_inherit=True)
            except RecursionError:
                self._refused = True
            self._first_peak_bytes = _peak_bytes()
        return not self._refused

    def call(
        self, arguments: list[Any], seed: Any, error_fd: int, most_value_bytes: int, most_error_bytes: int
    ) -> Outcome | None:
        """Make one; None where it did not return as it should, and has to be made in a fork."""
        assert self._code is not None
        started_ns, before_ns = time.monotonic_ns(), time.process_time_ns()
        try:
            _seed(0)
            module = job.execute(self._code, self._path, self._first.__name__)
            body_ns = time.process_time_ns() - before_ns
            _seed(seed)
            value = _encode(_function_of(module, self._function_name)(*arguments))
            sys.stderr.flush()
        except BaseException:
            # Whatever it was, a fork of the first import's state says what comes of it.
            self._refused = True
            return None
        finally:
            sys.setrecursionlimit(self._recursion_limit)
            sys.modules[self._first.__name__] = self._first
            error, error_cut = _take(error_fd, most_error_bytes)
        cpu_ns, wall_ns, peak_bytes = (
            time.process_time_ns() - before_ns, time.monotonic_ns() - started_ns, _peak_bytes(),
        )  # fmt: skip
        self._slow_bodies += body_ns > SHARED_BODY_NS
        grown = peak_bytes > self._first_peak_bytes + SHARED_GROWTH_BYTES
        self._refused = self._slow_bodies > 2 or cpu_ns > SHARED_CALL_NS or grown
        value_cut = len(value) > most_value_bytes
        return Outcome(
            0, cpu_ns, wall_ns, peak_bytes, value[:most_value_bytes], error, value_cut, error_cut, shared=True
        )


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _decode(data: bytes) -> tuple[list[Any], Any] | Exception:
    try:
        request = json.loads(data)
        return list(request["arguments"]), request["seed"]
    except Exception as error:
        return error


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")


def _take(fd: int, most_bytes: int) -> tuple[bytes, bool]:
    """Return what a call wrote and whether that is not all, and empty the file for the next."""
    size_bytes = os.fstat(fd).st_size
    if not size_bytes:
        return b"", False
    data = os.pread(fd, min(size_bytes, most_bytes), 0)
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    return data, size_bytes > most_bytes


def _is_childless() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return True
    return False


def _call(function: Function, given: tuple[list[Any], Any] | Exception, value_fd: int, error_fd: int) -> int:
    os.dup2(error_fd, 2)
    try:
        if isinstance(given, Exception):
            raise ValueError('standard input must be {"arguments": [...], "seed": n}') from given
        arguments, seed = given
        _seed(seed)
        _write_all(value_fd, _encode(function(*arguments)))
    except SystemExit as end:
        code = job.exit_code(end)
        print("SystemExit: the function ended the process instead of returning", file=sys.stderr)
        sys.stderr.flush()
        return code or 1
    except BaseException as error:
        job.print_exception(error)
        sys.stderr.flush()
        return 1
    sys.stderr.flush()
    return 0


def _write_all(fd: int, data: bytes | bytearray) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    rest.release()

"""Runs a Python program inside the confined child of a zygote.

Guarantee: the program sees what it would see in an interpreter of its own: `__main__`, arguments, streams, exit code,
traceback without a frame of ours, `atexit`, and files flushed at the end. In function mode the module is imported
once and every call happens in a fork of that state, its value on a descriptor of its own.
"""

from __future__ import annotations

import atexit
import builtins
import ctypes
import gc
import io
import json
import linecache
import os
import random
import socket
import struct
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

DESCRIPTION_FD, CONTROL_FD = 3, 4
REQUEST = struct.Struct("=iqq?")
"""Calls to make, most bytes of a value, most bytes of standard error, whether to tidy the folder."""
REQUEST_DESCRIPTORS = 2
"""Of a request: the inputs, the outcomes."""
SIZE = struct.Struct("=q")
OUTCOME = struct.Struct("=iqqqq???")
"""Wait status, CPU nanoseconds, peak resident bytes, bytes of the value, bytes of standard error; whether the value and
the error were cut; whether this process cannot go on."""
READY = b"R"
_SUBREAPER = 36
_OUR_FILE = (lambda: None).__code__.co_filename


def prepare() -> None:
    """Do, once and before any job, what each would otherwise copy pages for."""
    for name in [name for name in sys.modules if name.startswith("escalade_sandbox")]:
        del sys.modules[name]
    sys.argv, sys.path[:] = [""], [entry for entry in sys.path if entry != sys.path[0]]
    # The streams of the jobs: nothing is ever read or written through them here. What they stand on now decides for
    # good whether they can seek.
    read_fd, write_fd = os.pipe()
    stdin_fd = os.memfd_create("input")
    for fd, number in ((stdin_fd, 0), (write_fd, 1), (write_fd, 2)):
        os.dup2(fd, number)
    for fd in (read_fd, write_fd, stdin_fd):
        os.close(fd)
    _open_streams()


def run() -> int:
    """Read the description and run the program; return the exit code."""
    size_bytes = os.fstat(DESCRIPTION_FD).st_size
    path, function, *arguments = os.fsdecode(os.pread(DESCRIPTION_FD, size_bytes, 0)).split("\0")
    os.close(DESCRIPTION_FD)
    sys.argv = [path, *arguments]
    sys.path.insert(0, os.path.dirname(path))
    if not function:
        os.close(CONTROL_FD)
        random.seed()  # noqa: TID251 - the program's own generator, as a fresh interpreter seeds it
        return _guarded(lambda: _execute(path, "__main__"))
    return _guarded(lambda: _serve_calls(path, function))


def _open_streams() -> None:
    """Give the process standard streams that share no buffer with the zygote's."""
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(  # type: ignore[misc]
        io.BufferedReader(io.FileIO(0, "r", closefd=False)), encoding="utf-8", errors="surrogateescape"
    )
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(  # type: ignore[misc]
        io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8", errors="surrogateescape"
    )
    sys.stderr = sys.__stderr__ = io.TextIOWrapper(  # type: ignore[misc]
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


def _execute(path: str, name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__file__ = path
    module.__builtins__ = builtins  # type: ignore[attr-defined]
    sys.modules[name] = module
    with open(path, "rb") as file:
        source = file.read()
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)
    return module


def _guarded(body: Callable[[], object]) -> int:
    """Run to the end as the interpreter's own main would; return the exit code."""
    try:
        body()
        code = 0
    except SystemExit as end:
        code = _exit_code(end)
    except BaseException as error:
        _print_exception(error)
        code = 1
    return _finish(code)


def _exit_code(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    print(end.code, file=sys.stderr)
    return 1


def _print_exception(error: BaseException) -> None:
    linecache.checkcache()
    _strip(error, set())
    if sys.excepthook is not sys.__excepthook__:
        sys.excepthook(type(error), error, error.__traceback__)
        return
    try:
        traceback.print_exception(error)
    except BaseException:
        # A program can break the printing of its own error; the exit code still tells.
        os.write(2, type(error).__name__.encode() + b"\n")


def _strip(error: BaseException, seen: set[int]) -> None:
    """Drop our frames from the error and from those it came from."""
    if id(error) in seen:
        return
    seen.add(id(error))
    while error.__traceback__ is not None and error.__traceback__.tb_frame.f_code.co_filename == _OUR_FILE:
        error.__traceback__ = error.__traceback__.tb_next
    for related in (error.__cause__, error.__context__):
        if related is not None:
            _strip(related, seen)


def _finish(code: int) -> int:
    """Do what the interpreter does at its end: join threads, call exit functions, close files, flush."""
    try:
        if (threading := sys.modules.get("threading")) is not None:
            threading._shutdown()
        atexit._run_exitfuncs()
        main = sys.modules.get("__main__")
        if main is not None and main.__dict__.get("__file__"):
            main.__dict__.clear()
            gc.collect()
    except SystemExit as end:
        code = _exit_code(end)
    except BaseException as error:
        _print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            code = code or 120  # as CPython
    return code


def _serve_calls(path: str, function_name: str) -> None:
    control = socket.socket(fileno=CONTROL_FD)
    module = _execute(path, "program")
    function = getattr(module, function_name, None)
    if not callable(function):
        raise AttributeError(f"the program defines no function {function_name!r}")
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    # The calls only read this state; collecting it in each fork would copy it.
    gc.collect()
    gc.freeze()
    kept = set(os.listdir("."))
    control.send(READY)
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, 64, REQUEST_DESCRIPTORS)
        if not request:
            return
        _make_calls(function, REQUEST.unpack(request), descriptors, kept)
        for fd in descriptors:
            os.close(fd)


def _make_calls(
    function: Callable[..., Any], request: tuple[int, int, int, bool], descriptors: list[int], kept: set[str]
) -> None:
    count, most_value_bytes, most_error_bytes, tidy = request
    inputs_fd, outcomes_fd = descriptors
    value_fd, error_fd = os.memfd_create("value"), os.memfd_create("error")
    for _ in range(count):
        data = os.read(inputs_fd, SIZE.unpack(os.read(inputs_fd, SIZE.size))[0])
        # Read here and not in the child: every page that the reading touches is copied there.
        given = _decode(data)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(outcomes_fd)
                os.close(CONTROL_FD)
                code = _call(function, given, value_fd, error_fd)
            finally:
                os._exit(code)
        _, status, usage = os.wait4(child, 0)
        value, value_over = _take(value_fd, most_value_bytes)
        error, error_over = _take(error_fd, most_error_bytes)
        last = not _is_childless() or (tidy and not _tidy(kept))
        cpu_ns = int((usage.ru_utime + usage.ru_stime) * 1e9)
        head = OUTCOME.pack(
            status, cpu_ns, usage.ru_maxrss * 1024, len(value), len(error), value_over, error_over, last,
        )  # fmt: skip
        _write_all(outcomes_fd, head + value + error)
        if last:
            # The agent cleans up with more power, and starts another.
            os._exit(0)
    os.close(value_fd)
    os.close(error_fd)


def _decode(data: bytes) -> tuple[list[Any], Any] | Exception:
    try:
        request = json.loads(data)
        return list(request["arguments"]), request["seed"]
    except Exception as error:
        return error


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


def _tidy(kept: set[str]) -> bool:
    """Remove files that a call left; false if there is more to it than plain files."""
    try:
        for name in os.listdir("."):
            if name not in kept:
                os.unlink(name)
    except OSError:
        return False
    return True


def _call(function: Callable[..., Any], given: tuple[list[Any], Any] | Exception, value_fd: int, error_fd: int) -> int:
    os.dup2(error_fd, 2)
    try:
        if isinstance(given, Exception):
            raise ValueError('standard input must be {"arguments": [...], "seed": n}') from given
        arguments, seed = given
        random.seed(seed)  # noqa: TID251 - the contract: the module is seeded before the call
        value = function(*arguments)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
        _write_all(value_fd, text)
    except SystemExit as end:
        code = _exit_code(end)
        print("SystemExit: the function ended the process instead of returning", file=sys.stderr)
        sys.stderr.flush()
        return code or 1
    except BaseException as error:
        _print_exception(error)
        sys.stderr.flush()
        return 1
    sys.stderr.flush()
    return 0


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]

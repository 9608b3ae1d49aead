"""Runs a Python program inside the confined child of a zygote.

Guarantee: the program sees what it would see in an interpreter of its own: `__main__`, arguments, streams, exit code,
traceback without a frame of ours, `atexit`, and files flushed at the end. (For function mode, see `calls`.)
"""

from __future__ import annotations

import atexit
import builtins
import gc
import io
import linecache
import os
import random
import sys
import traceback
from collections.abc import Callable
from types import CodeType, ModuleType

DESCRIPTION_FD, CONTROL_FD = 3, 4
_OUR_FOLDER = os.path.dirname((lambda: None).__code__.co_filename)


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


def run(serve_calls: Callable[[str, str, int], None]) -> int:
    """Read the description and run the program; return the exit code.

    Args:
        serve_calls: What to do in function mode, with the module's path, the function's name and the control socket.
    """
    size_bytes = os.fstat(DESCRIPTION_FD).st_size
    path, function, *arguments = os.fsdecode(os.pread(DESCRIPTION_FD, size_bytes, 0)).split("\0")
    os.close(DESCRIPTION_FD)
    sys.argv = [path, *arguments]
    sys.path.insert(0, os.path.dirname(path))
    if not function:
        os.close(CONTROL_FD)
        random.seed()  # noqa: TID251 - the program's own generator, as a fresh interpreter seeds it
        return _guarded(lambda: execute(_compile(path), path, "__main__"))
    return _guarded(lambda: serve_calls(path, function, CONTROL_FD))


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
    # The interpreter's own streams have it, and fast readers of contest solutions look at it.
    for stream, mode in ((sys.stdin, "r"), (sys.stdout, "w"), (sys.stderr, "w")):
        stream.mode = mode  # type: ignore[misc]


def _compile(path: str) -> CodeType:
    with open(path, "rb") as file:
        return compile(file.read(), path, "exec", dont_inherit=True)


def execute(code: CodeType, path: str, name: str) -> ModuleType:
    """Run a module's body in a namespace of its own; return the module."""
    module = ModuleType(name)
    module.__file__ = path
    module.__builtins__ = builtins  # type: ignore[attr-defined]
    sys.modules[name] = module
    exec(code, module.__dict__)
    return module


def _guarded(body: Callable[[], object]) -> int:
    """Run to the end as the interpreter's own main would; return the exit code."""
    try:
        body()
        code = 0
    except SystemExit as end:
        code = exit_code(end)
    except BaseException as error:
        print_exception(error)
        code = 1
    return _finish(code)


def exit_code(end: SystemExit) -> int:
    """Return what the interpreter would exit with."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    print(end.code, file=sys.stderr)
    return 1


def print_exception(error: BaseException) -> None:
    """Print the error that ends the program, as the interpreter would."""
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
    while error.__traceback__ is not None and _is_ours(error.__traceback__.tb_frame.f_code):
        error.__traceback__ = error.__traceback__.tb_next
    for related in (error.__cause__, error.__context__):
        if related is not None:
            _strip(related, seen)


def _is_ours(code: CodeType) -> bool:
    return os.path.dirname(code.co_filename) == _OUR_FOLDER


def _finish(code: int) -> int:
    """Do what the interpreter does at its end: join threads, call exit functions, close files, flush."""
    try:
        if (threading := sys.modules.get("threading")) is not None:
            threading._shutdown()
        atexit._run_exitfuncs()
        # Before the program's names go: what it put in place of a stream may need them.
        code = _flush(code)
        sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
        main = sys.modules.get("__main__")
        if main is not None and main.__dict__.get("__file__"):
            main.__dict__.clear()
            gc.collect()
    except SystemExit as end:
        code = exit_code(end)
    except BaseException as error:
        print_exception(error)
    return _flush(code)


def _flush(code: int) -> int:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except Exception:  # the program's own stream may raise anything
            code = code or 120  # as CPython
    return code

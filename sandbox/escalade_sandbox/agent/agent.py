"""The agent: takes frames, runs programs, answers, and cleans up after each.

Guarantee: every run is answered by one frame, in order; the last frame of an operation says whether the container is
clean. Whatever goes wrong in the agent itself ends it, and with it the container: there is no half-working agent.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import accounting, confine, functions, runner, sweep, wire
from .confine import Confinement
from .monitor import Lost, RunLimits
from .wire import Message
from .zygote import End, Zygote, end_of

Runner = runner.ExecRun | runner.ScriptRun
CHUNK_INPUTS, CHUNK_BYTES = 64, 16 << 20
"""How much of a function's input is taken at a time."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the pool tells the agent on its command line."""

    transport: str
    """`unix:PATH` to connect to, `fd:N` for an inherited socket, or `stdio`."""
    uid: int | None
    """The user of jobs; None outside a container."""
    root: str
    """The folder that jobs live in; empty to make one."""
    agent_path: str
    """Where this package is imported from."""
    path: str
    """PATH of the jobs."""
    launcher: str = ""
    """The compiled launcher, where there is one."""


class Agent:
    """One container's agent."""

    def __init__(self, configuration: Configuration, stream: wire.Stream) -> None:
        self._configuration = configuration
        self._stream = stream
        root = configuration.root or tempfile.mkdtemp(prefix="escalade-box-")
        self.root = root
        self._contained = configuration.uid is not None
        self._confinement = Confinement(os.path.join(root, "work"), configuration.uid, self._contained)
        self._box = sweep.Box(root, self._confinement)
        self._environment = {
            "PATH": configuration.path, "HOME": self._confinement.work, "TMPDIR": self._confinement.work,
            "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        self._files: dict[str, memoryview] = {}
        self._statuses: dict[int, End] = {}
        self._wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._me = os.getpid()
        self._zygotes: dict[int, Zygote] = {}
        self._zygotes[0] = self._start_zygote(0)
        launcher = self._start_launcher()
        self._helpers = set() if launcher is None else {launcher.pid}
        meter = accounting.container_accounting() if self._contained else None
        self.host = runner.Host(
            meter=meter or accounting.ProcessTree(self._listing(set()), limited_by_kernel=self._contained),
            confinement=self._confinement, kill=self._kill, sweep=self._sweep, reaped=self._reaped,
            wake_fd=self._wake_read, environment=self._environment, agent_path=configuration.agent_path,
            launcher=launcher,
        )  # fmt: skip
        self._metered = type(self.host.meter).__name__
        self._descriptors = len(os.listdir("/proc/self/fd"))
        self._free_bytes = self._free_space()
        self._out_of_memory_kills = self.host.meter.out_of_memory_kills()

    def _start_zygote(self, hash_seed: int) -> Zygote:
        start = (
            f"import sys; sys.path.insert(0, {self._configuration.agent_path!r}); "
            "from escalade_sandbox.agent.zygote import main; main(3)"
        )
        command = [sys.executable, "-s", "-P", "-c", start]
        environment = self._environment | {"PYTHONHASHSEED": str(hash_seed)}
        return Zygote(lambda fd: _spawn(command, environment, fd))

    def _start_launcher(self) -> Zygote | None:
        path = self._configuration.launcher
        return Zygote(lambda fd: _spawn([path], {}, fd)) if path else None

    def _spared(self) -> set[int]:
        return {self._me, *self._helpers, *(zygote.pid for zygote in self._zygotes.values())}

    def _listing(self, more: set[int]) -> Callable[[], list[int]]:
        listing = sweep.processes_in_container if self._contained else sweep.descendants
        return listing(lambda: self._spared() | more)

    def _kill(self, spared: set[int]) -> bool:
        """End every process of the job but `spared`; if it will not do otherwise, those too."""
        uid = self._configuration.uid
        if not spared:
            return sweep.kill_all(self._listing(set()), self._reap, uid=uid)
        return sweep.kill_all(self._listing(spared), self._reap, uid=None, rounds=20) or self._kill(set())

    def _reap(self) -> None:
        try:
            while os.read(self._wake_read, 4096):
                continue
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._statuses[pid] = end_of(status, usage)

    def _reaped(self, pid: int) -> End | None:
        self._reap()
        return self._statuses.pop(pid, None)

    def _free_space(self) -> int:
        if not self._contained:
            return 0
        figures = os.statvfs(self.root)
        return figures.f_bfree * figures.f_frsize

    def serve(self) -> None:
        """Answer until the pool closes the stream.

        Raises:
            Closed: The pool is gone.
        """
        wire.write_frame(self._stream, {"op": "hello", "accounting": self._metered, "python": sys.version.split()[0]})
        while True:
            message, blob = wire.read_frame(self._stream)
            operation = message["op"]
            if operation == "ping":
                wire.write_frame(self._stream, {"op": "pong"})
                continue
            descriptors = self._stream.take_descriptors()
            try:
                if operation == "compile":
                    self._compile(message, blob)
                elif operation == "run":
                    self._run(message, blob, descriptors)
                else:
                    raise wire.Malformed(f"unknown operation {operation!r}")
            finally:
                for fd in descriptors:
                    os.close(fd)
            wire.write_frame(self._stream, {"op": "done", "surprise": self._clean()})

    def _clean(self) -> str | None:
        """Wipe everything; return what was left, if anything was."""
        clean = self._kill(set())
        for hash_seed, zygote in list(self._zygotes.items()):
            zygote.settle()
            if hash_seed != 0:
                zygote.close()
                del self._zygotes[hash_seed]
        clean = self._kill(set()) and clean
        self._reap()
        self._statuses.clear()
        if not clean:
            return "a process survived"
        if not self._box.empty():
            return "a file survived"
        if len(os.listdir("/proc/self/fd")) != self._descriptors:
            return "the agent leaks descriptors"
        if self._free_space() < self._free_bytes:
            return "the box does not give its space back"
        if self.host.meter.out_of_memory_kills() > self._out_of_memory_kills:
            return "the kernel ended a process for want of memory"
        return None

    def dispose(self) -> None:
        """Leave nothing behind on a machine that outlives the agent."""
        self._kill(set())
        self._box.empty()
        os.rmdir(self.root)

    def _compile(self, message: Message, blob: memoryview) -> None:
        limits = RunLimits(**message["limits"])
        files = dict(zip(message["names"], wire.split(blob, message["sizes"]), strict=True))
        artifact = os.path.join(self._confinement.work, message["artifact"])
        first: runner.Ended | None = None
        tried = 0
        for command in message["commands"]:
            tried += 1
            self._box.prepare(files)
            ended = runner.ExecRun(self.host, command[0], command[0]).run(b"", command[1:], limits, set())
            binary = self._read_artifact(artifact, limits.output_bytes) if ended.status == "ok" else None
            first = first if first is not None and binary is None else ended
            if binary is not None or ended.status not in ("nonzero_exit", "ok", "invalid_output", "signalled"):
                break
            self._kill(set())
            self._box.empty()
        assert first is not None
        answer = {"op": "compiled", "status": first.status, "index": tried - 1, "stderr": len(first.stderr)}
        answer |= {"cpu_ms": first.cpu_ms, "wall_ms": first.wall_ms, "built": binary is not None}
        wire.write_frame(self._stream, answer, [first.stderr, binary or b""])

    @staticmethod
    def _read_artifact(path: str, most_bytes: int) -> bytes | None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            return file.read() if stat.S_ISREG(status.st_mode) and status.st_size <= most_bytes else None

    def _run(self, message: Message, blob: memoryview, descriptors: list[int]) -> None:
        limits = RunLimits(**message["limits"])
        *contents, binary = wire.split(blob, message["sizes"])
        files = dict(zip(message["names"], contents, strict=True))
        if message["kind"] == "function":
            self._prepare(files)
            self._call_function(message, limits)
            return
        owned: list[int] = []
        if message["kind"] == "exec" and not descriptors:
            owned = [runner.memory_file(binary, "program")]
        try:
            program: Runner
            if message["kind"] == "exec":
                program = runner.ExecRun(self.host, [*descriptors, *owned][0], "./program")
            else:
                program = runner.ScriptRun(self.host, self._zygote(message), self._entry(message))
            self._prepare(files)
            for done in range(message["count"]):
                given = self._read_input()
                self._box.add_inputs(given.files)
                ended = program.run(given.stdin, given.arguments, limits, set())
                self._answer(ended, message["collect"], limits)
                self._sweep()
                if message["stop"] and ended.status != "ok":
                    self._skip(message["count"] - done - 1, limits)
                    break
        finally:
            for fd in owned:
                os.close(fd)

    def _skip(self, count: int, limits: RunLimits) -> None:
        """Read inputs and answer that they were not run."""
        skipped = runner.Ended("skipped", bytearray(), bytearray(), True, True, None, None, 0.0, 0.0, 0)
        for _ in range(count):
            self._read_input()
            self._answer(skipped, [], limits)

    def _zygote(self, message: Message) -> Zygote:
        hash_seed = int(message["hash_seed"])
        if hash_seed not in self._zygotes:
            self._zygotes[hash_seed] = self._start_zygote(hash_seed)
        return self._zygotes[hash_seed]

    def _entry(self, message: Message) -> str:
        return os.path.join(self._confinement.work, message["entry"])

    def _call_function(self, message: Message, limits: RunLimits) -> None:
        call = functions.FunctionRun(self.host, self._zygote(message), self._entry(message), message["function"])
        remaining, collect = message["count"], message["collect"]
        following: _Given | None = None
        while remaining:
            given = [following or self._read_input()]
            following = None
            # What brings or leaves files is cleaned up after by the agent, one call at a time.
            alone = bool(collect or given[0].files)
            size_bytes = len(given[0].stdin)
            while not alone and len(given) < min(remaining, CHUNK_INPUTS) and size_bytes < CHUNK_BYTES:
                one = self._read_input()
                if one.files:
                    following = one
                    break
                given.append(one)
                size_bytes += len(one.stdin)
            self._box.add_inputs(given[0].files)
            share = bool(message["share"]) and not alone
            for several in call.run([one.stdin for one in given], limits, tidy=not alone, share=share):
                self._answer_all(several, collect, limits)
            if alone:
                self._sweep()
            remaining -= len(given)
        call.close()

    def _read_input(self) -> _Given:
        header, body = wire.read_frame(self._stream)
        stdin, *contents = wire.split(body, header["sizes"])
        return _Given(stdin, header["arguments"], dict(zip(header["names"], contents, strict=True)))

    def _answer(self, ended: runner.Ended, collect: list[str], limits: RunLimits) -> None:
        wire.write_pieces(self._stream, self._frame(ended, collect, limits))

    def _answer_all(self, several: list[runner.Ended], collect: list[str], limits: RunLimits) -> None:
        """Answer with one write, so that the pool is woken once."""
        wire.write_pieces(self._stream, [piece for one in several for piece in self._frame(one, collect, limits)])

    def _frame(self, ended: runner.Ended, collect: list[str], limits: RunLimits) -> list[wire.Data]:
        files = {name: data for name in collect if (data := self._box.collect(name, limits.output_bytes)) is not None}
        answer: dict[str, Any] = {name: getattr(ended, name) for name in type(ended).__slots__}
        answer["op"] = "result"
        answer["stdout"], answer["stderr"] = len(ended.stdout), len(ended.stderr)
        answer["names"], answer["sizes"] = list(files), [len(data) for data in files.values()]
        return wire.encode(answer, [ended.stdout, ended.stderr, *files.values()])

    def _prepare(self, files: dict[str, memoryview]) -> None:
        self._files = files
        self._box.prepare(files)

    def _sweep(self) -> None:
        """Leave the program's files and nothing else for the next input."""
        if not self._box.sweep():
            self._kill(set())
            self._box.empty()
            self._box.prepare(self._files)


@dataclass(frozen=True, slots=True)
class _Given:
    """One input."""

    stdin: memoryview
    arguments: list[str]
    files: dict[str, memoryview]


def _spawn(command: list[str], environment: Mapping[str, str], fd: int) -> int:
    """Start a helper of the agent, with one socket as descriptor 3; return its number."""
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.set_wakeup_fd(-1)
        if fd == 3:
            os.set_inheritable(3, True)
        else:
            os.dup2(fd, 3, inheritable=True)
        os.closerange(4, 4096)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        confine.raise_stack_limit()
        os.execve(command[0], command, environment)
    finally:
        os._exit(127)


def _open_stream(transport: str) -> wire.Stream:
    kind, _, where = transport.partition(":")
    if kind == "stdio":
        # Nobody else may read or write the stream, so the numbers 0 and 1 are given up.
        read_fd, write_fd = os.dup(0), os.dup(1)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.close(null)
        return wire.PipeStream(read_fd, write_fd)
    if kind == "fd":
        return wire.SocketStream(socket.socket(fileno=int(where)))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(where)
    return wire.SocketStream(connection)


def main(text: str) -> int:
    """Serve one pool until it goes away; return the exit code."""
    configuration = Configuration(**json.loads(text))
    confine.prctl(confine.PR_SET_DUMPABLE, 0)
    if configuration.uid is None:
        confine.prctl(confine.PR_SET_CHILD_SUBREAPER, 1)
        # In a container the engine ends everything at once; here the agent must, even in mid-job.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    else:
        confine.deny_system_calls()
    stream = _open_stream(configuration.transport)
    agent: Agent | None = None
    try:
        agent = Agent(configuration, stream)
        agent.serve()
    except (wire.Closed, BrokenPipeError, ConnectionError):
        return 0
    except (Lost, wire.Malformed, OSError, ChildProcessError, KeyError, TypeError, ValueError) as error:
        with contextlib.suppress(OSError):
            wire.write_frame(stream, {"op": "fault", "message": f"{type(error).__name__}: {error}"})
        return 1
    finally:
        if agent is not None and configuration.uid is None:
            agent.dispose()
    return 0

"""One agent as the pool sees it: compile, run, and whether it may be used again.

Guarantee: blocking, and called by one thread at a time; every failure of the container is `SandboxUnavailable`, and
leaves `surprise` set, so that the worker is not used again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from escalade_sandbox.agent import wire
from escalade_sandbox.languages import ARTIFACT, Language
from escalade_sandbox.link import Link
from escalade_sandbox.types import (
    Compilation,
    Input,
    Job,
    Limits,
    Program,
    Result,
    SandboxError,
    SandboxUnavailable,
    Status,
    Trust,
)

GRACE_S = 30.0
"""How much longer than its limits a run may take before its container is given up."""
START_S = 60.0


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compiler made of a program."""

    compilation: Compilation
    binary: memoryview | None


class Worker:
    """A container (or process) with an agent in it."""

    def __init__(self, link: Link, trust: Trust, name: str, destroy: Callable[[], None]) -> None:
        """Wait for the agent's first word.

        Args:
            link: To the agent.
            trust: Whose code it may run.
            name: For logs.
            destroy: Ends and removes the container; blocking.

        Raises:
            SandboxUnavailable: It did not come up.
        """
        self.trust, self.name = trust, name
        self.container: str | None = None
        self.jobs = 0
        self.started_s = time.monotonic()
        self.surprise: str | None = None
        self._link, self._destroy = link, destroy
        self._link.exchange([], lambda message, _: message.get("op") == "hello", silence_s=START_S)

    def is_alive(self) -> bool:
        """Whether it can be lent; costs one system call."""
        return self.surprise is None and self._link.is_open()

    def abandon(self) -> None:
        """Break the connection, so that a thread that waits for the agent returns."""
        self.surprise = self.surprise or "abandoned"
        self._link.close()

    def destroy(self) -> None:
        """End and remove it; blocking."""
        self._link.close()
        try:
            self._destroy()
        finally:
            self._link.dispose()

    def ping(self, timeout_s: float) -> None:
        """Ask for a sign of life.

        Raises:
            SandboxUnavailable: None came.
        """
        frames = [wire.encode({"op": "ping"})]
        self._exchange(frames, lambda message, _: message.get("op") == "pong", silence_s=timeout_s)

    def _exchange(
        self,
        frames: Iterator[list[wire.Data]] | list[list[wire.Data]],
        handle: Callable[[wire.Message, memoryview], bool],
        *,
        silence_s: float,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        try:
            self._link.exchange(frames, handle, silence_s=silence_s, descriptors=descriptors)
        except (SandboxError, KeyError, ValueError, TypeError) as error:
            self.surprise = str(error)
            if isinstance(error, SandboxError):
                raise
            raise SandboxUnavailable(f"the sandbox's agent sent an answer that cannot be read: {error!r}") from error

    def _finish(self, message: wire.Message) -> bool:
        if message["op"] != "done":
            raise SandboxUnavailable(f"the sandbox's agent sent {message['op']!r} out of turn")
        if message["surprise"] is not None:
            self.surprise = str(message["surprise"])
        return True

    def compile(self, language: Language, program: Program, limits: Limits) -> Compiled:
        """Compile with the first standard that accepts the program.

        Raises:
            SandboxUnavailable: The container failed.
        """
        files = {language.source_name: program.source.encode("utf-8", "surrogateescape"), **program.files}
        request = {
            "op": "compile", "commands": [list(command) for _, command in language.standards], "artifact": ARTIFACT,
            "limits": asdict(limits), "names": list(files), "sizes": [len(data) for data in files.values()],
        }  # fmt: skip
        made: list[Compiled] = []

        def handle(message: wire.Message, blob: memoryview) -> bool:
            if made:
                return self._finish(message)
            made.append(_compiled(language, message, blob))
            return False

        self.jobs += 1
        silence_s = limits.wall_s * len(language.standards) + GRACE_S
        self._exchange([wire.encode(request, list(files.values()))], handle, silence_s=silence_s)
        return made[0]

    def run(self, language: Language, job: Job, binary: bytes | None, descriptor: int | None) -> tuple[Result, ...]:
        """Run the program on every input.

        Args:
            language: The program's.
            job: The program, inputs and limits.
            binary: The compiled program, where descriptors cannot be sent.
            descriptor: The compiled program otherwise.

        Raises:
            SandboxUnavailable: The container failed.
        """
        results: list[Result] = []

        def handle(message: wire.Message, blob: memoryview) -> bool:
            if len(results) == len(job.inputs):
                return self._finish(message)
            results.append(_result(message, blob))
            return False

        self.jobs += 1
        frames = _run_frames(language, job, binary)
        descriptors = () if descriptor is None else (descriptor,)
        # A function may be imported and called, and once more if it hung in a process that calls shared.
        self._exchange(frames, handle, silence_s=job.limits.wall_s * 4 + GRACE_S, descriptors=descriptors)
        return tuple(results)

    @property
    def takes_descriptors(self) -> bool:
        """Whether a compiled program is passed by descriptor."""
        return self._link.carries_descriptors


def _run_frames(language: Language, job: Job, binary: bytes | None) -> Iterator[list[wire.Data]]:
    program = job.program
    files: Mapping[str, bytes] = program.files
    if language.kind == "python":
        files = {language.source_name: program.source.encode("utf-8", "surrogateescape"), **program.files}
        kind = "script" if program.function is None else "function"
    else:
        kind = "exec"
    yield wire.encode(
        {
            "op": "run", "kind": kind, "entry": language.source_name, "function": program.function,
            "hash_seed": program.hash_seed, "count": len(job.inputs), "limits": asdict(job.limits),
            "collect": list(job.collect), "share": job.trust is Trust.TRUSTED, "stop": job.stop_on_failure,
            "names": list(files),
            "sizes": [*(len(data) for data in files.values()), len(binary or b"")],
        },
        [*files.values(), binary or b""],
    )  # fmt: skip
    for one in job.inputs:
        yield _input_frame(one)


def _input_frame(one: Input) -> list[wire.Data]:
    header = {
        "arguments": list(one.arguments), "names": list(one.files),
        "sizes": [len(one.stdin), *(len(data) for data in one.files.values())],
    }  # fmt: skip
    return wire.encode(header, [one.stdin, *one.files.values()])


def _compiled(language: Language, message: wire.Message, blob: memoryview) -> Compiled:
    if message["op"] != "compiled":
        raise SandboxUnavailable(f"the sandbox's agent sent {message['op']!r} out of turn")
    diagnostics = bytes(blob[: message["stderr"]]).decode("utf-8", "replace")
    binary = blob[message["stderr"] :] if message["built"] else None
    standard = None
    if binary is not None:
        status, standard = Status.OK, language.standards[message["index"]][0]
    elif str(message["status"]).endswith("_limit"):
        status = Status.COMPILE_LIMIT
    else:
        status = Status.COMPILE_ERROR
    compilation = Compilation(
        status, diagnostics, cpu_ms=message["cpu_ms"], wall_ms=message["wall_ms"], standard=standard
    )
    return Compiled(compilation, binary)


def _result(message: wire.Message, blob: memoryview) -> Result:
    if message["op"] != "result":
        raise SandboxUnavailable(f"the sandbox's agent sent {message['op']!r} out of turn")
    sizes: Sequence[int] = [message["stdout"], message["stderr"], *message["sizes"]]
    stdout, stderr, *files = (bytes(part) for part in wire.split(blob, sizes))
    return Result(
        status=Status(message["status"]), stdout=stdout, stderr=stderr,
        stdout_complete=message["stdout_complete"], stderr_complete=message["stderr_complete"],
        exit_code=message["exit_code"], signal=message["signal"],
        cpu_ms=message["cpu_ms"], wall_ms=message["wall_ms"], memory_bytes=message["memory_bytes"],
        files=dict(zip(message["names"], files, strict=True)),
    )  # fmt: skip

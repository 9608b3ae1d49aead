"""A sandbox on this machine: the protocol over a pool of workers and a cache of compiled programs.

Guarantee: a job is checked before it costs anything; a program is compiled once however many ask at the same time; a
job whose worker died is tried once more on another, then `SandboxUnavailable` is raised, and never a verdict.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from escalade_sandbox import languages
from escalade_sandbox.cache import Artifact, CompileCache, key_of, make_artifact
from escalade_sandbox.languages import Language
from escalade_sandbox.pool import Launcher, Loan, Pool, PoolSettings
from escalade_sandbox.types import (
    Compilation,
    Health,
    InvalidJob,
    Job,
    JobResult,
    Limits,
    Result,
    SandboxUnavailable,
)

logger = logging.getLogger(__name__)
MOST_INPUTS = 10_000
MOST_INPUT_BYTES = 512 << 20
MOST_ARGUMENT_BYTES = 96 << 10
HEALTH_S = 2.0


@dataclass(slots=True)
class _Compiling:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class LocalSandbox:
    """Runs jobs on a pool. Use one of its subclasses, which know where workers come from."""

    backend = "local"

    def __init__(self, launcher: Launcher, settings: PoolSettings, *, cache_folder: Path | None = None) -> None:
        self._launcher = launcher
        self._settings = settings
        self._pool = Pool(launcher, settings)
        self._cache = CompileCache(cache_folder)
        self._compiling: dict[str, _Compiling] = {}
        self._started = False

    @property
    def pool(self) -> Pool:
        """Where jobs run."""
        return self._pool

    @property
    def toolchain(self) -> str:
        """What compiles here, as a part of the cache's keys; known once started."""
        return ""

    def installed(self, language: Language) -> None:
        """Check that the language can be used here.

        Raises:
            UnknownLanguage: Its toolchain is missing; the message says what to install.
        """

    async def start(self) -> None:
        """Make ready to run.

        Raises:
            SandboxUnavailable: No worker can be started; the message says what to do.
        """
        if self._started:
            return
        try:
            await self._pool.start()
        except BaseException:
            # It released what it had; another start begins anew.
            self._pool = Pool(self._launcher, self._settings)
            raise
        self._started = True

    async def close(self) -> None:
        """Finish the jobs under way, then release everything. Safe to call twice."""
        if not self._started:
            return
        self._started = False
        await self._pool.close()
        self._cache.clear()
        self._pool = Pool(self._launcher, self._settings)

    async def health(self) -> Health:
        """Tell the truth about now, within two seconds."""
        try:
            detail = await asyncio.wait_for(self._pool.check(), HEALTH_S)
        except SandboxUnavailable as error:
            return Health(False, self.backend, str(error), slots=self._pool.slots)
        except TimeoutError:
            reason = f"no answer within {HEALTH_S:.0f} s"
            return Health(False, self.backend, reason, slots=self._pool.slots)
        return Health(True, self.backend, detail, self._pool.slots, self._pool.free_slots, self.toolchain or None)

    async def run(self, job: Job) -> JobResult:
        """Run the program on every input.

        Raises:
            InvalidJob: The job is one that no sandbox could run.
            UnknownLanguage: The language is not installed.
            SandboxBusy: The queue is full.
            SandboxUnavailable: The sandbox failed twice.
        """
        language = languages.find(job.program.language)
        self.installed(language)
        check_job(job, language)
        try:
            return await self._attempt(job, language)
        except SandboxUnavailable as error:
            # Its text and not the error itself: a record that is kept would keep the frames' sockets.
            logger.warning("a job is tried again on another worker: %s", str(error))
        return await self._attempt(job, language)

    async def _attempt(self, job: Job, language: Language) -> JobResult:
        if language.kind != "compiled":
            async with self._pool.lend(job.trust, job.owner) as loan:
                return JobResult(await loan.call(lambda: loan.worker.run(language, job, None, None)))
        key = key_of(language, job.program, job.compile_limits, self.toolchain, job.trust)
        artifact = await self._find(key)
        if artifact is not None:
            return await self._run_compiled(job, language, artifact, None)
        async with self._compiling_alone(key):
            artifact = await self._find(key)
            if artifact is None:
                async with self._pool.lend(job.trust, job.owner) as loan:
                    artifact = await self._compile(job, language, key, loan)
                    return await self._run_compiled(job, language, artifact, loan)
        return await self._run_compiled(job, language, artifact, None)

    async def _find(self, key: str) -> Artifact | None:
        artifact = self._cache.get(key)
        if artifact is None and self._cache.has_folder:
            artifact = await asyncio.to_thread(self._cache.load, key)
            if artifact is not None:
                self._cache.put(key, artifact)
                artifact.close()
                artifact = self._cache.get(key)
        return artifact

    @contextlib.asynccontextmanager
    async def _compiling_alone(self, key: str) -> AsyncIterator[None]:
        compiling = self._compiling.setdefault(key, _Compiling())
        compiling.waiting += 1
        try:
            async with compiling.lock:
                yield
        finally:
            compiling.waiting -= 1
            if not compiling.waiting:
                del self._compiling[key]

    async def _compile(self, job: Job, language: Language, key: str, loan: Loan) -> Artifact:
        compiled = await loan.call(lambda: loan.worker.compile(language, job.program, job.compile_limits))
        artifact = make_artifact(compiled.compilation, compiled.binary)
        del compiled
        self._cache.put(key, artifact)
        if self._cache.has_folder:
            await asyncio.to_thread(self._cache.save, key, artifact)
        return artifact

    async def _run_compiled(self, job: Job, language: Language, artifact: Artifact, loan: Loan | None) -> JobResult:
        """Run a compiled program on the loan or, without one, on a new one; closes the artifact."""
        try:
            compilation = artifact.compilation
            if artifact.descriptor is None:
                return JobResult(_not_run(job, compilation), compilation)
            if loan is not None and loan.worker.surprise is None:
                return JobResult(await self._run_artifact(job, language, artifact, loan), compilation)
            if loan is not None:
                raise SandboxUnavailable(f"the container that compiled cannot run: {loan.worker.surprise}")
            async with self._pool.lend(job.trust, job.owner) as fresh:
                return JobResult(await self._run_artifact(job, language, artifact, fresh), compilation)
        finally:
            artifact.close()

    @staticmethod
    async def _run_artifact(job: Job, language: Language, artifact: Artifact, loan: Loan) -> tuple[Result, ...]:
        worker = loan.worker
        if worker.takes_descriptors:
            return await loan.call(lambda: worker.run(language, job, None, artifact.descriptor))
        return await loan.call(lambda: worker.run(language, job, artifact.read(), None))


def _not_run(job: Job, compilation: Compilation) -> tuple[Result, ...]:
    diagnostics = compilation.diagnostics.encode()
    return tuple(Result(compilation.status, stderr=diagnostics) for _ in job.inputs)


def check_job(job: Job, language: Language) -> None:
    """Refuse a job that no sandbox could run.

    Raises:
        InvalidJob: The message names the field and the remedy.
    """
    program = job.program
    if program.function is not None and language.kind != "python":
        raise InvalidJob(f"program.function: {language.name} has no function mode; leave it out, or use python")
    if program.function is not None and job.stop_on_failure:
        raise InvalidJob("stop_on_failure: function mode makes all its calls; leave it out, or send fewer inputs")
    if not 0 <= program.hash_seed < 1 << 32:
        raise InvalidJob(f"program.hash_seed: {program.hash_seed} is not between 0 and 4294967295")
    if len(job.inputs) > MOST_INPUTS:
        raise InvalidJob(f"inputs: {len(job.inputs)} in one job; split it, {MOST_INPUTS} is the most")
    _check_names("program.files", [*program.files, language.source_name])
    _check_names("collect", job.collect)
    for index, one in enumerate(job.inputs):
        _check_names(f"inputs[{index}].files", [*one.files, *program.files, language.source_name])
        if sum(len(argument.encode("utf-8", "surrogateescape")) for argument in one.arguments) > MOST_ARGUMENT_BYTES:
            raise InvalidJob(f"inputs[{index}].arguments: longer than {MOST_ARGUMENT_BYTES} bytes; use stdin")
        if any("\0" in argument for argument in one.arguments):
            raise InvalidJob(f"inputs[{index}].arguments: an argument cannot hold a NUL character")
        if len(one.stdin) + sum(map(len, one.files.values())) > MOST_INPUT_BYTES:
            raise InvalidJob(f"inputs[{index}]: more than {MOST_INPUT_BYTES} bytes")
    _check_limits("limits", job.limits)
    _check_limits("compile_limits", job.compile_limits)


def _check_names(where: str, names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if not name or name in (".", "..") or "/" in name or "\0" in name or len(name.encode()) > 255:
            raise InvalidJob(f"{where}: {name!r} is not a plain file name")
        if name in seen:
            raise InvalidJob(f"{where}: {name!r} occurs twice among the program's files, its source and the input's")
        seen.add(name)


def _check_limits(where: str, limits: Limits) -> None:
    for name in ("cpu_s", "wall_s", "memory_bytes", "output_bytes", "error_bytes", "processes"):
        value = getattr(limits, name)
        if not 0 < value < float("inf"):
            raise InvalidJob(f"{where}.{name}: {value} is not a positive number")

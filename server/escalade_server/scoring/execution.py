"""Jobs of the server: the sandbox's faults become errors of the API, and what programs do stays data."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from escalade_sandbox.types import InvalidJob, Job, JobResult, Sandbox, SandboxBusy, SandboxError
from escalade_server.errors import ProgramUnfit, SandboxFailed, SandboxQueueFull


async def run(sandbox: Sandbox, job: Job) -> JobResult:
    """Run a job.

    Raises:
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: Its queue is full.
        ProgramUnfit: No sandbox could run it.
    """
    try:
        return await sandbox.run(job)
    except InvalidJob as fault:
        raise ProgramUnfit(f"A program cannot be run as it is: {fault}") from fault
    except SandboxBusy as busy:
        raise SandboxQueueFull(
            "The sandbox's queue is full; try again shortly.", retry_after_s=busy.retry_after_s
        ) from busy
    except SandboxError as fault:
        raise SandboxFailed(f"The sandbox failed: {fault}", retry_after_s=5.0) from fault


PATIENCE_S = 300.0
"""How long work that can wait is tried again while the sandbox's queue is full."""
PAUSE_MOST_S = 5.0
Done = TypeVar("Done")


async def patiently(work: Callable[[], Awaitable[Done]], patience_s: float = PATIENCE_S) -> Done:
    """Do work that needs the sandbox, again and again while the sandbox's queue is full.

    Raises:
        SandboxQueueFull: It still was after `patience_s` seconds.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + patience_s
    while True:
        try:
            return await work()
        except SandboxQueueFull as full:
            if clock() >= until:
                raise
            await asyncio.sleep(min(PAUSE_MOST_S, full.retry_after_s or PAUSE_MOST_S))

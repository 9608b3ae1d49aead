"""Jobs of the server: the sandbox's faults become errors of the API, and what programs do stays data."""

from __future__ import annotations

from escalade_sandbox.types import Job, JobResult, Sandbox, SandboxBusy, SandboxError
from escalade_server.errors import SandboxFailed, SandboxQueueFull


async def run(sandbox: Sandbox, job: Job) -> JobResult:
    """Run a job.

    Raises:
        SandboxFailed: The sandbox cannot be reached or failed twice.
        SandboxQueueFull: Its queue is full.
    """
    try:
        return await sandbox.run(job)
    except SandboxBusy as busy:
        raise SandboxQueueFull(
            "The sandbox's queue is full; try again shortly.", retry_after_s=busy.retry_after_s
        ) from busy
    except SandboxError as fault:
        raise SandboxFailed(f"The sandbox failed: {fault}", retry_after_s=5.0) from fault

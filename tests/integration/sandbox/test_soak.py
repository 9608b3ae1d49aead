"""A short soak: `make soak` runs a long one."""

import asyncio
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker


async def test_a_few_hundred_mixed_jobs_are_right_and_leave_nothing(engine):
    root = Path(__file__).parents[3]
    command = (sys.executable, "-m", "benchmarks.soak", "--jobs", "200")
    child = await asyncio.create_subprocess_exec(*command, cwd=root, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(300):
        output, _ = await child.communicate()
    assert child.returncode == 0, output.decode()

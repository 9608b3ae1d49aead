"""CPU time and memory of everything that a job started.

Guarantee: a container's figures come from its cgroup, so that no child, thread or daemon is missed; where there is
none of our own (the process backend) they are summed over the agent's descendants, and a floor is all they are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Accounting(Protocol):
    """A meter of the whole job; only differences mean anything."""

    def cpu_ns(self) -> int:
        """CPU time used so far."""
        ...

    def memory_bytes(self) -> int:
        """Memory in use now."""
        ...

    def out_of_memory_kills(self) -> int:
        """How often the kernel killed a process for want of memory."""
        ...

    def process_count(self) -> int:
        """Processes of jobs alive now; 0 where the kernel itself limits them."""
        ...


class _Figure:
    """One file of a virtual file system, kept open because it is read hundreds of times a second."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def text(self) -> bytes:
        return os.pread(self._fd, 8192, 0)

    def number(self) -> int:
        return int(self.text())

    def keyed(self, key: bytes) -> int:
        for line in self.text().splitlines():
            name, _, value = line.partition(b" ")
            if name == key:
                return int(value)
        return 0


class CgroupV1:
    """The container's cgroup under the first version's layout."""

    def __init__(self, root: str = "/sys/fs/cgroup") -> None:
        self._cpu = _Figure(f"{root}/cpuacct/cpuacct.usage")
        self._memory = _Figure(f"{root}/memory/memory.usage_in_bytes")
        self._oom = _Figure(f"{root}/memory/memory.oom_control")

    def cpu_ns(self) -> int:
        """CPU time of the container less the agent's own."""
        return self._cpu.number() - time.process_time_ns()

    def memory_bytes(self) -> int:
        """Memory charged to the container."""
        return self._memory.number()

    def out_of_memory_kills(self) -> int:
        """Read from the kernel's count."""
        return self._oom.keyed(b"oom_kill")

    def process_count(self) -> int:
        """The kernel limits them."""
        return 0


class CgroupV2:
    """The container's cgroup under the unified layout."""

    def __init__(self, root: str = "/sys/fs/cgroup") -> None:
        self._cpu = _Figure(f"{root}/cpu.stat")
        self._memory = _Figure(f"{root}/memory.current")
        self._events = _Figure(f"{root}/memory.events")

    def cpu_ns(self) -> int:
        """CPU time of the container less the agent's own."""
        return self._cpu.keyed(b"usage_usec") * 1000 - time.process_time_ns()

    def memory_bytes(self) -> int:
        """Memory charged to the container."""
        return self._memory.number()

    def out_of_memory_kills(self) -> int:
        """Read from the kernel's count."""
        return self._events.keyed(b"oom_kill")

    def process_count(self) -> int:
        """The kernel limits them."""
        return 0


class ProcessTree:
    """A sum over the job's living processes, as /proc tells it."""

    def __init__(self, job_processes: Callable[[], list[int]], *, limited_by_kernel: bool) -> None:
        self._job_processes = job_processes
        self._limited_by_kernel = limited_by_kernel

    def cpu_ns(self) -> int:
        """CPU time of the living processes and of the children that they have reaped."""
        total = 0
        for pid in self._job_processes():
            fields = _stat_fields(pid)
            if fields:
                total += sum(int(field) for field in fields[11:15]) * TICK_NS
        return total

    def memory_bytes(self) -> int:
        """Resident memory; what processes share is counted once for each."""
        total = 0
        for pid in self._job_processes():
            try:
                with open(f"/proc/{pid}/statm", "rb") as file:
                    total += int(file.read().split()[1]) * PAGE_BYTES
            except (OSError, IndexError):
                continue
        return total

    def out_of_memory_kills(self) -> int:
        """Not known here."""
        return 0

    def process_count(self) -> int:
        """Threads included, as the kernel counts."""
        if self._limited_by_kernel:
            return 0
        return sum(int(fields[17]) for pid in self._job_processes() if (fields := _stat_fields(pid)))


def _stat_fields(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the state on (field 3 of the manual); none if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and only waits to be collected, or is gone altogether."""
    fields = _stat_fields(pid)
    # A first thread that has ended looks the same while others of its process still run, but for their number.
    return not fields or (fields[0] in (b"Z", b"X") and int(fields[17]) <= 1)


def parent_of(pid: int) -> int:
    """Return the parent's number, or 0."""
    fields = _stat_fields(pid)
    return int(fields[1]) if len(fields) > 1 else 0


def container_accounting() -> Accounting | None:
    """Return the meter of this container's cgroup, or None where it cannot be read."""
    for meter in (CgroupV1, CgroupV2):
        try:
            found = meter()
            found.cpu_ns(), found.memory_bytes(), found.out_of_memory_kills()
        except (OSError, ValueError):
            continue
        return found
    return None

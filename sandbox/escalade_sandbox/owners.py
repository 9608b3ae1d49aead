"""Who started a container, and whether that process still lives.

Guarantee: a process that lives never looks dead, whatever its number; one that may live in another namespace is left
alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal


def process_identity(pid: int | Literal["self"] = "self") -> str:
    """Return what tells this process from any other that ever has its number on this machine."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    started = stat.rpartition(")")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = os.readlink(f"/proc/{pid}/ns/pid")
    number = os.getpid() if pid == "self" else pid
    return f"{boot} {namespace} {number} {started}"


def is_orphan(owner: str) -> bool:
    """Whether the process that started a container is certainly gone."""
    try:
        boot, namespace, number, _ = owner.split(" ")
    except ValueError:
        return True
    mine = process_identity().split(" ")
    if boot != mine[0]:
        return True
    if namespace != mine[1]:
        # Its numbers mean nothing here. Its agent ends by itself when the process that it serves does.
        return False
    try:
        return process_identity(int(number)) != owner
    except (OSError, ValueError, IndexError):
        return True

"""Leaves nothing of a job behind: no process, no file, no mount of memory.

Guarantee: links are never followed; after `kill_all` and `Box.empty` return true nothing of the job is left,
and when they return false the container must be thrown away.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Mapping

from .accounting import is_zombie, parent_of
from .confine import Confinement

KILL_ROUNDS = 200


def processes_in_container(spared: Callable[[], set[int]]) -> Callable[[], list[int]]:
    """Return a function that lists every process of this container but the agent's own.

    In a container of its own, whatever is not the agent's belongs to the job, whoever it says it is.
    """

    def listing() -> list[int]:
        keep = spared()
        return [pid for name in os.listdir("/proc") if name.isdigit() and (pid := int(name)) not in keep]

    return listing


def descendants(spared: Callable[[], set[int]]) -> Callable[[], list[int]]:
    """Return a function that lists this process's descendants but the spared ones (whose children are listed)."""
    me = os.getpid()

    def listing() -> list[int]:
        found, frontier, keep = [], [me], spared()
        while frontier:
            for child in _children(frontier.pop()):
                frontier.append(child)
                if child not in keep:
                    found.append(child)
        return found

    return listing


def _children(pid: int) -> list[int]:
    """Return a process's children; a kernel without the list costs a look at every process."""
    children: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                children += map(int, file.read().split())
    except FileNotFoundError:
        if os.path.exists("/proc/self/task") and not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
            return [int(name) for name in os.listdir("/proc") if name.isdigit() and parent_of(int(name)) == pid]
    except OSError:
        # It ended while we looked; its children are the agent's now.
        return children
    return children


def _kill_as(uid: int) -> None:
    """Signal every process of the job's user at once, which no fork can outrun."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def kill_all(
    listing: Callable[[], list[int]], reap: Callable[[], object], *, uid: int | None, rounds: int = KILL_ROUNDS
) -> bool:
    """Kill whatever the listing names until it names nothing.

    Args:
        listing: Names the processes that must go.
        reap: Collects those of them that became the agent's children.
        uid: The jobs' user, if none of its processes is to be spared; all are then hit with one call.
        rounds: How often to try.

    Returns:
        False if something survived.
    """
    for round_number in range(rounds):
        alive = [pid for pid in listing() if not is_zombie(pid)]
        if not alive:
            return True
        if uid is not None and len(alive) > 1:
            _kill_as(uid)
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        # The kernel is tearing them down; killing again sooner would change nothing.
        time.sleep(0.0001 * min(2**round_number, 200))
        reap()
    return not any(not is_zombie(pid) for pid in listing())


class Box:
    """The one folder that jobs may write to."""

    def __init__(self, root: str, confinement: Confinement) -> None:
        self._root = root
        self._work = confinement.work
        self._uid = confinement.uid
        self._kept: dict[str, tuple[int, int, int]] = {}
        self._inputs: list[str] = []
        self._free_blocks = 0

    def prepare(self, files: Mapping[str, bytes | memoryview]) -> None:
        """Make an empty working folder that holds these files, which a job can read and not change."""
        self._kept, self._inputs = {}, []
        os.mkdir(self._work, 0o700)
        for name, data in files.items():
            self._write(name, data, 0o444)
            self._kept[name] = self._identity(name)
        if self._uid is not None:
            # Sticky, so that the job can add files but cannot remove or replace ours.
            os.chown(self._work, 0, self._uid)
            os.chmod(self._work, 0o1770)

    def add_inputs(self, files: Mapping[str, bytes | memoryview]) -> None:
        """Put one input's files beside the program; a job may change them."""
        for name, data in files.items():
            if name in self._kept:
                raise FileExistsError(f"the input file {name!r} has the name of a file of the program")
            self._write(name, data, 0o644)
            self._inputs.append(name)
            if self._uid is not None:
                os.chown(os.path.join(self._work, name), self._uid, self._uid)

    def _write(self, name: str, data: bytes | memoryview, mode: int) -> None:
        path = os.path.join(self._work, name)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with open(fd, "wb") as file:
            file.write(data)

    def _identity(self, name: str) -> tuple[int, int, int]:
        status = os.lstat(os.path.join(self._work, name))
        return status.st_ino, status.st_size, status.st_mtime_ns

    def collect(self, name: str, most_bytes: int) -> bytes | None:
        """Return a regular file of the working folder, or None if it is absent, something else or too long."""
        try:
            fd = os.open(os.path.join(self._work, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size > most_bytes:
                return None
            return file.read(most_bytes)

    def sweep(self) -> bool:
        """Remove what a run left in the working folder; true if the program's own files are untouched."""
        for entry in os.listdir(self._work):
            if entry not in self._kept:
                _remove(os.path.join(self._work, entry))
        self._inputs = []
        try:
            return all(self._identity(name) == identity for name, identity in self._kept.items())
        except OSError:
            return False

    def empty(self) -> bool:
        """Remove everything; true if nothing is left."""
        for entry in os.listdir(self._root):
            _remove(os.path.join(self._root, entry))
        return not os.listdir(self._root)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
        return
    except FileNotFoundError:
        return
    except OSError:
        if _remove_flat(path):
            return
    # `rm` descends any depth by descriptor and follows no link; the library's own function recurses.
    if os.geteuid() != 0:
        _make_writable(path)
    subprocess.run(
        ["/bin/rm", "-rf", "--one-file-system", "--", path], check=False, timeout=60, stderr=subprocess.DEVNULL
    )
    if os.path.lexists(path):
        shutil.rmtree(path, ignore_errors=True)


def _remove_flat(path: str) -> bool:
    """Remove a folder that holds nothing but files, as nearly all do, without the cost of starting `rm`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        for name in os.listdir(fd):
            os.unlink(name, dir_fd=fd)
        os.rmdir(path)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _make_writable(path: str) -> None:
    """Let an agent that is not root remove folders whose modes forbid it."""
    subprocess.run(["/bin/chmod", "-R", "u+rwX", "--", path], check=False, timeout=60, stderr=subprocess.DEVNULL)

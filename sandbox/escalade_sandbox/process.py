"""Jobs as plain processes of this machine, for development where there is no engine.

Guarantee: none worth the name. Limits are kept and output is captured exactly as in a container, but a program can
read and change whatever the user who started this can. It runs only for those who say that they know.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import escalade_sandbox
from escalade_sandbox.languages import Language
from escalade_sandbox.link import Link
from escalade_sandbox.local import LocalSandbox
from escalade_sandbox.pool import PoolSettings
from escalade_sandbox.types import SandboxUnavailable, Trust, UnknownLanguage
from escalade_sandbox.worker import Worker

logger = logging.getLogger(__name__)
END_S = 10.0


def _start_agent(connection: socket.socket) -> subprocess.Popen[bytes]:
    package_parent = str(Path(escalade_sandbox.__file__).resolve().parent.parent)
    configuration = {
        "transport": f"fd:{connection.fileno()}", "uid": None, "root": "", "agent_path": package_parent,
        "path": os.defpath + ":/usr/local/bin",
    }  # fmt: skip
    start = (
        f"import sys; sys.path.insert(0, {package_parent!r}); "
        "from escalade_sandbox.agent.agent import main; sys.exit(main(sys.argv[1]))"
    )
    return subprocess.Popen(
        [sys.executable, "-s", "-P", "-c", start, json.dumps(configuration)],
        pass_fds=[connection.fileno()], env={},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(END_S)


class ProcessLauncher:
    """Starts agents as children of this process."""

    def open(self) -> None:
        """Check that agents can run here.

        Raises:
            SandboxUnavailable: Not on this operating system.
        """
        if not sys.platform.startswith("linux"):
            raise SandboxUnavailable("the process sandbox needs Linux; use Docker, or a remote sandbox service")

    def launch(self, trust: Trust) -> Worker:
        """Start an agent.

        Raises:
            SandboxUnavailable: It did not start.
        """
        with contextlib.ExitStack() as undo:
            ours, theirs = map(undo.enter_context, socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM))
            try:
                child = _start_agent(theirs)
            except OSError as error:
                raise SandboxUnavailable(f"the sandbox's agent could not be started: {error}") from error
            undo.callback(_end, child)
            # Else the agent's end would never look closed from here.
            theirs.close()
            worker = Worker(Link(ours), trust, f"process {child.pid}", lambda: _end(child))
            undo.pop_all()
            return worker

    def check(self) -> str:
        """Say what runs here."""
        return "processes of this machine, without isolation"

    def close(self) -> None:
        """Nothing is left but the workers."""


class ProcessSandbox(LocalSandbox):
    """No isolation: for code that is trusted, or machines that are expendable."""

    backend = "process"

    def __init__(self, *, acknowledged: bool, slots: int | None = None, cache_folder: Path | None = None) -> None:
        """Configure it.

        Args:
            acknowledged: That whoever starts it knows that programs are not isolated.
            slots: Jobs at a time; one per core by default.
            cache_folder: Where compiled programs are kept for later processes.
        """
        settings = PoolSettings(slots=slots or os.cpu_count() or 1)
        super().__init__(ProcessLauncher(), settings, cache_folder=cache_folder)
        self._acknowledged = acknowledged
        self._toolchain = ""

    @property
    def toolchain(self) -> str:
        """The compiler's version."""
        return self._toolchain

    def installed(self, language: Language) -> None:
        """Check that what the language needs is there.

        Raises:
            UnknownLanguage: It is not.
        """
        for path in language.requires:
            if shutil.which(path) is None:
                raise UnknownLanguage(f"{language.name} needs {path}; install it, or use Docker")

    async def start(self) -> None:
        """Make ready to run, if that was acknowledged.

        Raises:
            SandboxUnavailable: It was not, or no agent can be started.
        """
        if not self._acknowledged:
            raise SandboxUnavailable(
                "the process sandbox does not isolate programs from this machine; use docker, or, if every program is "
                "trusted, ask for it by name (ESCALADE_SANDBOX=process, or acknowledged=True)"
            )
        logger.warning("the process sandbox is in use: programs are NOT isolated from this machine")
        self._toolchain = _compiler_version()
        await super().start()


def _compiler_version() -> str:
    try:
        shown = subprocess.run(["/usr/bin/g++", "--version"], capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "process"
    return "process " + shown.stdout.decode("utf-8", "replace").partition("\n")[0]

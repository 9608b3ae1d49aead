"""Jobs in warm containers of a Docker engine.

Guarantee: a container has no network, no writable file but a bounded tmpfs, no capability that its agent does not
need, and bounded memory and processes; none outlives this process for long, and those of another live process are
left alone.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Literal

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound
from docker.types import LogConfig, Mount

from escalade_sandbox.engine import attach, no_engine, open_client
from escalade_sandbox.image import EXTRA, LANGUAGES_LABEL, build_image, default_image, extra_image
from escalade_sandbox.languages import LANGUAGES, Language
from escalade_sandbox.link import Link
from escalade_sandbox.local import LocalSandbox
from escalade_sandbox.owners import is_orphan, process_identity
from escalade_sandbox.pool import PoolSettings
from escalade_sandbox.types import MEBIBYTE, SandboxUnavailable, Trust, UnknownLanguage
from escalade_sandbox.worker import Worker

logger = logging.getLogger(__name__)
Transport = Literal["auto", "socket", "stream"]
CAPABILITIES = ["SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE"]
LABEL = "escalade.sandbox"
OWNER_LABEL = "escalade.sandbox.owner"
POOL_LABEL = "escalade.sandbox.pool"
BOX_BYTES = 256 * MEBIBYTE
BOX_INODES = 16_384
PROCESSES = 512
CONTAINER_MEMORY_BYTES = 2048 * MEBIBYTE
LOWEST_UID, UIDS = 20_000, 40_000
ENGINE_TIMEOUT_S = 30
CONNECT_S = 30.0
_START = (
    "import sys; sys.path.insert(0, '/opt/escalade'); from escalade_sandbox.agent.agent import main; "
    "sys.exit(main(sys.argv[1]))"
)


class DockerLauncher:
    """Starts containers."""

    def __init__(self, *, image: str | None, runtime: str | None, transport: Transport, memory_bytes: int) -> None:
        self._extra = image == EXTRA
        self._image = extra_image() if self._extra else image or default_image()
        self._may_build = image is None or self._extra
        self._runtime = runtime
        self._transport = transport
        self._memory_bytes = memory_bytes
        self._client: docker.DockerClient | None = None
        self._shared: Path | None = None
        self._owner = process_identity()
        self.pool_id = secrets.token_hex(6)
        """Labels this launcher's containers."""
        self._probe_lock = threading.Lock()
        self._uid_lock = threading.Lock()
        self._next_uid = LOWEST_UID + secrets.randbelow(UIDS)
        self._names: set[str] = set()
        """Of the containers that are wanted, each from before it is made until its removal was asked for."""
        self._unsure = False
        """Whether the engine may hold one more than these, since it failed when asked to make or remove one."""
        self.image_id = ""
        self.languages: frozenset[str] = frozenset()
        """What the image has; known once open."""

    @property
    def image(self) -> str:
        """The image's name."""
        return self._image

    @property
    def shared_folder(self) -> Path | None:
        """Where the sockets of new containers are, while open."""
        return self._shared

    @property
    def client(self) -> docker.DockerClient:
        """The engine.

        Raises:
            SandboxUnavailable: Not opened.
        """
        if self._client is None:
            raise SandboxUnavailable("the sandbox is not started")
        return self._client

    def open(self) -> None:
        """Find the engine and the image, building that if need be, and remove orphans.

        Raises:
            SandboxUnavailable: One of them is missing; the message says what to do.
        """
        try:
            client = open_client(timeout_s=ENGINE_TIMEOUT_S, connections=64)
        except (DockerException, requests.RequestException) as error:
            raise SandboxUnavailable(no_engine(error)) from error
        try:
            client.ping()
            self.image_id = self._find_image(client)
        except (DockerException, requests.RequestException) as error:
            client.close()
            raise SandboxUnavailable(no_engine(error)) from error
        except SandboxUnavailable:
            client.close()
            raise
        self._client = client
        self._shared = Path(tempfile.mkdtemp(prefix="escalade-"))
        self.remove_orphans()

    def _find_image(self, client: docker.DockerClient) -> str:
        """Check the runtime, and return the image's content identifier."""
        if self._runtime is not None and self._runtime not in client.info().get("Runtimes", {}):
            raise SandboxUnavailable(f"the Docker engine has no runtime {self._runtime!r}; see `docker info`")
        try:
            image = client.images.get(self._image)
        except ImageNotFound:
            if not self._may_build:
                raise SandboxUnavailable(
                    f"there is no image {self._image!r}; pull it, or build one with `escalade sandbox build`"
                ) from None
            build_image(client, tag=self._image, extra=self._extra)
            image = client.images.get(self._image)
        # An image that says nothing has what every image has.
        basic = " ".join(name for name, language in LANGUAGES.items() if not language.extra)
        self.languages = frozenset((image.labels or {}).get(LANGUAGES_LABEL, basic).split())
        return str(image.id)

    def remove_orphans(self) -> int:
        """Remove the containers of processes that are gone; return how many."""
        removed = 0
        try:
            found = self.client.api.containers(all=True, filters={"label": LABEL})
        except (DockerException, requests.RequestException) as error:
            raise SandboxUnavailable(f"the Docker engine does not answer: {error}") from error
        for container in found:
            if is_orphan(container["Labels"].get(OWNER_LABEL, "")):
                self._remove(container["Id"])
                removed += 1
        if removed:
            logger.info("removed %d containers that an earlier process had left", removed)
        return removed

    def launch(self, trust: Trust) -> Worker:
        """Start a container and wait for its agent.

        Raises:
            SandboxUnavailable: It did not come up.
        """
        if self._transport == "auto":
            with self._probe_lock:
                if self._transport == "auto":
                    return self._probe(trust)
        return self._launch(trust, self._transport)

    def _probe(self, trust: Trust) -> Worker:
        """Find out, with the first container, whether a socket can be shared with it."""
        try:
            worker = self._launch(trust, "socket")
        except SandboxUnavailable as error:
            logger.info("a socket cannot be shared with containers (%s); using the attach stream", str(error))
            worker = self._launch(trust, "stream")
            self._transport = "stream"
        else:
            self._transport = "socket"
        return worker

    def _launch(self, trust: Trust, transport: Transport) -> Worker:
        try:
            with contextlib.ExitStack() as undo:
                worker = self._start(trust, transport, undo)
                undo.pop_all()
        except (DockerException, requests.RequestException, OSError) as error:
            self._unsure = True
            raise SandboxUnavailable(f"a container could not be started: {error}") from error
        self._remove_unwanted()
        return worker

    def _remove_unwanted(self) -> None:
        """Remove what an engine that was down when it was asked may have kept; no job can be in such a container."""
        if not self._unsure:
            return
        self._unsure = False
        try:
            found = self.client.api.containers(all=True, filters={"label": f"{POOL_LABEL}={self.pool_id}"})
        except (DockerException, requests.RequestException, SandboxUnavailable) as error:
            logger.debug("containers could not be listed: %s", str(error))
            self._unsure = True
            return
        for container in found:
            if not self._names.intersection(name.removeprefix("/") for name in container["Names"]):
                self._remove(container["Id"])

    def _start(self, trust: Trust, transport: Transport, undo: contextlib.ExitStack) -> Worker:
        """Start a container; `undo` holds what has to go if that fails, at whatever point."""
        folder: Path | None = None
        name = f"escalade-{trust.value}-{secrets.token_hex(4)}"
        self._names.add(name)
        undo.callback(self._names.discard, name)
        if transport == "socket":
            folder = self._socket_folder()
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(str(folder / "agent"))
                listener.listen(1)
                identifier = self._create(name, trust, folder)
                undo.callback(self._remove, identifier)
                self.client.api.start(identifier)
                connection = undo.enter_context(self._accept(listener, identifier))
        else:
            identifier = self._create(name, trust, None)
            undo.callback(self._remove, identifier)
            connection = undo.enter_context(attach(self.client, identifier))
            self.client.api.start(identifier)
        link = Link(connection, attached=folder is None)
        worker = Worker(link, trust, f"container {identifier[:12]}", lambda: self._discard(name, identifier, folder))
        worker.container = identifier
        return worker

    def _socket_folder(self) -> Path:
        assert self._shared is not None
        folder = self._shared / secrets.token_hex(6)
        folder.mkdir(mode=0o700)
        return folder

    def _accept(self, listener: socket.socket, identifier: str) -> socket.socket:
        deadline_s = time.monotonic() + CONNECT_S
        listener.settimeout(0.5)
        while True:
            try:
                return listener.accept()[0]
            except TimeoutError:
                if time.monotonic() > deadline_s:
                    raise SandboxUnavailable(f"the agent did not connect within {CONNECT_S:.0f} s") from None
                try:
                    state = self.client.api.inspect_container(identifier)["State"]
                except APIError:
                    state = {"Running": False}
                if not state["Running"]:
                    raise SandboxUnavailable("the agent ended before it connected") from None

    def _create(self, name: str, trust: Trust, folder: Path | None) -> str:
        with self._uid_lock:
            uid = self._next_uid = LOWEST_UID + (self._next_uid + 1 - LOWEST_UID) % UIDS
        configuration = {
            "transport": "stdio" if folder is None else "unix:/agent/agent", "uid": uid, "root": "/box",
            "agent_path": "/opt/escalade", "path": "/usr/local/bin:/usr/bin:/bin", "launcher": "/opt/escalade/launcher",
        }  # fmt: skip
        api = self.client.api
        host = api.create_host_config(
            auto_remove=True,
            # A mount, since a bind makes the folder where the engine cannot see ours, and leaves it there.
            mounts=[] if folder is None else [Mount("/agent", str(folder), type="bind", read_only=True)],
            cap_drop=["ALL"],
            cap_add=CAPABILITIES,
            ipc_mode="none",
            log_config=LogConfig(type="none"),
            mem_limit=self._memory_bytes,
            memswap_limit=self._memory_bytes,
            network_mode="none",
            pids_limit=PROCESSES,
            read_only=True,
            runtime=self._runtime,
            security_opt=["no-new-privileges:true"],
            sysctls={
                "kernel.shmmni": "0", "kernel.msgmni": "0", "kernel.sem": "0 0 0 0", "fs.mqueue.queues_max": "0",
            },
            tmpfs={"/box": f"rw,nosuid,nodev,noexec,size={BOX_BYTES},nr_inodes={BOX_INODES},mode=755"},
        )  # fmt: skip
        created = api.create_container(
            self._image,
            ["/usr/bin/python3", "-I", "-c", _START, json.dumps(configuration)],
            host_config=host,
            hostname="sandbox",
            labels={LABEL: trust.value, OWNER_LABEL: self._owner, POOL_LABEL: self.pool_id},
            name=name,
            network_disabled=True,
            stdin_open=folder is None,
            user="0:0",
            working_dir="/",
        )
        return str(created["Id"])

    def _remove(self, identifier: str) -> None:
        try:
            self.client.api.remove_container(identifier, force=True, v=True)
        except (APIError, requests.RequestException, SandboxUnavailable) as error:
            # Gone already, or being removed; or the engine is down, and may have it when it is back.
            self._unsure |= not isinstance(error, APIError) or error.status_code not in (404, 409)
            logger.debug("container %s was not removed: %s", identifier[:12], str(error))

    def _discard(self, name: str, identifier: str, folder: Path | None) -> None:
        self._names.discard(name)
        self._remove(identifier)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def check(self) -> str:
        """Ask the engine.

        Raises:
            SandboxUnavailable: It does not answer.
        """
        try:
            version = self.client.version()["Version"]
        except (DockerException, requests.RequestException, KeyError) as error:
            raise SandboxUnavailable(f"the Docker engine does not answer: {error}") from error
        runtime = self._runtime or "the default runtime"
        return f"Docker {version} with {runtime}, {self._image}"

    def close(self) -> None:
        """Close the connections and remove the folder of sockets."""
        if self._client is not None:
            self._remove_unwanted()
            self._client.close()
            self._client = None
        if self._shared is not None:
            shutil.rmtree(self._shared, ignore_errors=True)
            self._shared = None


class DockerSandbox(LocalSandbox):
    """Programs in warm containers."""

    backend = "docker"

    def __init__(
        self,
        image: str | None = None,
        slots: int | None = None,
        runtime: str | None = None,
        *,
        transport: Transport = "auto",
        memory_bytes: int = CONTAINER_MEMORY_BYTES,
        settings: PoolSettings | None = None,
        cache_folder: Path | None = None,
    ) -> None:
        """Configure it.

        Args:
            image: The toolchain image; by default the one that belongs to this version, built when absent, as is
                `extra`, which has more languages.
            slots: Jobs at a time; one per core by default.
            runtime: The engine's runtime, such as `runsc` (gVisor).
            transport: How to reach the agents; found out by default.
            memory_bytes: Of a container; no job gets more, whatever its limits say.
            settings: Of the pool; overrides `slots`.
            cache_folder: Where compiled programs are kept for later processes.
        """
        self._docker = DockerLauncher(image=image, runtime=runtime, transport=transport, memory_bytes=memory_bytes)
        chosen = settings or PoolSettings(slots=slots or os.cpu_count() or 1)
        super().__init__(self._docker, chosen, cache_folder=cache_folder)

    @property
    def toolchain(self) -> str:
        """The image's content identifier."""
        return self._docker.image_id

    def installed(self, language: Language) -> None:
        """Check that the image has the language.

        Raises:
            UnknownLanguage: It has not.
        """
        there = self._docker.languages
        if there and language.name not in there:
            raise UnknownLanguage(
                f"no language {language.name!r} in {self._docker.image}, which has {', '.join(sorted(there))}; "
                "set ESCALADE_SANDBOX_IMAGE=extra for the image with all"
            )

    @property
    def launcher(self) -> DockerLauncher:
        """The engine's side."""
        return self._docker

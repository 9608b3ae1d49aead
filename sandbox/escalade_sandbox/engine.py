"""The client of the Docker engine.

Guarantee: it is the Docker library's, but a connection that the engine refuses leaves no open socket behind; the
library leaves that to the garbage collector, and a service that waits for its engine would collect descriptors.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

import docker
import requests
from docker import constants
from docker.errors import DockerException
from docker.transport import unixconn

_SCHEME = "http+docker://"


class _Connection(unixconn.UnixHTTPConnection):
    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.timeout)
            connection.connect(self.unix_socket)
        except OSError:
            connection.close()
            raise
        self.sock = connection


class _Pool(unixconn.UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:
        return _Connection(self.base_url, self.socket_path, self.timeout)  # type: ignore[arg-type]


class _Adapter(unixconn.UnixHTTPAdapter):
    def get_connection(self, url: str | bytes, proxies: Mapping[str, str] | None = None) -> Any:
        with self.pools.lock:
            pool = self.pools.get(url)
            if pool is None:
                pool = self.pools[url] = _Pool(str(url), self.socket_path, self.timeout, maxsize=self.max_pool_size)
            return pool


def open_client(*, timeout_s: int, connections: int = 10) -> docker.DockerClient:
    """A client of the engine that the environment names (`DOCKER_HOST`), or of this machine's.

    Args:
        timeout_s: How long the engine may take over one answer.
        connections: How many are kept open at most.

    Raises:
        docker.errors.DockerException: What the environment says cannot be used, or the engine cannot be reached.
    """
    # A version must be named, or the library asks for it through a connection of its own.
    unversioned = _client(constants.DEFAULT_DOCKER_API_VERSION, timeout_s, connections)
    try:
        version = unversioned.api.version(api_version=False)["ApiVersion"]
    except requests.RequestException as error:
        raise DockerException(f"the engine does not answer: {error}") from error
    finally:
        unversioned.close()
    return _client(version, timeout_s, connections)


def _client(version: str, timeout_s: int, connections: int) -> docker.DockerClient:
    client = docker.from_env(version=version, timeout=timeout_s, max_pool_size=connections)
    local = client.api.adapters.get(_SCHEME)
    if isinstance(local, unixconn.UnixHTTPAdapter):
        client.api.mount(_SCHEME, _Adapter(local.socket_path, timeout_s, max_pool_size=connections))
        local.close()
    return client


def no_engine(error: Exception) -> str:
    """What to say where none answers."""
    return f"no Docker engine answers ({error}); start it, or set DOCKER_HOST, or use another sandbox backend"


def attach(client: docker.DockerClient, identifier: str) -> socket.socket:
    """A stream to a container's standard input, and from its standard output.

    Raises:
        docker.errors.DockerException: The engine refuses.
        requests.RequestException: The engine does not answer.
    """
    attached: Any = client.api.attach_socket(identifier, params={"stdin": 1, "stdout": 1, "stream": 1})
    try:
        # The wrapper closes its descriptor when the response is closed, so the caller gets one of its own.
        return socket.socket(fileno=os.dup(attached.fileno()))
    finally:
        underlying = attached._sock
        attached._response.close()
        underlying.close()

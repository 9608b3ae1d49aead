"""The pool's end of the stream to one agent.

Guarantee: an exchange ends with the frame that its caller waits for, or with `SandboxUnavailable` once the agent has
been silent for longer than it may; sending and receiving go on at once, so that full buffers cannot lock both ends.
"""

from __future__ import annotations

import array
import contextlib
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator

from escalade_sandbox.agent import wire
from escalade_sandbox.types import SandboxUnavailable

PIECE_BYTES = 1 << 18
COALESCED_BYTES = 1 << 15
_STREAM_HEADER_BYTES = 8
_STDOUT = 1


class Link:
    """A stream of frames, used by one thread at a time."""

    def __init__(self, connection: socket.socket, *, attached: bool = False) -> None:
        """Take over a socket.

        Args:
            connection: Connected to the agent, or to the engine's attach stream.
            attached: Whether it is the latter, which wraps output in frames of its own and carries no descriptors.
        """
        connection.setblocking(False)
        self._socket = connection
        self._attached = attached
        self._raw = bytearray()
        self._received = bytearray()
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    @property
    def carries_descriptors(self) -> bool:
        """Whether descriptors can be sent."""
        return not self._attached

    def is_open(self) -> bool:
        """Whether the agent was still there a moment ago."""
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Let go; the agent ends when it notices. Safe to call from another thread than the one that uses it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def dispose(self) -> None:
        """Release the descriptor, once no thread uses it."""
        self._socket.close()

    def exchange(
        self,
        frames: Iterable[list[wire.Data]],
        handle: Callable[[wire.Message, memoryview], bool],
        *,
        silence_s: float,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        """Send frames, the descriptors with the first, and pass on what comes until `handle` returns true.

        Raises:
            SandboxUnavailable: The agent is gone, sends nonsense, or is silent for `silence_s`.
        """
        outgoing = _coalesced(frames)
        current = next(outgoing, None)
        deadline_s = time.monotonic() + silence_s
        try:
            while True:
                self._poll.modify(self._socket, select.POLLIN | (select.POLLOUT if current is not None else 0))
                wait_s = deadline_s - time.monotonic()
                if wait_s <= 0:
                    raise SandboxUnavailable(f"the sandbox's agent was silent for {silence_s:.0f} s")
                ready = self._poll.poll(wait_s * 1000)
                events = ready[0][1] if ready else 0
                if events & select.POLLOUT and current is not None:
                    sent = self._send(current, descriptors)
                    descriptors = ()
                    current = current[sent:] if sent < len(current) else next(outgoing, None)
                if events & (select.POLLIN | select.POLLHUP | select.POLLERR) and self._receive():
                    while (frame := self._take_frame()) is not None:
                        deadline_s = time.monotonic() + silence_s
                        if handle(*frame):
                            return
        except (OSError, wire.Malformed) as error:
            raise SandboxUnavailable(f"the connection to the sandbox's agent broke: {error}") from error

    def _send(self, data: memoryview, descriptors: tuple[int, ...]) -> int:
        rights = array.array("i", descriptors)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else []
        try:
            return self._socket.sendmsg([data[:PIECE_BYTES]], ancillary)
        except BlockingIOError:
            return 0

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(PIECE_BYTES)
        except BlockingIOError:
            return False
        if not data:
            raise SandboxUnavailable("the sandbox's container ended")
        if not self._attached:
            self._received += data
            return True
        self._raw += data
        while len(self._raw) >= _STREAM_HEADER_BYTES:
            size = int.from_bytes(self._raw[4:_STREAM_HEADER_BYTES], "big")
            if len(self._raw) < _STREAM_HEADER_BYTES + size:
                break
            if self._raw[0] == _STDOUT:
                self._received += self._raw[_STREAM_HEADER_BYTES : _STREAM_HEADER_BYTES + size]
            del self._raw[: _STREAM_HEADER_BYTES + size]
        return True

    def _take_frame(self) -> tuple[wire.Message, memoryview] | None:
        start = wire.HEADER.size
        if len(self._received) < start:
            return None
        json_bytes, blob_bytes = wire.parse_header(self._received[:start])
        end = start + json_bytes + blob_bytes
        if len(self._received) < end:
            return None
        frame = self._cut(end)
        message = wire.parse_json(frame[start : start + json_bytes])
        if message.get("op") == "fault":
            raise SandboxUnavailable(f"the sandbox's agent failed: {message.get('message')}")
        return message, memoryview(frame)[start + json_bytes :]

    def _cut(self, end: int) -> bytearray:
        """Take so many bytes from what was received; a long frame, which may be a whole program, is not copied."""
        frame = self._received
        if len(frame) - end > end:
            frame = self._received[:end]
            del self._received[:end]
        else:
            self._received = frame[end:]
            del frame[end:]
        return frame


def _coalesced(frames: Iterable[list[wire.Data]]) -> Iterator[memoryview]:
    """Join small pieces, so that a job of the usual size wakes the agent once."""
    waiting = bytearray()
    for frame in frames:
        for piece in frame:
            if len(piece) >= COALESCED_BYTES:
                if waiting:
                    yield memoryview(bytes(waiting))
                    waiting.clear()
                yield memoryview(piece).cast("B")
                continue
            waiting += piece
            if len(waiting) >= COALESCED_BYTES:
                yield memoryview(bytes(waiting))
                waiting.clear()
    if waiting:
        yield memoryview(bytes(waiting))

"""Frames between a pool and its agents: a JSON object, bytes, and descriptors, over one byte stream.

Guarantee: a frame arrives whole or `Closed` is raised; sizes are bounded before anything is read, so that neither end
can make the other allocate without limit. Layout: two 4-byte big-endian lengths, the JSON header, the bytes.
Descriptors (over a Unix socket only) travel with the frame's first byte.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any, Protocol

HEADER = struct.Struct(">II")
MAX_JSON_BYTES = 16 << 20
MAX_BLOB_BYTES = 1 << 30
MAX_DESCRIPTORS = 8
BUFFER_BYTES = 1 << 16

Message = dict[str, Any]
Data = bytes | bytearray | memoryview


class Closed(Exception):
    """The other end is gone."""


class Malformed(Exception):
    """The other end sent what is no frame."""


def encode(message: Message, parts: Sequence[Data] = ()) -> list[Data]:
    """Return the frame's pieces, to be written one after the other.

    Raises:
        Malformed: The frame would be longer than the other end accepts.
    """
    text = json.dumps(message, separators=(",", ":")).encode()
    size_bytes = sum(len(part) for part in parts)
    if len(text) > MAX_JSON_BYTES or size_bytes > MAX_BLOB_BYTES:
        raise Malformed(f"a frame of {len(text)} + {size_bytes} bytes is too long")
    return [HEADER.pack(len(text), size_bytes) + text, *(part for part in parts if len(part))]


class Stream(Protocol):
    """What a frame is read from and written to."""

    def receive(self, size_bytes: int) -> bytes:
        """Return between one byte and `size_bytes`; empty at the end of the stream."""
        ...

    def send(self, data: Data) -> None:
        """Write all of it."""
        ...

    def take_descriptors(self) -> list[int]:
        """Return the descriptors that came since the last call."""
        ...


class SocketStream:
    """A Unix socket, which carries descriptors too."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._descriptors: list[int] = []
        self._buffer = bytearray()

    def receive(self, size_bytes: int) -> bytes:
        """Return what is there already, or read once."""
        if self._buffer:
            data = bytes(self._buffer[:size_bytes])
            del self._buffer[:size_bytes]
            return data
        data = self._read(max(size_bytes, BUFFER_BYTES))
        if len(data) > size_bytes:
            self._buffer += data[size_bytes:]
        return data[:size_bytes]

    def _read(self, size_bytes: int) -> bytes:
        room = socket.CMSG_SPACE(MAX_DESCRIPTORS * 4)
        data, ancillary, _, _ = self._socket.recvmsg(size_bytes, room, socket.MSG_CMSG_CLOEXEC)
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(payload[: len(payload) - len(payload) % numbers.itemsize])
                self._descriptors.extend(numbers)
        return data

    def send(self, data: Data) -> None:
        """Write all of it."""
        self._socket.sendall(data)

    def take_descriptors(self) -> list[int]:
        """Return the descriptors that came since the last call."""
        taken, self._descriptors = self._descriptors, []
        return taken


class PipeStream:
    """Two descriptors, such as standard input and output."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd

    def receive(self, size_bytes: int) -> bytes:
        """Read once."""
        return os.read(self._read_fd, size_bytes)

    def send(self, data: Data) -> None:
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._write_fd, rest) :]

    def take_descriptors(self) -> list[int]:
        """Pipes carry none."""
        return []


def _read_exactly(stream: Stream, size_bytes: int) -> bytearray:
    data = bytearray()
    while len(data) < size_bytes:
        piece = stream.receive(min(size_bytes - len(data), 1 << 20))
        if not piece:
            raise Closed("the stream ended inside a frame" if data else "the stream ended")
        data += piece
    return data


def parse_header(raw: bytes | bytearray) -> tuple[int, int]:
    """Return the lengths that a frame's first eight bytes announce.

    Raises:
        Malformed: They are longer than any frame.
    """
    json_bytes, blob_bytes = HEADER.unpack(raw)
    if json_bytes > MAX_JSON_BYTES or blob_bytes > MAX_BLOB_BYTES:
        raise Malformed(f"a frame announces {json_bytes} + {blob_bytes} bytes")
    return json_bytes, blob_bytes


def parse_json(text: bytes | bytearray | memoryview) -> Message:
    """Return the frame's header.

    Raises:
        Malformed: It is not a JSON object.
    """
    try:
        message = json.loads(bytes(text))
    except (ValueError, RecursionError) as error:
        raise Malformed("a frame's header is not JSON") from error
    if not isinstance(message, dict):
        raise Malformed("a frame's header is not a JSON object")
    return message


def read_frame(stream: Stream) -> tuple[Message, memoryview]:
    """Wait for one frame.

    Raises:
        Closed: The other end is gone.
        Malformed: The bytes are no frame.
    """
    json_bytes, blob_bytes = parse_header(_read_exactly(stream, HEADER.size))
    message = parse_json(_read_exactly(stream, json_bytes))
    return message, memoryview(_read_exactly(stream, blob_bytes))


def write_frame(stream: Stream, message: Message, parts: Sequence[Data] = ()) -> None:
    """Write one frame."""
    write_pieces(stream, encode(message, parts))


def write_pieces(stream: Stream, pieces: Sequence[Data]) -> None:
    """Write frames that are encoded, in as few calls as their size allows."""
    if sum(len(piece) for piece in pieces) <= 1 << 16:
        stream.send(b"".join(pieces))
        return
    for piece in pieces:
        stream.send(piece)


def split(blob: memoryview, sizes: Sequence[int]) -> list[memoryview]:
    """Cut a frame's bytes into parts of the given sizes.

    Raises:
        Malformed: The sizes do not add up.
    """
    if sum(sizes) != len(blob) or any(size < 0 for size in sizes):
        raise Malformed("the parts of a frame do not add up")
    parts, start = [], 0
    for size in sizes:
        parts.append(blob[start : start + size])
        start += size
    return parts

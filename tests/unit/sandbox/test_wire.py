"""Frames: whole, in order, and bounded."""

import os
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade_sandbox.agent import wire
from escalade_sandbox.link import Link
from escalade_sandbox.types import SandboxUnavailable

MESSAGES = st.dictionaries(st.text(max_size=5).filter(lambda name: name != "op"), st.integers(), max_size=3)


class Trickle:
    """A stream that gives a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data, self.step = data, step

    def receive(self, size_bytes: int) -> bytes:
        piece, self.data = self.data[: min(self.step, size_bytes)], self.data[min(self.step, size_bytes) :]
        return piece

    def send(self, data: wire.Data) -> None:
        self.data += bytes(data)

    def take_descriptors(self) -> list[int]:
        return []


@given(st.lists(st.tuples(MESSAGES, st.lists(st.binary(max_size=40), max_size=3)), max_size=4), st.integers(1, 7))
def test_frames_come_out_as_they_went_in_however_the_stream_cuts_them(frames, step):
    stream = Trickle(b"", step)
    for message, parts in frames:
        wire.write_frame(stream, message, parts)
    for message, parts in frames:
        received, blob = wire.read_frame(stream)
        assert received == message
        assert [bytes(part) for part in wire.split(blob, [len(part) for part in parts])] == parts
    with pytest.raises(wire.Closed):
        wire.read_frame(stream)


@pytest.mark.parametrize(
    "data",
    [
        wire.HEADER.pack(wire.MAX_JSON_BYTES + 1, 0),
        wire.HEADER.pack(2, wire.MAX_BLOB_BYTES + 1) + b"{}",
        wire.HEADER.pack(2, 0) + b"[]",
        wire.HEADER.pack(2, 0) + b"{x",
    ],
    ids=["long header", "long blob", "no object", "no json"],
)
def test_nonsense_is_refused_before_it_is_believed(data):
    with pytest.raises(wire.Malformed):
        wire.read_frame(Trickle(data, 1 << 20))


@pytest.mark.parametrize("sizes", [[1, 1], [5], [4, -1]])
def test_parts_must_add_up(sizes):
    with pytest.raises(wire.Malformed):
        wire.split(memoryview(b"abc"), sizes)


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    link = Link(ours)
    yield link, theirs
    link.dispose()
    theirs.close()


def echo(theirs: socket.socket, count: int) -> None:
    stream = wire.SocketStream(theirs)
    for _ in range(count):
        message, blob = wire.read_frame(stream)
        descriptors = stream.take_descriptors()
        names = [os.read(fd, 100).decode() for fd in descriptors]
        for fd in descriptors:
            os.close(fd)
        wire.write_frame(stream, message | {"names": names}, [blob])


def test_large_frames_in_both_directions_at_once_do_not_lock(ends):
    link, theirs = ends
    thread = threading.Thread(target=echo, args=(theirs, 3))
    thread.start()
    received: list[int] = []

    def handle(message: wire.Message, blob: memoryview) -> bool:
        received.append(len(blob))
        return len(received) == 3

    frames = (wire.encode({"n": n}, [bytes(4 << 20)]) for n in range(3))
    link.exchange(frames, handle, silence_s=30)
    thread.join(30)
    assert received == [4 << 20] * 3


def test_a_descriptor_travels_with_its_frame(ends):
    link, theirs = ends
    thread = threading.Thread(target=echo, args=(theirs, 1))
    thread.start()
    read, write = os.pipe()
    os.write(write, b"through the descriptor")
    seen: list[wire.Message] = []
    link.exchange([wire.encode({})], lambda message, _: not seen.append(message), silence_s=30, descriptors=(read,))
    thread.join(30)
    os.close(read)
    os.close(write)
    assert seen[0]["names"] == ["through the descriptor"]


def test_silence_and_hanging_up_are_faults_of_the_sandbox(ends):
    link, theirs = ends
    with pytest.raises(SandboxUnavailable, match="silent"):
        link.exchange([], lambda *_: True, silence_s=0.01)
    theirs.shutdown(socket.SHUT_RDWR)
    with pytest.raises(SandboxUnavailable, match="ended"):
        link.exchange([], lambda *_: True, silence_s=30)

"""Stands in for `[jit.net.recv]` in Max: listens, reads matrices as others have described them, answers.

Written without a look at the sink: it reads numbers one by one with `int.from_bytes`.
"""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Matrix:
    """What Max would put out: `cell(x, y)` is alpha, red, green, blue."""

    width: int
    height: int
    time_ms: float
    data: bytes

    def cell(self, x: int, y: int) -> tuple[int, ...]:
        at = y * 4 * self.width + x * 4
        return tuple(self.data[at : at + 4])


class Ended(Exception):
    """The connection was closed between two matrices."""


def read(stream: socket.socket, count: int, first: bool = False) -> bytes:
    found = bytearray()
    while len(found) < count:
        part = stream.recv(min(count - len(found), 65536))
        if not part:
            if first and not found:
                raise Ended
            raise AssertionError(f"torn off after {len(found)} of {count} bytes")
        found += part
    return bytes(found)


def matrix(stream: socket.socket) -> Matrix:
    """The next matrix; an assertion fails if a byte of its head is not as it must be."""
    assert read(stream, 4, first=True) == b"JMTX"
    assert int.from_bytes(read(stream, 4), "little") == 288
    head = read(stream, 288)
    numbers = [int.from_bytes(head[at : at + 4], "big", signed=True) for at in range(4, 280, 4)]
    size, planes, kind, count = numbers[:4]
    dims, strides, length = numbers[4:36], numbers[36:68], numbers[68]
    assert head[:4] == b"XTMJ"
    assert (size, planes, kind, count) == (288, 4, 0, 2)
    width, height = dims[:2]
    assert dims[2:] == [1] * 30
    assert strides == [4, 4 * width, *[0] * 30]
    assert length == 4 * width * height
    (time_ms,) = struct.unpack(">d", head[280:])
    return Matrix(width, height, time_ms, read(stream, length))


class Max:
    """A Max that runs `[jit.net.recv @port …]`, on a thread of its own.

    Args:
        port: 0 for any.
        answers: True to answer each matrix, as Max does.
    """

    def __init__(self, port: int = 0, answers: bool = True) -> None:
        self.got: list[Matrix] = []
        self.wrong: list[BaseException] = []
        self.connections = 0
        self.go = threading.Event()
        self.go.set()
        self._answers = answers
        self._ear = socket.create_server(("127.0.0.1", port))
        self._ear.settimeout(0.05)
        self.port: int = self._ear.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                stream, _ = self._ear.accept()
            except TimeoutError:
                continue
            self.connections += 1
            with stream:
                stream.settimeout(0.05)
                self._hear(stream)

    def _hear(self, stream: socket.socket) -> None:
        while not self._over.is_set():
            if not self.go.wait(0.05) or self._over.is_set():
                continue
            try:
                if not stream.recv(1, socket.MSG_PEEK):
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
            stream.settimeout(10)
            try:
                self.got.append(matrix(stream))
                if self._answers:
                    stream.sendall(b"JMLP" + struct.pack(">3d", 1.0, 2.0, 3.0))
            except (AssertionError, OSError) as error:
                self.wrong.append(error)
                return
            stream.settimeout(0.05)

    def quit(self) -> None:
        """Max is closed, and takes its connections with it."""
        self._over.set()
        self.go.set()
        self._thread.join(15)
        self._ear.close()

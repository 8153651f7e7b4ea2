"""The door for datagrams: a thread that puts them into a bounded queue, and does nothing else.

Decoding happens once per frame, in the loop, which takes what has come with `drain`.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from oscbend.errors import OscbendError
from oscbend.server.replies import encode_reply

DATAGRAM_MAX = 65507
RECEIVE_BUFFER = 4 * 2**20
QUEUE_BYTES = 64 * 2**20


class Datagram(NamedTuple):
    """What came in, from whom, and when (seconds of `time.monotonic`)."""

    data: bytes
    sender: tuple[str, int]
    time_s: float


class UdpDoor:
    """Receives OSC datagrams, and sends replies from the same port.

    Args:
        host: the interface's address; `127.0.0.1` is this machine only.
        port: 0 takes any free one; see `port`.
        capacity: how many datagrams wait at most (and 64 MB of them); then the oldest are dropped.

    Raises:
        OscbendError: the port is in use or cannot be opened.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 57130, capacity: int = 16384) -> None:
        self.capacity = capacity
        self.received = 0
        self.dropped = 0
        self.unsent = 0
        self._waiting: deque[Datagram] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._socket = _open(host, port)
        self.host, self.port = self._socket.getsockname()[:2]
        self._wake, self._woken = socket.socketpair()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._receive, name=f"osc-udp-{self.port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> UdpDoor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def drain(self) -> list[Datagram]:
        """All that has come since the last call, oldest first."""
        with self._lock:
            came, self._waiting, self._bytes = self._waiting, deque(), 0
        return list(came)

    def reply(self, address: str, args: Iterable[Any], to: tuple[str, int]) -> bool:
        """Sends one reply without waiting; False (and counted in `unsent`) if it could not go out.

        Args:
            to: numeric address and port (a name would have to be looked up, which waits).
        """
        try:
            self._socket.sendto(encode_reply(address, args), to)
        except (OSError, OverflowError):
            self.unsent += 1
            return False
        return True

    def close(self) -> None:
        """Closes the port and ends the thread; what waits can still be drained."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._wake.send(b"\0")
        self._thread.join()
        for end in (self._socket, self._wake, self._woken):
            end.close()

    def _receive(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._closed.is_set():
                selector.select()
                self._take_all()

    def _take_all(self) -> None:
        while not self._closed.is_set():
            try:
                data, sender = self._socket.recvfrom(DATAGRAM_MAX)
            except BlockingIOError:
                return
            except OSError:  # Windows tells here that an earlier reply found nobody
                self._closed.wait(0.001)
                return
            self._put(Datagram(data, sender[:2], time.monotonic()))

    def _put(self, datagram: Datagram) -> None:
        with self._lock:
            self.received += 1
            self._waiting.append(datagram)
            self._bytes += len(datagram.data)
            while len(self._waiting) > self.capacity or self._bytes > QUEUE_BYTES:
                self._bytes -= len(self._waiting.popleft().data)
                self.dropped += 1


def _open(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except (OSError, OverflowError) as error:
        raise OscbendError(f"cannot listen at {host}:{port}: no such address") from error
    opened = socket.socket(family, kind, protocol)
    with contextlib.suppress(OSError):
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    opened.setblocking(False)
    try:
        opened.bind(place)
    except OSError as error:
        opened.close()
        why = {
            errno.EADDRINUSE: "it is in use, perhaps by another oscbend; end that, or take another --port",
            errno.EADDRNOTAVAIL: f"{host} is not an address of this machine",
            errno.EACCES: "the system does not allow it; take a --port above 1024",
        }.get(error.errno or 0, str(error))
        raise OscbendError(f"cannot open UDP port {port}: {why}") from error
    return opened

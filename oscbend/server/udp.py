"""The door for datagrams: a thread that puts them into a bounded queue, and does nothing else.

Decoding happens once per frame, in the loop, which takes what has come with `drain`. The first datagram
wakes the thread, which takes all there is and then sleeps for a moment: a flood wakes it some hundred
times a second, not once for each datagram, and leaves the processor to the network that draws.
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
TOGETHER = 1024
"""How many datagrams are taken at once at most."""
PAUSE_S = 0.0015
"""How long the thread sleeps when it has taken all there was."""


class Arrivals(NamedTuple):
    """What came in together.

    Args:
        time_s: when, seconds of `time.monotonic`.
        datagrams: as received, and from whom (address, port …), in the order in which they came.
    """

    time_s: float
    datagrams: list[tuple[bytes, tuple[Any, ...]]]


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
        self._waiting: deque[Arrivals] = deque()
        self._count = 0
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

    def drain(self) -> list[Arrivals]:
        """All that has come since the last call, oldest first."""
        with self._lock:
            came, self._waiting, self._count, self._bytes = self._waiting, deque(), 0, 0
        return list(came)

    def reply(self, address: str, args: Iterable[Any], to: tuple[Any, ...]) -> bool:
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
                while self._take() == TOGETHER:
                    pass
                time.sleep(PAUSE_S)

    def _take(self) -> int:
        """Takes what there is, up to `TOGETHER` datagrams; tells how many."""
        came: list[tuple[bytes, tuple[Any, ...]]] = []
        receive = self._socket.recvfrom
        time_s = time.monotonic()
        try:
            while len(came) < TOGETHER:
                came.append(receive(DATAGRAM_MAX))
        except OSError:  # there is no more; or, as Windows tells here, an earlier reply found nobody
            pass
        if came:
            self._put(Arrivals(time_s, came))
        return len(came)

    def _put(self, arrivals: Arrivals) -> None:
        with self._lock:
            self.received += len(arrivals.datagrams)
            self._waiting.append(arrivals)
            self._count += len(arrivals.datagrams)
            self._bytes += _size(arrivals)
            while self._count > self.capacity or self._bytes > QUEUE_BYTES:
                oldest = self._waiting[0].datagrams
                excess = min(max(self._count - self.capacity, 1), len(oldest))
                self._count -= excess
                self._bytes -= sum(len(data) for data, _ in oldest[:excess])
                self.dropped += excess
                del oldest[:excess]
                if not oldest:
                    self._waiting.popleft()


def _size(arrivals: Arrivals) -> int:
    return sum(len(data) for data, _ in arrivals.datagrams)


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

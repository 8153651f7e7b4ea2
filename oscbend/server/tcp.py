"""The door for connections: one thread for all of them, which cuts out packets and passes replies on.

Nobody waits for a connection. One that does not take its answers loses them, and is closed in the end. One
that sends more than is taken is read more slowly, so that nothing is lost. One that sends no OSC is closed.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable

from oscbend.errors import BadPacket
from oscbend.server.framing import Framing
from oscbend.server.inbox import Arrivals, Inbox
from oscbend.server.replies import encode_reply
from oscbend.server.sockets import opened

LINES = 64
"""How many connections there are at most."""
IDLE_S = 60.0
"""How long a connection has been silent when it may have to go for another."""
STUCK_S = 10.0
"""How long there may be no room for a connection's answers."""
OUT_BYTES = 2**20
"""How much waits for one connection at most."""
CHUNK = 2**16
PAUSE_S = 0.0015


class Line:
    """One connection, as senders are: who it is, and how to answer it.

    Args:
        host, port: of the other end.
    """

    def __init__(self, host: str, port: int, wake: Callable[[], None] = lambda: None) -> None:
        self.host = host
        self.port = port
        self.framing = Framing()
        self.open = True
        self.heard_s = time.monotonic()
        self._full_since_s: float | None = None
        self._wake = wake
        self._out = bytearray()
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return f"{self.host}:{self.port} (TCP)"

    @property
    def pending(self) -> bool:
        """True if something waits to be sent."""
        return bool(self._out)

    def stuck(self, now_s: float) -> bool:
        """True if there has been no room for answers for too long."""
        return self._full_since_s is not None and now_s - self._full_since_s > STUCK_S

    def send(self, packet: bytes) -> bool:
        """Sends a packet, from any thread, without waiting; False if there is no room, or it is closed."""
        data = self.framing.wrap(packet)
        with self._lock:
            if not self.open:
                return False
            if len(self._out) + len(data) > OUT_BYTES:
                if self._full_since_s is None:
                    self._full_since_s = time.monotonic()
                return False
            first = not self._out
            self._out += data
        if first:
            self._wake()
        return True

    def end(self) -> None:
        """Takes nothing more; what waits is lost."""
        with self._lock:
            self.open = False
            self._out.clear()

    def flush(self, write: Callable[[bytes], int]) -> None:
        """Passes on what waits, as far as it is taken.

        Raises:
            OSError: the connection has gone.
        """
        with self._lock:
            data = bytes(self._out[:CHUNK])
        if data:
            done = write(data)
            with self._lock:
                del self._out[:done]
                if 2 * len(self._out) < OUT_BYTES:
                    self._full_since_s = None


class TcpDoor:
    """Receives OSC over connections, in both framings.

    Args:
        host: the interface's address; `127.0.0.1` is this machine only.
        port: 0 takes any free one; see `port`.
        allow: tells of an address whether it may connect; None lets all in.

    Raises:
        OscbendError: the port is in use or cannot be opened.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 57130,
        allow: Callable[[str], bool] | None = None,
    ) -> None:
        self.inbox = Inbox()
        self.refused = 0
        self._allow = allow
        self._gone: deque[Line] = deque(maxlen=16 * LINES)
        self._sockets: dict[Line, socket.socket] = {}
        self._listening = opened(host, port, socket.SOCK_STREAM)
        self.host, self.port = self._listening.getsockname()[:2]
        self._ear, self._bell = socket.socketpair()
        for end in (self._ear, self._bell):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"osc-tcp-{self.port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> TcpDoor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def gone(self) -> list[Line]:
        """The connections that have ended since the last call."""
        found = []
        while self._gone:
            found.append(self._gone.popleft())
        return found

    def close(self) -> None:
        """Closes all connections and the port, and ends the thread; what waits stays in the inbox."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._wake()
        self._thread.join()
        for line in list(self._sockets):
            self._end(line)
        self._selector.close()
        for end in (self._listening, self._ear, self._bell):
            end.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it is full, so the thread wakes; or all is closed
            self._bell.send(b"\0")

    def _serve(self) -> None:
        while not self._closed.is_set():
            waiting = any(line.pending for line in self._sockets)
            events = self._selector.select(1.0 if waiting else None)
            came: list[tuple[bytes, Hashable]] = []
            time_s = time.monotonic()
            full = self.inbox.crowded
            for key, mask in events:
                if key.fileobj is self._listening:
                    self._accept()
                elif key.fileobj is self._ear:
                    with contextlib.suppress(OSError):
                        self._ear.recv(CHUNK)
                elif key.data in self._sockets and mask & selectors.EVENT_READ and not full:
                    came += [(packet, key.data) for packet in self._read(key.data)]
            if came:
                self.inbox.put(Arrivals(time_s, came))
            self._attend(time_s)
            time.sleep(4 * PAUSE_S if full else PAUSE_S)

    def _accept(self) -> None:
        try:
            made, (host, port, *_) = self._listening.accept()
        except OSError:
            return
        if (self._allow is not None and not self._allow(host)) or not self._room():
            self.refused += 1
            made.close()
            return
        made.setblocking(False)
        with contextlib.suppress(OSError):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        line = Line(host, port, self._wake)
        self._sockets[line] = made
        self._selector.register(made, selectors.EVENT_READ, line)

    def _room(self) -> bool:
        """True if one more fits; one that has been silent for long may have to go for it."""
        if len(self._sockets) < LINES:
            return True
        oldest = min(self._sockets, key=lambda line: line.heard_s)
        if time.monotonic() - oldest.heard_s < IDLE_S:
            return False
        self._end(oldest)
        return True

    def _read(self, line: Line) -> list[bytes]:
        try:
            data = self._sockets[line].recv(CHUNK)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._end(line)
            return []
        line.heard_s = time.monotonic()
        try:
            return line.framing.feed(data)
        except BadPacket as error:
            with contextlib.suppress(OSError):
                self._sockets[line].send(line.framing.wrap(encode_reply("/fail", ("/packet", str(error)))))
            self._end(line)
            return [b""]

    def _write(self, line: Line) -> None:
        try:
            line.flush(self._sockets[line].send)
        except BlockingIOError:
            return
        except OSError:
            self._end(line)

    def _attend(self, now_s: float) -> None:
        """Writes to those for whom something waits, and closes those that take nothing."""
        for line in list(self._sockets):
            if line.pending:
                self._write(line)
            if line.open and line.stuck(now_s):
                self._end(line)
            if not line.open:
                continue
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.pending else 0)
            if self._selector.get_key(self._sockets[line]).events != events:
                self._selector.modify(self._sockets[line], events, line)

    def _end(self, line: Line) -> None:
        made = self._sockets.pop(line)
        line.end()
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(made)
        made.close()
        self._gone.append(line)

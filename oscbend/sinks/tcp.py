"""Pictures over plain TCP: whoever connects gets frames, each a header of 64 bytes, then the pixels.

The bytes are those of `oscbend.sinks.header`, one frame after the other, so that a host needs nothing but
a socket: read 64 bytes, then width × height × channels bytes, and again.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time

from oscbend.errors import BadValue, OscbendError
from oscbend.frame import Frame
from oscbend.peers import ip_of
from oscbend.sinks import header
from oscbend.sinks.base import KINDS, Sink
from oscbend.sinks.link import LAST_S, SLICE_S, Link
from oscbend.table import Arg

PORT = 57133
LOOPBACK = "127.0.0.1"
MOST = 16
"""How many readers there are at most."""


class TcpSink(Sink):
    """Sends frames over plain TCP to all who connect: a header of 64 bytes, then the pixels.

    A slow reader gets fewer frames, each of them whole, always the newest; one that comes late gets the last
    frame at once, marked as repeated. Readers from the internet are turned away.

    Args:
        port: where to listen; 0 takes a free one, and `address` says which once the sink is open.
        listen: the address of the interface; `127.0.0.1` is this machine only, `0.0.0.0` all networks.
        name: what the performer calls it.

    Raises:
        BadValue: no such port or interface.
    """

    kind = "tcp"
    idle_s = 0.02

    def __init__(self, port: int = PORT, listen: str = LOOPBACK, name: str = "") -> None:
        super().__init__(name)
        if not 0 <= port <= 65535:
            raise BadValue(f"port {port}: from 0 to 65535")
        self._ip = ip_of(LOOPBACK if listen == "localhost" else listen)
        if self._ip is None:
            raise BadValue(f"{listen!r} is no address of an interface: write 127.0.0.1, or 0.0.0.0 for all")
        self.address = (str(self._ip), port)
        self._listening: socket.socket | None = None
        self._readers: list[_Reader] = []
        self._last: tuple[Frame, int] | None = None

    def begin(self) -> None:
        """Opens the port."""
        family = socket.AF_INET if isinstance(self._ip, ipaddress.IPv4Address) else socket.AF_INET6
        try:
            self._listening = socket.create_server(self.address, family=family)
        except OSError as error:
            raise OscbendError(
                f"cannot send frames from {self.address[0]} port {self.address[1]}: "
                f"{error.strerror or error}; is another oscbend running? Choose another port"
            ) from None
        self._listening.setblocking(False)
        self.address = self._listening.getsockname()[:2]

    def show(self, frame: Frame) -> None:
        """Hands a frame to all readers."""
        self._last = frame, self.put_ns
        if self._readers:
            block = header.pack(frame, self.put_ns)
            for reader in self._readers:
                reader.offer(block)

    def idle(self) -> None:
        """Lets readers in, and lets those go that have gone."""
        assert self._listening is not None
        self._readers = [reader for reader in self._readers if reader.is_alive()]
        while True:
            try:
                connected, (host, *_) = self._listening.accept()
            except OSError:  # nobody is there any more
                return
            self._let_in(connected, host)

    def end(self) -> None:
        """Closes the port; readers may take the frame that they are at."""
        if self._listening is not None:
            self._listening.close()
        for reader in self._readers:
            reader.ask_to_close()
        until_s = time.monotonic() + LAST_S + 2 * SLICE_S
        for reader in self._readers:
            reader.join(max(0.0, until_s - time.monotonic()))
        self._readers = []

    def _let_in(self, connected: socket.socket, host: str) -> None:
        ip = ip_of(host)
        if ip is None or not ip.is_private:
            why = "is not of a private network"
        elif len(self._readers) >= MOST:
            why = f"came when there were {MOST} readers"
        else:
            try:
                reader = _Reader(connected, f"sink {self.name} {host}")
            except OSError:  # it has gone already
                connected.close()
                return
            reader.start()
            self._readers.append(reader)
            if self._last is not None:
                reader.offer(header.pack(*self._last, header.REPEATED))
            return
        connected.close()
        self._remember(f"{host} {why}, and was turned away", failed=False)


class _Reader(threading.Thread):
    """Sends the newest block to one reader; ends when the reader has gone."""

    def __init__(self, connected: socket.socket, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._changed = threading.Condition()
        self._block: bytes | None = None
        self._closing = False
        self._link = Link(connected, lambda: self._closing)

    def offer(self, block: bytes) -> None:
        """Replaces the block that waits, if any; never blocks."""
        with self._changed:
            self._block = block
            self._changed.notify()

    def ask_to_close(self) -> None:
        """Sends what waits, and ends."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def run(self) -> None:
        try:
            while (block := self._take()) is not None:
                self._link.send(block)
        except OSError:  # it has gone, which is its right
            pass
        finally:
            self._link.close()

    def _take(self) -> bytes | None:
        with self._changed:
            while self._block is None and not self._closing:
                self._changed.wait()
            block, self._block = self._block, None
            return block


KINDS.declare(
    "tcp",
    Arg("port", "i", PORT, "where to listen", lo=0, hi=65535, clip=False),
    Arg("listen", "s", LOOPBACK, "address of the interface: 127.0.0.1 is this machine only, 0.0.0.0 all"),
)(TcpSink)

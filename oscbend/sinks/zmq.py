"""Pictures over ZeroMQ: every frame one message to any number of readers.

One single-part message per frame (`oscbend.sinks.header`), so that readers can set CONFLATE and have
only the newest; multipart messages cannot be conflated, and went seconds stale behind a slow reader.
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from oscbend.errors import BadValue, MissingLibrary, OscbendError
from oscbend.frame import Frame
from oscbend.sinks import header
from oscbend.sinks.base import KINDS, Sink
from oscbend.table import Arg

ADDRESS = "tcp://127.0.0.1:57132"

SEND_QUEUE = 2
"""Frames that wait for one slow reader before it misses the next ones."""

FIRST_REPEAT_S, REPEAT_S = 0.1, 1.0
"""How long nothing new must come before the last frame is sent again, and then again and again.

ZeroMQ drops the newest message, not the oldest, for a reader whose queue is full. In a running show the next
frame mends that; when the picture stands still, only sending it again does."""

LINGER_MS = 200


class ZmqSink(Sink):
    """Publishes frames over ZeroMQ, on this machine.

    A reader that comes late gets the last frame at once. While no new frame comes, the last one is sent
    again once a second, marked as repeated.

    Args:
        address: where to listen: `tcp://127.0.0.1:PORT` or `ipc://PATH`; port 0 or `*` takes a free one,
            and `address` says which once the sink is open.
        name: what the performer calls it.

    Raises:
        BadValue: no such address, or one that other machines can reach.
        MissingLibrary: pyzmq is not installed.
    """

    kind = "zmq"
    idle_s = 0.02

    def __init__(self, address: str = ADDRESS, name: str = "") -> None:
        super().__init__(name)
        self._zmq = _library()
        self.address = check_address(address)
        self._context: Any = None
        self._socket: Any = None
        self._last: tuple[Frame, int] | None = None
        self._sent_s = 0.0
        self._still_s = FIRST_REPEAT_S

    def begin(self) -> None:
        """Binds the socket."""
        zmq = self._zmq
        # A context of its own: only its end waits until the address is free again.
        self._context = zmq.Context()
        socket = self._context.socket(zmq.XPUB)
        socket.setsockopt(zmq.SNDHWM, SEND_QUEUE)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        # Without it only the first reader's subscription is reported, and later ones get no last frame.
        socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        try:
            socket.bind(self.address)
        except zmq.ZMQError as error:
            socket.close(0)
            self._context.term()
            if error.errno == zmq.EADDRINUSE:
                raise OscbendError(
                    f"{self.address} is in use: is another oscbend running? Choose another port"
                ) from None
            raise OscbendError(f"cannot publish frames at {self.address}: {error.strerror}") from None
        self.address = socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
        self._socket = socket

    def show(self, frame: Frame) -> None:
        """Sends a frame to all readers."""
        # Asking first also tells ZeroMQ which queues have emptied; else it drops for readers with room.
        self._readers_came()
        self._last = frame, self.put_ns
        self._send(flags=0)
        self._still_s = FIRST_REPEAT_S

    def idle(self) -> None:
        """Sends the last frame again if a reader has come, and now and then while nothing new comes."""
        came = self._readers_came()
        if self._last is not None and (came or time.monotonic() - self._sent_s > self._still_s):
            self._send(header.REPEATED)
            self._still_s = REPEAT_S

    def end(self) -> None:
        """Closes the socket."""
        self._socket.close()
        self._context.term()

    def _send(self, flags: int) -> None:
        assert self._last is not None
        frame, put_ns = self._last
        # One copy, in `pack`: the block of bytes then belongs to ZeroMQ until it is sent.
        self._socket.send(header.pack(frame, put_ns, flags), copy=False)
        self._sent_s = time.monotonic()

    def _readers_came(self) -> bool:
        came = False
        while self._socket.poll(0, self._zmq.POLLIN):
            came |= self._socket.recv().startswith(b"\1")
        return came


@dataclass(frozen=True, eq=False)
class Received:
    """A frame as it came in.

    Args:
        number: of the frame, as the renderer counts.
        time_ns: when it left the renderer, nanoseconds since the Unix epoch, by the sender's clock.
        received_ns: when it came in, nanoseconds since the Unix epoch.
        picture: uint8 [H, W, C], top row first; read-only.
        missed: frames between the last one received and this one.
    """

    number: int
    time_ns: int
    received_ns: int
    picture: np.ndarray
    missed: int = 0

    @property
    def age_ms(self) -> float:
        """From the renderer to here; means something where both have the same clock."""
        return (self.received_ns - self.time_ns) / 1e6


class Receiver:
    """Receives the newest frame from a `ZmqSink`; older ones are thrown away unread.

    Args:
        address: of the sink.

    Raises:
        BadValue: no such address.
        MissingLibrary: pyzmq is not installed.
    """

    def __init__(self, address: str = ADDRESS) -> None:
        self._zmq = zmq = _library()
        self.address = address
        self._last: tuple[int, int] | None = None
        self._socket = zmq.Context.instance().socket(zmq.SUB)
        self._socket.setsockopt(zmq.CONFLATE, 1)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self._socket.close(0)
            raise BadValue(f"{address!r} is no ZeroMQ address ({error.strerror}): try {ADDRESS}") from None

    def receive(self, timeout_s: float = 1.0) -> Received | None:
        """The newest frame that was not received yet; None if none comes in time.

        Raises:
            BadPacket: what came is not a picture; the next call goes on.
        """
        until_s = time.monotonic() + timeout_s
        while True:
            left_s = max(0.0, until_s - time.monotonic())
            if not self._socket.poll(round(left_s * 1000), self._zmq.POLLIN):
                return None
            block = self._socket.recv(copy=False)
            received_ns = time.time_ns()
            head, picture = header.unpack(block.buffer)
            this = head.number, head.time_ns
            if this == self._last:
                continue
            missed = max(0, head.number - self._last[0] - 1) if self._last else 0
            self._last = this
            return Received(head.number, head.time_ns, received_ns, picture, missed)

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_address(address: str) -> str:
    """`address` if frames may be published there.

    Raises:
        BadValue: no such address, or one that other machines can reach.
    """
    scheme, separator, place = address.partition("://")
    if scheme == "ipc" and place:
        return address
    host, colon, port = place.rpartition(":")
    if not separator or scheme != "tcp" or not colon or not (port.isdecimal() or port == "*"):
        raise BadValue(f"{address!r} is no ZeroMQ address: write tcp://127.0.0.1:57132 or ipc://PATH")
    if port != "*" and int(port) > 65535:
        raise BadValue(f"{address!r}: a port is at most 65535")
    if not _is_loopback(host):
        raise BadValue(
            f"{address} can be reached from other machines, and frames would go there unencrypted:"
            f" publish at tcp://127.0.0.1:{port}"
        )
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _library() -> Any:
    try:
        import zmq
    except ImportError:
        raise MissingLibrary("frames over ZeroMQ need: pip install pyzmq") from None
    return zmq


KINDS.declare("zmq", Arg("address", type="s", default=ADDRESS, help="where to listen"))(ZmqSink)

"""Pictures into Max, with nothing installed there: `[jit.net.recv @port 7474]` receives them.

Max listens, and oscbend connects. A frame is, one after the other:

1. `JMTX`, and the size of what comes next, 288, as a little-endian u32;
2. the matrix header, 288 bytes, big-endian: `XTMJ`, its size, the number of planes (4), their type
   (0: char), the number of dimensions (2), 32 dimensions (width, height, 1 …), 32 strides in bytes
   (4, 4 · width, 0 …), the size of the data, and a time in ms as f64;
3. the data, row by row, plane order alpha, red, green, blue.

Max answers each with `JMLP` and three f64, which are thrown away.
"""

from __future__ import annotations

import socket
import struct
import time

import numpy as np

from oscbend.errors import BadValue, OscbendError
from oscbend.frame import Frame
from oscbend.sinks.base import KINDS, NotTaken, Sink
from oscbend.sinks.link import Link
from oscbend.table import Arg

PORT = 7474
PLANES = 4
CHAR = 0
DIMENSIONS = 32

RETRY_S = 1.0
"""How long after a failure it is tried again to reach Max."""
REACH_S = 1.0
"""How long reaching Max may take."""

_HEADER = struct.Struct(f">4s4I{DIMENSIONS}i{DIMENSIONS}iId")
_CHUNK = struct.pack("<4sI", b"JMTX", _HEADER.size)


class JitterSink(Sink):
    """Sends frames to `[jit.net.recv @port PORT]` in Max, and connects again whenever Max is there.

    A frame that Max has no time for is left out; those that go out are whole.

    Args:
        port: of the object in Max.
        host: the machine on which Max runs.
        name: what the performer calls it.

    Raises:
        BadValue: no such port.
    """

    kind = "jitter"
    idle_s = 0.1

    def __init__(self, port: int = PORT, host: str = "127.0.0.1", name: str = "") -> None:
        super().__init__(name)
        if not 1 <= port <= 65535:
            raise BadValue(f"port {port}: from 1 to 65535")
        self.host, self.port = host, port
        self._link: Link | None = None
        self._last: Frame | None = None
        self._tried_s = -RETRY_S

    def begin(self) -> None:
        """Looks whether there is such a host; Max may come later."""
        try:
            socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise OscbendError(
                f"there is no host {self.host!r}: write the address of Max's machine"
            ) from None
        self._reach()

    def show(self, frame: Frame) -> None:
        """Sends a frame; if Max is not there, it counts as dropped."""
        self._last = frame
        if self._link is None:
            self._reach()
        self._send(frame)

    def idle(self) -> None:
        """Listens whether Max is still there; one that has come gets the last frame at once."""
        if self._link is not None:
            try:
                self._link.drain()
            except OSError as error:
                self._lose(error)
        elif self._reach() and self._last is not None:
            try:
                self._send(self._last)
            except NotTaken:
                return

    def end(self) -> None:
        """Closes the connection."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _reach(self) -> bool:
        now_s = time.monotonic()
        if self._closing or now_s - self._tried_s < RETRY_S:
            return False
        self._tried_s = now_s
        try:
            connected = socket.create_connection((self.host, self.port), REACH_S)
            self._link = Link(connected, lambda: self._closing)
        except OSError as error:
            self._lose(error)
            return False
        self._remember("", failed=False)
        return True

    def _send(self, frame: Frame) -> None:
        if self._link is None:
            raise NotTaken
        try:
            self._link.send(pack(frame))
        except OSError as error:
            self._lose(error)
            raise NotTaken from None

    def _lose(self, error: OSError) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._closing:
            return
        self._remember(
            f"[jit.net.recv @port {self.port}] at {self.host}: {error.strerror or error}; tried again",
            failed=False,
        )


def pack(frame: Frame) -> bytes:
    """A frame as one block of bytes, as the module tells.

    Args:
        frame: its picture is uint8 [H, W, 4], RGBA.

    Raises:
        BadValue: the picture has another type or shape.
    """
    picture = frame.picture
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != PLANES:
        raise BadValue(f"a picture is uint8 [H, W, 4], got {picture.dtype} {list(picture.shape)}")
    height, width, _ = picture.shape
    dims = (width, height, *[1] * (DIMENSIONS - 2))
    strides = (PLANES, PLANES * width, *[0] * (DIMENSIONS - 2))
    head = _HEADER.pack(
        b"XTMJ", _HEADER.size, PLANES, CHAR, 2, *dims, *strides, picture.size, frame.time_s * 1000.0
    )
    # Turning whole pixels is many times faster than picking their bytes.
    rgba = np.ascontiguousarray(picture).view("<u4")
    argb = (rgba << np.uint32(8)) | (rgba >> np.uint32(24))
    return b"".join((_CHUNK, head, argb.astype("<u4", copy=False).tobytes()))


KINDS.declare(
    "jitter",
    Arg("port", "i", PORT, "of [jit.net.recv] in Max", lo=1, hi=65535, clip=False),
    Arg("host", "s", "127.0.0.1", "the machine on which Max runs; over OSC, by default the sender's"),
)(JitterSink)

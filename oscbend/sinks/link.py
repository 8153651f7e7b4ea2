"""One connection over which whole blocks of bytes go out; what outputs over plain TCP have in common."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

SEND_BUFFER = 2**18
"""Bytes that wait in the system for one reader. It would take megabytes: old frames, for a slow reader."""
SLICE_S = 0.1
"""How often it is looked whether a block still has to go out, while it is not taken."""
STUCK_S = 20.0
"""How long a reader may take nothing before it is let go."""
LAST_S = 1.0
"""How long the last block may take when the output is closed."""


class Link:
    """Sends whole blocks to one reader, at the reader's speed. For one thread.

    Args:
        connected: the socket; belongs to the link from now on.
        closing: tells whether the output is being closed; then a block that is not taken is given up.
    """

    def __init__(self, connected: socket.socket, closing: Callable[[], bool]) -> None:
        self._socket = connected
        self._closing = closing
        connected.settimeout(SLICE_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def send(self, block: bytes) -> None:
        """Sends a block, and returns when the system has all of it.

        Raises:
            OSError: the reader has gone, or takes nothing any more: the connection is of no more use.
        """
        left = memoryview(block)
        moved_s = time.monotonic()
        close_s: float | None = None
        while left:
            try:
                left = left[self._socket.send(left) :]
                moved_s = time.monotonic()
            except TimeoutError:
                if time.monotonic() - moved_s > STUCK_S:
                    raise TimeoutError(f"took nothing for {STUCK_S:g} s") from None
            if left and self._closing():
                close_s = close_s or time.monotonic() + LAST_S
                if time.monotonic() > close_s:
                    raise TimeoutError("did not take the last frame")

    def drain(self) -> None:
        """Throws away what the reader has said, without waiting.

        Raises:
            OSError: the reader has gone.
        """
        self._socket.setblocking(False)
        try:
            while self._socket.recv(4096):
                pass
        except BlockingIOError:
            return
        finally:
            self._socket.settimeout(SLICE_S)
        raise ConnectionResetError("closed the connection")

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

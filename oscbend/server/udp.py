"""The door for datagrams: a thread that puts them into the inbox, and does nothing else.

Decoding happens once per frame, in the loop, which drains the inbox. The first datagram
wakes the thread, which takes all there is and then sleeps for a moment: a flood wakes it some hundred
times a second, not once for each datagram, and leaves the processor to the network that draws.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from oscbend.server import mmsg
from oscbend.server.inbox import Arrivals, Inbox
from oscbend.server.mmsg import Datagrams
from oscbend.server.sockets import opened

DATAGRAM_MAX = 65507
"""Longest datagram over IPv4, in bytes."""
ROOM = 2**16
TOGETHER = 256
"""How many datagrams are taken at once at most."""
PAUSE_S = 0.0015
"""How long the thread sleeps when it has taken all there was."""
MANY = 12
LONG_PAUSE_S = 0.006
"""How long it sleeps when so many came at once: in a flood each waking takes time from the frames."""
IP_RECVERR, IPV6_RECVERR = 11, 25
"""Options of Linux sockets which Python has no names for."""


class UdpDoor:
    """Receives OSC datagrams, and sends replies from the same port.

    Args:
        host: the interface's address; `127.0.0.1` is this machine only.
        port: 0 takes any free one; see `port`.
        inbox: takes what comes; by itself one of its own.
        allow: tells of a sender's address whether it is heard; None hears all.

    Raises:
        OscbendError: the port is in use or cannot be opened.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 57130,
        inbox: Inbox | None = None,
        allow: Callable[[str], bool] | None = None,
    ) -> None:
        self.inbox = inbox or Inbox()
        self.refused = 0
        self.unsent = 0
        self.unreachable: deque[Any] = deque(maxlen=256)
        self._allow = allow
        self._socket = opened(host, port, socket.SOCK_DGRAM)
        self._receive_all = mmsg.receiver(self._socket, TOGETHER) or self._one_by_one
        self.reports = _report_refusals(self._socket)
        self.host, self.port = self._socket.getsockname()[:2]
        self._wake, self._woken = socket.socketpair()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._receive, name=f"osc-udp-{self.port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> UdpDoor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, packet: bytes, to: Any) -> bool:
        """Sends a packet without waiting; False (and counted in `unsent`) if it could not go out.

        Args:
            to: numeric address and port (a name would have to be looked up, which waits).
        """
        for _ in range(2):
            try:
                self._socket.sendto(packet, to)
                return True
            except ConnectionError:  # tells of an earlier packet that nobody took; this one has not gone yet
                continue
            except (OSError, OverflowError):
                break
        self.unsent += 1
        return False

    def refusals(self) -> list[Any]:
        """Where packets went that nobody took since the last call, as far as the system tells."""
        found = []
        while self.unreachable:
            found.append(self.unreachable.popleft())
        return found

    def close(self) -> None:
        """Closes the port and ends the thread; what waits stays in the inbox."""
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
                came = count = self._take()
                while count == TOGETHER:
                    count = self._take()
                    came += count
                self._take_refusals()
                time.sleep(PAUSE_S if came < MANY else LONG_PAUSE_S)

    def _take_refusals(self) -> None:
        if not self.reports:
            return
        with contextlib.suppress(OSError):  # there are no more
            while True:
                _, _, _, place = self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
                self.unreachable.append(place)

    def _take(self) -> int:
        """Takes what there is, up to `TOGETHER` datagrams; tells how many."""
        time_s = time.monotonic()
        came = self._receive_all()
        if came:
            heard = came if self._allow is None else [one for one in came if self._allow(one[1][0])]
            self.refused += len(came) - len(heard)
            self.inbox.put(Arrivals(time_s, heard))
        return len(came)

    def _one_by_one(self) -> Datagrams:
        """What there is, where the system cannot give it all at once."""
        came: Datagrams = []
        receive = self._socket.recvfrom
        try:
            while len(came) < TOGETHER:
                came.append(receive(ROOM))
        except OSError:  # there is no more; or, as Windows tells here, an earlier reply found nobody
            pass
        return came


def _report_refusals(made: socket.socket) -> bool:
    """Has the system tell who could not be reached; True if it can (Linux)."""
    if sys.platform != "linux":
        return False
    level, option = (
        (socket.IPPROTO_IPV6, IPV6_RECVERR)
        if made.family == socket.AF_INET6
        else (socket.IPPROTO_IP, IP_RECVERR)
    )
    with contextlib.suppress(OSError):
        made.setsockopt(level, option, 1)
        return True
    return False

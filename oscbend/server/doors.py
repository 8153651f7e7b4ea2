"""Where OSC comes in: UDP and TCP on one port number, and answers the way that the question came."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable
from operator import attrgetter
from typing import Any

from oscbend.errors import OscbendError
from oscbend.peers import Peer
from oscbend.server.inbox import Arrivals, Inbox
from oscbend.server.replies import encode_reply
from oscbend.server.tcp import TcpDoor
from oscbend.server.udp import UdpDoor

ATTEMPTS = 16


class Doors:
    """Receives OSC over UDP and TCP on the same port number.

    Args:
        host: the interface's address; `127.0.0.1` is this machine only.
        port: 0 takes any that is free for both; see `port`.
        inbox: where packets wait that can be dropped (UDP, and whoever else puts some in); connections have
            one of their own, which holds them back instead.
        allow: tells of an address whether it is heard; None hears all.

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
        for attempt in range(1 if port else ATTEMPTS):
            self.udp = UdpDoor(host, port, inbox, allow)
            try:
                self.tcp = TcpDoor(host, self.udp.port, allow)
                break
            except OscbendError:
                self.udp.close()
                if port or attempt == ATTEMPTS - 1:
                    raise
        self.host, self.port = self.udp.host, self.udp.port

    @property
    def dropped(self) -> int:
        """Packets for which there was no room."""
        return self.udp.inbox.dropped + self.tcp.inbox.dropped

    @property
    def refused(self) -> int:
        """Packets and connections from where nobody is heard, and connections too many."""
        return self.udp.refused + self.tcp.refused

    def drain(self) -> Iterable[Arrivals]:
        """All that has come since the last call, oldest first."""
        both = self.udp.inbox.drain(), self.tcp.inbox.drain()
        return heapq.merge(*both, key=attrgetter("time_s"))

    def gone(self) -> list[Hashable]:
        """Connections that have ended since the last call."""
        return [*self.tcp.gone()]

    @property
    def reports(self) -> bool:
        """True if the system tells where nobody took what was sent."""
        return self.udp.reports

    def refusals(self) -> list[Hashable]:
        """Where packets went that nobody took, since the last call."""
        return self.udp.refusals()

    def send(self, packet: bytes, to: Hashable) -> bool:
        """Sends a packet without waiting; False if it cannot go out."""
        if isinstance(to, tuple):
            return self.udp.send(packet, to)
        return isinstance(to, Peer) and to.send(packet)

    def reply(self, address: str, args: Iterable[Any], to: Hashable) -> bool:
        """Sends one reply without waiting; False if it cannot go out."""
        return self.send(encode_reply(address, args), to)

    def close(self) -> None:
        """Closes both."""
        self.udp.close()
        self.tcp.close()

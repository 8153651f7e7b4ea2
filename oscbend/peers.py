"""Senders: over UDP a numeric address and a port, as sockets give them; else a `Peer`."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Hashable
from typing import Protocol, runtime_checkable

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


@runtime_checkable
class Peer(Protocol):
    """A sender with a connection of its own."""

    host: str

    def send(self, packet: bytes) -> bool:
        """Sends a packet without waiting; False if it cannot go out."""


def host_of(sender: Hashable) -> str:
    """The numeric address of a sender; empty for the score itself."""
    if isinstance(sender, tuple):
        return str(sender[0])
    return sender.host if isinstance(sender, Peer) else ""


def is_local(sender: Hashable) -> bool:
    """True if a sender is on this machine."""
    return is_loopback(host_of(sender))


def ip_of(host: str) -> Ip | None:
    """The address that a text spells, an IPv4 address within IPv6 as what it is; None if it is a name."""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


@functools.lru_cache(maxsize=4096)
def is_loopback(host: str) -> bool:
    """True if a numeric address is this machine's own."""
    ip = ip_of(host)
    return ip is not None and ip.is_loopback

"""Who may speak to the server: networks by their addresses."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable

from oscbend.errors import BadValue
from oscbend.peers import ip_of

LOOPBACK = ("127.0.0.0/8", "::1/128")
PRIVATE = (
    *LOOPBACK,
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
"""This machine, and the networks of houses and stages: nothing from the internet."""
REMEMBERED = 4096

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Networks:
    """Those from whom packets are taken.

    Args:
        texts: networks such as `192.168.0.0/16`, or single addresses.

    Raises:
        BadValue: no such network.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.networks = tuple(_network(text) for text in texts)
        self.allow = functools.lru_cache(maxsize=REMEMBERED)(self._allow)

    def _allow(self, host: str) -> bool:
        """True if packets are taken from a numeric address."""
        ip = ip_of(host)
        return ip is not None and any(ip in network for network in self.networks)

    def __str__(self) -> str:
        return " ".join(map(str, self.networks))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise BadValue(f"--allow {text!r}: write a network such as 192.168.0.0/16, or an address") from None

"""Makes the server known on the network, so that hosts find it by itself (zeroconf, Bonjour)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from oscbend.errors import BadValue, OscbendError, one_line
from oscbend.peers import is_loopback

NAME_MAX = 50
"""Longest name, in bytes: a label of 63, less what is put after the name where it is taken."""


def checked_name(name: str) -> str:
    """A name that a server can have.

    Raises:
        BadValue: empty, too long, or not printable.
    """
    if not name.strip() or not name.isprintable() or len(name.encode(errors="replace")) > NAME_MAX:
        raise BadValue(f"--name {name!r}: a printable name of 1 to {NAME_MAX} bytes, such as oscbend")
    return name.strip()


def machine() -> str:
    """The name of this machine on the local network."""
    return f"{socket.gethostname().partition('.')[0] or 'oscbend'}.local"


def heard_at(address: str) -> list[str]:
    """Where a server that is bound to `address` is heard from others: at all interfaces for `0.0.0.0`."""
    if not ipaddress.ip_address(address).is_unspecified:
        return [address]
    import ifaddr

    found = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    return [address for address in found if not is_loopback(address)]


@asynccontextmanager
async def announced(name: str, web_port: int, osc_port: int, addresses: Sequence[str]) -> AsyncIterator[str]:
    """Announces `_oscjson._tcp` and `_osc._udp` while it is entered.

    Args:
        name: wanted; where another server has it, a number is put after it.
        web_port: of OSCQuery.
        osc_port: of OSC over UDP.
        addresses: of this machine, at which both are heard.

    Yields:
        The name that was given: `name`, or `name-2` and so on.

    Raises:
        OscbendError: the network does not take it.
    """
    from zeroconf import Error
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

    at = list(addresses)
    async with AsyncExitStack() as stack:
        try:
            network = await stack.enter_async_context(AsyncZeroconf(interfaces=at))
            for kind, port in (("_oscjson._tcp.local.", web_port), ("_osc._udp.local.", osc_port)):
                full = f"{name}.{kind}"
                info = AsyncServiceInfo(kind, full, port=port, server=f"{machine()}.", parsed_addresses=at)
                await network.async_register_service(info, allow_name_change=True)
                name = info.name.removesuffix(f".{kind}")
        except (Error, OSError) as error:
            raise OscbendError(f"the network does not take {name!r}: {one_line(error)}") from error
        yield name

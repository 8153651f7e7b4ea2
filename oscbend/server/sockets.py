"""Sockets that listen."""

from __future__ import annotations

import contextlib
import errno
import os
import socket

from oscbend.errors import OscbendError

RECEIVE_BUFFER = 4 * 2**20
"""What is asked for; Linux gives no more than `net.core.rmem_max`."""


def opened(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """A bound socket that does not block; one for streams listens.

    Args:
        host: address of an interface.
        port: 0 takes any free one.
        kind: `SOCK_DGRAM` (UDP) or `SOCK_STREAM` (TCP).

    Raises:
        OscbendError: the port is in use or cannot be opened.
    """
    try:
        family, _, protocol, _, place = socket.getaddrinfo(host, port, type=kind)[0]
    except (OSError, OverflowError, UnicodeError) as error:
        raise OscbendError(f"cannot listen at {host}:{port}: no such address") from error
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    try:
        if kind == socket.SOCK_STREAM:
            if os.name == "posix":  # a port that was closed a moment ago; on Windows this would share it
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            with contextlib.suppress(OSError):
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        made.bind(place)
        if kind == socket.SOCK_STREAM:
            made.listen()
    except OSError as error:
        made.close()
        why = {
            errno.EADDRINUSE: "it is in use, perhaps by another oscbend; end that, or take another --port",
            errno.EADDRNOTAVAIL: f"{host} is not an address of this machine",
            errno.EACCES: "the system does not allow it; take a --port above 1024",
        }.get(error.errno or 0, str(error))
        name = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
        raise OscbendError(f"cannot open {name} port {port}: {why}") from error
    return made

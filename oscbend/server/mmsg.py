"""Many datagrams in one call, where the system has a call for that: Linux's recvmmsg.

One call leaves the interpreter's lock alone once; one call for each datagram takes it and gives it back each
time, and the thread that draws stands in the queue.
"""

from __future__ import annotations

import ctypes
import socket
import sys
from collections.abc import Callable
from typing import Any

Datagrams = list[tuple[bytes, Any]]

SLOT_BYTES = 65536
NAME_BYTES = 28  # of sockaddr_in6, the longer one
NAMES = 4096


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )
    """`struct msghdr`."""


class _Header(ctypes.Structure):
    _fields_ = (("message", _Message), ("length", ctypes.c_uint32))
    """`struct mmsghdr`: a message, and how many bytes came."""


def receiver(opened: socket.socket, most: int) -> Callable[[], Datagrams] | None:
    """What takes the datagrams that wait at a socket, without waiting; None if this system cannot.

    Args:
        opened: a UDP socket.
        most: how many are taken at once at most.
    """
    if not sys.platform.startswith("linux") or opened.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "recvmmsg"):
        return None
    return _Slots(opened, library.recvmmsg, most).take


class _Slots:
    """The memory that datagrams are received into."""

    def __init__(self, opened: socket.socket, call: Any, slots: int) -> None:
        self._socket = opened
        self._call = call
        self._data = bytearray(slots * SLOT_BYTES)
        self._view = memoryview(self._data)
        self._names = bytearray(slots * NAME_BYTES)
        self._headers = (_Header * slots)()
        self._vectors = (_Vector * slots)()
        data = ctypes.addressof(ctypes.c_char.from_buffer(self._data))
        names = ctypes.addressof(ctypes.c_char.from_buffer(self._names))
        for n, (header, vector) in enumerate(zip(self._headers, self._vectors)):
            vector.base, vector.length = data + n * SLOT_BYTES, SLOT_BYTES
            message = header.message
            message.name, message.name_length = names + n * NAME_BYTES, NAME_BYTES
            message.vectors, message.vector_count = ctypes.pointer(vector), 1
        words = memoryview(self._headers).cast("B").cast("I")
        place, stride = _Header.length.offset // 4, ctypes.sizeof(_Header) // 4
        self._lengths = words[place::stride]
        self._starts = range(0, slots * SLOT_BYTES, SLOT_BYTES)
        self._senders: dict[bytes, tuple[Any, ...]] = {}

    def take(self) -> Datagrams:
        """All that waits, as many as there is room for."""
        count = self._call(
            self._socket.fileno(), self._headers, len(self._headers), socket.MSG_DONTWAIT, None
        )
        if count <= 0:
            return []
        data, names = self._view, bytes(self._names[: count * NAME_BYTES])
        first = names[:NAME_BYTES]
        if names == first * count:
            sender = self._sender(first)
            return [(data[a : a + n].tobytes(), sender) for a, n in zip(self._starts, self._lengths[:count])]
        starts = range(0, count * NAME_BYTES, NAME_BYTES)
        senders = [self._sender(names[start : start + NAME_BYTES]) for start in starts]
        places = zip(self._starts, self._lengths[:count], senders)
        return [(data[a : a + n].tobytes(), sender) for a, n, sender in places]

    def _sender(self, name: bytes) -> tuple[Any, ...]:
        return self._senders.get(name) or self._read(name)

    def _read(self, name: bytes) -> tuple[Any, ...]:
        """A `sockaddr` as Python writes addresses; kept, for there are few senders and many datagrams."""
        port = int.from_bytes(name[2:4], "big")
        if self._socket.family == socket.AF_INET:
            sender: tuple[Any, ...] = (socket.inet_ntop(socket.AF_INET, name[4:8]), port)
        else:
            flow, scope = int.from_bytes(name[4:8], "big"), int.from_bytes(name[24:28], sys.byteorder)
            sender = (socket.inet_ntop(socket.AF_INET6, name[8:24]), port, flow, scope)
        if len(self._senders) >= NAMES:
            self._senders.clear()
        self._senders[name] = sender
        return sender

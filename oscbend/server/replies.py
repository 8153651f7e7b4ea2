"""What goes back to hosts: only `i f s`, flat, and short enough for one network frame.

Max reads doubles as 0, sclang misreads `h` and arrays, and Pure Data stops at `d`, `T` and `N`.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from oscbend.osc import Message, encode_message

REPLY_MAX = 1400
"""Longest reply, in bytes."""


def encode_reply(address: str, args: Iterable[Any] = ()) -> bytes:
    """The datagram of a reply; what goes beyond `REPLY_MAX` bytes is cut, a string with `…`.

    Whole numbers beyond 32 bits become floats, switches 1 or 0, nothing an empty string.
    """
    room = REPLY_MAX - _padded(len(address.encode()) + 1)
    fitting: list[int | float | str] = []
    for atom in _flat(args):
        left = room - _padded(len(fitting) + 3)  # comma, tags, this one's tag, NUL
        if _size(atom) > left:
            if isinstance(atom, str) and left >= 8:
                fitting.append(atom.encode()[: left - 4].decode(errors="ignore") + "…")
            break
        fitting.append(atom)
        room -= _size(atom)
    return encode_message(address, fitting)


def split_reply(
    address: str, items: Iterable[Any], head: Iterable[Any] = (), together: int = 1
) -> list[tuple[Any, ...]]:
    """The arguments of as many replies as a list needs: none is cut unless a single entry is too long.

    Args:
        address: the replies' address.
        items: the list.
        head: what every one of the replies begins with.
        together: how many items make one entry, which stays in one reply.
    """
    first = tuple(_flat(head))
    atoms = tuple(_flat(items))
    empty = _padded(len(address.encode()) + 1) + sum(map(_size, first))
    replies = []
    reply, size = list(first), empty
    for start in range(0, len(atoms), together):
        entry = atoms[start : start + together]
        more = sum(map(_size, entry))
        if len(reply) > len(first) and size + more + _padded(len(reply) + len(entry) + 2) > REPLY_MAX:
            replies.append(tuple(reply))
            reply, size = list(first), empty
        reply += entry
        size += more
    return [*replies, tuple(reply)]


def _flat(args: Iterable[Any]) -> Iterable[int | float | str]:
    for atom in Message("", tuple(args)).atoms:
        match atom:
            case None:
                yield ""
            case Integral() if -(2**31) <= atom < 2**31:  # type: ignore[operator]
                yield int(atom)
            case Real():
                yield float(atom)
            case bytes():
                yield atom.decode(errors="replace")
            case _:
                yield str(atom).replace("\0", "").encode(errors="replace").decode()


def _size(atom: int | float | str) -> int:
    return _padded(len(atom.encode()) + 1) if isinstance(atom, str) else 4


def _padded(size: int) -> int:
    return size + 3 & ~3

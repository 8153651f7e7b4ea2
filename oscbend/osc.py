"""OSC datagrams to messages and back, and time tags; opens no socket.

Decoding is our own, because what comes from the network must never raise anything but `BadPacket`, and
never loop; encoding goes through python-osc. Address patterns are in `oscbend.pattern`. Source: Open
Sound Control 1.0 (Wright 2002), and the impulse tag of OSC 1.1 (Freed & Schmeder 2009).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from numbers import Integral, Real
from struct import Struct
from struct import error as StructError
from typing import Any

from pythonosc.parsing import osc_types

from oscbend.errors import BadMessage, BadPacket, BadValue

NESTING = 8
"""How deep bundles, and arrays, may stand inside each other."""

HEADS = 16384
"""How many beginnings of messages (address and type tags) are kept."""

HEAD_MAX = 256
"""Longest beginning that is kept, in bytes."""

_UNIX_EPOCH = 2_208_988_800  # 1 January 1970 in NTP seconds
_ERA = 2**64  # NTP counts from 0 again on 7 February 2036


class TimeTag(int):
    """A time as OSC writes it: 64 bits, seconds in 32.32 fixed point; 0 and 1 mean "now".

    Seconds count from 1900 on the network (NTP) and from 0 in a score. A time made from a float is
    rounded down, so that what is due at t is due in a frame drawn for t.
    """

    __slots__ = ()

    @classmethod
    def from_seconds(cls, seconds: float) -> TimeTag:
        """The tag `seconds` after the epoch (a score's start, or 1900)."""
        if not 0.0 <= seconds < 2.0**32:
            raise BadValue(f"a time tag cannot hold {seconds} s")
        whole = math.floor(seconds)
        return cls((whole << 32) + math.floor((seconds - whole) * 2**32))

    @classmethod
    def from_unix(cls, unix_s: float) -> TimeTag:
        """The tag of a Unix time, such as `time.time()`."""
        return cls((cls.from_seconds(unix_s) + (_UNIX_EPOCH << 32)) % _ERA)

    @property
    def seconds(self) -> float:
        """Seconds after the epoch; exact to the last bit for 24 days."""
        return self / 2**32

    @property
    def unix_s(self) -> float:
        """Unix time in seconds, as `time.time()` gives it; from 1968 to 2104, as RFC 4330 reads it."""
        era = 0 if self >= _ERA // 2 else _ERA
        return (self + era - (_UNIX_EPOCH << 32)) / 2**32

    @property
    def immediate(self) -> bool:
        """True if it means "now" rather than a time."""
        return self <= 1


IMMEDIATELY = TimeTag(1)


@dataclass(frozen=True, slots=True)
class Message:
    """One OSC message.

    Args:
        address: with its leading slash; may be a pattern.
        args: int, float, str, bytes, bool, None, TimeTag; arrays (and MIDI packets) are tuples. An
            impulse (`I`) is True, a colour (`r`) an int, a character (`c`) a str.
        tags: the type tags as they came; when empty, they are inferred on the way out.
    """

    address: str
    args: tuple[Any, ...] = ()
    tags: str = field(default="", compare=False)

    @property
    def atoms(self) -> tuple[Any, ...]:
        """The arguments with all arrays unpacked."""
        return tuple(_atoms(self.args))


@dataclass(frozen=True, slots=True)
class Bundle:
    """Messages (and bundles) that act together at one time.

    Args:
        time: when.
        elements: in order.
        skipped: messages left out in decoding, here and further in, because of an unknown type tag.
    """

    time: TimeTag
    elements: tuple[Message | Bundle, ...] = ()
    skipped: int = field(default=0, compare=False)


def flatten(packet: Message | Bundle) -> list[tuple[TimeTag, tuple[Message, ...]]]:
    """What a packet asks for: (time, messages) pairs; the messages of one pair belong in one frame.

    A nested bundle whose time is the outer one's, earlier, or "now", acts with the outer bundle, in
    order; one whose time is later makes a pair of its own.
    """
    groups: dict[TimeTag, list[Message]] = {}

    def put(element: Message | Bundle, time: TimeTag) -> None:
        if isinstance(element, Message):
            groups.setdefault(time, []).append(element)
            return
        time = max(element.time, time)
        groups.setdefault(time, [])
        for inner in element.elements:
            put(inner, time)

    put(packet, IMMEDIATELY)
    return [(time, tuple(messages)) for time, messages in groups.items()]


_HEADS: dict[bytes, tuple[str, str, Struct]] = {}
"""Address and type tags as they came -> address, tags, and what reads the arguments."""


class _UnknownTag(BadPacket):
    """The message is sound as far as one can tell, but holds a type that OSC does not have."""


def decode(datagram: bytes) -> Message | Bundle:
    """The message or bundle that a datagram holds, checked to its last byte.

    A message in a bundle that has an unknown type tag is left out and counted in `Bundle.skipped`.

    Raises:
        BadPacket: it is not well-formed, or is a single message with an unknown type tag.
    """
    if type(datagram) is not bytes:
        datagram = bytes(datagram)
    size = len(datagram)
    head = datagram[: (datagram.find(0, datagram.find(b"\0,") + 2) | 3) + 1]
    known = _HEADS.get(head)
    if known is not None and size == len(head) + known[2].size:
        return Message(known[0], known[2].unpack_from(datagram, len(head)), known[1])
    if size == 0 or size & 3:
        raise BadPacket(f"a packet of {size} bytes: OSC packets are multiples of 4")
    packet = _packet(datagram, 0, size, 1)
    if isinstance(packet, Message) and packet.tags and len(head) <= HEAD_MAX:
        numbers = _numbers(packet.tags.encode())
        if numbers is not None and size == len(head) + numbers.size:
            if len(_HEADS) >= HEADS:
                _HEADS.clear()
            _HEADS[head] = packet.address, packet.tags, numbers
    return packet


def _packet(data: bytes, pos: int, end: int, depth: int) -> Message | Bundle:
    if data[pos] != 35:  # '#'
        return _message(data, pos, end)
    if not data.startswith(b"#bundle\0", pos) or end - pos < 16:
        raise BadPacket("begins with # but is not a bundle")
    if depth > NESTING:
        raise BadPacket(f"bundles stand in each other more than {NESTING} deep")
    time, pos = TimeTag(_UINT64.unpack_from(data, pos + 8)[0]), pos + 16
    elements: list[Message | Bundle] = []
    skipped = 0
    while pos < end:
        size = _INT32.unpack_from(data, pos)[0]
        pos += 4
        if size <= 0 or size & 3 or size > end - pos:
            raise BadPacket(f"an element of {size} bytes, with {end - pos} left in its bundle")
        try:
            element = _packet(data, pos, pos + size, depth + 1)
        except _UnknownTag:
            skipped += 1
        else:
            elements.append(element)
            if isinstance(element, Bundle):
                skipped += element.skipped
        pos += size
    return Bundle(time, tuple(elements), skipped)


def _message(data: bytes, pos: int, end: int) -> Message:
    address, pos = _read_string(data, pos, end)
    if not address.startswith("/"):  # sclang sends string addresses bare
        if not address or address[0] == ",":
            raise BadPacket("a message without an address")
        address = "/" + address
    if pos == end or data[pos] != 44:  # ',': old senders leave the type tags out
        return Message(address)
    nul = data.find(0, pos, end)
    if nul < 0:
        raise BadPacket("type tags without an end")
    tags = data[pos + 1 : nul]
    pos = (nul | 3) + 1
    numbers = _numbers(tags)
    if numbers is None:
        args, pos = _read_args(tags.decode("latin-1"), data, pos, end)
    elif numbers.size > end - pos:
        raise BadPacket(f"{address} is shorter than its type tags say")
    else:
        args = numbers.unpack_from(data, pos)
        pos += numbers.size
    if pos != end and data.count(0, pos, end) != end - pos:  # some senders pad too much
        raise BadPacket(f"{address} has {end - pos} bytes too many")
    return Message(address, args, tags.decode("latin-1"))


@lru_cache(512)
def _numbers(tags: bytes) -> Struct | None:
    """Reads all arguments at once, where all are plain numbers."""
    if len(tags) > 256 or tags.translate(None, b"ifhd"):
        return None
    return Struct(">" + tags.decode().replace("h", "q"))


def _read_args(tags: str, data: bytes, pos: int, end: int) -> tuple[tuple[Any, ...], int]:
    open_arrays: list[list[Any]] = []
    args: list[Any] = []
    for tag in tags:
        if reader := _READ.get(tag):
            value, pos = reader(data, pos, end)
            args.append(value)
        elif tag in _CONSTANTS:
            args.append(_CONSTANTS[tag])
        elif tag == "[":
            if len(open_arrays) == NESTING:
                raise BadPacket(f"arrays stand in each other more than {NESTING} deep")
            open_arrays.append(args)
            args = []
        elif tag == "]":
            if not open_arrays:
                raise BadPacket("an array that ends without having begun")
            args, done = open_arrays.pop(), args
            args.append(tuple(done))
        else:
            raise _UnknownTag(f"unknown type tag {tag!r}")
    if open_arrays:
        raise BadPacket("an array without an end")
    return tuple(args), pos


_Reader = Callable[[bytes, int, int], tuple[Any, int]]

_INT32 = Struct(">i")
_UINT64 = Struct(">Q")
_CONSTANTS = {"T": True, "F": False, "N": None, "I": True}


def _fixed(layout: str, make: Callable[..., Any] = lambda value: value) -> _Reader:
    struct = Struct(">" + layout)
    size = struct.size

    def read(data: bytes, pos: int, end: int) -> tuple[Any, int]:
        if size > end - pos:
            raise BadPacket("a message is shorter than its type tags say")
        return make(*struct.unpack_from(data, pos)), pos + size

    return read


def _read_string(data: bytes, pos: int, end: int) -> tuple[str, int]:
    nul = data.find(0, pos, end)
    if nul < 0:
        raise BadPacket("a string without an end")
    return data[pos:nul].decode("utf-8", "replace"), (nul | 3) + 1


def _read_blob(data: bytes, pos: int, end: int) -> tuple[bytes, int]:
    size = _INT32.unpack_from(data, pos)[0] if end - pos >= 4 else -1
    pos += 4
    if not 0 <= size <= end - pos:
        raise BadPacket(f"a blob of {size} bytes in a message that is too short for it")
    return data[pos : pos + size], pos + (size + 3 & ~3)


def _character(code: int) -> str:
    return chr(code) if code < 0xD800 or 0xE000 <= code < 0x110000 else "\ufffd"


_READ: dict[str, _Reader] = {
    "i": _fixed("i"),
    "f": _fixed("f"),
    "h": _fixed("q"),
    "d": _fixed("d"),
    "t": _fixed("Q", TimeTag),
    "c": _fixed("I", _character),
    "r": _fixed("I"),
    "m": _fixed("4B", lambda *packet: packet),
    "s": _read_string,
    "S": _read_string,
    "b": _read_blob,
}


def encode(packet: Message | Bundle) -> bytes:
    """The datagram that holds `packet`."""
    if isinstance(packet, Message):
        return encode_message(packet.address, packet.args, packet.tags)
    return encode_bundle(packet.time, packet.elements)


def encode_bundle(time: int, elements: Iterable[Message | Bundle] = ()) -> bytes:
    """A bundle's datagram; `time` is the 64-bit tag itself, kept to the bit."""
    parts = [b"#bundle\0", _UINT64.pack(time)]
    for element in elements:
        packet = encode(element)
        parts += (osc_types.write_int(len(packet)), packet)
    return b"".join(parts)


def encode_message(address: str, args: Iterable[Any] = (), tags: str = "") -> bytes:
    """A message's datagram.

    Args:
        address: a slash is put before it if it has none.
        args: see `Message`; lists and tuples become arrays.
        tags: the type of each argument; when empty: `i` (beyond 32 bits `h`), `f`, `s`, `b`, `T` `F`,
            `N`, `t` and arrays, after the Python type.

    Raises:
        BadMessage: an argument has no OSC type, or does not fit its tag.
    """
    args = tuple(args)
    tags = tags or "".join(map(_tag, args))
    parts = [_write_string(address if address.startswith("/") else "/" + address), _write_string("," + tags)]
    values = [iter(args)]
    try:
        for tag in tags:
            if tag == "]":
                _exhaust(values.pop())
                continue
            value = next(values[-1])
            if tag == "[":
                values.append(iter(value))
            elif tag not in _CONSTANTS:
                parts.append(_WRITE[tag](value))
        (rest,) = values
        _exhaust(rest)
    except (*_MISFITS, LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise BadMessage(f"{address}: {args!r} cannot be written as {tags!r}") from error
    return b"".join(parts)


def _tag(arg: Any) -> str:
    match arg:
        case None:
            return "N"
        case bool():
            return "T" if arg else "F"
        case TimeTag():
            return "t"
        case Integral():
            return "i" if -(2**31) <= arg < 2**31 else "h"  # type: ignore[operator]
        case Real():
            return "f"
        case str():
            return "s"
        case bytes() | bytearray():
            return "b"
        case tuple() | list():
            return f"[{''.join(map(_tag, arg))}]"
    raise BadMessage(f"OSC has no type for {arg!r}")


def _exhaust(values: Iterator[Any]) -> None:
    if list(values):
        raise ValueError("more values than type tags")


def _write_float(number: float) -> bytes:
    try:
        return osc_types.write_float(number)
    except OverflowError:  # beyond what 32 bits hold
        return osc_types.write_float(math.copysign(math.inf, number))


def _write_string(text: str) -> bytes:
    return osc_types.write_string(text.replace("\0", "").encode("utf-8", "replace").decode())


def _write_blob(blob: bytes) -> bytes:
    return osc_types.write_blob(blob) if blob else osc_types.write_int(0)


_MISFITS = (osc_types.BuildError, StructError)
_WRITE: dict[str, Callable[[Any], bytes]] = {
    "i": osc_types.write_int,
    "f": _write_float,
    "h": osc_types.write_int64,
    "d": osc_types.write_double,
    "t": _UINT64.pack,
    "c": lambda character: osc_types.write_int(ord(character)),
    "r": osc_types.write_rgba,
    "m": osc_types.write_midi,
    "s": _write_string,
    "S": _write_string,
    "b": _write_blob,
}


def _atoms(args: Iterable[Any]) -> Iterator[Any]:
    for arg in args:
        if isinstance(arg, tuple | list):
            yield from _atoms(arg)
        else:
            yield arg

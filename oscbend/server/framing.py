"""OSC over a stream: how packets are told apart in it.

Two ways are in use, and the first byte tells which: a big-endian int32 size before each packet (OSC 1.0,
scsynth) begins with 0; SLIP with END at both ends (OSC 1.1; RFC 1055) begins with END, or, where a sender
leaves the first END out, with the packet itself.
"""

from __future__ import annotations

from struct import Struct

from oscbend.errors import BadPacket

PACKET_MAX = 2**20
"""Longest packet in a stream, in bytes."""

END, ESC = b"\xc0", b"\xdb"
ESC_END, ESC_ESC = b"\xdb\xdc", b"\xdb\xdd"
_INT32 = Struct(">i")


class Framing:
    """Cuts the packets out of one stream, and puts those that go back into it in the same way.

    Args:
        longest: of a packet, in bytes.
    """

    def __init__(self, longest: int = PACKET_MAX) -> None:
        self.longest = longest
        self.slip: bool | None = None
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that are complete now; one that is spoilt within sound framing is an empty one.

        Raises:
            BadPacket: the stream is not OSC, or a packet is too long; nothing in it can be told any more.
        """
        if not data:
            return []
        if self.slip is None:
            self.slip = _is_slip(data[0])
        self._rest += data
        if not self.slip:
            return self._sized()
        if END not in data:
            self._check(self._rest)
            return []
        return self._slip()

    def wrap(self, packet: bytes) -> bytes:
        """A packet as it goes into the stream."""
        if not self.slip:
            return _INT32.pack(len(packet)) + packet
        return END + packet.replace(ESC, ESC_ESC).replace(END, ESC_END) + END

    def _sized(self) -> list[bytes]:
        packets = []
        rest, pos = self._rest, 0
        while len(rest) - pos >= 4:
            size = _INT32.unpack_from(rest, pos)[0]
            if not 0 <= size <= self.longest:
                raise BadPacket(f"a packet of {size} bytes in a stream; at most {self.longest}")
            if len(rest) - pos - 4 < size:
                break
            packets.append(bytes(rest[pos + 4 : pos + 4 + size]))
            pos += 4 + size
        del rest[:pos]
        return packets

    def _slip(self) -> list[bytes]:
        *whole, rest = bytes(self._rest).split(END)
        for part in (*whole, rest):
            self._check(part)
        self._rest = bytearray(rest)
        return [_unescaped(part) for part in whole if part]

    def _check(self, part: bytes | bytearray) -> None:
        if len(part) > 2 * self.longest:  # escaped, every byte may have become two
            raise BadPacket(f"a packet of more than {self.longest} bytes in a stream")


def _is_slip(first: int) -> bool:
    if first == 0:
        return False
    if first in b"\xc0/#":
        return True
    raise BadPacket("the stream is not OSC: neither sizes before the packets nor SLIP")


def _unescaped(part: bytes) -> bytes:
    if part.count(ESC) != part.count(ESC_END) + part.count(ESC_ESC):
        return b""
    return part.replace(ESC_END, END).replace(ESC_ESC, ESC)

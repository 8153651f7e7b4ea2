"""Packets in a stream, in both framings, however the stream is cut into pieces."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.slip import decode as slip_decode
from pythonosc.slip import encode as slip_encode

from oscbend.errors import BadPacket
from oscbend.osc import encode_message
from oscbend.server.framing import PACKET_MAX, Framing

packets = st.lists(st.binary(max_size=60).map(lambda rest: b"/" + rest), min_size=1, max_size=6)


def sized(packet: bytes) -> bytes:
    return struct.pack(">i", len(packet)) + packet


def fed(framing: Framing, stream: bytes, cuts: list[int]) -> list[bytes]:
    """What comes out of a stream that arrives in pieces."""
    edges = [0, *sorted(c % (len(stream) + 1) for c in cuts), len(stream)]
    return [p for a, b in itertools.pairwise(edges) for p in framing.feed(stream[a:b])]


@given(packets, st.lists(st.integers(0, 999), max_size=12))
def test_packets_with_sizes_are_cut_out(sent: list[bytes], cuts: list[int]) -> None:
    framing = Framing()
    assert fed(framing, b"".join(map(sized, sent)), cuts) == sent
    assert framing.slip is False


@given(packets, st.lists(st.integers(0, 999), max_size=12))
def test_packets_in_slip_are_cut_out(sent: list[bytes], cuts: list[int]) -> None:
    framing = Framing()
    assert fed(framing, b"".join(map(slip_encode, sent)), cuts) == sent
    assert framing.slip is True


@given(packets)
def test_slip_without_a_first_end_is_told_by_the_packet_itself(sent: list[bytes]) -> None:
    assert Framing().feed(b"".join(slip_encode(p)[1:] for p in sent)) == sent


@given(st.binary(max_size=200))
def test_what_goes_back_is_framed_as_what_came(packet: bytes) -> None:
    slip, sizes = Framing(), Framing()
    slip.feed(slip_encode(b"/a\0\0"))
    sizes.feed(sized(b"/a\0\0"))
    assert slip_decode(slip.wrap(packet)) == packet
    assert sizes.wrap(packet) == sized(packet)
    if packet:
        assert Framing().feed(slip.wrap(packet)) == [packet] or packet[:1] not in b"/#\xc0"


def test_bytes_may_come_one_by_one() -> None:
    message = encode_message("/bend/1/r", (0.5,))
    for stream in (sized(message), slip_encode(message)):
        framing = Framing()
        pieces = [framing.feed(stream[i : i + 1]) for i in range(len(stream))]
        assert list(itertools.chain.from_iterable(pieces)) == [message]


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"\xff\xff\xff\xff", b"\x01"])
def test_a_stream_that_is_not_osc_is_refused_at_its_first_byte(first: bytes) -> None:
    with pytest.raises(BadPacket, match="not OSC"):
        Framing().feed(first)


@pytest.mark.parametrize("size", [-4, PACKET_MAX + 4, 0x00FFFFFF])
def test_a_size_that_cannot_be_is_refused_before_anything_is_kept(size: int) -> None:
    framing = Framing()
    framing.feed(sized(b"/a\0\0"))
    with pytest.raises(BadPacket, match="bytes"):
        framing.feed(struct.pack(">i", size))


def test_the_longest_packet_passes_and_a_longer_one_does_not() -> None:
    longest = bytes(100)
    assert Framing(100).feed(sized(longest)) == [longest]
    assert Framing(100).feed(slip_encode(b"/" + bytes(99))) == [b"/" + bytes(99)]
    with pytest.raises(BadPacket):
        Framing(96).feed(sized(longest))
    framing = Framing(100)
    framing.feed(b"/" + bytes(99))
    framing.feed(bytes(100))
    with pytest.raises(BadPacket):
        framing.feed(bytes(1))


def test_a_broken_escape_spoils_its_packet_and_no_other() -> None:
    framing = Framing()
    assert framing.feed(b"\xc0/a\xdb\x00\xc0" + slip_encode(b"/b\0\0")) == [b"", b"/b\0\0"]


def test_ends_in_a_row_are_no_packets() -> None:
    assert Framing().feed(b"\xc0\xc0\xc0/a\0\0\xc0\xc0") == [b"/a\0\0"]

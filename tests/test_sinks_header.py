"""Pictures as blocks of bytes: there and back, and nothing else is taken for one."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscbend.errors import BadPacket, BadValue
from oscbend.frame import Frame
from oscbend.sinks.header import REPEATED, SIZE, Header, pack, unpack, unpack_header

U64 = st.integers(0, 2**64 - 1)


@given(
    number=U64,
    time_ns=U64,
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.integers(1, 4),
    flags=st.integers(0, 255),
    seed=st.integers(0, 2**32 - 1),
)
def test_there_and_back(number, time_ns, height, width, channels, flags, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    block = pack(Frame(number, 0.0, picture), time_ns, flags)
    header, back = unpack(block)
    assert header == Header(number, time_ns, width, height, channels, flags)
    assert np.array_equal(back, picture)
    assert len(block) == SIZE + picture.nbytes


def test_the_bytes_are_as_documented():
    picture = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    block = pack(Frame(7, 0.0, picture), 9, REPEATED)
    head = struct.pack("<4sHHQQIIBBBB", b"OSCB", 1, 64, 7, 9, 3, 2, 4, 0, 0, 1)
    assert block == head + bytes(64 - len(head)) + bytes(range(24))


def test_the_picture_is_a_view():
    block = pack(Frame(0, 0.0, np.zeros((2, 2, 4), np.uint8)), 0)
    _, picture = unpack(block)
    assert not picture.flags.owndata
    assert not picture.flags.writeable


def test_a_flipped_view_is_packed_row_by_row():
    picture = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)[::-1]
    assert np.array_equal(unpack(pack(Frame(0, 0.0, picture), 0))[1], picture)


@pytest.mark.parametrize(
    "picture", [np.zeros((2, 2, 4), np.float32), np.zeros((2, 2), np.uint8), np.zeros((0, 2, 4), np.uint8)]
)
def test_other_arrays_are_refused(picture):
    with pytest.raises(BadValue):
        pack(Frame(0, 0.0, picture), 0)


GOOD = pack(Frame(1, 0.0, np.zeros((2, 3, 4), np.uint8)), 5)


@pytest.mark.parametrize(
    ("offset", "data", "says"),
    [
        (0, b"OSCX", "no picture of oscbend"),
        (4, b"\2\0", "format 2"),
        (6, b"\x80\0", "header of 128"),
        (24, b"\0\0\0\0", "0 x 2"),
        (24, b"\xff\xff\xff\xff", "not possible"),
        (24, b"\4\0\0\0", "takes 32 bytes, got 24"),
        (32, b"\0", "channels"),
        (32, b"\5", "channels"),
        (33, b"\1", "pixel type 1"),
        (34, b"\1", "codec 1"),
        (60, b"\1", "not zero"),
    ],
)
def test_wrong_headers_are_refused(offset, data, says):
    block = GOOD[:offset] + data + GOOD[offset + len(data) :]
    with pytest.raises(BadPacket, match=says):
        unpack(block)


@given(st.binary(max_size=200))
def test_noise_is_refused(block):
    with pytest.raises(BadPacket):
        unpack(block)


@given(st.integers(0, len(GOOD) - 1))
def test_truncated_blocks_are_refused(length):
    with pytest.raises(BadPacket):
        unpack(GOOD[:length])


def test_the_header_alone_can_be_read():
    header = unpack_header(GOOD[:SIZE])
    assert (header.width, header.height, header.picture_bytes) == (3, 2, 24)
    with pytest.raises(BadPacket):
        unpack(GOOD + b"\0")

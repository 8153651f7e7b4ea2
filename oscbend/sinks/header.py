"""A picture as one block of bytes: a header of 64 bytes, then the pixels.

This is what travels over ZeroMQ and plain TCP. Little-endian:

    offset  0   4 bytes  magic `OSCB`
            4   u16      version, 1
            6   u16      size of this header, 64
            8   u64      frame number
           16   u64      time: when the frame left the renderer, nanoseconds since the Unix epoch, so
                         that a receiver on the same machine can tell its age
           24   u32      width in pixels
           28   u32      height in pixels
           32   u8       channels, 1 to 4: grey, grey and alpha, RGB, RGBA
           33   u8       type of a channel: 0 for uint8
           34   u8       codec: 0 for raw, 1 for JPEG (reserved)
           35   u8       flags: bit 0 set on a frame that is sent again
           36            zeros

Raw pixels follow row by row, the top row first, channels interleaved, nothing between the rows.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from oscbend.errors import BadPacket, BadValue
from oscbend.frame import Frame

MAGIC = b"OSCB"
VERSION = 1
SIZE = 64
UINT8 = 0
RAW = 0
REPEATED = 1
"""Flag: sent before, and sent again for readers that came late or missed it."""

MAX_SIDE = 16384

_LAYOUT = struct.Struct("<4sHHQQII4B28s")
_ZEROS = bytes(28)


@dataclass(frozen=True)
class Header:
    """What stands before the pixels; fields as in the module's table."""

    number: int
    time_ns: int
    width: int
    height: int
    channels: int = 4
    flags: int = 0

    @property
    def picture_bytes(self) -> int:
        """How many bytes of pixels follow."""
        return self.width * self.height * self.channels

    def pack(self) -> bytes:
        """The 64 bytes."""
        return _LAYOUT.pack(
            MAGIC,
            VERSION,
            SIZE,
            self.number,
            self.time_ns,
            self.width,
            self.height,
            self.channels,
            UINT8,
            RAW,
            self.flags,
            _ZEROS,
        )


def pack(frame: Frame, time_ns: int, flags: int = 0) -> bytes:
    """A frame as one block of bytes.

    Args:
        frame: its picture is uint8 [H, W, C], C 1 to 4.
        time_ns: when it left the renderer, nanoseconds since the Unix epoch.
        flags: as in the module's table.

    Raises:
        BadValue: the picture has another type or shape.
    """
    picture = frame.picture
    if picture.dtype != np.uint8 or picture.ndim != 3:
        raise BadValue(f"a picture is uint8 [H, W, C], got {picture.dtype} {list(picture.shape)}")
    height, width, channels = picture.shape
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and 1 <= channels <= 4):
        raise BadValue(
            f"a picture has 1 to {MAX_SIDE} pixels a side and 1 to 4 channels, got {picture.shape}"
        )
    header = Header(frame.number, time_ns, width, height, channels, flags)
    return b"".join((header.pack(), np.ascontiguousarray(picture).data))


def unpack_header(block: bytes | memoryview) -> Header:
    """The header at the start of a block; what follows it is not looked at.

    Raises:
        BadPacket: the header is not one.
    """
    if len(block) < SIZE:
        raise BadPacket(f"{len(block)} bytes are no picture: the header alone has {SIZE}")
    magic, version, size, number, time_ns, width, height, channels, dtype, codec, flags, zeros = (
        _LAYOUT.unpack_from(block)
    )
    if magic != MAGIC:
        raise BadPacket(f"no picture of oscbend: starts with {magic!r}, not {MAGIC!r}")
    if version != VERSION or size != SIZE:
        raise BadPacket(f"picture format {version} with a header of {size} bytes is not known here")
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise BadPacket(f"a picture of {width} x {height} pixels is not possible")
    if not 1 <= channels <= 4:
        raise BadPacket(f"a picture has 1 to 4 channels, not {channels}")
    if dtype != UINT8:
        raise BadPacket(f"pixel type {dtype} is not known here")
    if codec != RAW:
        raise BadPacket(f"picture codec {codec} is not known here")
    if zeros != _ZEROS:
        raise BadPacket("the end of the header is not zero")
    return Header(number, time_ns, width, height, channels, flags)


def unpack(block: bytes | memoryview) -> tuple[Header, np.ndarray]:
    """The header and the picture in a block.

    Returns:
        The header, and the picture as uint8 [H, W, C]: a view into `block`, which it keeps alive.

    Raises:
        BadPacket: the header is not one, or the pixels are too few or too many.
    """
    header = unpack_header(block)
    if len(block) - SIZE != header.picture_bytes:
        raise BadPacket(
            f"a picture of {header.width} x {header.height} x {header.channels} takes"
            f" {header.picture_bytes} bytes, got {len(block) - SIZE}"
        )
    pixels = np.frombuffer(block, np.uint8, offset=SIZE)
    return header, pixels.reshape(header.height, header.width, header.channels)

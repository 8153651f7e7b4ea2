"""A score: OSC bundles in the order of time, from a file or computed; what stage and studio share.

The file is scsynth's for non-real-time synthesis, byte for byte: again and again a big-endian int32 size
and a bundle of that size, whose time tag counts seconds from 0 in 32.32 fixed point. Times do not go
back, and the last one ends the render. Source: SuperCollider, "Non-Realtime Synthesis (NRT)".

What a score was made for (`/steps`, `/size`, `/fps`, `/seed`, `/prompt`) stands in its first bundle as plain
messages.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from oscbend.errors import BadPacket, BadScore, BadValue, TornScore
from oscbend.osc import Bundle, Message, TimeTag, decode, encode

BUNDLE_MAX = 16 * 2**20
"""Longest bundle in a score file, in bytes; whoever claims more has not written a score."""

_INT32 = Struct(">i")


class Score:
    """Bundles in the order of time; those of one time keep the order in which they were added.

    >>> score = Score()
    >>> score.add(0.5, Message("/bend/1/mix", (0.25,)))
    >>> score.add(0, Message("/steps", (4,)))
    >>> score.add(2)  # a bundle without messages only says when it ends
    >>> [(bundle.time.seconds, len(bundle.elements)) for bundle in score], score.duration_s
    ([(0.0, 1), (0.5, 1), (2.0, 0)], 2.0)
    """

    def __init__(self, bundles: Iterable[Bundle] = ()) -> None:
        self._bundles: list[Bundle] = sorted(bundles, key=_time)

    def add(self, time_s: float, *messages: Message | Bundle) -> None:
        """Puts one bundle in, `time_s` seconds from the beginning, after those of the same time.

        Raises:
            BadScore: the time is negative, not finite, or beyond 136 years.
        """
        try:
            bundle = Bundle(TimeTag.from_seconds(time_s), messages)
        except BadValue as error:
            raise BadScore(f"a score has no time {time_s} s") from error
        self._bundles.insert(bisect_right(self._bundles, bundle.time, key=_time), bundle)

    def __iter__(self) -> Iterator[Bundle]:
        return iter(self._bundles)

    def __len__(self) -> int:
        return len(self._bundles)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Score) and self._bundles == other._bundles

    __hash__ = None  # type: ignore[assignment]

    @property
    def duration_s(self) -> float:
        """The time of the last bundle, which ends the render; 0 when there is none."""
        return self._bundles[-1].time.seconds if self._bundles else 0.0

    @classmethod
    def read(cls, path: str | Path, torn: Callable[[str], None] | None = None) -> Score:
        """The score in a file.

        Args:
            path: of the file.
            torn: is told if the file breaks off within a bundle, as when the power failed; what comes before
                is taken. Without it, that is an error.

        Raises:
            BadScore: the file cannot be read, holds nothing, or breaks the format.
        """
        try:
            with open(path, "rb") as file:
                score = cls(_whole(read_bundles(file), path, torn))
        except OSError as error:
            raise BadScore(f"{path}: {error.strerror}") from error
        except BadScore as error:
            raise BadScore(f"{path}: {error}") from error
        if not len(score):
            raise BadScore(f"{path}: an empty file, not a score")
        return score

    def write(self, path: str | Path) -> None:
        """Writes the score to a file."""
        try:
            Path(path).write_bytes(self.to_bytes())
        except OSError as error:
            raise BadScore(f"{path}: {error.strerror}") from error

    @classmethod
    def from_bytes(cls, data: bytes) -> Score:
        """The score that a file's bytes hold; none gives an empty score."""
        return cls(read_bundles(io.BytesIO(data)))

    def to_bytes(self) -> bytes:
        """What `write` writes."""
        return b"".join(map(pack, self._bundles))


def pack(bundle: Bundle) -> bytes:
    """One bundle as it stands in a score file: its size, then itself."""
    packet = encode(bundle)
    return _INT32.pack(len(packet)) + packet


def read_bundles(file: BinaryIO) -> Iterator[Bundle]:
    """The bundles of a score file, one after the other as they are read.

    Raises:
        BadScore: the file breaks the format; the text says where, counted in bytes, and how.
    """
    offset = 0
    last = TimeTag(0)
    while head := file.read(4):
        if len(head) < 4:
            raise TornScore(f"byte {offset}: ends within the size of a bundle")
        size = _INT32.unpack(head)[0]
        if not 16 <= size <= BUNDLE_MAX or size % 4:
            raise BadScore(f"byte {offset}: a bundle cannot be {size} bytes long; is this a score file?")
        packet = file.read(size)
        if len(packet) < size:
            raise TornScore(f"byte {offset}: ends {size - len(packet)} bytes short of its bundle's {size}")
        try:
            bundle = decode(packet)
        except BadPacket as error:
            raise BadScore(f"byte {offset}: {error}") from error
        if isinstance(bundle, Message):
            raise BadScore(f"byte {offset}: {bundle.address} stands outside a bundle, so it has no time")
        if bundle.time < last:
            raise BadScore(
                f"byte {offset}: time goes back, from {last.seconds:.6g} s to {bundle.time.seconds:.6g} s"
            )
        yield bundle
        last = bundle.time
        offset += 4 + size


def _whole(
    bundles: Iterator[Bundle], path: str | Path, torn: Callable[[str], None] | None
) -> Iterator[Bundle]:
    try:
        yield from bundles
    except TornScore as error:
        if torn is None:
            raise
        torn(f"{path}: {error}; what comes before that is taken")


def _time(bundle: Bundle) -> TimeTag:
    return bundle.time

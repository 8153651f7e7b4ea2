"""What comes in, written out for people, as scsynth's `/dumpOSC` does; some lines a second, never a flood."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator

from oscbend import osc

LINES_A_SECOND = 200
LONGEST = 400
"""Longest line, in characters."""
HEX_BYTES = 256


class Dump:
    """Keeps lines about packets until they are asked for.

    `mode` is 0 for nothing, 1 for what packets say, 2 for their bytes, 3 for both.
    """

    def __init__(self) -> None:
        self.mode = 0
        self.left_out = 0
        self._lines: deque[str] = deque()
        self._since_s = float("-inf")
        self._count = 0

    def note(
        self, data: bytes, packet: osc.Message | osc.Bundle | None, sender: Hashable, unix_s: float
    ) -> None:
        """Writes down a packet.

        Args:
            data: its bytes.
            packet: what it says; None if it says nothing.
            sender: who sent it.
            unix_s: when it came.
        """
        if not 0 <= unix_s - self._since_s < 1.0:
            self._since_s, self._count = unix_s, 0
        self._count += 1
        if self._count > LINES_A_SECOND:
            self.left_out += 1
            return
        who = f"{sender[0]}:{sender[1]}" if isinstance(sender, tuple) else str(sender)
        if self.mode & 1:
            said = "bad packet" if packet is None else _said(packet, unix_s)
            self._lines.append(_short(f"{who} {said}"))
        if self.mode & 2:
            more = "…" if len(data) > HEX_BYTES else ""
            self._lines.append(f"{who} {len(data)} bytes: {data[:HEX_BYTES].hex(' ', 4)}{more}")

    def lines(self) -> Iterator[str]:
        """What was written since the last call."""
        while self._lines:
            yield self._lines.popleft()
        if self.left_out:
            yield f"… and {self.left_out} more packets"
            self.left_out = 0


def _said(packet: osc.Message | osc.Bundle, unix_s: float) -> str:
    if isinstance(packet, osc.Message):
        return " ".join((packet.address, *map(repr, packet.args)))
    when = "now" if packet.time.immediate else f"{packet.time.unix_s - unix_s:+.3f} s"
    return f"[{when}: {'; '.join(_said(element, unix_s) for element in packet.elements[:8])}]"


def _short(text: str) -> str:
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: LONGEST + 1])
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"

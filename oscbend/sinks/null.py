"""A sink that shows frames to nobody: it keeps the last one and counts."""

from __future__ import annotations

from oscbend.frame import Frame
from oscbend.sinks.base import KINDS, Sink


class NullSink(Sink):
    """Shows frames to nobody; keeps the last one."""

    kind = "null"

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.last: Frame | None = None

    def show(self, frame: Frame) -> None:
        """Keeps the frame."""
        self.last = frame


KINDS.declare("null")(NullSink)

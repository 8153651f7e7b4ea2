"""What is to happen when: bundles in a bounded heap, given out whole when their time has come."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from oscbend import osc
from oscbend.errors import BadPacket
from oscbend.score import Score

HORIZON_S = 10.0
CAPACITY = 10_000
EARLY_S = 1e-6
"""A time tag is rounded to 2^-32 s; what is due within this much of a frame belongs to it."""


@dataclass(frozen=True, order=True)
class Due:
    """Messages that act together.

    Args:
        time_s: on the clock of the loop.
        order: of arrival.
        messages: in order.
        sender: who sent them; None for a score.
        local: True if the sender is on this machine.
    """

    time_s: float
    order: int
    messages: tuple[osc.Message, ...] = field(compare=False)
    sender: Hashable | None = field(compare=False, default=None)
    local: bool = field(compare=False, default=True)


class Schedule:
    """Bundles by time.

    Args:
        horizon_s: what is tagged further ahead acts at once, and is counted; None for a score.
        capacity: how many wait at most; when full, what comes next is dropped and counted.
    """

    def __init__(self, horizon_s: float | None = HORIZON_S, capacity: int = CAPACITY) -> None:
        self.horizon_s = horizon_s
        self.capacity = capacity
        self.late = 0
        self.early = 0
        self.dropped = 0
        self.bad = 0
        self._order = itertools.count()
        self._heap: list[Due] = []

    def __len__(self) -> int:
        return len(self._heap)

    def put_datagrams(
        self,
        datagrams: Iterable[tuple[bytes, Hashable]],
        arrived_s: float,
        unix_offset_s: float,
        is_local: Callable[[Any], bool],
    ) -> None:
        """Decodes what came at one time and schedules it; a bad datagram is dropped whole and counted.

        Args:
            datagrams: as received, and from whom; senders are compared by `is`, then by `==`.
            arrived_s: on the clock of the loop.
            unix_offset_s: Unix time minus the clock of the loop.
            is_local: tells of a sender whether it is on this machine.
        """
        now: list[osc.Message] = []
        sender: Hashable | None = None
        for data, came_from in datagrams:
            try:
                packet = osc.decode(data)
            except BadPacket:
                self.bad += 1
                continue
            if isinstance(packet, osc.Message) and (came_from is sender or came_from == sender or not now):
                sender = came_from
                now.append(packet)
                continue
            if now:
                self.put(arrived_s, tuple(now), sender, is_local(sender))
                now = []
            if isinstance(packet, osc.Message):
                sender = came_from
                now.append(packet)
            else:
                self._put_bundle(packet, arrived_s, unix_offset_s, came_from, is_local(came_from))
        if now:
            self.put(arrived_s, tuple(now), sender, is_local(sender))

    def _put_bundle(
        self, bundle: osc.Bundle, arrived_s: float, unix_offset_s: float, sender: Hashable, local: bool
    ) -> None:
        self.bad += bundle.skipped
        for tag, messages in osc.flatten(bundle):
            time_s = arrived_s if tag.immediate else tag.unix_s - unix_offset_s
            if time_s < arrived_s:
                self.late += 1
                time_s = arrived_s
            elif self.horizon_s is not None and time_s > arrived_s + self.horizon_s:
                self.early += 1
                time_s = arrived_s
            self.put(time_s, messages, sender, local)

    def put_score(self, score: Score) -> None:
        """Schedules a whole score; its time 0 is the clock's."""
        for bundle in score:
            for tag, messages in osc.flatten(bundle):
                time_s = 0.0 if tag.immediate else tag.seconds
                heapq.heappush(self._heap, Due(time_s, next(self._order), messages))

    def put(
        self,
        time_s: float,
        messages: tuple[osc.Message, ...],
        sender: Hashable | None = None,
        local: bool = True,
    ) -> None:
        """Schedules messages that act together."""
        if not messages:
            return
        if len(self._heap) >= self.capacity:
            self.dropped += 1
            return
        heapq.heappush(self._heap, Due(time_s, next(self._order), messages, sender, local))

    def due(self, now_s: float) -> list[Due]:
        """What acts on the frame at `now_s`, in the order of time, then of arrival."""
        found = []
        while self._heap and self._heap[0].time_s <= now_s + EARLY_S:
            found.append(heapq.heappop(self._heap))
        return found

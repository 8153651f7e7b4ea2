"""What has come from the network and waits for the next frame: a bounded queue that all doors share."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable
from typing import NamedTuple

CAPACITY = 16384
QUEUE_BYTES = 64 * 2**20


class Arrivals(NamedTuple):
    """What came in together.

    Args:
        time_s: when, seconds of `time.monotonic`.
        datagrams: as received, and from whom (see `oscbend.peers`), in the order in which they came.
    """

    time_s: float
    datagrams: list[tuple[bytes, Hashable]]


class Inbox:
    """Takes packets from the threads that receive them, and gives them to the one that draws.

    Args:
        capacity: how many packets wait at most (and 64 MB of them); then the oldest are dropped.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.received = 0
        self.dropped = 0
        self._waiting: deque[Arrivals] = deque()
        self._count = 0
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def crowded(self) -> bool:
        """True if it is more than half full."""
        return 2 * self._count > self.capacity or 2 * self._bytes > QUEUE_BYTES

    def put(self, arrivals: Arrivals) -> None:
        """Takes what came in together."""
        with self._lock:
            self.received += len(arrivals.datagrams)
            self._waiting.append(arrivals)
            self._count += len(arrivals.datagrams)
            self._bytes += _size(arrivals)
            while self._count > self.capacity or self._bytes > QUEUE_BYTES:
                oldest = self._waiting[0].datagrams
                excess = min(max(self._count - self.capacity, 1), len(oldest))
                self._count -= excess
                self._bytes -= sum(len(data) for data, _ in oldest[:excess])
                self.dropped += excess
                del oldest[:excess]
                if not oldest:
                    self._waiting.popleft()

    def drain(self) -> list[Arrivals]:
        """All that has come since the last call, oldest first."""
        with self._lock:
            came, self._waiting, self._count, self._bytes = self._waiting, deque(), 0, 0
        return list(came)


def _size(arrivals: Arrivals) -> int:
    return sum(len(data) for data, _ in arrivals.datagrams)

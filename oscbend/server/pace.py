"""When what is begun now will be seen: measured from the frames before it."""

from __future__ import annotations

import statistics
from collections import deque

FRAMES = 31
MARGIN_S = 0.005
"""What a bundle needs from the network's card to the schedule, and a little more."""


class Pace:
    """Tells beforehand when frames are seen; looks at no clock itself."""

    def __init__(self) -> None:
        self._took_s: deque[float] = deque(maxlen=FRAMES)
        self._every_s: deque[float] = deque(maxlen=FRAMES)
        self._begun: deque[tuple[float, float]] = deque(maxlen=256)
        self._began_s = float("-inf")
        self._last_s = float("-inf")

    @property
    def render_s(self) -> float:
        """How long a frame takes from being begun to being given out: the median of the last 31."""
        return statistics.median(self._took_s) if self._took_s else 0.0

    @property
    def every_s(self) -> float:
        """How long from the beginning of one frame to that of the next: the median of the last 31."""
        return statistics.median(self._every_s) if self._every_s else 0.0

    def ahead_s(self, latency_s: float, behind: int = 0) -> float:
        """How long before its time a bundle has to be sent, so that its frame has not been begun."""
        return self._until_seen_s(latency_s, behind) + MARGIN_S

    def begin(self, now_s: float, latency_s: float, behind: int = 0) -> float:
        """When the frame that is begun now will be seen; never before the one begun last.

        Args:
            now_s: now.
            latency_s: from its being given out until it is seen.
            behind: by how many frames it comes late, with stream batch.
        """
        if self._began_s > float("-inf"):
            self._every_s.append(now_s - self._began_s)
        self._began_s = now_s
        self._last_s = max(self._last_s, now_s + self._until_seen_s(latency_s, behind))
        self._begun.append((self._last_s, now_s))
        return self._last_s

    def landed(self, seen_s: float, now_s: float) -> None:
        """Measures a frame that had to be drawn and is given out now.

        Args:
            seen_s: what `begin` said.
            now_s: now.
        """
        while self._begun and self._begun[0][0] < seen_s:
            self._begun.popleft()
        if self._begun and self._begun[0][0] == seen_s:
            self._took_s.append(now_s - self._begun[0][1])

    def _until_seen_s(self, latency_s: float, behind: int) -> float:
        return self.render_s + latency_s + behind * self.every_s

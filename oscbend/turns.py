"""Turns between frames and jobs, in one process and under one interpreter lock.

A job on a thread of its own slows frames far more than its share of work: each of the thousand calls of a
frame gives the interpreter's lock away and then waits until the job gives it back, and the threads of the
network wait for each other whenever the job has one of their cores. So jobs take turns: while a frame is
drawn they stand still at their next function call, and between frames they have a share of the time.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

SHARE = 0.2
"""Time that jobs get after each frame, while there are any, of the time that the frame took."""

PATIENCE = 2.0
"""Frames after which a job goes on although a frame is still being drawn: it may be waiting for the job."""

PATIENCE_S = 0.1
"""The same, in seconds, for frames that took next to no time."""

_guards = threading.local()


class Guard:
    """A lock that a frame may want: whoever holds it is not made to stand still meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        _guards.depth = getattr(_guards, "depth", 0) + 1
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
        _guards.depth -= 1


class Turns:
    """Who may work: a frame, or jobs."""

    def __init__(self) -> None:
        self._drawing = False
        self._over = threading.Event()
        self._over.set()
        self._patience_s = PATIENCE_S

    @contextmanager
    def frame(self, last_s: float = 0.0) -> Iterator[None]:
        """Jobs stand still meanwhile.

        Args:
            last_s: how long the last frame took.
        """
        self._patience_s = PATIENCE * last_s + PATIENCE_S
        self._over.clear()
        self._drawing = True
        try:
            yield
        finally:
            self._drawing = False
            self._over.set()

    def join(self) -> None:
        """From now on, this thread stands still while a frame is drawn."""
        sys.setprofile(self._stand_still)

    def _stand_still(self, frame: FrameType, event: str, arg: Any) -> None:
        if self._drawing and not getattr(_guards, "depth", 0) and not self._over.wait(self._patience_s):
            self._drawing = False

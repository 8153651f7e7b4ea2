"""What is said to whoever runs the server, without waiting for the terminal."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

LINES = 1000
"""How many lines wait at most; a terminal that takes none loses the rest."""


class Console:
    """Passes lines on from a thread of its own: a terminal or a pipe that stands still holds nobody up.

    Args:
        say: writes one line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.lost = 0
        self._write = say
        self._lines: deque[str] = deque()
        self._something = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    def say(self, line: str) -> None:
        """Takes a line; never waits."""
        if len(self._lines) >= LINES:
            self.lost += 1
            return
        self._lines.append(line)
        self._something.set()

    def close(self) -> None:
        """Writes what waits, for a second at most."""
        self._closed = True
        self._something.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not (self._closed and not self._lines):
            self._something.wait()
            self._something.clear()
            while self._lines:
                self._write(self._lines.popleft())
            if self.lost:
                lost, self.lost = self.lost, 0
                self._write(f"… and {lost} more lines")

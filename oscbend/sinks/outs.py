"""The outputs that are opened and closed while a show goes on."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from oscbend.errors import OscbendError
from oscbend.paths import below
from oscbend.sinks.base import KINDS, Sink, make_sink
from oscbend.sinks.look import Look
from oscbend.state import Out


class Outs:
    """Outputs by name. `open` and what `free` gives wait; all else is for the thread that draws.

    Args:
        root: below which files lie.
        shown: whatever gets frames; outputs are put into it and taken out again.
    """

    def __init__(self, root: Path, shown: list[Any]) -> None:
        self._root = root
        self._shown = shown
        self._sinks: dict[str, Sink] = {}
        self._opened: dict[str, Sink] = {}
        self._ended: deque[Sink] = deque()

    def open(self, name: str, out: Out, host: str = "") -> None:
        """Opens an output, which gets frames from `take` on; one of the same name is closed first.

        Raises:
            OscbendError: it cannot be opened; then the one of the same name is opened again.
        """
        sink = self._made(name, out, host)
        overtaken = self._opened.pop(name, None)
        if overtaken is not None:
            overtaken.close()
        before = self._sinks.get(name)
        if before is not None:
            before.when_ended = lambda sink: None
            before.close()
        try:
            self._opened[name] = sink.open()
        except OscbendError:
            if before is not None:
                with contextlib.suppress(OscbendError):
                    before.open().when_ended = self._ended.append
            raise
        sink.when_ended = self._ended.append

    def take(self, name: str) -> None:
        """Gives frames to an output that has been opened, the newest of its name."""
        sink = self._opened.pop(name, None)
        if sink is None:
            return
        before = self._sinks.get(name)
        if before in self._shown:
            self._shown.remove(before)
        self._sinks[name] = sink
        self._shown.append(sink)

    def change(self, name: str, out: Out) -> None:
        """Shows frames differently from now on."""
        if name in self._sinks:
            self._sinks[name].look = _look(out)

    def free(self, name: str) -> Callable[[], None]:
        """Gives an output no more frames; gives what waits until it is closed."""
        sink = self._sinks.pop(name, None)
        if sink is None:
            return lambda: None
        sink.when_ended = lambda sink: None
        if sink in self._shown:
            self._shown.remove(sink)
        return lambda: _closed(sink)

    def gone(self) -> Iterator[tuple[str, str]]:
        """The outputs that have closed by themselves since the last call, and why."""
        while self._ended:
            sink = self._ended.popleft()
            if self._sinks.get(sink.name) is sink:
                del self._sinks[sink.name]
                if sink in self._shown:
                    self._shown.remove(sink)
                yield sink.name, sink.stats.error or "it has closed"

    def close(self) -> None:
        """Closes all of them."""
        for name in list(self._sinks):
            with contextlib.suppress(OscbendError):
                self.free(name)()

    def _made(self, name: str, out: Out, host: str) -> Sink:
        target = list(out.target)
        for n, arg in enumerate(KINDS[out.kind].args):
            if arg.name == "path" and len(target) > n:
                target[n:] = [str(below(self._root, " ".join(map(str, target[n:]))))]
        sink = make_sink(out.kind, *target, name=name, host=host)
        sink.look = _look(out)
        return sink


def _look(out: Out) -> Look:
    return Look(out.size, out.fps, out.flip, out.swap, out.alpha)


def _closed(sink: Sink) -> None:
    before = sink.stats.error
    sink.close()
    error = sink.stats.error
    if error != before:
        raise OscbendError(error)

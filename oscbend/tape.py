"""Takes down a show as a score, beside the thread that draws it.

The file is a score as any other (see `oscbend.score`): the state at its beginning as the first bundle, then
every message that changed something, at the time when it acted. What else happened stands between them as
messages whose addresses begin with `/played/`; so everything is in one file, which is written and lost
together, and `oscbend score` shows it:

    /played/memory PART PARTS BLOB  what the first bundle cannot say: features so far, glides half-way, clocks
    /played/picture W H BLOB        the picture that was shown
    /played/scene NAME [TEXT]       a scene that was read, as it was then; no text if it could not be read
    /played/job                     the oldest job that had not ended took effect here
    /played/frame N                 frame N was drawn with all that stands before it, for this time
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from oscbend.commands import Show
from oscbend.commands.telling import PLACE, told
from oscbend.errors import BadValue, one_line
from oscbend.exact import packed
from oscbend.features import Bus
from oscbend.modulation import Modulation
from oscbend.osc import Bundle, Message, TimeTag
from oscbend.score import pack
from oscbend.state import State

PLAYED = "/played/"
ASIDE = ("/out/", "/record/", "/capture/")
"""What belongs to no score: it decides where pictures go, not what they are."""

FLUSH_EVERY_S = 0.25
WAITING = 200_000
"""Bundles that wait for the disk at most; a disk that is slower ends the recording."""

BLOB = 4 * 2**20
TICKS = 2.0**32
_FLOAT32_MAX = 3.4e38

Entry = tuple[float, tuple[Message, ...]]


@dataclass(frozen=True)
class Memory:
    """What a show remembers besides its messages, as it stood between two frames.

    Args:
        state: the state.
        modulation: what `Modulation.memory` gives.
        buses: the features.
        began_s: the time of the recording's 0, on the clock of the loop.
        black: how dark the picture was.
        held: True if a picture has been shown, which may be held.
        picture: that picture; uint8 [H, W, 4].
    """

    state: State
    modulation: dict[str, Any]
    buses: dict[str, Bus]
    began_s: float
    black: float
    held: bool
    picture: np.ndarray | None

    def messages(self) -> list[Message]:
        """The memory as messages."""
        data = {
            "state": self.state,
            "modulation": self.modulation,
            "buses": self.buses,
            "began_s": self.began_s,
            "black": self.black,
            "held": self.held,
        }
        text = json.dumps({key: packed(value) for key, value in data.items()}, allow_nan=False)
        whole = zlib.compress(text.encode(), 6)
        parts = [whole[i : i + BLOB] for i in range(0, len(whole), BLOB)]
        found = [Message(f"{PLAYED}memory", (n, len(parts), part)) for n, part in enumerate(parts)]
        if self.picture is not None:
            height, width = self.picture.shape[:2]
            blob = zlib.compress(np.ascontiguousarray(self.picture[..., :3]).tobytes(), 1)
            found.append(Message(f"{PLAYED}picture", (width, height, blob)))
        return found


class Tape:
    """Takes down what a show does; all but `open` and `close` on the thread that draws."""

    def __init__(self) -> None:
        self.name = ""
        """Of the file that is being written; empty for none."""
        self.on = False
        self.error = ""
        """Why the recording broke off; empty if it did not, or once that has been told."""
        self._writer: _Writer | None = None
        self._began_s = 0.0
        self._last_s = 0.0
        self._frames = 0
        self._entries: list[Entry] = []

    @property
    def waits(self) -> bool:
        """True if a file is open and the recording has not begun."""
        return self._writer is not None and not self.on

    def open(self, path: Path, name: str) -> None:
        """Makes the file; the recording begins with the next frame before which no job is at work.

        Raises:
            BadValue: it cannot be made, or another one is being written.
        """
        if self._writer is not None:
            raise BadValue(f"{self.name} is being recorded; send /record/stop first")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("xb")
        except OSError as error:
            raise BadValue(f"{name} cannot be written: {error.strerror}") from error
        self.name, self.error = name, ""
        self._writer = _Writer(file)

    def begin(self, show: Show, memory: Memory) -> None:
        """Writes down how everything stands."""
        assert self._writer is not None
        self._began_s = self._last_s = memory.began_s
        self._frames, self.on = 0, True
        first = tuple(Message(address, args) for address, args in told(show, (PLACE,)))
        self._entries = [(0.0, first)]
        self._writer.put(self._entries, memory)
        self._entries = []

    def exact(self, time_s: float) -> float:
        """A time on the clock of the loop as the file can hold it, and not before the last moment."""
        return max(self._last_s, round(time_s * TICKS) / TICKS)

    def moment(self, time_s: float, until_s: float | None = None) -> float:
        """The same, and it is the last moment from now on.

        Args:
            time_s: on the clock of the loop.
            until_s: it is not later than this.
        """
        exact = self.exact(time_s)
        self._last_s = exact if until_s is None else min(exact, max(self._last_s, until_s))
        return self._last_s

    def heard(self, message: Message) -> None:
        """A message acted, at the last moment."""
        self._note(message)

    def job(self) -> None:
        """The oldest job took effect."""
        self._note(Message(f"{PLAYED}job"))

    def scene(self, name: str, text: str | None) -> None:
        """A scene was read; from whatever thread."""
        if self.on and self._writer is not None:
            args = (name,) if text is None else (name, text)
            self._writer.put([(0.0, (Message(f"{PLAYED}scene", args),))])

    def frame(self) -> None:
        """A frame was drawn with all this, for the last moment."""
        self._note(Message(f"{PLAYED}frame", (self._frames,)))
        self._frames += 1
        assert self._writer is not None
        self._writer.put(self._entries)
        self._entries = []
        if self._writer.error:
            self.error = f"{self.name} broke off: {self._writer.error}"
            self.on, self._writer, self.name = False, None, ""

    def stop(self, time_s: float) -> _Writer:
        """Ends the recording at a time; gives what `close` waits for.

        Raises:
            BadValue: nothing is being recorded.
        """
        writer = self._writer
        if writer is None:
            raise BadValue("nothing is being recorded")
        if self.on:
            self._entries = [(self.moment(time_s) - self._began_s, ())]
            writer.put(self._entries)
        self.on, self._writer, self.name, self._entries = False, None, "", []
        return writer

    def close(self, time_s: float) -> None:
        """Ends the recording, if there is one, and waits until it is written."""
        if self._writer is not None:
            self.stop(time_s).close()

    def _note(self, message: Message) -> None:
        time_s = self._last_s - self._began_s
        if self._entries and self._entries[-1][0] == time_s:
            self._entries[-1] = time_s, (*self._entries[-1][1], message)
        else:
            self._entries.append((time_s, (message,)))


class _Writer:
    """Writes bundles into a file on a thread of its own, and lets none wait longer than a moment."""

    def __init__(self, file: BinaryIO) -> None:
        self.error = ""
        self.bytes = 0
        self._file = file
        self._queue: queue.SimpleQueue[tuple[Iterable[Entry], Memory | None] | None] = queue.SimpleQueue()
        self._last = TimeTag(0)
        self._thread = threading.Thread(target=self._run, name="tape", daemon=True)
        self._thread.start()

    def put(self, entries: Iterable[Entry], memory: Memory | None = None) -> None:
        """Takes bundles, and what is remembered after them."""
        if self._queue.qsize() > WAITING:
            self.error = self.error or "the disk is too slow"
        elif not self.error:
            self._queue.put((entries, memory))

    def close(self, timeout_s: float = 30.0) -> None:
        """Writes what waits, and closes the file.

        Raises:
            BadValue: it could not be written to its end.
        """
        self._queue.put(None)
        self._thread.join(timeout_s)
        if self.error or self._thread.is_alive():
            raise BadValue(f"the recording is not whole: {self.error or 'the disk hangs'}")

    def _run(self) -> None:
        flushed_s = time.monotonic()
        try:
            with self._file as file:
                while True:
                    try:
                        taken = self._queue.get(timeout=FLUSH_EVERY_S)
                    except queue.Empty:
                        taken = ((), None)
                    if taken is None:
                        break
                    file.write(self._packed(*taken))
                    if time.monotonic() - flushed_s >= FLUSH_EVERY_S:
                        file.flush()
                        os.fsync(file.fileno())
                        flushed_s = time.monotonic()
        except Exception as error:  # a disk may fail in many ways, and the show must go on
            self.error = getattr(error, "strerror", None) or one_line(error)

    def _packed(self, entries: Iterable[Entry], memory: Memory | None) -> bytes:
        found = [(time_s, messages) for time_s, messages in entries]
        if memory is not None:
            found += [(found[-1][0], (message,)) for message in memory.messages()]
        return b"".join(self._bundle(time_s, messages) for time_s, messages in found)

    def _bundle(self, time_s: float, messages: tuple[Message, ...]) -> bytes:
        self._last = max(self._last, TimeTag(round(time_s * TICKS)))
        return pack(Bundle(self._last, tuple(map(_whole, messages))))


def _whole(message: Message) -> Message:
    """A message whose numbers lose nothing when they are written."""
    if message.tags or not any(isinstance(a, float) and not _single(a) for a in message.args):
        return message
    tags = "".join(_tag(a) for a in message.args)
    return replace(message, tags=tags) if "?" not in tags else message


def _single(number: float) -> bool:
    return abs(number) < _FLOAT32_MAX and float(np.float32(number)) == number


def _tag(arg: Any) -> str:
    match arg:
        case bool():
            return "T" if arg else "F"
        case int():
            return "i" if -(2**31) <= arg < 2**31 else "h"
        case float():
            return "f" if _single(arg) else "d"
        case str():
            return "s"
    return "?"


def memory_of(
    state: State, modulation: Modulation, began_s: float, black: float, held: bool, picture: np.ndarray | None
) -> Memory:
    """What a show remembers now; nothing in it changes afterwards."""
    buses = {
        name: replace(bus, inbox=list(bus.inbox), recent=deque(bus.recent), slots=deque(bus.slots))
        for name, bus in modulation.buses.items()
    }
    return Memory(state, modulation.memory(), buses, began_s, black, held, picture)

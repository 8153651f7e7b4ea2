"""What every output has in common: a thread with a one-slot mailbox, numbers about it, a table of kinds.

The render thread calls `put`, which only lays a frame into the slot. If the last one still waits
there, it is replaced and counted as dropped: a slow reader gets fewer frames, always the newest,
and slows nobody. Everything else a sink does, from opening its device to letting go of it, happens
on the sink's own thread, since Spout and OpenGL want one thread for all their calls.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self

from oscbend.errors import BadValue, OscbendError, one_line
from oscbend.frame import Frame
from oscbend.sinks.look import Look, Pace
from oscbend.table import Table, Value

KINDS = Table("sink")
"""The kinds of outputs by name; a row's arguments are its target, its function makes a closed sink."""

RATE_WINDOW_S = 2.0


@dataclass(frozen=True)
class Stats:
    """How a sink is doing.

    Args:
        name, kind: of the sink.
        open: True while it takes frames.
        shown: frames that reached the host.
        dropped: frames that were replaced before they were shown, or came while nobody took them.
        fps: frames shown per second, over the last two seconds.
        age_ms: from `put` to the end of `show`, for the newest frame shown.
        failures: how often showing a frame failed.
        error: the last thing that went wrong, in one line; empty if nothing did.
    """

    name: str
    kind: str
    open: bool
    shown: int
    dropped: int
    fps: float
    age_ms: float
    failures: int
    error: str


class NotTaken(Exception):
    """Raised by `show` when nobody takes the frame: it counts as dropped, and nothing has failed."""


class Sink:
    """Base of all outputs: takes frames without ever making anyone wait.

    A subclass says what to do in `show`, and where it needs them in `begin`, `idle` and `end`. All four
    run on the sink's thread.

    Args:
        name: what the performer calls it (`/out/NAME`); the kind if empty.
    """

    kind: ClassVar[str] = ""
    idle_s: ClassVar[float | None] = None
    """How often `idle` runs while no frame comes; None for never."""
    patience: ClassVar[int] = 30
    """Failures in a row after which the sink gives up and closes itself."""
    close_s: ClassVar[float] = 3.0
    """How long `close` waits for the thread before it is left to itself."""

    def __init__(self, name: str = "") -> None:
        self.name = name or self.kind
        self.put_ns = 0
        """When the frame that is being shown was put: wall clock, nanoseconds since the Unix epoch."""
        self.look = Look()
        """What is done to frames before they are shown; may be replaced at any time, by any thread."""
        self.when_ended: Callable[[Sink], None] = lambda sink: None
        """Is called on the sink's thread when it has closed, by itself or because it was asked to."""
        self._pace = Pace()
        self._changed = threading.Condition()
        self._slot: tuple[Frame, int, float] | None = None
        self._open = False
        self._closing = False
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._shown = 0
        self._dropped = 0
        self._failures = 0
        self._age_s = 0.0
        self._error = ""
        self._refusal: Exception | None = None
        self._times: deque[float] = deque(maxlen=256)

    def begin(self) -> None:
        """Opens what the sink writes to; what it raises is raised by `open`."""

    def show(self, frame: Frame) -> None:
        """Hands one frame to the host; may take as long as it likes, and may fail."""
        raise NotImplementedError

    def idle(self) -> None:
        """Runs every `idle_s` while no frame comes, and after each frame."""

    def end(self) -> None:
        """Lets go of what `begin` opened; runs once if `begin` succeeded."""

    def open(self, timeout_s: float = 10.0) -> Self:
        """Starts the thread and waits until the sink is ready; opening an open sink does nothing.

        Raises:
            OscbendError: it cannot be opened, and why.
        """
        if self._thread is not None and self._thread.is_alive():
            if self._closing:
                raise OscbendError(f"output {self.name} is still closing")
            return self
        self._closing, self._refusal, self._slot = False, None, None
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, name=f"sink {self.name}", daemon=True)
        self._thread.start()
        if not self._ready.wait(timeout_s):
            self.ask_to_close()
            raise OscbendError(f"output {self.name} did not open within {timeout_s:g} s")
        if isinstance(self._refusal, OscbendError):
            raise self._refusal
        if self._refusal is not None:
            raise OscbendError(f"output {self.name}: {one_line(self._refusal)}") from self._refusal
        return self

    def put(self, frame: Frame) -> None:
        """Leaves a frame to be shown; never blocks, and replaces the one that waits, if any."""
        now = (frame, time.time_ns(), time.monotonic())
        with self._changed:
            if not self._open or self._closing:
                self._dropped += 1
                return
            if self._slot is not None:
                self._dropped += 1
            self._slot = now
            self._changed.notify()

    def close(self, timeout_s: float | None = None) -> None:
        """Shows the frame that waits, if any, and ends the thread; a stuck thread is left behind."""
        thread = self._thread
        if thread is None:
            return
        self.ask_to_close()
        thread.join(self.close_s if timeout_s is None else timeout_s)
        with self._changed:
            self._open = False
            if thread.is_alive():
                self._error = f"output {self.name} hangs, and was left behind"

    @property
    def stats(self) -> Stats:
        """How it is doing now."""
        with self._changed:
            recent = [t for t in self._times if t > time.monotonic() - RATE_WINDOW_S]
            span_s = recent[-1] - recent[0] if len(recent) > 1 else 0.0
            return Stats(
                name=self.name,
                kind=self.kind,
                open=self._open,
                shown=self._shown,
                dropped=self._dropped,
                fps=(len(recent) - 1) / span_s if span_s > 0 else 0.0,
                age_ms=self._age_s * 1000,
                failures=self._failures,
                error=self._error,
            )

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask_to_close(self) -> None:
        """Begins what `close` does, and waits for nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def _run(self) -> None:
        try:
            self.begin()
        except Exception as error:
            self._refusal, self._error = error, one_line(error)
            self._ready.set()
            return
        with self._changed:
            self._open = True
        self._ready.set()
        in_a_row = 0
        while in_a_row < self.patience:
            taken = self._take()
            if taken is None and self._closing:
                break
            try:
                if taken is not None:
                    self._show(*taken)
                    in_a_row = 0
                self.idle()
            except Exception as error:
                in_a_row += 1
                self._remember(one_line(error))
        else:
            self._remember(f"closed after {in_a_row} failures in a row: {self._error}", failed=False)
        with self._changed:
            self._open = False
        try:
            self.end()
        except Exception as error:
            self._remember(one_line(error))
        self.when_ended(self)

    def _show(self, frame: Frame, put_ns: int, put_s: float) -> None:
        look = self.look
        if self._pace.due(frame.time_s, look.fps):
            self.put_ns = put_ns
            try:
                self.show(look.seen(frame))
            except NotTaken:
                with self._changed:
                    self._dropped += 1
            else:
                self._count(put_s)

    def _take(self) -> tuple[Frame, int, float] | None:
        with self._changed:
            if self._slot is None and not self._closing:
                self._changed.wait(self.idle_s)
            taken, self._slot = self._slot, None
            return taken

    def _count(self, put_s: float) -> None:
        now = time.monotonic()
        with self._changed:
            self._shown += 1
            self._age_s = now - put_s
            self._times.append(now)

    def _remember(self, line: str, failed: bool = True) -> None:
        with self._changed:
            self._error = line
            self._failures += failed


def make_sink(kind: str, *target: Any, name: str = "", host: str = "") -> Sink:
    """A sink of a kind, not opened yet.

    Args:
        kind: a name from `KINDS`.
        target: atoms as they come over OSC or from a command line, in the order of the row's arguments;
            a last argument that is a string takes all that remain, joined with spaces.
        name: what the performer calls it.
        host: what the kind's `host` is where the target does not say it.

    Raises:
        UnknownName: no such kind.
        BadValue: a target that is missing, too much or of the wrong type.
        MissingLibrary: the kind's library is not installed.
    """
    row = KINDS[kind]
    values: dict[str, Value] = {}
    rest: Sequence[Any] = target
    for arg in row.args:
        whole = arg.many or (arg.type == "s" and arg is row.args[-1])
        taken, rest = (rest, ()) if whole else (rest[:1], rest[1:])
        if taken:
            values[arg.name] = arg.parse(taken)
        elif arg.name == "host" and host:
            values[arg.name] = host
        elif arg.default is not None:
            values[arg.name] = arg.default
        elif not arg.optional:
            raise BadValue(f"{kind} needs {arg.name}: {arg.help}")
    if rest:
        raise BadValue(f"{kind} takes {len(row.args)} arguments at most, got {len(target)}")
    sink = row.call(**values, name=name)
    assert isinstance(sink, Sink)
    return sink


def open_sink(kind: str, *target: Any, name: str = "") -> Sink:
    """A sink of a kind, ready for frames; see `make_sink` for the arguments.

    Raises:
        OscbendError: it cannot be made or opened, and why.
    """
    return make_sink(kind, *target, name=name).open()

"""Watches a running renderer from outside: writes its frames as PNG files, or shows rate, age and drops."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from oscbend.errors import BadPacket, BadValue, OscbendError
from oscbend.sinks.zmq import ADDRESS, Received, Receiver

REFRESH_S = 0.25
WINDOW_S = 2.0


@dataclass
class Summary:
    """What was seen.

    Args:
        received: frames that came in.
        missed: frames that were drawn in between and not seen.
        bad: messages that were no pictures.
        fps: frames per second, over the last two seconds in which frames came.
        age_ms: of the newest frame when it came in; None if the clocks disagree.
        width, height: of the newest frame.
        files: PNG files written.
    """

    received: int = 0
    missed: int = 0
    bad: int = 0
    fps: float = 0.0
    age_ms: float | None = None
    width: int = 0
    height: int = 0
    files: list[Path] = field(default_factory=list)

    @property
    def line(self) -> str:
        """All of it in one line."""
        parts = [f"{self.width} x {self.height}", f"{self.fps:.1f} fps"]
        if self.age_ms is not None:
            parts.append(f"age {self.age_ms:.1f} ms")
        parts += [f"{self.received} frames", f"{self.missed} missed"]
        if self.bad:
            parts.append(f"{self.bad} bad messages")
        return " · ".join(parts)


def watch(
    address: str = ADDRESS,
    frames: int | None = None,
    folder: str | Path | None = None,
    say: Callable[[str], None] | None = None,
    timeout_s: float = 5.0,
) -> Summary:
    """Watches the frames published at an address until Ctrl-C.

    A reader sees the newest frames only: writing files slows nobody, and leaves frames out.

    Args:
        address: of the renderer's `zmq` output.
        frames: stop after so many; None for never.
        folder: where to write every frame as `frame_000123.png`, by its number; None to write nothing.
        say: takes a line about how it goes, some times a second; None refreshes one line on the terminal.
        timeout_s: how long to wait for the first frame; with `frames`, also for each of the others.

    Raises:
        OscbendError: nothing came, or a file cannot be written.
        BadValue: `frames` is below 1, or no such address.
    """
    if frames is not None and frames < 1:
        raise BadValue(f"frames must be at least 1, got {frames}")
    seen = Summary()
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(Receiver(address))
        tell = say or stack.enter_context(_terminal_line())
        with contextlib.suppress(KeyboardInterrupt):
            _watch(receiver, seen, frames, Path(folder) if folder is not None else None, tell, timeout_s)
    return seen


def _watch(
    receiver: Receiver,
    seen: Summary,
    frames: int | None,
    folder: Path | None,
    tell: Callable[[str], None],
    timeout_s: float,
) -> None:
    times: deque[float] = deque()
    last_s = time.monotonic()
    told_s = 0.0
    while frames is None or seen.received < frames:
        received = _next(receiver, seen)
        now_s = time.monotonic()
        if received is not None:
            last_s = now_s
            _count(seen, received, times)
            if folder is not None:
                # Not at the top: a watcher that writes nothing needs no Pillow, and starts faster.
                from oscbend.sinks.sheet import save_png

                seen.files.append(save_png(received.picture, folder / f"frame_{received.number:06d}.png"))
        silent_s = now_s - last_s
        if silent_s > timeout_s and not seen.received:
            why = f" ({seen.bad} messages were no pictures)" if seen.bad else ""
            raise OscbendError(
                f"no frames from {receiver.address} within {timeout_s:g} s{why}:"
                " is `oscbend serve` running, with a zmq output there?"
            )
        if silent_s > timeout_s and frames is not None:
            tell(f"{seen.line} · nothing for {silent_s:.0f} s, so this is all")
            return
        if seen.received and now_s - told_s >= REFRESH_S:
            told_s = now_s
            tell(seen.line if silent_s < 1 else f"{seen.line} · nothing for {silent_s:.0f} s")
    tell(seen.line)


def _next(receiver: Receiver, seen: Summary) -> Received | None:
    try:
        return receiver.receive(REFRESH_S)
    except BadPacket:
        seen.bad += 1
        return None


def _count(seen: Summary, received: Received, times: deque[float]) -> None:
    now_s = time.monotonic()
    times.append(now_s)
    while times[0] < now_s - WINDOW_S:
        times.popleft()
    span_s = times[-1] - times[0]
    seen.received += 1
    seen.missed += received.missed
    seen.fps = (len(times) - 1) / span_s if span_s > 0 else 0.0
    seen.height, seen.width = received.picture.shape[:2]
    seen.age_ms = received.age_ms if 0 <= received.age_ms < 3_600_000 else None


@contextlib.contextmanager
def _terminal_line() -> Iterator[Callable[[str], None]]:
    from rich.live import Live
    from rich.text import Text

    with Live(Text("waiting for frames"), refresh_per_second=8) as live:
        yield lambda line: live.update(Text(line))

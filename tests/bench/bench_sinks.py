"""What outputs cost the show, one of them stalled; how old a frame is when it comes in by ZeroMQ.

All receivers are in a process of their own. The rate with outputs and the rate without are measured in turn.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import FEW, Show, engine_for

from oscbend.bench import Figure, Settings, ratio, times_ms
from oscbend.engine import Engine
from oscbend.frame import Frame, Pending
from oscbend.sinks import Sink
from oscbend.sinks.jitter import JitterSink
from oscbend.sinks.null import NullSink
from oscbend.sinks.tcp import TcpSink
from oscbend.sinks.video import VideoSink
from oscbend.sinks.zmq import ZmqSink

FREE = "tcp://127.0.0.1:*"
RATE = 0.97
"""The rate with outputs, in rates without."""
AGE_MS = 5.0
SIDE = 512
FPS = 60
SETTLE_S = 0.4


class Receivers:
    """A process that receives; see `receivers.py`."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, str(Path(__file__).with_name("receivers.py")), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports: list[int] = []
        assert self.process.stdout is not None
        while (said := self.process.stdout.readline().strip()) != "ready":
            self.ports.append(int(said))

    def end(self) -> dict[str, Any]:
        """What they received."""
        out, _ = self.process.communicate("", timeout=20)
        found: dict[str, Any] = json.loads(out)
        return found


def measure(settings: Settings) -> Iterator[Figure]:
    """The rate with outputs, and the age of frames."""
    yield from rate(settings)
    yield from age(settings)


def rate(settings: Settings) -> Iterator[Figure]:
    """Frames a second with every output that can be tried anywhere, against none."""
    show = Show(settings, 1, FEW)
    engine = engine_for(settings, [show])
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        zmq, live, dead = ZmqSink(FREE), TcpSink(0), TcpSink(0, name="stalled")
        for sink in (zmq, live, dead):
            stack.enter_context(sink)
        hosts = Receivers("jitter", 0, "zmq", zmq.address, "tcp", live.address[1], "stalled", dead.address[1])
        film = VideoSink(Path(folder) / "film.mp4")
        others = [NullSink(), JitterSink(hosts.ports[0]), film]
        for sink in others:
            stack.enter_context(sink)
        sinks = [zmq, live, dead, *others]
        (alone,) = times_ms([shown(engine, show, 1, ())], 3, settle=engine.model.settle)
        frames = max(2, round(settings.rounds(200, 1500) / statistics.median(alone)))
        calls = [shown(engine, show, frames, to) for to in ((), sinks, sinks[:-1])]
        rounds = settings.rounds(3, 15)
        none, all_of_them, no_film = times_ms(calls, rounds, warm_up=1, settle=engine.model.settle)
        received = hosts.end()
        stats = [sink.stats for sink in sinks]
    goal = RATE if settings.at_home else None
    yield Figure("rate with outputs, one stalled / with none", ratio(none, no_film), "×", goal, higher=True)
    yield Figure("the same, and a film is captured", ratio(none, all_of_them), "×", goal, higher=True)
    sent = 2 * frames * (rounds + 1)
    counts = {"zmq": len(received["ages_ms"]), **{k: received.get(k, 0) for k in ("tcp", "jitter")}}
    for kind, count in counts.items():
        yield Figure(f"frames that came in by {kind} / drawn", count / sent, "×")
    yield Figure("outputs that failed", float(sum(s.failures for s in stats)), "", 0.0)


def shown(engine: Engine, show: Show, count: int, sinks: Sequence[Sink]) -> Callable[[], None]:
    """Draws frames in a row and gives each to the outputs."""
    numbers = iter(range(2**31))
    start_s = time.monotonic()

    def draw() -> None:
        before: Pending | None = None
        for n in range(count + 1):
            begun = engine.submit(show.structure, show.values()) if n < count else None
            if before is not None:
                now_s = time.monotonic() - start_s
                frame = Frame(next(numbers), now_s, before.result().pictures[0])
                for sink in sinks:
                    sink.put(frame)
            before = begun

    return draw


def age(settings: Settings) -> Iterator[Figure]:
    """How old frames are when they come in by ZeroMQ."""
    pictures = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 4), np.uint8)
    with ZmqSink(FREE) as sink:
        hosts = Receivers("zmq", sink.address)
        time.sleep(SETTLE_S)
        began_s = time.monotonic()
        for n in range(settings.rounds(2, 10) * FPS):
            time.sleep(max(0.0, began_s + n / FPS - time.monotonic()))
            sink.put(Frame(n, n / FPS, pictures[n % len(pictures)]))
        time.sleep(SETTLE_S)
        ages = hosts.end()["ages_ms"]
    name = f"age of frames by ZeroMQ, {SIDE}², {FPS} fps"
    yield Figure(f"{name}, median", statistics.median(ages), "ms", AGE_MS)
    yield Figure(f"{name}, p95", statistics.quantiles(ages, n=20)[-1], "ms")

"""The show itself, in a server process of its own: stalls on a change, latency, a flood of messages.

Frame times are the times between the frames that the server publishes, as a receiver sees them.
"""

from __future__ import annotations

import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from oscbend.bench import Figure, Settings
from oscbend.bends import OPERATORS, check
from oscbend.errors import BadValue
from oscbend.net.sites import Site
from oscbend.server.client import Client
from oscbend.sinks.zmq import Receiver

sys.path.insert(0, str(Path(__file__).parents[1]))
from servers import Served, serving

STALL = 1.5
"""The worst frame during a change, in medians."""
MESSAGES_A_SECOND = 20_000
AFTER = 4
"""Frames after a change that belong to it."""
SLOWEST_S = 30.0


@dataclass(frozen=True)
class Seen:
    """A frame as it came in: its number, when it was published (Unix time), and one pixel's red."""

    number: int
    time_s: float
    red: int


class Watcher:
    """Sees the frames of a server, on a thread of its own."""

    def __init__(self, frames: str) -> None:
        self.seen: list[Seen] = []
        self._over = threading.Event()
        self._receiver = Receiver(frames)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._receiver.close()

    def frames(self, count: int) -> list[Seen]:
        """Waits for so many frames more and gives them."""
        start = len(self.seen)
        end = time.monotonic() + SLOWEST_S * count
        while len(self.seen) < start + count and time.monotonic() < end:
            time.sleep(0.002)
        return self.seen[start:]

    def _watch(self) -> None:
        while not self._over.is_set():
            frame = self._receiver.receive(0.1)
            if frame is not None:
                rows, cols = frame.picture.shape[:2]
                red = int(frame.picture[rows // 2, cols // 2, 0])
                self.seen.append(Seen(frame.number, frame.time_ns / 1e9, red))


def durations_ms(seen: Sequence[Seen]) -> list[float]:
    """How long each frame took, where none was missed before it."""
    return [1000 * (b.time_s - a.time_s) for a, b in pairwise(seen) if b.number == a.number + 1]


class Show:
    """A server, a host and a watcher."""

    def __init__(self, served: Served) -> None:
        self.client = Client(served.host, served.port)
        self.watcher = Watcher(served.frames)
        self.client.sync()
        self.watcher.frames(5)

    def close(self) -> None:
        self.watcher.close()
        self.client.close()

    def median_ms(self, frames: int) -> float:
        """Of frames during which nothing is sent."""
        return statistics.median(durations_ms(self.watcher.frames(frames)))

    def stall(self, changes: Sequence[Callable[[], object]], frames: int = AFTER) -> float:
        """The worst frame during changes, each followed by so many frames, in medians of all those frames."""
        start = len(self.watcher.seen)
        for change in changes:
            change()
            self.watcher.frames(frames)
        taken = durations_ms(self.watcher.seen[start:])
        return max(taken) / statistics.median(taken)


@contextmanager
def show(settings: Settings) -> Iterator[Show]:
    """The model of the settings, drawn as fast as it can be."""
    options = ["--model", settings.model, "--size", f"{settings.width}x{settings.height}", "--fps", "240"]
    options += ["--device", settings.device] if settings.device else []
    options += ["--precision", settings.precision] if settings.precision else []
    with serving(*options) as served:
        playing = Show(served)
        try:
            yield playing
        finally:
            playing.close()


def measure(settings: Settings) -> Iterator[Figure]:
    """Stalls, latency and the flood."""
    sites = settings.loaded.sites(settings.width, settings.height, 2)
    with show(settings) as playing:
        yield from stalls(settings, playing, sites)
        yield from latency(settings, playing)
        yield from flood(settings, playing)
        yield from big_changes(settings, playing)


def stalls(settings: Settings, playing: Show, sites: Sequence[Site]) -> Iterator[Figure]:
    """The worst frame during changes of every kind."""
    dice = random.Random(0)
    send = playing.client.send
    goal = STALL if settings.at_home else None
    rounds = settings.rounds(6, 60)

    def figure(what: str, changes: Sequence[Callable[[], object]]) -> Figure:
        return Figure(f"worst frame, {what} / median", playing.stall(changes), "×", goal)

    yield Figure("worst frame, nothing / median", playing.stall([lambda: None] * rounds), "×")
    send("/bend/1", "add", "unet.mid.attn")
    playing.client.sync()
    changes = [lambda: send("/bend/1/r", dice.uniform(-0.2, 0.2)) for _ in range(rounds)]
    yield figure("a parameter", changes)
    fitting = [(op, site.name) for op in OPERATORS for site in sites if fits(op, site)]
    dice.shuffle(fitting)
    by_operator = [next(pair for pair in fitting if pair[0] == op) for op in OPERATORS if op != "steer"]
    changes = [lambda pair=pair: send("/bend/1", *pair) for pair in by_operator]
    yield figure("an operator", [*changes, *changes[: max(0, rounds - len(changes))]])
    everywhere = [pair for pair in fitting if pair[0] in ("multiply", "rotate", "blur", "noise")]
    yield figure("a site", [lambda pair=pair: send("/bend/1", *pair) for pair in everywhere[:rounds]])
    send("/bend/free")
    words = ["orb", "river", "storm", "crane", "bass", "mesh", "night", "forest"]
    prompts = [f"a {dice.choice(words)} and a {dice.choice(words)} {n}" for n in range(rounds)]
    yield figure("a prompt", [lambda text=text: send("/prompt", text) for text in prompts])
    send("/prompt", "a floating orb")
    yield Figure("worst frame, steps 1 to 8 / median of the steps", steps(playing, rounds, dice), "×", goal)
    steered = [lambda n=n: send("/bend/1", "steer", "unet.mid.attn") for n in range(1)]
    steered += [lambda n=n: playing.client.bundle([("/bend/1/a", f"orb {n}"), ("/bend/1/b", f"mesh {n}")])
                for n in range(settings.rounds(1, 6))]  # fmt: skip
    yield Figure("worst frame, a steering vector / median", playing.stall(steered, 8), "×")
    send("/bend/free")
    playing.client.sync()


def fits(op: str, site: Site) -> bool:
    """True if the operator can act at the site."""
    try:
        check(op, {arg.name: arg.default for arg in OPERATORS[op].static}, site.shape)
    except BadValue:
        return False
    return not site.name.startswith("latent.") or site.name in ("latent.0", "latent.end")


def steps(playing: Show, rounds: int, dice: random.Random) -> float:
    """The worst frame during changes of the steps, in medians of the longer one of the two."""
    by_count: dict[int, list[float]] = {}
    around: list[tuple[float, int, int]] = []
    before = 2
    for _ in range(rounds):
        count = dice.choice([n for n in range(1, 9) if n != before])
        start = len(playing.watcher.seen)
        playing.client.send("/steps", count)
        playing.watcher.frames(2 + AFTER)
        taken = durations_ms(playing.watcher.seen[start:])
        around += [(ms, before, count) for ms in taken]
        by_count.setdefault(count, []).extend(taken[3:])
        before = count
    playing.client.send("/steps", 2)
    playing.watcher.frames(4)
    by_count.setdefault(2, []).extend(durations_ms(playing.watcher.frames(8)))
    medians = {count: statistics.median(taken) for count, taken in by_count.items() if taken}
    return max(ms / max(medians[a], medians[b]) for ms, a, b in around if a in medians and b in medians)


def latency(settings: Settings, playing: Show) -> Iterator[Figure]:
    """From sending a message to the publishing of the first frame that shows it, beyond 5 ms, in frames."""
    dice = random.Random(1)
    client, watcher = playing.client, playing.watcher
    client.send("/lag", 0.0)
    client.send("/bend/1", "add", "image")
    client.send("/bend/1/r", -2.0)
    client.sync()
    frame_s = playing.median_ms(12) / 1000
    begin = len(watcher.seen)
    waited_s = []
    bright = False
    for _ in range(settings.rounds(20, 60)):
        time.sleep(dice.uniform(0.5, 2.0) * frame_s)
        bright = not bright
        start = len(watcher.seen)
        sent_s = time.time()
        client.send("/bend/1/r", 2.0 if bright else -2.0)
        shown_s = _first(watcher, start, bright)
        if shown_s is not None:
            waited_s.append(shown_s - sent_s - 0.005)
    frame_s = statistics.median(durations_ms(watcher.seen[begin:])) / 1000
    taken = [seconds / frame_s for seconds in waited_s]
    client.send("/bend/free")
    client.send("/lag", 0.03)
    client.sync()
    at_home = settings.at_home
    yield Figure("message to published frame, median, less 5 ms", statistics.median(taken), "frames",
                 1.5 if at_home else None)  # fmt: skip
    yield Figure(
        "message to published frame, worst, less 5 ms", max(taken), "frames", 2.0 if at_home else None
    )


def _first(watcher: Watcher, start: int, bright: bool) -> float | None:
    """When the first frame was published that is bright, or dark."""
    end = time.monotonic() + SLOWEST_S
    while time.monotonic() < end:
        for seen in watcher.seen[start:]:
            if (seen.red > 128) is bright:
                return seen.time_s
        time.sleep(0.001)
    return None


FLOOD = """
import socket, sys, time
from oscbend.osc import encode_message
host, rate = sys.argv[1], int(sys.argv[2])
names = ("/feature/rms", "/bend/1/r", "/prompt/1/weight")
packets = [encode_message(name, (value / 64,)) for value in range(64) for name in names]
for line in sys.stdin:
    port, seconds = line.split()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.connect((host, int(port)))
    end = time.perf_counter() + float(seconds)
    began, sent = time.perf_counter(), 0
    while (now := time.perf_counter()) < end:
        while sent < (now - began) * rate:
            udp.send(packets[sent % len(packets)])
            sent += 1
        time.sleep(0.004)
    print(sent / (time.perf_counter() - began), flush=True)
"""


def flood(settings: Settings, playing: Show) -> Iterator[Figure]:
    """Median frame time with 20 000 messages a second over that without, in turn.

    On a machine of few cores the program that sends takes time from the frames, too; so it also sends as many
    to a socket that nobody reads.
    """
    client, watcher = playing.client, playing.watcher
    client.send("/feature/rms", 0.5)
    client.send("/bend/1", "add", "unet.mid.attn")
    client.send("/bend/1/r/map", "rms", 0.0, 0.1)
    client.sync()
    before = client.ask("/status", reply="/status.reply").args
    command = [sys.executable, "-c", FLOOD, client.host, str(MESSAGES_A_SECOND)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    seconds = 1.5 if settings.quick else 3.0
    wet: list[float] = []
    dry: list[float] = []
    beside: list[float] = []
    rates = []
    unread = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    unread.bind((client.host, 0))
    ports = {id(wet): client.port, id(beside): unread.getsockname()[1]}
    try:
        for _ in range(settings.rounds(2, 10)):
            for taken in (dry, wet, beside):
                start = len(watcher.seen)
                if id(taken) in ports:
                    print(ports[id(taken)], seconds, file=process.stdin, flush=True)
                    rates.append(float(process.stdout.readline()))
                else:
                    time.sleep(seconds)
                taken += durations_ms(watcher.seen[start:])
                time.sleep(0.2)
    finally:
        process.stdin.close()
        process.wait(10)
        unread.close()
    after = client.ask("/status", reply="/status.reply", timeout_s=10).args
    client.send("/bend/free")
    client.sync()
    goal = 1.1 if settings.at_home else None
    yield Figure("frame under a flood / without", statistics.median(wet) / statistics.median(dry), "×", goal)
    share = statistics.median(wet) / statistics.median(beside)
    yield Figure("frame under a flood / while as much is sent to nobody", share, "×")
    yield Figure("messages of the flood", statistics.mean(rates), "1/s")
    yield Figure("datagrams dropped in the flood", float(after[5] - before[5]), "")


def big_changes(settings: Settings, playing: Show) -> Iterator[Figure]:
    """Size and model: the worst frame in milliseconds, without a goal."""
    width, height = settings.width, settings.height
    median = playing.median_ms(12)
    yield Figure("frame, median", median, "ms")
    for name, messages in (
        ("a size", [("/size", width + 64, height), ("/size", width, height)]),
        ("a model", [("/model", settings.model)]),
    ):
        start = len(playing.watcher.seen)
        for address, *args in messages:
            playing.client.send(address, *args)
            playing.client.sync()
            playing.watcher.frames(6)
        worst = max(durations_ms(playing.watcher.seen[start:]))
        yield Figure(f"worst frame, {name} / median", worst / median, "×")

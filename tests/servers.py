"""Real servers for tests: in a process of their own with a network, or in this one without."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fakes import FakeStage

from oscbend.demo import oscbend_process
from oscbend.frame import Frame
from oscbend.server.serve import Address, Manners, Server
from oscbend.state import State

READY = re.compile(r"oscbend ready osc=(\S+):(\d+) web=(\S+) frames=(\S+) model=(.+) size=(\d+)x(\d+)(.*)")


@dataclass(frozen=True)
class Served:
    """A running server and where to reach it."""

    process: subprocess.Popen[str]
    line: str
    host: str
    port: int
    web: str
    frames: str


@contextmanager
def serving(*options: str) -> Iterator[Served]:
    """Starts `oscbend serve` on free ports at 64 x 64 pixels, waits for it, and ends it afterwards."""
    ports = ("--port", "0", "--web-port", "0", "--frames", "tcp://127.0.0.1:*")
    command = oscbend_process("serve", *ports, "--size", "64x64", "--fps", "30", *options)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        found = READY.fullmatch(line)
        assert found, f"no ready line, but {line!r}"
        yield Served(process, line, found[1], int(found[2]), found[3], found[4])
    finally:
        process.kill()
        process.wait(10)


class Kept:
    """A sink that keeps every frame, and when it was given out; and what the server says."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.times_s: list[float] = []
        self.said: list[str] = []

    def put(self, frame: Frame) -> None:
        self.times_s.append(time.monotonic())
        self.frames.append(frame)


@contextmanager
def playing(
    stage: FakeStage | None = None, state: State | None = None, manners: Manners | None = None, **address: Any
) -> Iterator[tuple[Server, Kept]]:
    """A whole server in this process, on free ports, with a stage that paints flat colours: there at once."""
    where = Address(**{"port": 0, "web_port": 0, "frames": "tcp://127.0.0.1:*", **address})
    begin = state or State(width=64, height=64, steps=4, noise="hold", fps=60)
    kept = Kept()
    with Server(stage or FakeStage(), begin, where, kept.said.append, manners or Manners()) as server:  # type: ignore[arg-type]
        server.loop.sinks.append(kept)
        thread = threading.Thread(target=server.run, name="show", daemon=True)
        thread.start()
        try:
            while not kept.frames:
                time.sleep(0.001)
            yield server, kept
        finally:
            server.loop.over = True
            thread.join(10)

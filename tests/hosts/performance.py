"""What every real client plays to a running server, and what has to be seen of it.

A client changes the picture five times. Python has played the same before it, so the pictures are known, byte
for byte, and it must show them in this order.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oscbend.server.client import Client
from oscbend.sinks.zmq import Receiver

HERE = Path(__file__).parent
WAIT_S = 60.0

Messages = tuple[tuple[Any, ...], ...]

BEGINNING: Messages = (
    ("/bend/free",),
    ("/noise/mode", "hold"),
    ("/seed", 46.0),
    ("/prompt", "a blue orb"),
    ("/feature/rms", 1.0),
    ("/feature/rms/range", 0.0, 1.0),
    ("/feature/rms/smooth", 0.0, 0.0),
    ("/feature/rms", 1.0),
)
"""How the server is set up before the client comes."""

PARTS: tuple[Messages, ...] = (
    (("/bend/1", "add", "image"), ("/bend/1/r/map", "rms", -1.5, 1.5)),
    (("/feature/rms", 0.0),),
    (("/bend/1/free",), ("/bend/2", "rotate", "latent.end"), ("/bend/2/angle", 1.5)),
    (("/prompt", "a red orb"),),
    (("/bend/2/on", 0),),
)
"""What the client plays, a `/sync` after each part; the last one as a bundle two seconds ahead, if it can."""


@dataclass(frozen=True)
class Shown:
    """A picture, when it was first published (Unix time, s), and as which of the frames seen."""

    picture: np.ndarray
    time_s: float
    frame: int


class Audience:
    """Sees the pictures of a server, each for as long as it stays the same."""

    def __init__(self, frames: str) -> None:
        self.shown: list[Shown] = []
        self.frames = 0
        self._over = threading.Event()
        self._receiver = Receiver(frames)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Looks no more."""
        self._over.set()
        self._thread.join()
        self._receiver.close()

    def settled(self, frames: int = 15) -> np.ndarray:
        """The picture, once it has been the same for so many frames from now."""
        start, end = self.frames, time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if self.shown and self.frames >= max(start, self.shown[-1].frame) + frames:
                return self.shown[-1].picture
            time.sleep(0.02)
        raise AssertionError("the picture does not come to rest")

    def wait_for(self, pictures: Sequence[np.ndarray], start: int) -> list[float]:
        """When each of some pictures was first published after another, from the `start`-th one seen on."""
        end = time.monotonic() + WAIT_S
        times_s: list[float] = []
        for number, picture in enumerate(pictures):
            while True:
                seen = self.shown[start:]
                found = next((n for n, one in enumerate(seen) if np.array_equal(one.picture, picture)), None)
                if found is not None:
                    times_s.append(seen[found].time_s)
                    start += found
                    break
                assert time.monotonic() < end, f"part {number} of the performance was never seen"
                time.sleep(0.02)
        return times_s

    def _watch(self) -> None:
        while not self._over.is_set():
            frame = self._receiver.receive(0.1)
            if frame is None:
                continue
            if not self.shown or not np.array_equal(frame.picture, self.shown[-1].picture):
                self.shown.append(Shown(frame.picture, frame.time_ns / 1e9, self.frames))
            self.frames += 1


class Performance:
    """A server that has heard the performance once, from Python, and is back at its beginning."""

    def __init__(self, client: Client, audience: Audience) -> None:
        self.client = client
        self.audience = audience
        self.pictures: list[np.ndarray] = []
        self.begin()
        before = audience.settled()
        for part in PARTS:
            for address, *args in part:
                client.send(address, *args)
            client.sync()
            self.pictures.append(audience.settled())
            assert np.abs(self.pictures[-1].astype(float) - before).mean() > 3, f"{part} cannot be seen"
            before = self.pictures[-1]

    def begin(self) -> int:
        """Sets the server up again; how many pictures were seen until then."""
        for address, *args in BEGINNING:
            self.client.send(address, *args)
        self.client.sync()
        self.audience.settled()
        return len(self.audience.shown)

    def seen(self, start: int) -> list[float]:
        """When each part was first seen."""
        return self.audience.wait_for(self.pictures, start)


def program(name: str) -> str:
    """Where a client is installed; its tests are skipped without it, but in CI they fail."""
    found = shutil.which(name)
    if found is None:
        lacking(f"{name} is not installed")
    return str(found)


def lacking(what: str) -> None:
    """Ends a test for which something is missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI must have it")
    pytest.skip(what)


def run(*command: str, timeout_s: float = 2 * WAIT_S, **environment: str) -> str:
    """What a client printed, with its errors; it must end by itself."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout_s,
        cwd=HERE,
        env=os.environ | environment,
        check=False,
    )
    return done.stdout

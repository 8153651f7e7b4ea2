"""Real server processes for tests."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from oscbend.demo import oscbend_process

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

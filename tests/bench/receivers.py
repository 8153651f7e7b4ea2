"""Hosts that receive frames, as a process of their own: `python receivers.py KIND TARGET …`.

Each pair of arguments is one receiver: `zmq ADDRESS`, `tcp PORT`, `stalled PORT` (tcp, but takes nothing) or
`jitter 0` (listens; its port is the first line that is printed). When standard input ends, the ages of the
frames that came by ZeroMQ (ms) and the number that came by each of the others are printed as JSON.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections import Counter
from pathlib import Path

from oscbend.sinks.header import SIZE, unpack_header
from oscbend.sinks.zmq import Receiver

sys.path.insert(0, str(Path(__file__).parents[1]))
from jitnet import Ended, matrix, read

ages_ms: list[float] = []
counts: Counter[str] = Counter()


def by_zmq(address: str) -> None:
    """Frames as `oscbend watch` takes them."""
    with Receiver(address) as receiver:
        while True:
            frame = receiver.receive(1.0)
            if frame is not None:
                ages_ms.append(frame.age_ms)


def by_tcp(port: str) -> None:
    """Frames from a plain socket."""
    with socket.create_connection(("127.0.0.1", int(port))) as stream:
        while True:
            read(stream, unpack_header(read(stream, SIZE)).picture_bytes)
            counts["tcp"] += 1


def stalled(port: str) -> None:
    """Connects, and takes nothing."""
    with socket.create_connection(("127.0.0.1", int(port))):
        threading.Event().wait()


def as_max(ear: socket.socket) -> None:
    """Frames as Max takes them, with its answers."""
    stream, _ = ear.accept()
    while True:
        matrix(stream)
        stream.sendall(b"JMLP" + bytes(24))
        counts["jitter"] += 1


def quietly(receive, target) -> None:
    """Until the sender has gone."""
    try:
        receive(target)
    except (Ended, AssertionError, OSError):
        return


def main() -> None:
    """All the receivers that the arguments name."""
    kinds = {"zmq": by_zmq, "tcp": by_tcp, "stalled": stalled}
    for kind, target in zip(sys.argv[1::2], sys.argv[2::2]):
        if kind == "jitter":
            ear = socket.create_server(("127.0.0.1", 0))
            print(ear.getsockname()[1], flush=True)
            job = (as_max, ear)
        else:
            job = (kinds[kind], target)
        threading.Thread(target=quietly, args=job, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    print(json.dumps({"ages_ms": ages_ms, **counts}), flush=True)


if __name__ == "__main__":
    main()

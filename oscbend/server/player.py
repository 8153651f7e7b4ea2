"""Plays a score into a server in real time, as a host would."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oscbend.errors import MissingLibrary
from oscbend.osc import flatten
from oscbend.score import Score
from oscbend.server.client import Client

PING_EVERY_S = 0.2


def play_score(
    score: Score,
    host: str = "127.0.0.1",
    port: int = 57130,
    *,
    sound: Path | None = None,
    log: Path | None = None,
) -> None:
    """Sends every bundle at its time, and `/sync` five times a second to learn how fast it is heard.

    Args:
        score: what is sent.
        host, port: of the server.
        sound: a file that is played aloud meanwhile.
        log: gets JSON lines: `start` (Unix time of the score's 0), and for each `/sync` when it was `sent`
            and `synced`.

    Raises:
        BadMessage: the server does not answer.
    """
    lines: list[dict[str, float]] = []
    with Client(host, port) as client:
        client.sync(30.0)
        with aloud(sound):
            start = time.time()
            lines.append({"start": start})
            pings: dict[int, float] = {}
            next_ping = start
            for bundle in score:
                due = start + bundle.time.seconds
                while True:
                    now = time.time()
                    if now >= next_ping:
                        pings[len(pings)] = now
                        client.send("/sync", len(pings) - 1)
                        next_ping = now + PING_EVERY_S
                    if now >= due:
                        break
                    lines += heard(client, pings, min(due, next_ping) - now)
                for _, messages in flatten(bundle):
                    client.bundle(messages)
            lines += heard(client, pings, 0.2)
    if log is not None:
        log.write_text("".join(json.dumps(line) + "\n" for line in lines))


def heard(client: Client, pings: dict[int, float], wait_s: float) -> list[dict[str, float]]:
    """Waits, and notes the answers to `/sync` that come meanwhile."""
    found = []
    end = time.time() + wait_s
    while (left := end - time.time()) > 0:
        answer = client.receive(left)
        if answer is not None and answer.address == "/synced" and answer.args:
            sent = pings.get(int(answer.args[0]))
            if sent is not None:
                found.append({"sent": sent, "synced": time.time()})
    return found


@contextmanager
def aloud(path: Path | None) -> Iterator[None]:
    """Plays a sound file meanwhile.

    Raises:
        MissingLibrary: sounddevice is not installed.
    """
    if path is None:
        yield
        return
    try:
        import sounddevice
    except (ImportError, OSError):
        raise MissingLibrary("playing aloud needs: pip install sounddevice") from None
    import soundfile

    samples, rate = soundfile.read(path)
    sounddevice.play(samples, rate)
    try:
        yield
    finally:
        sounddevice.stop()

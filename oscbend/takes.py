"""What a recording keeps besides its score: the frames that were shown, and what each was drawn with."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from oscbend.errors import BadScore
from oscbend.exact import unpacked
from oscbend.osc import Bundle, Message, flatten
from oscbend.score import Score
from oscbend.tape import PLAYED, TICKS, Memory

UNPACKED = 2**30
"""Largest memory that is unpacked, in bytes."""

SceneRead = tuple[str, str | None]


@dataclass(frozen=True)
class Act:
    """Something that happened before a frame.

    Args:
        time_s: on the clock of the loop.
        message: what acted; None if it was a job.
    """

    time_s: float
    message: Message | None = None


@dataclass(frozen=True)
class Take:
    """A show as it was played.

    Args:
        memory: how everything stood at its beginning.
        frames: for each frame, for when it was drawn, on the clock of the loop, and what happened before it.
        scenes: the scenes that were read, in order.
    """

    memory: Memory
    frames: tuple[tuple[float, tuple[Act, ...]], ...]
    scenes: tuple[SceneRead, ...]


def is_take(score: Score) -> bool:
    """True if the score was recorded, and not composed."""
    return any(message.address == f"{PLAYED}memory" for message in _all(score))


def plain(score: Score) -> Score:
    """The score without what a recording keeps besides."""
    return Score(Bundle(b.time, tuple(e for e in b.elements if not _is_played(e))) for b in score)


def scenes_of(score: Score) -> tuple[SceneRead, ...]:
    """The scenes that were read while it was recorded, in order: names, with their texts."""
    found = []
    for message in _all(score):
        if message.address == f"{PLAYED}scene" and message.args:
            name, *text = map(str, message.args)
            found.append((name, text[0] if text else None))
    return tuple(found)


def take_of(score: Score) -> Take:
    """How a recorded score was played.

    Raises:
        BadScore: it was not recorded, or what it remembers cannot be read.
    """
    memory = _memory(score)
    frames: list[tuple[float, tuple[Act, ...]]] = []
    acts: list[Act] = []
    begun = False
    for bundle in score:
        time_s = memory.began_s + int(bundle.time) / TICKS
        for _, messages in flatten(bundle):
            for message in messages:
                if message.address in (f"{PLAYED}memory", f"{PLAYED}picture"):
                    begun = True
                elif message.address == f"{PLAYED}frame":
                    frames.append((time_s, tuple(acts)))
                    acts.clear()
                elif message.address == f"{PLAYED}job":
                    acts.append(Act(time_s))
                elif begun and not message.address.startswith(PLAYED):
                    acts.append(Act(time_s, message))
    if not frames:
        raise BadScore("no frame was shown while this was recorded")
    return Take(memory, tuple(frames), scenes_of(score))


def _memory(score: Score) -> Memory:
    parts: dict[int, bytes] = {}
    count = 0
    picture: np.ndarray | None = None
    for message in _all(score):
        if message.address == f"{PLAYED}memory":
            number, count, blob = _args(message, int, int, bytes)
            parts[number] = blob
        elif message.address == f"{PLAYED}picture":
            picture = _picture(*_args(message, int, int, bytes))
    if not parts:
        raise BadScore("this score was not recorded by /record/start: render it without --as-played")
    if sorted(parts) != list(range(count)):
        raise BadScore("the memory at the beginning of this recording is not whole")
    try:
        data = json.loads(_inflated(b"".join(parts[n] for n in range(count))))
        return Memory(**{name: unpacked(value) for name, value in data.items()}, picture=picture)
    except (ValueError, TypeError, AttributeError) as error:
        raise BadScore(f"the memory at the beginning of this recording cannot be read: {error}") from error


def _picture(width: int, height: int, blob: bytes) -> np.ndarray:
    data = _inflated(blob)
    if width < 1 or height < 1 or len(data) != width * height * 3:
        raise BadScore(f"the picture at the beginning of this recording is not {width} x {height}")
    picture = np.full((height, width, 4), 255, np.uint8)
    picture[..., :3] = np.frombuffer(data, np.uint8).reshape(height, width, 3)
    return picture


def _inflated(blob: bytes) -> bytes:
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(blob, UNPACKED)
    except zlib.error as error:
        raise BadScore(f"a part of this recording cannot be unpacked: {error}") from error
    if not inflater.eof:
        raise BadScore("a part of this recording is not whole, or too large")
    return data


def _args(message: Message, *kinds: type) -> tuple[Any, ...]:
    if len(message.args) != len(kinds) or not all(isinstance(a, k) for a, k in zip(message.args, kinds)):
        raise BadScore(f"{message.address} in this recording holds something else than it should")
    return message.args


def _is_played(element: Message | Bundle) -> bool:
    return isinstance(element, Message) and element.address.startswith(PLAYED)


def _all(score: Iterable[Bundle]) -> Iterator[Message]:
    for bundle in score:
        for _, messages in flatten(bundle):
            yield from messages

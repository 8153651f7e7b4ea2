"""A film in batches, against one frame at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator

from oscbend.bench import Figure, Settings
from oscbend.engine import Engine
from oscbend.osc import Bundle, Message, TimeTag
from oscbend.render import Film, frames, opening
from oscbend.score import Score
from oscbend.stage import Stage
from oscbend.state import State
from oscbend.words import bend_words

FPS = 20


def score(count: int, settings: Settings) -> Score:
    """A film of `count` frames with one bend that moves."""
    film = Film("a floating orb", fps=FPS, model=settings.model, width=settings.width, height=settings.height)
    head = (
        *opening(film),
        *bend_words("rotate latent.2 angle=rms:0:6.283", "1").messages,
    )
    bundles = [Bundle(TimeTag(0), head)]
    bundles += [
        Bundle(TimeTag.from_seconds(i / FPS), (Message("/feature/rms", (i / count,)),)) for i in range(count)
    ]
    return Score([*bundles, Bundle(TimeTag.from_seconds(count / FPS))])


def measure(settings: Settings) -> Iterator[Figure]:
    """Frames per second of a film, batch 8 and batch 1, in turn."""
    count, rounds = (24, 2) if settings.quick else (48, 4)
    stage = Stage(Engine(settings.loaded), settings.model)
    film = score(count, settings)
    taken = {1: 0.0, 8: 0.0}
    for turn in range(rounds + 1):
        for batch in taken:
            began = time.perf_counter()
            for _ in frames(film, stage, State(model=settings.model), fps=FPS, batch=batch):
                pass
            taken[batch] += (time.perf_counter() - began) * (turn > 0)
    for batch, seconds in taken.items():
        yield Figure(f"film, 4 steps, batch {batch}", count * rounds / seconds, "frames/s")
    yield Figure("film, batch 8 / batch 1", taken[1] / taken[8], "×")

"""Stream batch against one frame after the other."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import numpy as np

from oscbend.bench import Figure, Settings, ratio, times_ms
from oscbend.engine import Engine
from oscbend.frame import Armed, Structure, Values

PROMPT = "a floating orb"
BENDS = (
    Armed("1", "rotate", "latent.1", (("plane", "r1"),)),
    Armed("2", "multiply", "unet.mid.attn"),
    Armed("3", "blur", "unet.up.1.res.0"),
)
PARAMS = ({"angle": 1.0}, {"r": 1.2}, {"sigma": 0.8})


def measure(settings: Settings) -> Iterator[Figure]:
    """Frames per second with 3 bends, with and without stream batch, in turn."""
    model = settings.loaded
    engine = Engine(model)
    engine.encode(PROMPT, "")
    for steps in (2, 4):
        s = Structure(settings.model, settings.width, settings.height, steps=steps, bends=BENDS)
        v = Values(
            prompts=(((PROMPT, 1.0),),),
            negative=("",),
            noise=(((46, 1.0),),),
            guidance=np.ones(1, np.float32),
            params=tuple({k: np.full(1, n, np.float32) for k, n in p.items()} for p in PARAMS),
            weights=np.ones((len(BENDS), steps + 1, 1, 1), np.float32),
        )
        calls = (
            lambda s=s, v=v: engine.submit(s, v).result(),
            lambda s=s, v=v: engine.follow(s, v).result(),
        )
        plain, streamed = times_ms(calls, settings.rounds(12, 120), warm_up=steps + 2, settle=model.settle)
        for name, taken in (("one frame after the other", plain), ("stream batch", streamed)):
            rate = 1000 / statistics.median(taken)
            yield Figure(f"frames per second, {steps} steps, 3 bends, {name}", rate, "1/s")
        yield Figure(f"stream batch, {steps} steps, 3 bends", ratio(plain, streamed), "×")

"""A frame with bends, against the bare network in a plain loop."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import numpy as np
import torch

from oscbend.bench import Figure, Settings, quantiles, ratio, times_ms
from oscbend.engine import Engine
from oscbend.frame import Armed, Structure, Values

STEPS = 2
PROMPT = "a floating orb"
BENDS = (
    Armed("1", "rotate", "latent.1", (("plane", "r1"),)),
    Armed("2", "multiply", "unet.mid.attn"),
    Armed("3", "add", "unet.up.1.res.0"),
)
PARAMS = ({"angle": 1.0}, {"r": 1.2}, {"r": 0.3})


def values(bends: int, steps: int) -> Values:
    """One frame's values with the first `bends` of the bends."""
    return Values(
        prompts=(((PROMPT, 1.0),),),
        negative=("",),
        noise=(((46, 1.0),),),
        guidance=np.ones(1, np.float32),
        params=tuple({k: np.full(1, v, np.float32) for k, v in p.items()} for p in PARAMS[:bends]),
        weights=np.ones((bends, steps + 1, 1, 1), np.float32),
    )


def measure(settings: Settings) -> Iterator[Figure]:
    """Frames per second, and what a frame costs above the bare network."""
    model = settings.loaded
    engine = Engine(model)
    engine.encode(PROMPT)

    def frame(bends: int) -> object:
        structure = Structure(
            settings.model, settings.width, settings.height, steps=STEPS, bends=BENDS[:bends]
        )
        return engine.render(structure, values(bends, STEPS))

    text = model.prompts.get(PROMPT).tokens
    shape = (1, 4, settings.height // 8, settings.width // 8)
    x = torch.randn(shape, device=model.device, dtype=model.dtype)
    x = x.contiguous(memory_format=model.memory_format)
    times = [torch.tensor([t], device=model.device) for t in (999, 499)]

    @torch.inference_mode()
    def bare() -> object:
        for t in times:
            out = model.unet(x, t, text).sample
        return model.vae.decode(out.to(model.vae_dtype)).sample

    calls = [bare, lambda: frame(0), lambda: frame(3)]
    plain, none, three = times_ms(calls, settings.rounds(30, 120), settle=model.settle)
    at_home = settings.at_home
    yield from quantiles(f"frame, {STEPS} steps, 3 bends", three)
    rate = 1000 / statistics.median(three)
    yield Figure("frames per second, 2 steps, 3 bends", rate, "1/s", 15 if at_home else None, True)
    yield Figure("frame without bends / bare network in a loop", ratio(none, plain), "×")
    over = ratio(three, plain)
    yield Figure("frame with 3 bends / bare network in a loop", over, "×", 1.05 if at_home else None)

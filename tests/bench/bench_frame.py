"""A frame with bends, against the bare network in a plain loop, and against diffusers' pipeline."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import numpy as np
import torch

from oscbend.bench import Figure, quantiles, ratio, times_ms
from oscbend.engine import Engine
from oscbend.frame import Armed, Structure, Values
from oscbend.net.load import load
from oscbend.tiny import folder

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


def measure(quick: bool) -> Iterator[Figure]:
    """Frames per second, and the ratios that the project promises."""
    rounds = 30 if quick else 120
    model = load("tiny")
    engine = Engine(model)
    engine.encode(PROMPT)

    def frame(bends: int) -> object:
        structure = Structure("tiny", 256, 256, steps=STEPS, bends=BENDS[:bends])
        return engine.render(structure, values(bends, STEPS))

    text = model.prompts.get(PROMPT).tokens
    x = torch.randn(1, 4, 32, 32).contiguous(memory_format=model.memory_format)
    times = [torch.tensor([t]) for t in (999, 499)]

    @torch.inference_mode()
    def bare() -> object:
        for t in times:
            out = model.unet(x, t, text).sample
        return model.vae.decode(out).sample

    plain, none, three = times_ms([bare, lambda: frame(0), lambda: frame(3)], rounds)
    yield from quantiles(f"frame, {STEPS} steps, 3 bends", three)
    yield Figure("frames per second, 2 steps, 3 bends", 1000 / statistics.median(three), "1/s", 15, True)
    yield Figure("frame without bends / bare network in a loop", ratio(none, plain), "×")
    yield Figure("frame with 3 bends / bare network in a loop", ratio(three, plain), "×", 1.05)
    yield against_diffusers(lambda: frame(0), rounds)


def against_diffusers(frame: object, rounds: int) -> Figure:
    """Frames per second of ours over theirs: same weights, steps and decoder, prompt encoded, tensors out."""
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(folder(), torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    with torch.inference_mode():
        embeds = pipe.encode_prompt(PROMPT, "cpu", 1, False)[0]
    generator = torch.Generator("cpu")

    def theirs() -> object:
        return pipe(
            prompt_embeds=embeds,
            num_inference_steps=STEPS,
            guidance_scale=1.0,
            generator=generator.manual_seed(46),
            output_type="pt",
            height=256,
            width=256,
        )

    ours, pipeline = times_ms([frame, theirs], rounds)  # type: ignore[list-item]
    return Figure("frames against diffusers' pipeline", ratio(pipeline, ours), "×", 1.0, True)

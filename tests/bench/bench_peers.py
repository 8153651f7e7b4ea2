"""Frames against other programs: same weights, size, steps, device; prompt encoded; tensors out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from oscbend.bench import Figure, Settings, ratio, times_ms
from oscbend.engine import Engine
from oscbend.frame import Structure, Values

STEPS = 2
PROMPT = "a floating orb"


def measure(settings: Settings) -> Iterator[Figure]:
    """Frames per second of ours over theirs."""
    yield against_diffusers(settings)


def against_diffusers(settings: Settings) -> Figure:
    """Against diffusers' own pipeline, in a loop."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    model = settings.loaded
    engine = Engine(model)
    engine.encode(PROMPT)
    structure = Structure(settings.model, settings.width, settings.height, steps=STEPS)
    values = Values((((PROMPT, 1.0),),), ("",), (((46, 1.0),),), np.ones(1, np.float32))
    pipe = StableDiffusionPipeline(
        vae=model.vae,
        text_encoder=model.prompts.encoders[0],
        tokenizer=model.prompts.tokenizers[0],
        unet=model.unet,
        scheduler=DDIMScheduler.from_config(dict(model.scheduler)),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    embeds = model.prompts.get(PROMPT).tokens
    generator = torch.Generator("cpu")

    def theirs() -> object:
        return pipe(
            prompt_embeds=embeds,
            num_inference_steps=STEPS,
            guidance_scale=1.0,
            generator=generator.manual_seed(46),
            output_type="pt",
            height=settings.height,
            width=settings.width,
        )

    calls = [lambda: engine.render(structure, values), theirs]
    ours, pipeline = times_ms(calls, settings.rounds(20, 120), settle=model.settle)
    goal = 3.0 if settings.on_card else 1.0 if settings.at_home else None
    return Figure("frames against diffusers' pipeline", ratio(pipeline, ours), "×", goal, True)

"""Frames against other programs: same weights, size, steps, device; prompt encoded; tensors out."""

from __future__ import annotations

import importlib
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import diffusers
import torch
from common import PROMPT, Show, engine_for, in_a_row, repeated

from oscbend.bench import Figure, Settings, ratio, times_ms
from oscbend.errors import OscbendError, one_line
from oscbend.net.model import Model

IN_A_ROW = 4


def measure(settings: Settings) -> Iterator[Figure]:
    """Frames per second of ours over theirs."""
    model = as_they_load_it(settings)
    for steps in (1,) if settings.quick else (1, 2, 4):
        theirs = {"diffusers' pipeline": diffusers_frame(settings, model, steps)}
        if "streamdiffusion" in settings.peers:
            for mode in stream_diffusion_modes(model, steps):
                name = f"StreamDiffusion, {mode}"
                try:
                    call = stream_diffusion(settings, model, steps, mode)
                    call()
                except Exception as error:  # whatever a checkout of another program does here
                    yield Figure(f"{steps} steps, rate / that of {name}", None, "×", note=one_line(error))
                else:
                    theirs[name] = call
        yield from against(settings, steps, theirs)


def against(settings: Settings, steps: int, theirs: dict[str, Callable[[], object]]) -> Iterator[Figure]:
    """Ours against each of them, measured in turn."""
    show = Show(settings, steps)
    ours = in_a_row(engine_for(settings, [show]), show, IN_A_ROW)
    calls = [ours, *(repeated(call, IN_A_ROW) for call in theirs.values())]
    rounds = settings.rounds(6, 40)
    mine, *others = times_ms(calls, rounds, warm_up=2, settle=settings.loaded.settle)
    yield Figure(f"{steps} steps, rate", 1000 * IN_A_ROW / statistics.median(mine), "frames/s")
    goals = {"diffusers' pipeline": 3.0, "StreamDiffusion": 1.2} if settings.on_card else {}
    if settings.at_home:
        goals = {"diffusers' pipeline": 1.0}
    for name, taken in zip(theirs, others):
        goal = goals.get(name.split(",")[0]) if steps == 1 else None
        yield Figure(f"{steps} steps, rate / that of {name}", ratio(taken, mine), "×", goal, True)


def as_they_load_it(settings: Settings) -> Model:
    """The same weights in the layout in which others hold them."""
    if settings.loaded.memory_format == torch.contiguous_format:
        return settings.loaded
    return settings.load(memory_format=torch.contiguous_format)


def pipeline(model: Model) -> Any:
    """diffusers' pipeline around a model."""
    parts: dict[str, Any] = {
        "vae": model.vae,
        "unet": model.unet,
        "text_encoder": model.prompts.encoders[0],
        "tokenizer": model.prompts.tokenizers[0],
        "scheduler": diffusers.DDIMScheduler.from_config(dict(model.scheduler)),
    }
    if model.family == "sdxl":
        parts |= {
            "text_encoder_2": model.prompts.encoders[1],
            "tokenizer_2": model.prompts.tokenizers[1],
        }
        pipe: Any = diffusers.StableDiffusionXLPipeline(**parts, add_watermarker=False)
    else:
        pipe = diffusers.StableDiffusionPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def diffusers_frame(settings: Settings, model: Model, steps: int) -> Callable[[], object]:
    """A frame of diffusers' own pipeline."""
    pipe, generator = pipeline(model), torch.Generator("cpu")
    embedding = model.prompts.get(PROMPT)
    given = {"prompt_embeds": embedding.tokens}
    if embedding.pooled is not None:
        given["pooled_prompt_embeds"] = embedding.pooled

    def frame() -> object:
        return pipe(
            **given,
            num_inference_steps=steps,
            guidance_scale=1.0,
            generator=generator.manual_seed(46),
            output_type="pt",
            height=settings.height,
            width=settings.width,
        )

    return frame


def stream_diffusion_modes(model: Model, steps: int) -> Iterator[str]:
    """What StreamDiffusion can do here without TensorRT.

    Its steps are those of successive frames in one call of the network (its stream batch). With one step it
    has a shorter way of its own; stable-fast makes whichever is shorter faster on NVIDIA cards.
    """
    yield "stream batch"
    if steps == 1:
        yield "single step"
    if model.device.type == "cuda":
        yield "stable-fast"


def stream_diffusion(settings: Settings, model: Model, steps: int, mode: str) -> Callable[[], object]:
    """A frame of a checkout of StreamDiffusion.

    Raises:
        Exception: it cannot draw so here, and why.
    """
    if model.family == "sdxl":
        raise OscbendError("it cannot draw with SDXL")
    stream = imported(settings.peers["streamdiffusion"])(
        pipeline(model),
        t_index_list=[round(50 * k / steps) for k in range(steps)],
        torch_dtype=model.dtype,
        width=settings.width,
        height=settings.height,
        cfg_type="none",
    )
    stream.prepare(PROMPT, num_inference_steps=50, guidance_scale=1.0)
    if mode == "stable-fast":
        accelerate = importlib.import_module("streamdiffusion.acceleration.sfast")
        stream = accelerate.accelerate_with_stable_fast(stream)
    if mode == "stream batch" or steps > 1:
        draw: Callable[[], object] = stream.txt2img
        return draw
    shorter: Callable[[], object] = torch.no_grad()(stream.txt2img_sd_turbo)
    return shorter


def imported(checkout: Path) -> Any:
    """The class that draws, of a checkout of StreamDiffusion."""
    source = checkout / "src"
    if str(source) not in sys.path:
        sys.path.insert(0, str(source))
    return importlib.import_module("streamdiffusion").StreamDiffusion

"""A film in batches: frames per second, and what share of the device's matrix products they take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import torch
from common import PROMPT
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from oscbend.bench import Figure, Settings, times_ms
from oscbend.engine import Engine
from oscbend.net.model import Model
from oscbend.net.network import Eager
from oscbend.net.walk import Context
from oscbend.osc import Bundle, Message, TimeTag
from oscbend.render import Film, frames, opening
from oscbend.score import Score
from oscbend.stage import Stage
from oscbend.state import State
from oscbend.words import bend_words

FPS = 20
STEPS = 4


def score(count: int, settings: Settings) -> Score:
    """A film of `count` frames with one bend that moves."""
    film = Film(
        PROMPT, fps=FPS, model=settings.model, width=settings.width, height=settings.height, steps=STEPS
    )
    head = (*opening(film), *bend_words("rotate latent.2 angle=rms:0:6.283", "1").messages)
    bundles = [Bundle(TimeTag(0), head)]
    bundles += [
        Bundle(TimeTag.from_seconds(i / FPS), (Message("/feature/rms", (i / count,)),)) for i in range(count)
    ]
    return Score([*bundles, Bundle(TimeTag.from_seconds(count / FPS))])


def measure(settings: Settings) -> Iterator[Figure]:
    """Frames per second by batch size, in turn; and of the best, the share of the measured peak."""
    model = settings.loaded
    on_card = model.device.type == "cuda"
    if settings.quick:
        batches, count, rounds = ((1, 8, 32), 64, 1) if on_card else ((1, 8), 8, 1)
    else:
        batches, count, rounds = ((1, 2, 4, 8, 16, 32, 64), 256, 2) if on_card else ((1, 2, 4, 8, 16), 48, 3)
    stage = Stage(Engine(model), settings.model)
    film = score(count, settings)
    taken_s = dict.fromkeys(batches, 0.0)
    for turn in range(rounds + 1):
        for batch in batches:
            began_s = time.perf_counter()
            for _ in frames(film, stage, State(model=settings.model), fps=FPS, batch=batch):
                pass
            taken_s[batch] += (time.perf_counter() - began_s) * (turn > 0)
    rates = {batch: count * rounds / seconds for batch, seconds in taken_s.items()}
    for batch, rate in rates.items():
        yield Figure(f"film, {STEPS} steps, batch {batch}", rate, "frames/s")
        if batch > 1:
            yield Figure(f"film, batch {batch} / batch 1", rate / rates[1], "×")
    work, peak = operations(model, settings), peak_of(model, settings)
    yield Figure(f"film, {STEPS} steps, arithmetic of a frame", work / 1e9, "GFLOP")
    yield Figure("largest matrix product, measured peak", peak / 1e12, "TFLOP/s")
    best = max(rates.values())
    goal = 0.3 if settings.on_card else None
    yield Figure("film, best batch, share of that peak", best * work / peak, "of 1", goal, True)


@torch.inference_mode()
def operations(model: Model, settings: Settings) -> float:
    """Additions and multiplications of a frame, counted in one real call of the U-Net and of the decoder.

    Attention counts as the matrix products that it is.
    """
    network = Eager(model)
    x = torch.randn(1, 4, settings.height // 8, settings.width // 8, device=model.device)
    x = x.to(model.dtype).contiguous(memory_format=model.memory_format)
    text = model.prompts.get(PROMPT)
    sizes = None
    if text.pooled is not None:
        size = [float(settings.height), float(settings.width)]
        sizes = torch.tensor([[*size, 0.0, 0.0, *size]], device=model.device)
    width = model.guidance_width
    guidance = None if width is None else torch.zeros(1, width, device=model.device, dtype=model.dtype)
    time_of = torch.tensor([500], device=model.device)

    def counted(draw: Callable[[], object]) -> float:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            draw()
        return float(counter.get_total_flops())

    def unet() -> Tensor:
        emb = network.time(time_of, guidance, text.pooled, sizes)
        return network.unet(x, Context(emb, text.tokens, False), {})

    return STEPS * counted(unet) + counted(lambda: network.decode(model.unscale(x), {}))


def peak_of(model: Model, settings: Settings) -> float:
    """Additions and multiplications a second in a large matrix product of the network's precision."""
    side = 8192 if model.device.type == "cuda" else 2048
    a, b = (torch.randn(side, side, device=model.device, dtype=model.dtype) for _ in range(2))
    out = torch.empty_like(a)
    (taken_ms,) = times_ms([lambda: torch.mm(a, b, out=out)], settings.rounds(5, 20), settle=model.settle)
    return 2 * side**3 / (statistics.median(taken_ms) / 1000)

"""What several benchmarks share: bends and values, the bare network, frames in a row."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np
import torch

from oscbend.bench import Settings
from oscbend.engine import Engine
from oscbend.frame import Armed, Pending, Structure, Values

PROMPT = "a floating orb"

MOMENTS = 16
"""Frames of a show whose values differ; after them they come again."""


@dataclass(frozen=True)
class Bend:
    """A bend at a site that every model has.

    Args:
        op, site, select: as `/bend/ID` and `/bend/ID/select` name them.
        params: live parameters, around which a show moves.
        options: static ones.
    """

    op: str
    site: str
    params: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    select: str = "all"


FEW = (
    Bend("rotate", "latent.0", {"angle": 1.0}, {"plane": "r1"}),
    Bend("multiply", "unet.mid.attn", {"r": 1.2}),
    Bend("add", "unet.up.1.res.0", {"r": 0.3}),
)

AFFINE = (
    *FEW,
    Bend("multiply", "unet.up.1.res.0", {"r": 0.9}),
    Bend("add", "unet.in", {"r": 0.1}),
    Bend("multiply", "skip.1", {"r": 0.9}),
    Bend("rotate", "unet.down.0.res.0", {"angle": 0.2}, {"plane": "pairs"}),
    Bend("freeu_backbone", "unet.up.0.res.0", {"b": 1.2}),
    Bend("rotate", "unet.up.0.res.0", {"angle": 0.5}, {"plane": "r2"}),
    Bend("reflect", "unet.up.1.res.1", options={"channel": 1}),
    Bend("add", "unet.out", {"r": 0.02}),
    Bend("multiply", "vae.up.0", {"r": 1.05}),
)
"""Twelve that are arithmetic on channels: gains and offsets, rotations, alone and at one site."""

MIXED = (
    *FEW,
    Bend("soft_threshold", "unet.down.1.res.0", {"r": 0.1}),
    Bend("log", "unet.up.0.res.0", {"r": 4.0}, select="channels 0-31"),
    Bend("hadamard", "unet.up.0.res.1", options={"orthonormal": 1}),
    Bend("dilate", "unet.down.0.res.0", options={"k": 3}, select="fraction 0.2 7"),
    Bend("gradient", "skip.2", options={"k": 3}),
    Bend("turn", "unet.up.1.res.1", {"degrees": 20.0}),
    Bend("shift", "vae.in", {"dx": 0.1, "dy": 0.05}, select="region 0.25 0.25 0.5 0.5"),
    Bend("blur", "skip.1", {"sigma": 1.0}),
    Bend("fourier", "unet.up.1.sample", {"low": 1.2, "high": 0.8, "cutoff": 0.25}),
)
"""Twelve of every family: pointwise, channel, morphology, spatial, spectral; some on a part."""


def structure(settings: Settings, steps: int, bends: Sequence[Bend] = (), batch: int = 1) -> Structure:
    """A frame with some bends."""
    armed = tuple(
        Armed(str(n), bend.op, bend.site, tuple(sorted(bend.options.items())), bend.select)
        for n, bend in enumerate(bends)
    )
    return Structure(settings.model, settings.width, settings.height, batch=batch, steps=steps, bends=armed)


def values(s: Structure, bends: Sequence[Bend] = (), moment: int = 0) -> Values:
    """Its values at a moment of a show: every bend at full weight, with parameters that never rest."""
    shape = (len(bends), s.step_count + 1, 1, s.batch)
    sway = 1 + 0.05 * math.sin(2 * math.pi * moment / MOMENTS)
    return Values(
        prompts=(((PROMPT, 1.0),),) * s.batch,
        negative=("",) * s.batch,
        noise=tuple(((46 + n, 1.0),) for n in range(s.batch)),
        guidance=np.ones(s.batch, np.float32),
        params=tuple({k: np.full(s.batch, v * sway, np.float32) for k, v in b.params.items()} for b in bends),
        weights=np.ones(shape, np.float32),
        ticks=moment + np.arange(s.batch),
    )


class Show:
    """Frames with some bends, ready to be drawn.

    Args:
        settings: of the model and size.
        steps, bends: of the frames.
    """

    def __init__(self, settings: Settings, steps: int, bends: Sequence[Bend] = ()) -> None:
        self.structure = structure(settings, steps, bends)
        self._moments = cycle([values(self.structure, bends, moment) for moment in range(MOMENTS)])

    def values(self) -> Values:
        """Of the next frame."""
        return next(self._moments)


def engine_for(settings: Settings, shows: Sequence[Show]) -> Engine:
    """An engine that has all ready for these frames."""
    engine = Engine(settings.loaded, live=True)
    engine.encode(PROMPT, "")
    with engine.compiling():
        for show in shows:
            engine.prepare(show.structure)
            engine.render(show.structure, show.values())
    return engine


def in_a_row(engine: Engine, show: Show, count: int = 1) -> Callable[[], None]:
    """Draws frames as a show does: each is begun before the one before it is fetched."""

    def draw() -> None:
        before: Pending | None = None
        for _ in range(count):
            begun = engine.submit(show.structure, show.values())
            if before is not None:
                before.result()
            before = begun
        if before is not None:
            before.result()

    return draw


def repeated(call: Callable[[], object], count: int) -> Callable[[], None]:
    """The same several times."""

    def calls() -> None:
        for _ in range(count):
            call()

    return calls


def bare(settings: Settings, steps: int) -> Callable[[], Any]:
    """The network with no program around it: diffusers' own forward, called in a loop, and the decoder."""
    model = settings.loaded
    unet, vae = model.unet, model.vae
    embedding = model.prompts.get(PROMPT)
    shape = (1, 4, settings.height // 8, settings.width // 8)
    x = torch.randn(shape, device=model.device, dtype=model.dtype)
    x = x.contiguous(memory_format=model.memory_format)
    times = [torch.tensor([t], device=model.device) for t in np.linspace(999, 0, steps, endpoint=False)]
    more: dict[str, Any] = {}
    if embedding.pooled is not None:
        size = [float(settings.height), float(settings.width)]
        ids = torch.tensor([[*size, 0.0, 0.0, *size]], device=model.device)
        more["added_cond_kwargs"] = {"text_embeds": embedding.pooled, "time_ids": ids}

    @torch.inference_mode()
    def draw() -> Any:
        for t in times:
            out = unet(x, t, embedding.tokens, **more).sample
        return vae.decode(out.to(model.vae_dtype)).sample

    return draw

"""What a frame needs (structure and values) and what it gives (a picture).

The structure is frozen and hashable: it decides which code runs. The values are small arrays and
recipes whose first axis is the batch: they change in every frame and rebuild nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

Mix = tuple[tuple[int, float], ...]
"""A noise field as (seed, coefficient) pairs: the sum of coefficient · N(seed); squares add to 1."""

Blend = tuple[tuple[str, float], ...]
"""A prompt as (text, weight) pairs; weights add to 1."""


def branched(site: str) -> bool:
    """True for sites that the two branches of guidance pass apart; all others see one."""
    return site.startswith(("unet.", "skip.")) or site in ("text", "time")


@dataclass(frozen=True)
class Armed:
    """One bend at one site, as far as it belongs to the structure.

    A bend whose site is a pattern stands here once for every site it reaches.

    Args:
        id: the bend's name.
        op: operator.
        site: one concrete site of the loaded model, such as `latent.2` or `unet.mid.attn`.
        static: the operator's static options, as sorted (name, value) pairs.
        select: which elements it touches, as text (`all`, `channels 0-15`, `rows 0.4 0.6` …).
    """

    id: str
    op: str
    site: str
    static: tuple[tuple[str, Any], ...] = ()
    select: str = "all"


@dataclass(frozen=True)
class Structure:
    """What decides which code a frame runs.

    Args:
        model: key of the loaded model.
        width, height: of the picture, in pixels.
        batch: B, frames drawn in one call.
        steps: how many, or the indices into the original schedule (0 is pure noise).
        start: first step that runs; above 0 in image-to-image.
        sampler: `ddim`, `lcm`, `euler` or `turbo`.
        guided: True if the unconditional branch runs too (classifier-free guidance).
        blend: how prompt embeddings are blended, `slerp` or `lerp`.
        bends: the armed bends, in the order of application at one site.
    """

    model: str
    width: int
    height: int
    batch: int = 1
    steps: int | tuple[int, ...] = 4
    start: int = 0
    sampler: str = "ddim"
    guided: bool = False
    blend: str = "slerp"
    bends: tuple[Armed, ...] = ()

    @property
    def step_count(self) -> int:
        """S, the length of the whole schedule; those before `start` are inert."""
        return self.steps if isinstance(self.steps, int) else len(self.steps)


@dataclass(frozen=True, eq=False)
class Values:
    """What may change in every frame; the first axis of every array is the batch B, unless said.

    Args:
        prompts: B blends of prompts.
        negative: B negative prompts, or blends of them; used when guided.
        noise: B noise recipes.
        guidance: float32 [B], the scale of classifier-free guidance.
        params: for each armed bend, live parameter name -> float32 [B] or [B, n].
        weights: float32 [bends, S + 1, G, B]: how much of each bend acts, at each step, in each branch.
            Index S is what follows the last step (`latent.end`, `vae.*`, `image`). G is 2 when guided
            (0 unconditional, 1 conditional), else 1; sites outside the U-Net read the last branch.
        ticks: int64 [B], frame numbers, for what changes from frame to frame by itself.
        limit: float32 [B] or [1], how many times its RMS bent activations have at most; 0 for no limit.
        init: uint8 [B, H, W, 3 or 4], the pictures to start from when `start` > 0 (None: feedback is
            not asked for and no picture is given).
    """

    prompts: tuple[Blend, ...]
    negative: tuple[str | Blend, ...]
    noise: tuple[Mix, ...]
    guidance: np.ndarray
    params: tuple[Mapping[str, np.ndarray], ...] = ()
    weights: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 1), np.float32))
    ticks: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    limit: np.ndarray = field(default_factory=lambda: np.zeros(1, np.float32))
    init: np.ndarray | None = None

    @property
    def texts(self) -> set[str]:
        """Every prompt that must be encoded before this can be drawn; the empty one is always among them."""
        recipes = [((n, 1.0),) if isinstance(n, str) else n for n in self.negative]
        return {"", *(text for recipe in (*recipes, *self.prompts) for text, _ in recipe)}


def alike(a: Values, b: Values, *, ticking: bool = True) -> bool:
    """True if two frames of one structure ask for the same picture, to the bit.

    Args:
        a, b: their values.
        ticking: whether the frame numbers count; they do where noise moves by itself.
    """
    return (
        (a.prompts, a.negative, a.noise) == (b.prompts, b.negative, b.noise)
        and _same(a.guidance, b.guidance)
        and _same(a.weights, b.weights)
        and _same(a.limit, b.limit)
        and (not ticking or _same(a.ticks, b.ticks))
        and len(a.params) == len(b.params)
        and all(_same_params(one, other) for one, other in zip(a.params, b.params))
        and (a.init is b.init or (a.init is not None and b.init is not None and _same(a.init, b.init)))
    )


def _same_params(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> bool:
    return a is b or (a.keys() == b.keys() and all(_same(value, b[name]) for name, value in a.items()))


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal shape, type and bytes; a picture that differs mostly does so in its middle row already."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.__array_interface__["data"] == b.__array_interface__["data"] and a.strides == b.strides:
        return True
    if a.ndim < 4:
        return a.tobytes() == b.tobytes()
    middle = a.shape[1] // 2
    return np.array_equal(a[:, middle], b[:, middle]) and np.array_equal(a, b)


@dataclass(frozen=True, eq=False)
class Rendered:
    """Pictures, and whether they can be shown.

    Args:
        pictures: uint8 [B, H, W, 4], RGBA, top row first, alpha 255, C-contiguous, nobody else's. None at all
            where with stream batch no frame has arrived yet, or the one that should have has failed.
        finite: bool [B], False where NaN or infinity came out.
        of: with stream batch the structure and values of the frame that arrives, which began earlier.
        error: why that one has failed; empty if it has not.
    """

    pictures: np.ndarray
    finite: np.ndarray
    of: tuple[Structure, Values] | None = None
    error: str = ""


class Pending(Protocol):
    """Pictures on their way, which the device may still be drawing."""

    def ready(self) -> bool:
        """True if `result` waits for nothing."""

    def result(self) -> Rendered:
        """Waits for the pictures; the same ones whenever it is asked."""


@dataclass(frozen=True, eq=False)
class Done:
    """Pictures that are drawn already.

    Args:
        rendered: the pictures.
    """

    rendered: Rendered

    def ready(self) -> bool:
        """True."""
        return True

    def result(self) -> Rendered:
        """The pictures."""
        return self.rendered


@dataclass(frozen=True, eq=False)
class Earlier:
    """Pictures of a frame that was begun earlier than the others.

    Args:
        pending: the pictures.
        of: the structure and values of that frame.
    """

    pending: Pending
    of: tuple[Structure, Values]

    def ready(self) -> bool:
        """True if they are drawn."""
        return self.pending.ready()

    def result(self) -> Rendered:
        """The pictures, and which frame they are of."""
        return replace(self.pending.result(), of=self.of)


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture on its way to the sinks.

    Args:
        number: counted from 0 since the engine started.
        time_s: when it was published, on the clock of the loop (seconds).
        picture: uint8 [H, W, 4], RGBA, top row first, alpha 255, C-contiguous, never written again.
    """

    number: int
    time_s: float
    picture: np.ndarray

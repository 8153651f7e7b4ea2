"""Operators that treat every element alike: arithmetic, thresholds, curves."""

from __future__ import annotations

import torch
from torch import Tensor

from oscbend.bends.common import BROAD, DAFX, OPERATORS, column, columns, wide, wide_column
from oscbend.table import Arg

LOG_EPSILON = 1e-6
"""Keeps the logarithm finite where an activation is exactly zero."""


@OPERATORS.declare(
    "add",
    Arg(
        "r",
        default=0.0,
        live=True,
        lo=-1000,
        hi=1000,
        musical=(-5, 5),
        inside=(-1, 1),
        scaled=True,
        neutral=0.0,
        help="what is added",
    ),
    tags=("pointwise",),
    source=f"{DAFX}; {BROAD}",
    affine=lambda channels, r: (1.0, r),
)
def add(x: Tensor, r: Tensor) -> Tensor:
    """Adds a number to every activation.

    x + r, for x [B, C, H, W] and r [B].
    """
    return x + column(r, x)


@OPERATORS.declare(
    "multiply",
    Arg(
        "r",
        default=1.0,
        live=True,
        lo=-1000,
        hi=1000,
        musical=(0, 10),
        inside=(0.5, 2),
        neutral=1.0,
        help="the factor",
    ),
    tags=("pointwise",),
    source=f"{DAFX}; {BROAD}",
    affine=lambda channels, r: (r, 0.0),
)
def multiply(x: Tensor, r: Tensor) -> Tensor:
    """Multiplies every activation by a number.

    x·r, for x [B, C, H, W] and r [B].
    """
    return x * column(r, x)


@OPERATORS.declare(
    "threshold",
    Arg(
        "r",
        default=0.0,
        live=True,
        lo=-1000,
        hi=1000,
        musical=(-4, 4),
        inside=(-2, 2),
        scaled=True,
        help="activations from here on become 1",
    ),
    tags=("pointwise", "local"),
    source=f"{DAFX}; {BROAD}",
)
def threshold(x: Tensor, r: Tensor) -> Tensor:
    """Turns activations into ones where they reach a level, and into zeros elsewhere.

    1 where x ≥ r, else 0 (the paper's hard threshold), for x [B, C, H, W] and r [B].
    """
    return torch.ge(x, column(r, x), out=torch.empty_like(x))


@OPERATORS.declare(
    "gate",
    Arg(
        "r",
        default=0.0,
        live=True,
        lo=0,
        hi=1000,
        musical=(0, 4),
        inside=(0, 2),
        scaled=True,
        neutral=0.0,
        help="activations weaker than this are silenced",
    ),
    tags=("pointwise", "local"),
    source=f"{DAFX}, its code",
)
def gate(x: Tensor, r: Tensor) -> Tensor:
    """Silences activations that are weaker than a level.

    x where abs(x) ≥ r, else 0, for x [B, C, H, W] and r [B].
    """
    # Six times as fast on a CPU as where, and the same for every number.
    strong = x.abs()
    return torch.ge(strong, column(r, x), out=strong).mul_(x)


@OPERATORS.declare(
    "soft_threshold",
    Arg(
        "r",
        default=0.0,
        live=True,
        lo=0,
        hi=1000,
        musical=(0, 2),
        inside=(0, 1),
        scaled=True,
        neutral=0.0,
        help="how far activations shrink towards zero",
    ),
    tags=("pointwise", "local"),
    source=DAFX,
)
def soft_threshold(x: Tensor, r: Tensor) -> Tensor:
    """Shrinks every activation towards zero by the same amount, and silences the weak ones.

    sign(x)·max(abs(x) − r, 0), 0 at x = 0, for x [B, C, H, W] and r [B].
    """
    r = columns(r, x)
    # What a clamp cuts off is what remains of a soft threshold; unlike x / abs(x) it has no hole at 0.
    return torch.clamp(x, -r, r).neg_().add_(x)


@OPERATORS.declare(
    "invert",
    Arg(
        "r",
        default=1.0,
        live=True,
        lo=0.01,
        hi=1000,
        clip=False,
        musical=(0.2, 100),
        inside=(0.2, 100),
        help="activations are mirrored at half of 1/r",
    ),
    tags=("pointwise",),
    source=DAFX,
    affine=lambda channels, r: (-1.0, 1.0 / r),
)
def invert(x: Tensor, r: Tensor) -> Tensor:
    """Turns activations upside down and lifts them by one over r.

    1/r − x, for x [B, C, H, W] and r [B]; r = 0 is refused.
    """
    return column(r.reciprocal(), x) - x


@OPERATORS.declare("negate", tags=("pointwise",), affine=lambda channels: (-1.0, 0.0))
def negate(x: Tensor) -> Tensor:
    """Turns activations upside down.

    −x, for x [B, C, H, W].
    """
    return -x


@OPERATORS.declare("ablate", tags=("pointwise",), source=BROAD, affine=lambda channels: (0.0, 0.0))
def ablate(x: Tensor) -> Tensor:
    """Silences the activations; choose how much with mix and where with select.

    0, for x [B, C, H, W].
    """
    return torch.zeros_like(x)


@OPERATORS.declare(
    "power",
    Arg("r", default=1.0, live=True, lo=0.01, hi=10, musical=(0.2, 4), neutral=1.0, help="the exponent"),
    tags=("pointwise", "local"),
    source=DAFX,
)
def power(x: Tensor, r: Tensor) -> Tensor:
    """Bends activations along a power curve and keeps their sign.

    sign(x)·abs(x)^r, for x [B, C, H, W] and r [B].
    """
    # x·abs(x)^(r − 1): exact at r = 1, signed by itself, and three times as fast on a CPU as pow.
    strength = x.to(wide(x.dtype)).abs()
    limits = torch.finfo(strength.dtype)
    gain = strength.clamp_(limits.tiny, limits.max).log_().mul_(wide_column(r, x) - 1).exp_()
    return gain.mul_(x).to(x.dtype)


@OPERATORS.declare(
    "log",
    Arg("r", default=2.0, live=True, lo=1.05, hi=1000, musical=(1.1, 10), help="the base of the logarithm"),
    tags=("pointwise", "local"),
    source=DAFX,
)
def log(x: Tensor, r: Tensor) -> Tensor:
    """Takes the logarithm of the strength of every activation.

    ln(abs(x) + ε)/ln r with ε = 1e-6, for x [B, C, H, W] and r [B]; bases below 1.05 become 1.05.
    """
    strength = x.to(wide(x.dtype)).abs().add_(LOG_EPSILON)
    return strength.log_().div_(wide_column(r, x).log()).to(x.dtype)


@OPERATORS.declare("abs", tags=("pointwise", "local"), source=DAFX)
def absolute(x: Tensor) -> Tensor:
    """Turns negative activations positive.

    abs(x), for x [B, C, H, W].
    """
    return x.abs()


@OPERATORS.declare(
    "clamp",
    Arg(
        "lo",
        default=-1.0,
        live=True,
        lo=-1000,
        hi=1000,
        musical=(-4, 0),
        inside=(-3, 0),
        scaled=True,
        help="the floor",
    ),
    Arg(
        "hi",
        default=1.0,
        live=True,
        lo=-1000,
        hi=1000,
        musical=(0, 4),
        inside=(0, 3),
        scaled=True,
        help="the ceiling; it wins where it lies below the floor",
    ),
    tags=("pointwise", "local"),
    source=DAFX,
)
def clamp(x: Tensor, lo: Tensor, hi: Tensor) -> Tensor:
    """Keeps activations between a floor and a ceiling.

    min(max(x, lo), hi), for x [B, C, H, W], lo and hi [B].
    """
    return torch.clamp(x, columns(lo, x), columns(hi, x))


@OPERATORS.declare(
    "rescale",
    Arg(
        "lo",
        default=-1.0,
        live=True,
        lo=-1000,
        hi=1000,
        musical=(-4, 0),
        inside=(-4, 0),
        scaled=True,
        help="where the smallest activation goes",
    ),
    Arg(
        "hi",
        default=1.0,
        live=True,
        lo=-1000,
        hi=1000,
        musical=(0, 4),
        inside=(0, 4),
        scaled=True,
        help="where the largest activation goes",
    ),
    tags=("pointwise",),
    source=DAFX,
)
def rescale(x: Tensor, lo: Tensor, hi: Tensor) -> Tensor:
    """Stretches all activations so that they fill a range.

    lo + (x − min)·(hi − lo)/(max − min), with the extremes of each sample, for x [B, C, H, W], lo and
    hi [B]. A sample whose elements are all equal becomes lo.
    """
    least, most = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    span = most.to(wide(x.dtype)) - least
    gain = wide_column(hi - lo, x) / torch.where(span > 0, span, 1)
    return (x - least).mul_(gain.to(x.dtype)).add_(column(lo, x))

"""Operators that spread or shrink what is strong: dilation, erosion, and their difference."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from oscbend.bends.common import BROAD, DAFX, OPERATORS
from oscbend.table import Arg

MORPHOLOGY = f"{DAFX}; {BROAD}; kornia.morphology with k×k ones"


def _extreme(x: Tensor, k: int, before: int, pick: Callable[..., Tensor], outside: float) -> Tensor:
    """The extreme of every k × k window of x [B, C, H, W], `before` cells of which lie before its own cell.

    Cells outside the tensor don't count. Windows grow by doubling, first along the rows, then along the
    columns: 2·log2(k) passes, on a CPU 30 times as fast as max_pool2d.
    """
    after = k - 1 - before
    x = F.pad(x, (before, after, before, after), value=outside)
    for dim in (2, 3):
        width = 1
        while width < k:
            step = min(width, k - width)
            keep = x.shape[dim] - step
            x = pick(x.narrow(dim, 0, keep), x.narrow(dim, step, keep))
            width += step
    return x


@OPERATORS.declare(
    "erode",
    Arg("k", type="i", default=3, lo=1, hi=31, musical=(1, 9), neutral=1, unit="cells", help="window"),
    tags=("morphology",),
    source=MORPHOLOGY,
)
def erode(x: Tensor, k: int = 3) -> Tensor:
    """Lets weak activations eat into their surroundings.

    The smallest value of each k × k window, for x [B, C, H, W]; cells outside the tensor don't count. An
    even window reaches further up and left, as kornia's and scipy's.
    """
    return _extreme(x, k, k // 2, torch.minimum, float("inf"))


@OPERATORS.declare(
    "dilate",
    Arg("k", type="i", default=3, lo=1, hi=31, musical=(1, 9), neutral=1, unit="cells", help="window"),
    tags=("morphology",),
    source=MORPHOLOGY,
)
def dilate(x: Tensor, k: int = 3) -> Tensor:
    """Lets strong activations spread into their surroundings.

    The largest value of each k × k window, for x [B, C, H, W]; cells outside the tensor don't count. An even
    window reaches further down and right, as kornia's (from 0.9) and scipy's. Follow it by `center` for the
    paper's "dilation with normalisation".
    """
    return _extreme(x, k, k - 1 - k // 2, torch.maximum, -float("inf"))


@OPERATORS.declare(
    "gradient",
    Arg("k", type="i", default=3, lo=1, hi=31, musical=(2, 9), unit="cells", help="window"),
    tags=("morphology",),
    source=MORPHOLOGY,
)
def gradient(x: Tensor, k: int = 3) -> Tensor:
    """Keeps the outlines of what is strong.

    dilate(x, k) − erode(x, k), for x [B, C, H, W].
    """
    return dilate(x, k) - erode(x, k)

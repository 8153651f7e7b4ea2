"""Operators on the picture plane: turning, zooming, shifting, flipping, a light in the middle, noise."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from oscbend.bends.common import BROAD, DAFX, OPERATORS, column, constant, sent, wide, wide_column, widened
from oscbend.table import Arg

EXPM_SQUARINGS = 7
"""Matrices of norm up to 2^7 come within the reach of the Taylor polynomial."""


@constant
def _places(height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Homogeneous coordinates (x, y, 1) of every cell's centre, −1…1, 0 for a single one: [H, W, 3]."""
    y, x = (
        torch.linspace(-1, 1, n, dtype=dtype) if n > 1 else torch.zeros(1, dtype=dtype)
        for n in (height, width)
    )
    y, x = torch.meshgrid(y, x, indexing="ij")
    return sent(torch.stack((x, y, torch.ones_like(x)), -1), device)


def _sample(x: Tensor, theta: list[list[Tensor]], still: Tensor) -> Tensor:
    """x [B, C, H, W] read through an affine map, with borders reflected.

    Args:
        x: as it is.
        theta: the map from output to input coordinates, −1…1 from the first to the last cell's centre:
            two rows of three tensors [B].
        still: bool [B], True where the map is the identity, so that x comes through exactly.
    """
    maps = torch.stack([torch.stack(row, -1) for row in theta], 1)  # [B, 2, 3]
    places = _places(x.shape[2], x.shape[3], x.device, x.dtype)
    grid = places @ maps.mT[:, None]
    y = F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=True)
    return torch.where(still[:, None, None, None], x, y)


def _extent(x: Tensor) -> tuple[int, int]:
    """Cells between the first and the last centre, across and down; 1 where there is a single cell."""
    return max(x.shape[3] - 1, 1), max(x.shape[2] - 1, 1)


@OPERATORS.declare(
    "turn",
    Arg(
        "degrees",
        default=0.0,
        live=True,
        lo=-1e5,
        hi=1e5,
        musical=(-180, 180),
        inside=(-45, 45),
        neutral=0.0,
        unit="°",
        help="counter-clockwise",
    ),
    tags=("spatial",),
    source=f"{BROAD}; kornia.geometry.transform.rotate",
)
@widened
def turn(x: Tensor, degrees: Tensor) -> Tensor:
    """Turns the picture plane around its middle.

    Bilinear, with borders reflected, for x [B, C, H, W] and degrees [B]; positive is counter-clockwise.
    """
    angle = degrees.to(x.dtype) * (math.pi / 180)
    c, s = angle.cos(), angle.sin()
    across, down = _extent(x)
    zero = torch.zeros_like(c)
    return _sample(x, [[c, -s * (down / across), zero], [s * (across / down), c, zero]], degrees == 0)


@OPERATORS.declare(
    "zoom",
    Arg(
        "factor",
        default=1.0,
        live=True,
        lo=0.05,
        hi=20,
        musical=(0.25, 4),
        inside=(0.5, 2),
        neutral=1.0,
        help="above 1 comes nearer",
    ),
    tags=("spatial",),
    source=f"{BROAD}; kornia.geometry.transform.scale",
)
@widened
def zoom(x: Tensor, factor: Tensor) -> Tensor:
    """Brings the picture plane nearer, or moves it away.

    Magnified around the middle, bilinear, with borders reflected, for x [B, C, H, W] and factor [B].
    """
    scale = factor.to(x.dtype).reciprocal()
    zero = torch.zeros_like(scale)
    return _sample(x, [[scale, zero, zero], [zero, scale, zero]], factor == 1)


@OPERATORS.declare(
    "shift",
    Arg(
        "dx",
        default=0.0,
        live=True,
        lo=-100,
        hi=100,
        musical=(-0.5, 0.5),
        inside=(-0.5, 0.5),
        neutral=0.0,
        help="to the right; 1 is the whole width",
    ),
    Arg(
        "dy",
        default=0.0,
        live=True,
        lo=-100,
        hi=100,
        musical=(-0.5, 0.5),
        inside=(-0.5, 0.5),
        neutral=0.0,
        help="down; 1 is the whole height",
    ),
    tags=("spatial",),
    source=f"{BROAD}; kornia.geometry.transform.translate",
)
@widened
def shift(x: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Moves the picture plane sideways, up and down.

    By dx·W and dy·H cells, bilinear, with borders reflected, for x [B, C, H, W], dx and dy [B].
    """
    across, down = _extent(x)
    right = dx.to(x.dtype) * (-2 * x.shape[3] / across)
    below = dy.to(x.dtype) * (-2 * x.shape[2] / down)
    zero, one = torch.zeros_like(right), torch.ones_like(right)
    return _sample(x, [[one, zero, right], [zero, one, below]], (dx == 0) & (dy == 0))


AXES = {"horizontal": (3,), "vertical": (2,), "both": (2, 3)}


@OPERATORS.declare(
    "flip",
    Arg("axis", type="s", default="horizontal", choices=tuple(AXES), help="which way it is mirrored"),
    tags=("spatial",),
    source=BROAD,
)
def flip(x: Tensor, axis: str = "horizontal") -> Tensor:
    """Mirrors the picture plane.

    `horizontal` swaps left and right, `vertical` up and down, for x [B, C, H, W].
    """
    return x.flip(AXES[axis])


@constant
def _squared_grid(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Squares of `size` places, evenly from −5 to 5; a single one lies in the middle."""
    places = (torch.arange(size, dtype=torch.float64) - (size - 1) / 2) * (10 / max(size - 1, 1))
    return sent(places.square().to(dtype), device)


@OPERATORS.declare(
    "bump",
    Arg(
        "r",
        default=0.0,
        live=True,
        lo=-1000,
        hi=1000,
        musical=(-20, 20),
        inside=(-20, 20),
        scaled=True,
        neutral=0.0,
        help="the volume of the bump",
    ),
    Arg(
        "sigma",
        default=1.5,
        live=True,
        lo=0.1,
        hi=20,
        musical=(0.5, 4),
        inside=(0.5, 4),
        help="its width; the picture is 10 wide",
    ),
    tags=("spatial",),
    source=DAFX,
)
def bump(x: Tensor, r: Tensor, sigma: Tensor) -> Tensor:
    """Adds a soft bump in the middle, like a light or a shadow.

    x + r·exp(−(u² + v²)/2σ²)/(2πσ²), u and v going from −5 to 5 over the width and the height, for x
    [B, C, H, W], r and sigma [B].
    """
    r, sigma = wide_column(r, x), wide_column(sigma, x)
    spread = -2 * sigma.square()
    down = _squared_grid(x.shape[2], x.device, r.dtype)[:, None]
    across = _squared_grid(x.shape[3], x.device, r.dtype)
    column_part = (r / (-math.pi * spread)) * (down / spread).exp()  # [B, 1, H, 1]
    return x + (column_part * (across / spread).exp()).to(x.dtype)


@OPERATORS.declare(
    "noise",
    Arg(
        "r",
        default=0.0,
        live=True,
        lo=-100,
        hi=100,
        musical=(0, 3),
        inside=(0, 1),
        scaled=True,
        neutral=0.0,
        help="standard deviation of the noise",
    ),
    Arg("seed", type="i", default=0, lo=0, hi=2**31 - 1, clip=False, help="which noise"),
    Arg("mode", type="s", default="fixed", choices=("fixed", "moving"), help="one noise, or one per frame"),
    tags=("spatial", "noise"),
    source=DAFX,
)
def noise(x: Tensor, r: Tensor, seed: int = 0, mode: str = "fixed", *, field: Tensor) -> Tensor:
    """Adds grain, that stands still or changes with every frame.

    x + r·N, for x [B, C, H, W], r [B] and field N [B, C, H, W], drawn beforehand by a `NoiseBank` from seed
    and mode.
    """
    return x + field.to(x.dtype) * column(r, x)


@OPERATORS.declare("expm", tags=("spatial", "square"), source=DAFX)
def expm(x: Tensor) -> Tensor:
    """Takes the matrix exponential of every channel, which breeds stripes and crosses.

    Σ Xⁿ/n! of each H × H channel, for x [B, C, H, H]; a result beyond the range of the precision saturates.
    By scaling by 2⁻⁷, a Taylor polynomial of degree 9 in four products (Paterson and Stockmeyer 1973), and
    seven squarings: exact to single precision for norms up to 128, always the same work, whatever the data.
    """
    limit, dtype = torch.finfo(x.dtype).max, x.dtype
    x = x.to(wide(dtype)) * 2.0**-EXPM_SQUARINGS
    x2 = x @ x
    x3 = x2 @ x
    one = torch.eye(x.shape[3], dtype=x.dtype, device=x.device)
    y = one / 720 + x / 5040 + x2 / 40320 + x3 / 362880
    y = one / 6 + x / 24 + x2 / 120 + y @ x3
    y = one + x + x2 / 2 + y @ x3
    for _ in range(EXPM_SQUARINGS):
        y = y @ y
    return y.clamp(-limit, limit).to(dtype)

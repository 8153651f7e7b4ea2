"""Operators on the picture plane: turning, zooming, shifting, flipping, a light in the middle, noise."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from oscbend.bends.common import BROAD, DAFX, OPERATORS, columns, constant, sent, wide, wide_column, widened
from oscbend.bends.contract import side_by_side
from oscbend.table import Arg

EXPM_SQUARINGS = 7
"""Matrices of norm up to 2^7 come within the reach of the Taylor polynomial."""

FEW_CHANNELS = 16
"""With fewer channels, a processor samples them one by one at least as fast as side by side."""


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
    if x.device.type == "cpu" and x.shape[1] >= FEW_CHANNELS and side_by_side(x):
        return _picked(x, maps, still)
    grid = _places(x.shape[2], x.shape[3], x.device, x.dtype) @ maps.mT[:, None]
    y = F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=True)
    return torch.where(still[:, None, None, None], x, y)


@constant
def _cells(height: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of all cells: homogeneous coordinates −1…1, [3, H·W]; column and row, [2, H·W]. The last column and
    row, [2, 1]; how many cells to go for the next ones, [2, 1]."""
    places = _places(height, width, torch.device("cpu"), dtype).flatten(0, 1).T.contiguous()
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    own = torch.stack((columns.flatten(), rows.flatten())).to(dtype)
    last = torch.tensor([[width - 1], [height - 1]], dtype=torch.int32)
    return places, own, last, torch.tensor([[1], [width]], dtype=torch.int32)


def _picked(x: Tensor, maps: Tensor, still: Tensor) -> Tensor:
    """What `grid_sample` makes, twice as fast on a processor if channels lie side by side.

    Each cell of the result is a sum of four rows of a table, a share of each: an embedding bag.

    Args:
        x: [B, C, H, W].
        maps: from output to input coordinates, as for `_sample`, [B, 2, 3].
        still: bool [B], True where that is the identity.
    """
    batch, channels, height, width = x.shape
    places, own, last, steps = _cells(height, width, x.dtype)
    end = last.to(x.dtype)
    counted = (maps * (end / 2)) @ places + end / 2  # [B, 2, H·W], in cells
    place = torch.where(still[:, None, None], own, counted)
    # Borders are mirrors: from one to the other and back again.
    place = end - place.remainder_((2 * end).clamp_min(1)).sub_(end).abs_()
    low = place.floor()
    cell = low.to(torch.int32).clamp_min_(0)
    (left, top), (right, bottom) = (
        (ends * steps).unbind(1) for ends in (cell, torch.minimum(cell + 1, last))
    )
    a, b = place.sub_(low).unbind(1)
    if batch > 1:
        first = torch.arange(0, batch * height * width, height * width, dtype=torch.int32)[:, None]
        top, bottom = top + first, bottom + first
    cells = torch.stack((top + left, top + right, bottom + left, bottom + right), -1)
    both = a * b
    shares = torch.stack((1 - a - b + both, a - both, b - both, both), -1)
    table = x.permute(0, 2, 3, 1).reshape(-1, channels)
    y = F.embedding_bag(cells.flatten(0, 1), table, per_sample_weights=shares.flatten(0, 1), mode="sum")
    return y.reshape(batch, height, width, channels).permute(0, 3, 1, 2)


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
    return torch.addcmul(x, field.to(x.dtype), columns(r, x))


@OPERATORS.declare("expm", tags=("spatial", "square"), source=DAFX)
def expm(x: Tensor) -> Tensor:
    """Takes the matrix exponential of every channel, which breeds stripes and crosses.

    Σ Xⁿ/n! of each H × H channel, for x [B, C, H, H]; a result beyond the range of the precision saturates.
    By scaling by 2⁻⁷, a Taylor polynomial of degree 9 in four products (Paterson and Stockmeyer 1973), and
    seven squarings: exact to single precision for norms up to 128, always the same work, whatever the data.
    """
    limit, dtype = torch.finfo(x.dtype).max, x.dtype
    x = x.to(wide(dtype)).contiguous() * 2.0**-EXPM_SQUARINGS  # products of matrices as they lie in memory
    x2 = x @ x
    x3 = x2 @ x
    one = torch.eye(x.shape[3], dtype=x.dtype, device=x.device)
    y = torch.add(one / 720, x, alpha=1 / 5040).add_(x2, alpha=1 / 40320).add_(x3, alpha=1 / 362880)
    y = (y @ x3).add_(one, alpha=1 / 6).add_(x, alpha=1 / 24).add_(x2, alpha=1 / 120)
    y = (y @ x3).add_(one).add_(x).add_(x2, alpha=1 / 2)
    for _ in range(EXPM_SQUARINGS):
        y = y @ y
    return y.clamp(-limit, limit).to(dtype)

"""Operators on detail: edges, blur, sharpening, and gains on spatial frequencies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from oscbend.bends.common import DAFX, OPERATORS, column, constant, sent, widened
from oscbend.table import Arg

BLUR_RADIUS = 12
"""Cells on each side that a blur reads: three times its largest sigma."""

SHARPEN_RADIUS, SHARPEN_SIGMA = 2, 1.0

SOBEL_EPSILON = 1e-6


@OPERATORS.declare("sobel", tags=("spectral",), source=f"{DAFX}; kornia.filters.sobel")
@widened
def sobel(x: Tensor) -> Tensor:
    """Keeps the edges: how steeply activations change from cell to cell.

    √(gx² + gy² + 1e-6) with Sobel's normalised kernels and a replicated border, for x [B, C, H, W].
    """
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    left, middle, right = x[..., :-2], x[..., 1:-1], x[..., 2:]
    across = right - left
    gx = torch.add(across[..., :-2, :] + across[..., 2:, :], across[..., 1:-1, :], alpha=2)
    along = torch.add(left + right, middle, alpha=2)
    gy = along[..., 2:, :] - along[..., :-2, :]
    return torch.addcmul(gx.square_(), gy, gy).add_(64 * SOBEL_EPSILON).sqrt_().div_(8)


@constant
def _squared_distances(size: int, radius: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """How far each cell j, or a mirror image of it, lies from each cell i: [images, size, size].

    Borders are mirrors on the outermost cells. Squared; infinite beyond `radius`, and where two
    mirrors show the same image.
    """
    i = torch.arange(size, dtype=torch.float64)
    period = 2 * (size - 1)
    turns = radius // period + 1 if period else 0
    images = [i + period * turn for turn in range(-turns, turns + 1)]
    inner = torch.where((i > 0) & (i < size - 1), i, torch.inf)
    images += [period * turn - inner for turn in range(-turns, turns + 2)] if period else []
    distances = torch.stack(images)[:, None, :] - i[None, :, None]
    distances = torch.where(distances.abs() <= radius, distances.square(), torch.inf)
    seen = torch.isfinite(distances).flatten(1).any(1)
    return sent(distances[seen].to(dtype), device)


def _blur_matrix(sigma: Tensor, size: int, radius: int, dtype: torch.dtype) -> Tensor:
    """Matrices [B, size, size] that blur along one axis with a Gaussian of sigma [B], truncated at radius."""
    squares = _squared_distances(size, radius, sigma.device, dtype)  # [images, size, size]
    exponent = squares / (-2 * sigma.to(dtype).clamp_min(0.01).square())[:, None, None, None]
    m = exponent.exp().sum(1)
    return m / m.sum(2, keepdim=True)


def _blur(x: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """x [B, C, H, W] blurred by sigma [B]; as matrices: two products, whatever sigma is."""
    rows = _blur_matrix(sigma, x.shape[2], radius, x.dtype)[:, None]
    columns = rows if x.shape[2] == x.shape[3] else _blur_matrix(sigma, x.shape[3], radius, x.dtype)[:, None]
    return rows @ (x @ columns.mT)


@OPERATORS.declare(
    "blur",
    Arg(
        "sigma",
        default=0.0,
        live=True,
        lo=0,
        hi=4,
        musical=(0, 4),
        inside=(0, 2),
        neutral=0.0,
        unit="cells",
        help="width of the blur",
    ),
    tags=("spectral",),
    source="kornia.filters.gaussian_blur2d, 25×25",
)
@widened
def blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Blurs activations, as a lens out of focus.

    A Gaussian of `sigma` cells, truncated at 12 cells, with borders reflected, for x [B, C, H, W] and sigma
    [B].
    """
    return _blur(x, sigma, BLUR_RADIUS)


@constant
def _sharpen_sigma(device: torch.device) -> Tensor:
    return torch.full((1,), SHARPEN_SIGMA, device=device)


@OPERATORS.declare(
    "sharpen",
    Arg(
        "amount",
        default=0.0,
        live=True,
        lo=-1,
        hi=20,
        musical=(0, 4),
        inside=(0, 2),
        neutral=0.0,
        help="how much of the detail is added once more",
    ),
    tags=("spectral",),
    source="kornia.filters.unsharp_mask, 5×5, sigma 1",
)
@widened
def sharpen(x: Tensor, amount: Tensor) -> Tensor:
    """Sharpens activations by adding their detail once more.

    x + amount·(x − blur(x)) with a Gaussian of 5 × 5 cells and sigma 1, for x [B, C, H, W] and amount [B].
    """
    return x + (x - _blur(x, _sharpen_sigma(x.device), SHARPEN_RADIUS)) * column(amount, x)


@constant
def _radius_power(height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Fourth power of each spatial frequency's radius, Nyquist being 1: [height, width // 2 + 1]."""
    down = 2 * torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    across = 2 * torch.fft.rfftfreq(width, dtype=torch.float64)
    return sent((down.square() + across.square()).square().to(dtype), device)


@OPERATORS.declare(
    "fourier",
    Arg(
        "low",
        default=1.0,
        live=True,
        lo=-20,
        hi=20,
        musical=(0, 3),
        inside=(0.2, 2),
        neutral=1.0,
        help="gain of coarse shapes",
    ),
    Arg(
        "high",
        default=1.0,
        live=True,
        lo=-20,
        hi=20,
        musical=(0, 3),
        inside=(0.2, 2),
        neutral=1.0,
        help="gain of fine detail",
    ),
    Arg(
        "cutoff",
        default=0.25,
        live=True,
        lo=0.01,
        hi=1.5,
        musical=(0.05, 1),
        inside=(0.05, 1),
        help="frequency at which they meet; 1 is the finest stripes that fit",
    ),
    tags=("spectral",),
    source="after Si et al.: FreeU (2023), equation 5",
)
@widened
def fourier(x: Tensor, low: Tensor, high: Tensor, cutoff: Tensor) -> Tensor:
    """Sets how loud coarse shapes and fine detail are, like the bass and treble of a picture.

    Spatial frequencies of radius f (Nyquist is 1) times low + (high − low)·f⁴/(f⁴ + cutoff⁴), for x
    [B, C, H, W], low, high and cutoff [B].
    """
    height, width = x.shape[2:]
    low, high, cutoff = column(low, x), column(high, x), column(cutoff, x)
    f4 = _radius_power(height, width, x.device, x.dtype)
    change = torch.addcmul(low - 1, high - low, f4 / (f4 + cutoff.square().square()))
    # Adding what changes, rather than filtering x itself, makes the neutral gains exact.
    return x + torch.fft.irfft2(torch.fft.rfft2(x) * change, s=(height, width))

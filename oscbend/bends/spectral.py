"""Operators on detail: edges, blur, sharpening, and gains on spatial frequencies."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from oscbend.bends.common import DAFX, OPERATORS, column, constant, sent, widened
from oscbend.bends.contract import side_by_side
from oscbend.table import Arg

LARGE = 48
"""From here on products with whole matrices cost a processor more than convolutions and transforms."""

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


def _falloff(sigma: Tensor, dtype: torch.dtype) -> Tensor:
    """What squared distances are divided by in a Gaussian's exponent; sigma 0 leaves the middle alone."""
    return -2 * sigma.to(dtype).clamp_min(0.01).square()


def _blur_matrix(sigma: Tensor, size: int, radius: int, dtype: torch.dtype) -> Tensor:
    """Matrices [B, size, size] that blur along one axis with a Gaussian of sigma [B], truncated at radius."""
    squares = _squared_distances(size, radius, sigma.device, dtype)  # [images, size, size]
    m = (squares / _falloff(sigma, dtype)[:, None, None, None]).exp().sum(1)
    return m / m.sum(2, keepdim=True)


def _along(rows: Tensor, columns: Tensor, x: Tensor) -> Tensor:
    """rows·x·columnsᵀ for every channel, in the layout of x.

    Args:
        rows: [B or 1, H, H].
        columns: [B or 1, W, W].
        x: [B, C, H, W].
    """
    if not side_by_side(x):
        return rows[:, None] @ (x @ columns.mT[:, None])
    batch, channels, height, width = x.shape
    lines = x.permute(0, 2, 3, 1)  # [B, H, W, C]
    if len(columns) == 1:
        lines = columns.expand(batch * height, -1, -1) @ lines.reshape(-1, width, channels)
    else:
        lines = torch.cat([one.expand(height, -1, -1) @ line for one, line in zip(columns, lines)])
    y = rows @ lines.reshape(batch, height, width * channels)
    return y.reshape(batch, height, width, channels).permute(0, 3, 1, 2)


@constant
def _squared_offsets(radius: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    return sent(torch.arange(-radius, radius + 1, dtype=dtype).square(), device)


def _swept(x: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """One sample [1, C, H, W] blurred by sigma [1] by convolutions."""
    channels = x.shape[1]
    kernel = (_squared_offsets(radius, x.device, x.dtype) / _falloff(sigma, x.dtype)).exp()
    kernel = (kernel / kernel.sum()).expand(channels, 1, -1)
    padded = F.pad(x, (radius,) * 4, mode="reflect")
    down = F.conv2d(padded, kernel[..., None], groups=channels)
    return F.conv2d(down, kernel[:, :, None], groups=channels)


def _blur(x: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """x [B, C, H, W] blurred by sigma [B or 1]."""
    height, width = x.shape[2:]
    if x.device.type == "cpu" and min(height, width) >= LARGE:
        samples = zip(x.split(1), sigma.expand(len(x)).split(1), strict=True)
        swept = [_swept(sample, one, radius) for sample, one in samples]
        return torch.cat(swept) if len(swept) > 1 else swept[0]
    rows = _blur_matrix(sigma, height, radius, x.dtype)
    return _along(rows, rows if height == width else _blur_matrix(sigma, width, radius, x.dtype), x)


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
    return (x - _blur(x, _sharpen_sigma(x.device), SHARPEN_RADIUS)).mul_(column(amount, x)).add_(x)


@constant
def _radius_power(height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Fourth power of each spatial frequency's radius, Nyquist being 1: [height, width]."""
    down = 2 * torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    across = 2 * torch.fft.fftfreq(width, dtype=torch.float64)
    return sent((down.square() + across.square()).square().to(dtype), device)


@constant
def _hartley(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """cos + sin of 2πkn/size, orthonormal: its own inverse, [1, size, size].

    What is as strong at a frequency as at its mirror image is a gain here, too, as after Fourier's transform.
    """
    turns = torch.outer(torch.arange(size), torch.arange(size)).remainder(size).double() / size
    waves = ((2 * math.pi * turns).cos() + (2 * math.pi * turns).sin()) / size**0.5
    return sent(waves.to(dtype), device)[None]


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
    if max(height, width) < LARGE:
        rows, columns = _hartley(height, x.device, x.dtype), _hartley(width, x.device, x.dtype)
        return _along(rows, columns, _along(rows, columns, x).mul_(change)).add_(x)
    spectrum = torch.fft.rfft2(x).mul_(change[..., : width // 2 + 1])
    return torch.fft.irfft2(spectrum, s=(height, width)).add_(x)

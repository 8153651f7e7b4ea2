"""Canvas tools: grids, soft masks, noise, light and compositing on float32 pictures [H, W, 3] in 0..1.

Coordinates are fractions of the picture's side, x to the right and y down, so that one painter
serves every size.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Array = np.ndarray
Points = Sequence[tuple[float, float]] | Array
OVERSAMPLING = 2


@lru_cache(maxsize=8)
def grid(size: int) -> tuple[Array, Array]:
    """Pixel centres: x and y, each [size, size] float32 in 0..1 (shared, read-only)."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = (np.ascontiguousarray(a) for a in np.meshgrid(axis, axis))
    x.flags.writeable = y.flags.writeable = False
    return x, y


def smoothstep(low: float | Array, high: float | Array, value: float | Array) -> Array:
    """0 below `low`, 1 above `high`, a smooth S between (`low` may exceed `high`: then it falls)."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def mix(a: Array, b: Array, amount: float | Array) -> Array:
    """From `a` (amount 0) to `b` (amount 1); a mask [H, W] is spread over the colour channels."""
    if isinstance(amount, np.ndarray):
        amount = amount.astype(np.float32, copy=False)
        if amount.ndim == 2 and (np.ndim(a) == 3 or np.ndim(b) in (1, 3)):
            amount = amount[..., None]
    return a + (b - a) * amount


def enlarge(values: Array, size: int) -> Array:
    """A small float field [h, w], or colour field [h, w, 3], as [size, size] by bicubic interpolation."""
    if values.ndim == 3:
        return np.stack([enlarge(values[..., c], size) for c in range(values.shape[2])], axis=-1)
    picture = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))


def noise(
    rng: np.random.Generator,
    size: int,
    *,
    cells: tuple[float, float] = (4, 4),
    octaves: int = 4,
    gain: float = 0.5,
) -> Array:
    """Value noise of several octaves, [size, size] float32, about 0..1 with mean 0.5.

    Args:
        cells: cells of the coarsest octave across and down.
        octaves: each has twice the cells of the one before.
        gain: amplitude of an octave over that of the one before.
    """
    total = np.zeros((size, size), np.float32)
    amplitude, norm = 1.0, 0.0
    for octave in range(octaves):
        across = max(2, round(cells[0] * 2**octave))
        down = max(2, round(cells[1] * 2**octave))
        values = rng.random((min(down, size), min(across, size)), dtype=np.float32) - 0.5
        total += amplitude * enlarge(values, size)
        norm += amplitude * amplitude
        amplitude *= gain
    return np.clip(0.5 + 0.85 * total / np.sqrt(norm), 0.0, 1.0)


def ridge(
    rng: np.random.Generator, size: int, *, cells: float = 3, octaves: int = 4, gain: float = 0.45
) -> Array:
    """A ridge line: smooth noise along x, [size] float32 in about -1..1."""
    x = np.linspace(0.0, 1.0, size)
    total = np.zeros(size)
    for octave in range(octaves):
        frequency = cells * 2**octave * rng.uniform(0.8, 1.2)
        total += gain**octave * np.sin(np.pi * frequency * x + rng.uniform(0, 2 * np.pi))
    return (total * 0.62).astype(np.float32)


def glow(size: int, centre: tuple[float, float], radius: float, *, power: float = 1.0) -> Array:
    """Light falling off around a point, [size, size]: 1 at the centre, 1/2 at `radius`."""
    x, y = grid(size)
    squared = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (radius * radius)
    return 1.0 / (1.0 + squared) if power == 1.0 else (1.0 + squared) ** -power


def disc(size: int, centre: tuple[float, float], radius: float, *, soft: float = 0.006) -> Array:
    """A filled circle with a soft edge, [size, size] in 0..1."""
    x, y = grid(size)
    return smoothstep(radius + soft, radius - soft, np.hypot(x - centre[0], y - centre[1]))


def blur(field: Array, sigma: float) -> Array:
    """Gaussian blur of a mask [H, W] in 0..1 by `sigma` (a fraction of the side), at reduced detail."""
    size = field.shape[0]
    small = max(16, min(size, int(2.5 / max(sigma, 1e-3))))
    picture = Image.fromarray(np.clip(field * 255.0, 0, 255).astype(np.uint8))
    picture = picture.resize((small, small), Image.Resampling.BOX)
    picture = picture.filter(ImageFilter.GaussianBlur(sigma * small))
    return enlarge(np.asarray(picture, np.float32) / 255.0, size)


def relief(mask: Array, *, thickness: float, light: tuple[float, float]) -> Array:
    """Shading of a flat mask as if it were cushioned: [H, W], about 0..1, 0.5 where flat.

    Args:
        thickness: how far from the edge the surface curves, as a fraction of the side.
        light: direction towards the light, (x, y).
    """
    height = blur(mask, thickness)
    down, across = np.gradient(height)
    scale = thickness * mask.shape[0] * 1.6
    length = float(np.hypot(*light)) or 1.0
    return np.clip(0.5 - (across * light[0] + down * light[1]) / length * scale, 0.0, 1.0)


def reflect(
    picture: Array, horizon: float, ripples: Array, *, stretch: float = 1.0, dim: float = 0.8
) -> Array:
    """The picture with still water below `horizon`: what stands above it, mirrored and rippled.

    Args:
        picture: [S, S, 3].
        ripples: noise [S, S] in 0..1 that moves the mirrored points sideways and up.
        stretch: how quickly the mirror image runs upwards with depth.
        dim: brightness of the reflection.
    """
    size = picture.shape[0]
    top = int(np.clip(horizon * size, 1, size - 1))
    rows = np.arange(size - top, dtype=np.float32)[:, None]
    wobble = ripples[top:] - 0.5
    depth = rows / size
    source_y = top - 1 - rows * stretch - wobble * depth * size * 0.55
    source_x = np.arange(size, dtype=np.float32)[None] + wobble * (0.02 + depth) * size * 0.22
    iy = np.clip(source_y, 0, top - 1).astype(np.intp)
    ix = np.clip(source_x, 0, size - 1).astype(np.intp)
    result = picture.copy()
    result[top:] = picture[iy, ix] * (dim * (1.0 - 0.35 * depth)[..., None])
    return result


def bloom(picture: Array, amount: float, *, threshold: float = 0.62, radius: float = 0.045) -> Array:
    """Light spilling from the bright parts of a picture over their neighbourhood."""
    size = picture.shape[0]
    small = min(size, 64)
    bright = np.clip((picture - threshold) / (1.0 - threshold), 0.0, 1.0)
    spill = Image.fromarray((bright * 255).astype(np.uint8)).resize((small, small), Image.Resampling.BOX)
    wide = spill.filter(ImageFilter.GaussianBlur(radius * small * 2.2))
    near = spill.filter(ImageFilter.GaussianBlur(radius * small * 0.7))
    light = (np.asarray(wide, np.float32) + np.asarray(near, np.float32)) * (amount / 510.0)
    return 1.0 - (1.0 - np.clip(picture, 0, 1)) * (1.0 - enlarge(np.clip(light, 0, 1), size))


def vignette(picture: Array, amount: float) -> Array:
    """Darker corners: at `amount` 1 they lose about half of their light."""
    x, y = grid(picture.shape[0])
    fall = 1.0 - amount * 0.95 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    return picture * fall[..., None]


def below(size: int, line: Array, *, soft: float = 0.006) -> Array:
    """Mask [size, size] of what lies below a line given as y over x, [size]."""
    _, y = grid(size)
    return smoothstep(-soft, soft, y - line[None])


def polyline_smooth(points: Points, steps: int = 8) -> Array:
    """A Catmull-Rom curve through the points, [N, 2]."""
    p = np.asarray(points, np.float64)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:]):
        parts.append(
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        )
    return np.vstack([*parts, p[-2:-1]])


class Sketch:
    """Polygons and thick lines drawn with oversampling; `mask()` gives them as [size, size] in 0..1."""

    def __init__(self, size: int, background: float = 0.0) -> None:
        self.size = size
        self.scale = size * OVERSAMPLING
        self.image = Image.new("L", (self.scale, self.scale), int(background * 255))
        self.draw = ImageDraw.Draw(self.image)

    def _pixels(self, points: Points) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in np.asarray(points, np.float64) * self.scale]

    def polygon(self, points: Points, value: float = 1.0) -> None:
        """Fill the polygon through the points with `value` (0..1)."""
        self.draw.polygon(self._pixels(points), fill=int(value * 255))

    def line(self, points: Points, width: float, value: float = 1.0) -> None:
        """A line through the points, `width` as a fraction of the side."""
        pixels = max(1, round(width * self.scale))
        self.draw.line(self._pixels(points), fill=int(value * 255), width=pixels, joint="curve")

    def taper(self, points: Points, widths: Sequence[float] | Array, value: float = 1.0) -> None:
        """A curve whose width changes along it: one width per point."""
        p = np.asarray(points, np.float64)
        direction = np.gradient(p, axis=0)
        normal = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
        normal /= np.maximum(np.hypot(normal[:, 0], normal[:, 1])[:, None], 1e-9)
        side = normal * np.asarray(widths)[:, None] / 2
        self.polygon(np.vstack([p + side, (p - side)[::-1]]), value)

    def ellipse(self, centre: tuple[float, float], radii: tuple[float, float], value: float = 1.0) -> None:
        """Fill an upright ellipse."""
        (x, y), (a, b), s = centre, radii, self.scale
        self.draw.ellipse([(x - a) * s, (y - b) * s, (x + a) * s, (y + b) * s], fill=int(value * 255))

    def mask(self) -> Array:
        """What was drawn, [size, size] float32 in 0..1."""
        return np.asarray(self.image.reduce(OVERSAMPLING), np.float32) / 255.0

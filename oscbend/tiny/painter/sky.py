"""Subjects of air and water: a starry night, a thunderstorm, waves under a light."""

import numpy as np

from oscbend.tiny.painter.canvas import (
    Sketch,
    below,
    blur,
    glow,
    grid,
    mix,
    noise,
    reflect,
    ridge,
    smoothstep,
)
from oscbend.tiny.painter.colours import Palette

Array = np.ndarray


def star_light(rng: np.random.Generator, size: int, count: int, lowest: float) -> Array:
    """Stars as light, [size, size]: bright cores of 1.5 to 3.5 px (at 256) with a small glow."""
    light = np.zeros((size, size), np.float32)
    scale = size / 256
    reach = max(3, int(9 * scale))
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    for _ in range(count):
        x, y = rng.random() * size, rng.random() ** 1.15 * lowest * size
        radius = (1.1 + 1.7 * rng.random() ** 3) * scale
        strength = rng.uniform(0.65, 1.0)
        ix, iy = int(x), int(y)
        gx = offsets + (ix + 0.5 - x)
        gy = offsets + (iy + 0.5 - y)
        squared = gx[None] ** 2 + gy[:, None] ** 2
        spot = strength * (
            1.3 * np.exp(-squared / (1.1 * radius**2)) + 0.22 * np.exp(-squared / (9 * radius**2))
        )
        top, left = max(0, iy - reach), max(0, ix - reach)
        bottom, right = min(size, iy + reach + 1), min(size, ix + reach + 1)
        light[top:bottom, left:right] += spot[
            top - iy + reach : bottom - iy + reach, left - ix + reach : right - ix + reach
        ]
    return light


def starry_night(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """Bright stars and a band of milky light over a dark ridge."""
    x, y = grid(size)
    horizon = rng.uniform(0.70, 0.86)
    air = 0.16 + 0.34 * smoothstep(0.0, horizon, y) ** 1.6
    air = air + 0.12 * (noise(rng, size, cells=(3, 3), octaves=3) - 0.5)
    angle, offset = rng.normal(0.6, 0.35) * rng.choice([-1, 1]), rng.normal(0, 0.12)
    across = (x - 0.5) * np.sin(angle) + (y - 0.38) * np.cos(angle) - offset
    band = np.exp(-((across / 0.13) ** 2)) * rng.uniform(0.25, 0.75)
    cloud = noise(rng, size, cells=(5, 5), octaves=4, gain=0.6)
    air = air + band * (0.10 + 0.55 * cloud * cloud)
    air = air + 0.28 * glow(size, (rng.uniform(0.1, 0.9), horizon + 0.02), 0.16)
    picture = palette.air(air)
    stars = star_light(rng, size, int(rng.integers(45, 80)), horizon)
    picture = mix(picture, palette.light(0.97), np.clip(stars, 0, 1))
    far = horizon - 0.05 + 0.06 * ridge(rng, size, cells=rng.uniform(2, 4))
    near = horizon + 0.05 + 0.06 * ridge(rng, size, cells=rng.uniform(1.5, 3))
    picture = mix(picture, palette.ground(0.15 + 0.10 * smoothstep(0.6, 1, y)), below(size, far))
    return mix(picture, palette.ground(0.05 + 0.0 * y), below(size, near))


def _bolt(
    rng: np.random.Generator, start: tuple[float, float], end: tuple[float, float], jag: float
) -> Array:
    points = np.array([start, end])
    for _ in range(5):
        middle = (points[1:] + points[:-1]) / 2
        middle += rng.normal(0, jag, middle.shape) * (1.0, 0.35)
        jag *= 0.52
        merged = np.empty((len(points) + len(middle), 2))
        merged[::2], merged[1::2] = points, middle
        points = merged
    return points


def thunderstorm(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """Lightning between heavy clouds and a dark land, the clouds lit from within."""
    _, y = grid(size)
    horizon = rng.uniform(0.74, 0.88)
    start = (float(rng.normal(0.5, 0.16)), rng.uniform(0.0, 0.12))
    end = (float(np.clip(start[0] + rng.normal(0, 0.12), 0.12, 0.88)), horizon)
    trunk = _bolt(rng, start, end, 0.06)
    sketch = Sketch(size)
    sketch.line(trunk, 0.014)
    for _ in range(int(rng.integers(2, 5))):
        root = trunk[int(rng.integers(4, 22))]
        tip = (root[0] + rng.normal(0, 0.17), min(root[1] + rng.uniform(0.12, 0.3), horizon))
        sketch.line(_bolt(rng, (root[0], root[1]), tip, 0.035), 0.0085, 0.85)
    bolt = sketch.mask()
    halo = blur(bolt, 0.018) * 1.8 + blur(bolt, 0.07) * 2.4
    cloud = noise(rng, size, cells=(3, 4), octaves=5, gain=0.55)
    billow = 1.0 - np.abs(noise(rng, size, cells=(4, 6), octaves=3) - 0.5) * 2.6
    lit = 0.9 * glow(size, (start[0], start[1] + 0.06), 0.24) + 0.35 * glow(size, end, 0.14)
    depth = smoothstep(0.15, 0.9, y)
    tone = 0.10 + 0.30 * cloud * (0.6 + 0.6 * billow) + 0.12 * depth + (0.25 + 0.55 * cloud * billow) * lit
    picture = palette.air(tone)
    rain = noise(rng, size, cells=(40, 3), octaves=1)
    picture = picture * (1.0 + 0.16 * (rain - 0.5) * depth)[..., None]
    picture = picture + palette.light(0.75) * np.clip(halo, 0, 1.2)[..., None] * 0.55
    picture = mix(picture, palette.light(1.0), np.clip(bolt * 1.3, 0, 1))
    land = horizon + 0.03 * ridge(rng, size, cells=rng.uniform(2, 4))
    ground = 0.07 + 0.4 * glow(size, end, 0.12) * smoothstep(1.05, horizon, y)
    return mix(picture, palette.ground(ground), below(size, land, soft=0.008))


def waves(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """Rows of sea waves under a low light, bright where the light shines through the crests."""
    x, y = grid(size)
    horizon = rng.uniform(0.26, 0.42)
    sun = (float(rng.normal(0.5, 0.2)), horizon - rng.uniform(0.02, 0.16))
    cloud = noise(rng, size, cells=(2, 6), octaves=4)
    shine = glow(size, sun, rng.uniform(0.1, 0.18))
    picture = palette.air(0.36 + 0.22 * smoothstep(0, horizon, y) + 0.24 * (cloud - 0.5) + 0.5 * shine)
    picture = mix(picture, palette.light(0.98), smoothstep(0.052, 0.042, np.hypot(x - sun[0], y - sun[1])))
    picture = reflect(picture, horizon, noise(rng, size, cells=(6, 40), octaves=2), stretch=1.4, dim=0.75)
    swell = noise(rng, size, cells=(3, 22), octaves=3)
    foam = noise(rng, size, cells=(10, 18), octaves=3)
    rows = 7
    phase, drift = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.5)
    steep = rng.uniform(0.75, 1.15)
    columns = np.linspace(0, 1, size, dtype=np.float32)
    lit = np.exp(-(((columns - sun[0]) / 0.34) ** 2))[None]
    for row in range(rows):
        near = (row + 1) / rows
        base = horizon + (1.06 - horizon) * (0.02 + 0.80 * near**1.45)
        amplitude = (0.007 + 0.080 * near**1.5) * steep
        turn = columns * np.pi * (5.6 - 3.9 * near) + phase + (2.2 + drift) * row
        turn = turn + (0.25 + 0.5 * near) * ridge(rng, size, cells=1.6, octaves=2)
        # Steepened sines: narrow crests that lean over, broad troughs.
        crest = np.sin(turn + 0.55 * np.sin(turn)) * 0.75 + 0.25 * np.sin(2.3 * turn + 1.0)
        crest = crest + 0.35 * np.maximum(crest, 0) ** 3
        line = base - amplitude * crest
        under = np.maximum((y - line[None]) / (amplitude * 2.0 + 0.014), 0)
        high = smoothstep(-0.3, 1.0, crest)[None]
        through = np.exp(-under * 1.7) * (0.22 + 0.78 * high) * (0.45 + 0.75 * lit)
        tone = (
            0.14
            + 0.12 * (1 - near)
            + 0.56 * through
            + 0.22 * (swell - 0.5)
            + 0.16 * lit * (swell > 0.5) * (swell - 0.5)
        )
        colour = palette.subject(tone)
        lace = np.exp(-under * (9.0 - 7.0 * foam)) * smoothstep(0.36, 0.66, foam + 0.4 * high - 0.1)
        colour = mix(colour, palette.light(0.90), lace * (0.25 + 0.65 * near) * (0.35 + 0.65 * high))
        colour = mix(colour, palette.air(0.58 + 0.2 * lit), 0.5 * (1 - near) ** 1.5)
        picture = mix(picture, colour, below(size, line, soft=0.005 + 0.006 * (1 - near)))
    picture = mix(picture, palette.air(0.62), 0.4 * np.exp(-(((y - horizon) / 0.035) ** 2)))
    path = (
        lit
        * smoothstep(horizon, horizon + 0.02, y)
        * smoothstep(0.95, horizon, y)
        * smoothstep(0.55, 0.8, swell)
    )
    return mix(picture, palette.light(0.92), 0.5 * path)

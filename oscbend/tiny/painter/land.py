"""Subjects of the land: hills in mist, a forest with a river, flowers."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

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


def landscape(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """Layers of hills that fade into the mist below a low sun, sometimes with a lake."""
    x, y = grid(size)
    horizon = rng.uniform(0.34, 0.5)
    sun = (float(rng.normal(0.5, 0.2)), horizon - rng.uniform(0.03, 0.2))
    cloud = noise(rng, size, cells=(2, 7), octaves=4)
    shine = glow(size, sun, rng.uniform(0.12, 0.2))
    air = (
        0.42
        + 0.26 * smoothstep(0, horizon + 0.1, y)
        + 0.3 * (cloud - 0.5) * smoothstep(horizon + 0.05, 0.0, y)
    )
    picture = palette.air(air + 0.45 * shine)
    picture = mix(picture, palette.light(0.99), smoothstep(0.05, 0.04, np.hypot(x - sun[0], y - sun[1])))
    texture = noise(rng, size, cells=(10, 16), octaves=3)
    layers = 5
    for layer in range(layers):
        near = (layer + 0.6) / layers
        base = horizon + 0.03 + (0.88 - horizon) * near**1.25
        line = base + (0.11 - 0.035 * near) * ridge(
            rng, size, cells=1.2 + 2.4 * (1 - near) * rng.uniform(0.8, 1.3)
        )
        depth = (y - line[None]) / 0.22
        # Spurs run down aslant from the ridge: its slope, read further along with depth.
        slope = np.gradient(gaussian_filter1d(line, 0.02 * size)) * size * np.sign(0.5 - sun[0] + 1e-3)
        along = np.clip(
            (x + 0.55 * np.maximum(y - line[None], 0) + 0.05 * (texture - 0.5)) * size, 0, size - 1
        )
        spur = np.clip(slope[along.astype(np.intp)] * 1.3, -1, 1) * np.exp(-np.maximum(depth, 0) * 1.2)
        lit = 0.5 + 0.5 * np.exp(-np.abs(x - sun[0]) * 2.5)
        tone = 0.50 - 0.36 * near + 0.12 * spur + 0.14 * (texture - 0.5) * (0.4 + near)
        tone = tone + 0.20 * lit * np.exp(-np.maximum(depth, 0) * 5.0) * (1.1 - near)
        colour = palette.ground(tone)
        haze = (1 - near) * (0.42 + 0.4 * smoothstep(0.1, 1.0, depth)) + 0.18 * smoothstep(0.2, 1.1, depth)
        mist = palette.air(0.60 + 0.22 * lit * (1 - near))
        picture = mix(picture, mix(colour, mist, np.clip(haze, 0, 0.92)), below(size, line))
    if rng.random() < 0.3:
        shore = rng.uniform(0.7, 0.8)
        picture = reflect(picture, shore, noise(rng, size, cells=(5, 50), octaves=2), dim=0.85)
    return picture


def _fir(sketch: Sketch, x: float, foot: float, height: float, value: float, lean: float) -> None:
    half, tiers = 0.2 * height, 5
    for tier in range(tiers):
        top = foot - height * (1 - 0.8 * tier / tiers)
        low = foot - height * (1 - (tier + 1.35) / (tiers + 0.9))
        reach = half * (0.28 + 0.72 * (tier + 1) / tiers)
        tip = x + lean * (1 - tier / tiers)
        sag = 0.013 * height
        sketch.polygon([(tip, top), (x + reach, low + sag), (x, low - sag), (x - reach, low + sag)], value)
    sketch.line([(x, foot - 0.2 * height), (x, foot + 0.02 * height)], 0.04 * height, value)


def forest(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """Firs in three depths of mist, and a river that winds towards the light."""
    x, y = grid(size)
    horizon = rng.uniform(0.44, 0.54)
    vanish = float(rng.normal(0.5, 0.1))
    sun = (vanish + float(rng.normal(0, 0.05)), horizon - rng.uniform(0.1, 0.25))
    shine = glow(size, sun, rng.uniform(0.15, 0.24))
    cloud = noise(rng, size, cells=(3, 4), octaves=3)
    sky = palette.air(0.50 + 0.16 * (cloud - 0.5) + 0.42 * shine)
    texture = noise(rng, size, cells=(8, 24), octaves=3)
    near = smoothstep(horizon - 0.02, 1.0, y)
    meadow = palette.ground(0.52 - 0.24 * near + 0.22 * (texture - 0.5) + 0.12 * shine)
    line = horizon + 0.01 * ridge(rng, size, cells=2)
    picture = mix(sky, meadow, below(size, line, soft=0.02))
    # The river: its middle swings more and it grows wider as it comes near; it mirrors the sky.
    t = np.clip((y - horizon) / (1 - horizon), 0, 1)
    bend, turn, side = rng.uniform(0.16, 0.26), rng.uniform(0, 2 * np.pi), rng.normal(0, 0.10)
    middle = vanish + bend * np.sin(turn + 7.0 * np.sqrt(t + 0.02)) * (0.12 + 0.9 * t) + side * t
    width = 0.014 + rng.uniform(0.14, 0.2) * t**1.2
    shore = 0.12 * (texture - 0.5)
    gap = np.abs(x - middle) / width + shore
    wet = (y > horizon).astype(np.float32)
    ripple = noise(rng, size, cells=(4, 36), octaves=2)
    gleam = np.exp(-(((x - sun[0]) / 0.22) ** 2)) * (1 - 0.6 * t)
    flow = mix(palette.subject(0.66 - 0.18 * t + 0.30 * (ripple - 0.5)), palette.light(0.93), 0.75 * gleam)
    flow = mix(flow, palette.ground(0.2 + 0.0 * y), 0.55 * smoothstep(0.62, 1.0, gap))
    picture = mix(picture, palette.ground(0.10 + 0.0 * y), smoothstep(1.4, 1.0, gap) * wet * 0.5)
    picture = mix(picture, flow, smoothstep(1.05, 0.95, gap) * wet)
    for layer in range(3):
        nearness = layer / 2
        sketch = Sketch(size)
        step = 0.055 + 0.05 * nearness
        clear = 0.05 + 0.16 * nearness
        place = -0.05 + rng.uniform(0, step)
        while place < 1.05:
            distance = abs(place - vanish)
            open_view = smoothstep(clear * 0.6, clear * 1.4, distance)
            height = (
                (0.20 + 0.26 * nearness + 0.18 * distance)
                * (0.55 + 0.45 * float(open_view))
                * rng.uniform(0.8, 1.2)
            )
            foot = horizon + 0.02 + 0.02 * layer + (0.10 * nearness + 0.22 * nearness * distance)
            if layer == 0 or float(open_view) > 0.35:
                _fir(sketch, place, foot, height, rng.uniform(0.8, 1.0), rng.normal(0, 0.004))
            place += step * rng.uniform(0.7, 1.4)
        drawn = sketch.mask()
        tone = (0.42 - 0.16 * layer) * (0.55 + 0.5 * drawn) + 0.16 * (texture - 0.5) + 0.14 * shine
        colour = mix(palette.ground(tone), palette.air(0.66), (0.55, 0.26, 0.04)[layer])
        picture = mix(picture, colour, smoothstep(0.2, 0.75, drawn))
        fog = smoothstep(0.12, 0.0, np.abs(y - horizon - 0.03 - 0.03 * layer)) * (0.30 - 0.10 * layer)
        picture = mix(picture, palette.air(0.75), fog)
    return picture + palette.light(0.8) * (0.22 * shine * shine)[..., None]


def _flower(
    picture: Array,
    palette: Palette,
    centre: tuple[float, float],
    radius: float,
    petals: int,
    turn: float,
    tilt: float,
    open_: float,
    tone: float,
) -> None:
    """Paint one flower head into the picture, in place."""
    size = picture.shape[0]
    reach = radius * 1.25
    left, right = (int(np.clip((centre[0] + s * reach) * size, 0, size)) for s in (-1, 1))
    top, bottom = (int(np.clip((centre[1] + s * reach) * size, 0, size)) for s in (-1, 1))
    if right - left < 2 or bottom - top < 2:
        return
    x, y = grid(size)
    u = (x[top:bottom, left:right] - centre[0]) / radius
    v = (y[top:bottom, left:right] - centre[1]) / (radius * tilt)
    rho, theta = np.hypot(u, v), np.arctan2(v, u) + turn
    edge = 1.2 / (radius * size)
    cover = np.zeros_like(rho)
    colour = palette.subject(cover)
    for ring, length in ((1.0, 1.0), (0.0, 0.74)):  # the outer ring of petals, then the inner
        wedge = (
            np.abs(((theta * petals / (2 * np.pi) + 0.5 * ring) % 1.0) - 0.5) * 2
        )  # 0 mid-petal, 1 between
        outline = length * (1 - open_ * wedge**2.2)
        mask = smoothstep(outline + edge * 2, outline - edge * 2, rho)
        light = 0.36 + 0.44 * rho / length - 0.34 * wedge**1.5 - 0.12 * (v * tilt) + 0.10 * (1 - ring)
        shade = palette.subject(tone * np.clip(light, 0.05, 1.0) + 0.08)
        shadow = 0.45 * smoothstep(outline + 0.2, outline, rho) * (1 - ring)
        colour = mix(colour * (1 - shadow)[..., None], shade, np.maximum(mask, ring))
        cover = np.maximum(cover, mask)
    heart = smoothstep(0.27 + edge, 0.27 - edge, rho)
    colour = mix(colour, palette.light(0.62 - 0.9 * rho * rho - 0.25 * v), heart)
    view = picture[top:bottom, left:right]
    view[:] = mix(view, colour, cover)


def flowers(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """A few flowers in soft light, blurred greenery behind them."""
    x, y = grid(size)
    sun = (float(rng.uniform(0.1, 0.9)), rng.uniform(-0.05, 0.2))
    shine = glow(size, sun, 0.3)
    blotch = noise(rng, size, cells=(4, 4), octaves=3, gain=0.6)
    back = mix(
        palette.air(0.26 + 0.30 * blotch + 0.42 * shine),
        palette.ground(0.22 + 0.34 * blotch),
        smoothstep(0.25, 1.0, y),
    )
    bokeh = np.zeros((size, size), np.float32)
    for _ in range(7):
        where, radius = (rng.random(), rng.uniform(0, 0.7)), rng.uniform(0.03, 0.075)
        d = np.hypot(x - where[0], y - where[1]) / radius
        bokeh += smoothstep(1.1, 0.85, d) * (0.6 + 0.4 * np.minimum(d, 1)) * rng.uniform(0.1, 0.3)
    picture = mix(back, palette.light(0.8), np.clip(bokeh, 0, 0.5))
    count = int(rng.integers(4, 8))
    places = (np.arange(count) + 0.5) / count + rng.normal(0, 0.05, count)
    heads = []
    for index in rng.permutation(count):
        radius = rng.uniform(0.10, 0.17)
        heads.append((float(places[index]), float(np.clip(rng.normal(0.47, 0.14), 0.16, 0.8)), radius))
    heads.sort(key=lambda head: head[2])
    stems, leaves = Sketch(size), Sketch(size)
    for hx, hy, radius in heads:
        foot = hx + rng.normal(0, 0.07)
        bow = rng.normal(0, 0.04)
        t = np.linspace(0, 1, 12)
        stem = np.stack([hx + (foot - hx) * t + bow * np.sin(np.pi * t), hy + (1.05 - hy) * t], axis=1)
        stems.taper(stem, np.linspace(0.012, 0.02, 12) * (0.6 + 3 * radius))
        for _ in range(2):
            root = stem[int(rng.integers(5, 10))]
            reach = rng.uniform(0.10, 0.2) * rng.choice([-1, 1])
            blade = np.stack([root[0] + reach * t, root[1] - abs(reach) * (1.1 * t - 0.7 * t * t)], axis=1)
            leaves.taper(blade, 0.045 * np.sin(np.pi * t) ** 0.8 + 1e-4)
    leaf = leaves.mask()
    picture = mix(picture, palette.ground(0.30 + 0.25 * shine + 0.2 * (blotch - 0.5)), leaf)
    picture = mix(picture, palette.ground(0.36 + 0.2 * shine), stems.mask())
    petals, open_ = int(rng.integers(5, 9)), rng.uniform(0.35, 0.75)
    shadow = Sketch(size)
    for hx, hy, radius in heads:
        shadow.ellipse((hx + 0.015, hy + 0.035), (radius * 0.85, radius * 0.75))
    picture = picture * (1 - 0.5 * blur(shadow.mask(), 0.02))[..., None]
    for hx, hy, radius in heads:
        _flower(
            picture,
            palette,
            (hx, hy),
            radius,
            petals,
            rng.uniform(0, 6.3),
            rng.uniform(0.72, 1.0),
            open_,
            rng.uniform(0.85, 1.15),
        )
    return picture

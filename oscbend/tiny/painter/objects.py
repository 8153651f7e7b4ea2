"""Subjects that float: an orb over clouds or water, a wireframe mesh, shapes, rings."""

import numpy as np

from oscbend.tiny.painter.canvas import (
    Sketch,
    blur,
    glow,
    grid,
    mix,
    noise,
    reflect,
    relief,
    smoothstep,
)
from oscbend.tiny.painter.colours import Palette

Array = np.ndarray


def _clouds(rng: np.random.Generator, palette: Palette, size: int, *, light: tuple[float, float]) -> Array:
    """A dim sky of soft clouds, lit from a point."""
    _, y = grid(size)
    cloud = smoothstep(0.15, 0.85, noise(rng, size, cells=(2, 3), octaves=5))
    return palette.air(
        0.14 + 0.30 * cloud * (0.5 + 0.7 * y) + 0.10 * y + (0.16 + 0.3 * cloud) * glow(size, light, 0.26)
    )


def orb(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """A shaded ball in the air with highlight, rim and bounce light, over clouds or its reflection."""
    x, y = grid(size)
    radius = rng.uniform(0.15, 0.27)
    cx, cy = (
        float(np.clip(rng.normal(0.5, 0.09), 0.25, 0.75)),
        float(np.clip(rng.normal(0.42, 0.05), 0.3, 0.52)),
    )
    horizon = float(np.clip(cy + radius + rng.uniform(0.06, 0.14), 0.66, 0.86))
    angle = rng.normal(-0.75, 0.35)
    light = np.array([np.sin(angle), -np.cos(angle) * 0.75, 0.62])
    light /= np.linalg.norm(light)
    picture = _clouds(rng, palette, size, light=(cx - 0.5 * radius, cy + 0.4 * radius))
    picture = mix(picture, palette.air(0.55), 0.5 * np.exp(-np.maximum(horizon - y, 0) * 14))
    u, v = (x - cx) / radius, (y - cy) / radius
    squared = u * u + v * v
    w = np.sqrt(np.clip(1.0 - squared, 0, 1))
    facing = u * light[0] + v * light[1] + w * light[2]
    marble = noise(rng, size, cells=(5, 5), octaves=3) - 0.5
    tone = 0.07 + 0.66 * np.clip(0.22 + 0.78 * facing, 0, 1) ** 1.25 + 0.12 * marble
    tone = (
        tone
        + 0.26 * np.clip(v, 0, 1) ** 2 * (1 - w)
        + 0.42 * np.clip(1 - w, 0, 1) ** 3 * np.clip(0.4 - u * light[0], 0, 1)
    )
    half = np.array([light[0], light[1], light[2] + 1.0])
    half /= np.linalg.norm(half)
    gloss = np.clip(u * half[0] + v * half[1] + w * half[2], 0, 1)
    ball = palette.subject(tone)
    ball = mix(ball, palette.light(0.98), 0.42 * gloss**10 + 0.9 * gloss**80)
    cover = smoothstep(1 + 0.008 / radius, 1 - 0.008 / radius, np.sqrt(squared))
    halo = 0.32 * np.exp(-np.maximum(np.sqrt(squared) - 1, 0) * 3.2)
    picture = mix(picture, palette.subject(0.55), halo * (1 - cover))
    picture = mix(picture, ball, cover)
    if rng.random() < 0.6:
        ripples = noise(rng, size, cells=(5, 44), octaves=2)
        picture = reflect(picture, horizon, ripples, stretch=1.25, dim=0.72)
        glint = np.exp(-(((y - horizon) / 0.012) ** 2)) * 0.35
        return mix(picture, palette.light(0.8), glint * np.exp(-(((x - cx) / 0.4) ** 2)))
    floor = noise(rng, size, cells=(3, 9), octaves=4)
    rise = smoothstep(horizon - 0.03, horizon + 0.09, y + 0.11 * (floor - 0.5))
    shadow = np.exp(-(((x - cx - 0.3 * radius) / (1.15 * radius)) ** 2) - ((y - horizon - 0.10) / 0.06) ** 2)
    bank = palette.ground(0.34 + 0.34 * (floor - 0.5) + 0.22 * smoothstep(1.0, horizon, y) - 0.24 * shadow)
    return mix(picture, bank, rise)


def _terrain(rng: np.random.Generator, sketch: Sketch, shade: Sketch) -> None:
    """A rolling net in perspective, back rows first so that hills hide what lies behind."""
    rows, columns = 13, 17
    horizon, rise = rng.uniform(0.34, 0.46), rng.uniform(0.5, 0.95)
    phases = rng.uniform(0, 2 * np.pi, 4)
    depth = np.linspace(0, 1, rows)[:, None] ** 1.0
    across = np.linspace(-1, 1, columns)[None]
    z = 1.0 + 3.4 * (1 - depth)
    world = across * 1.55
    height = (
        np.sin(2.3 * world * 1.3 + phases[0] + 1.3 * z) * 0.5
        + np.sin(1.9 * z + phases[1] - 1.1 * world) * 0.5
        + np.sin(3.1 * world - 1.2 * z + phases[2]) * 0.3
    )
    height = height * rise * 0.40 * (0.55 + 0.45 * np.abs(across))
    px = 0.5 + 1.05 * world / z**0.8 * 0.75
    py = horizon + (0.62 - height) / z * 0.92
    for r in range(rows - 1):
        near = (r + 1) / (rows - 1)
        for c in range(columns - 1):
            quad = [(px[i, j], py[i, j]) for i, j in ((r, c), (r, c + 1), (r + 1, c + 1), (r + 1, c))]
            slope = float(height[r, c + 1] - height[r, c] + height[r, c] - height[r + 1, c])
            sketch.polygon(quad, 0.0)
            shade.polygon(quad, float(np.clip(0.35 + 0.9 * slope, 0.05, 0.9)))
            sketch.line([*quad, quad[0]], 0.0085 + 0.004 * near, 0.35 + 0.65 * near)


def _solid(rng: np.random.Generator, sketch: Sketch, shade: Sketch) -> None:
    """A torus or a bulging ball of quads, turned in space, far faces first."""
    n, m = 16, 9
    a = np.linspace(0, 2 * np.pi, n + 1)[:, None]
    b = np.linspace(0, 2 * np.pi, m + 1)[None]
    wobble = 1 + rng.uniform(0, 0.16) * np.sin(3 * a + rng.uniform(0, 6.3))
    if rng.random() < 0.5:
        tube = rng.uniform(0.34, 0.46)
        radius = 1 + tube * np.cos(b)
        p = (
            np.stack(
                [radius * np.cos(a) * wobble, radius * np.sin(a) * wobble, tube * np.sin(b) + 0 * a], axis=-1
            )
            * 0.72
        )
    else:
        b = np.linspace(0, np.pi, m + 1)[None]
        p = (
            np.stack([np.cos(a) * np.sin(b), np.sin(a) * np.sin(b), np.cos(b) + 0 * a], axis=-1)
            * wobble[..., None]
        )
    yaw, pitch = rng.uniform(0, np.pi), rng.normal(0.95, 0.25)
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    tip = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    p = p @ (tip @ turn).T
    scale = rng.uniform(0.29, 0.38)
    centre = np.array([rng.normal(0.5, 0.05), rng.normal(0.48, 0.05)])
    flat = centre + p[..., :2] * (scale * 3.2 / (3.2 - p[..., 2:]))
    faces = sorted(
        ((i, j) for i in range(n) for j in range(m)),
        key=lambda f: p[f[0] : f[0] + 2, f[1] : f[1] + 2, 2].sum(),
    )
    for i, j in faces:
        quad = [tuple(flat[k]) for k in ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1))]
        normal = np.cross(
            p[i + 1, j] - p[i, j] + p[i + 1, j + 1] - p[i, j + 1],
            p[i, j + 1] - p[i, j] + p[i + 1, j + 1] - p[i + 1, j],
        )
        normal = normal / (np.linalg.norm(normal) + 1e-9)
        lit = abs(float(normal @ (-0.5, -0.7, 0.5)))
        near = float(np.clip(0.5 + 0.5 * p[i, j, 2], 0, 1))
        sketch.polygon(quad, 0.0)
        shade.polygon(quad, 0.2 + 0.7 * lit)
        sketch.line([*quad, quad[0]], 0.0085 + 0.003 * near, 0.4 + 0.6 * near)


def mesh(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """A glowing wireframe in the dark: a rolling net, a torus or a ball."""
    lines, shade = Sketch(size), Sketch(size)
    (_terrain if rng.random() < 0.55 else _solid)(rng, lines, shade)
    line, face = lines.mask(), shade.mask()
    centre = (float(rng.normal(0.5, 0.15)), float(rng.normal(0.4, 0.05)))
    fog = noise(rng, size, cells=(3, 3), octaves=3)
    picture = palette.air(0.07 + 0.10 * fog + 0.30 * glow(size, centre, 0.2))
    picture = mix(
        picture, palette.ground(0.05 + 0.36 * face * (0.5 + 0.5 * fog)), smoothstep(0.02, 0.1, face) * 0.9
    )
    halo = np.clip(blur(line, 0.02) * 0.7, 0, 0.6)
    picture = picture + palette.subject(0.6) * (halo * 0.7)[..., None]
    return mix(picture, palette.subject(0.32 + 0.46 * line), smoothstep(0.08, 0.55, line))


def shapes(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """Discs, boxes and triangles that hang before a soft wall, each with its shadow."""
    x, y = grid(size)
    wall = noise(rng, size, cells=(3, 3), octaves=4)
    lamp = (float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.0, 0.3)))
    picture = palette.air(0.56 + 0.16 * (wall - 0.5) + 0.26 * glow(size, lamp, 0.4))
    count = int(rng.integers(4, 8))
    cells = rng.permutation(9)[:count]
    for index, cell in enumerate(cells):
        centre = np.array([cell % 3 + 0.5, cell // 3 + 0.5]) / 3 * 0.9 + 0.05 + rng.normal(0, 0.035, 2)
        radius = rng.uniform(0.085, 0.16)
        turn = rng.normal(0, 0.35)
        sides = (0, 3, 4)[int(rng.integers(3))]
        sketch = Sketch(size)
        if sides:
            angles = turn + 2 * np.pi * np.arange(sides) / sides + (-np.pi / 2 if sides == 3 else np.pi / 4)
            sketch.polygon(centre + radius * 1.12 * np.stack([np.cos(angles), np.sin(angles)], axis=1))
        else:
            sketch.ellipse((centre[0], centre[1]), (radius, radius))
        mask = sketch.mask()
        lift = 0.012 + 0.03 * index / count
        shadow = np.roll(blur(mask, 0.6 * lift), (int(1.2 * lift * size), int(lift * size)), (0, 1))
        picture = picture * (1 - 0.55 * shadow)[..., None]
        form = relief(mask, thickness=0.03, light=(-0.6, -1.0)) - 0.5
        fall = ((x - centre[0]) * 0.5 + (y - centre[1]) * 0.9) / radius
        tone = rng.uniform(0.38, 0.72) - 0.13 * fall + 0.5 * form + 0.1 * (wall - 0.5)
        picture = mix(picture, palette.subject(tone), mask)
    return picture


def rings(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """Concentric glowing tubes that hang in the dark, seen a little from the side."""
    x, y = grid(size)
    cx, cy = float(rng.normal(0.5, 0.05)), float(rng.normal(0.5, 0.05))
    squeeze = rng.uniform(0.62, 1.0)
    lean = rng.normal(0, 0.35)
    outer = rng.uniform(0.34, 0.44)
    count = int(rng.integers(3, 6))
    picture = _clouds(rng, palette, size, light=(cx, cy))
    u = ((x - cx) * np.cos(lean) + (y - cy) * np.sin(lean)) / outer
    v = ((y - cy) * np.cos(lean) - (x - cx) * np.sin(lean)) / (outer * squeeze)
    rho = np.hypot(u, v)
    step = 1.0 / count
    phase = np.clip(np.round(rho / step), 1, count)
    off = (rho - phase * step) / step  # -0.5..0.5 across the tube's own band
    thick = rng.uniform(0.22, 0.32)
    across = np.clip(off / thick, -1, 1)
    tube = smoothstep(1.0, 0.82, np.abs(off / thick))
    bulge = np.sqrt(np.clip(1 - across * across, 0, 1))
    outward = np.stack([u, v]) / np.maximum(rho, 1e-3)
    lit = 0.55 * bulge - 0.45 * across * (0.5 * outward[0] + 0.85 * outward[1])
    tone = 0.36 + 0.60 * lit + 0.12 * (1 - phase / count)
    halo = np.exp(-np.abs(off) * 4.0) * smoothstep(1.5, 0.9, rho)
    picture = picture * (1 - 0.35 * smoothstep(1.25, 0.8, rho))[..., None]
    picture = picture + palette.subject(0.6) * (0.38 * halo)[..., None]
    picture = mix(picture, palette.subject(tone), tube)
    core = glow(size, (cx, cy), 0.05 * outer / 0.4, power=1.5)
    return mix(picture, palette.light(0.95), np.clip(0.7 * core, 0, 1))

"""Walks through noise, as recipes: which seeded fields, and how much of each, always of unit variance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from oscbend.frame import Mix

PARTNER = 1_000_003
STRIDE = 7_919
SEEDS = 2**31 - 1


def at_seed(seed: float, partner: int = 0) -> Mix:
    """The noise of a seed; a fractional one lies on the arc between its two neighbours."""
    whole, part = int(seed), seed - int(seed)
    first = ((whole + partner) % SEEDS, math.cos(part * math.pi / 2))
    return (first,) if part == 0 else (first, ((whole + 1 + partner) % SEEDS, math.sin(part * math.pi / 2)))


def walk(seed: float, turns: float) -> Mix:
    """cos·A + sin·B, once round per turn (DAFx 2024, section 4)."""
    angle = 2 * math.pi * (turns % 1.0)
    return merged(
        [(s, c * math.cos(angle)) for s, c in at_seed(seed)]
        + [(s, c * math.sin(angle)) for s, c in at_seed(seed, PARTNER)]
    )


def wander(seed: float, turns: float) -> Mix:
    """A smooth path through ever new noise: Catmull–Rom through fields, a quarter turn apart, on the sphere.

    It passes exactly through the seed's own noise at 0.
    """
    place = 4 * turns
    node = math.floor(place)
    u = place - node
    spline = (
        -0.5 * u + u**2 - 0.5 * u**3,
        1 - 2.5 * u**2 + 1.5 * u**3,
        0.5 * u + 2 * u**2 - 1.5 * u**3,
        -0.5 * u**2 + 0.5 * u**3,
    )
    return merged([(s, c * w) for k, w in enumerate(spline, node - 1) for s, c in at_seed(seed, STRIDE * k)])


def spectrum(seed: float, bands: np.ndarray, smoothing: float = 0.34, passes: int = 2) -> Mix:
    """One noise field per band, weighted by the band (DIGCREA's spectrum walk).

    Smoothing the fields along the bands, n_i <- s·n_(i-1) + (1-s)·n_i, is linear: it is done on the weights.

    Args:
        seed: of the first field.
        bands: [n], weights of the bands.
        smoothing, passes: s, and how often.
    """
    weights = np.asarray(bands, np.float64)
    for _ in range(passes):
        spread = (1 - smoothing) * weights
        spread[:-1] += smoothing * weights[1:]
        weights = spread
    mixed = merged([(s, c * w) for k, w in enumerate(weights) for s, c in at_seed(seed, STRIDE * k)])
    return mixed or at_seed(seed)


def between(a: Mix, b: Mix, share: float) -> Mix:
    """Noise on the arc from one to another, at even speed.

    Args:
        a, b: of unit variance.
        share: 0 is `a`, 1 is `b`.
    """
    other = dict(b)
    angle = math.acos(max(-1.0, min(1.0, sum(c * other.get(s, 0.0) for s, c in a))))
    if share <= 0.0 or angle < 1e-6:
        return a
    if share >= 1.0:
        return b
    left, right = math.sin((1.0 - share) * angle), math.sin(share * angle)
    return merged([(s, c * left) for s, c in a] + [(s, c * right) for s, c in b]) or a


def merged(parts: Sequence[tuple[int, float]]) -> Mix:
    """Equal seeds added up, zeros left out, scaled to unit variance."""
    total: dict[int, float] = {}
    for seed, coefficient in parts:
        total[seed] = total.get(seed, 0.0) + coefficient
    norm = math.sqrt(sum(c * c for c in total.values()))
    if norm < 1e-9:
        return ()
    return tuple((s, c / norm) for s, c in total.items() if abs(c) > 1e-9 * norm)

"""Curves from one value to another: what maps, modulations and glides follow."""

from __future__ import annotations

import math

import numpy as np

from oscbend.errors import BadValue

CURVES = ("lin", "exp", "sin", "sqr", "sqrt")
BOW_MAX = 50.0


def curved(
    unit: np.ndarray | float, lo: np.ndarray | float, hi: np.ndarray | float, curve: str
) -> np.ndarray:
    """0..1 onto lo..hi along a curve.

    Args:
        unit: any shape, 0..1.
        lo, hi: where it goes; numbers, or arrays that fit `unit`.
        curve: `lin`; `exp` (needs lo and hi of one sign, not 0); `sin` (slow at both ends); `sqr`; `sqrt`; or
            a number c as in SuperCollider's Env: (1 - e^(c·u)) / (1 - e^c).

    Raises:
        BadValue: no such curve, or an exponential one through 0.
    """
    lo, hi, unit = np.asarray(lo, np.float64), np.asarray(hi, np.float64), np.asarray(unit, np.float64)
    if curve == "exp":
        through = np.broadcast_arrays(lo, hi)
        crossing = through[0] * through[1] <= 0
        if crossing.any():
            a, b = (float(side[crossing].flat[0]) for side in through)
            raise BadValue(
                f"an exponential curve cannot go from {a:g} to {b:g}: both need one sign, and not 0"
            )
        return lo * (hi / lo) ** unit
    return lo + (hi - lo) * _shape(unit, curve)


def _shape(unit: np.ndarray, curve: str) -> np.ndarray:
    if curve == "lin":
        return unit
    if curve == "sin":
        return 0.5 - 0.5 * np.cos(np.pi * unit)
    if curve == "sqr":
        return unit**2
    if curve == "sqrt":
        return np.sqrt(unit)
    try:
        bow = float(curve)
    except ValueError:
        raise BadValue(f"unknown curve {curve!r}; there are {' '.join(CURVES)}, or a number") from None
    if not math.isfinite(bow) or abs(bow) > BOW_MAX:
        raise BadValue(f"curve {curve} must lie in -{BOW_MAX:g}…{BOW_MAX:g}")
    return unit if abs(bow) < 1e-3 else np.expm1(bow * unit) / np.expm1(bow)

"""Smoothing of feature curves, by time constants: the same at every frame rate."""

from __future__ import annotations

import math

import numpy as np

from oscbend.errors import BadValue
from oscbend.rate import Rate, rational

REFERENCE_FPS = 20
"""What `alpha` and `median` count in: the frames of 50 ms of the DAFx and JAES papers."""


def smooth(
    curve: np.ndarray,
    *,
    fps: Rate,
    median: int = 1,
    attack_s: float = 0.0,
    release_s: float = 0.0,
    alpha: float | None = None,
    gate: float = 0.0,
) -> np.ndarray:
    """Median, then envelope follower, then noise gate (JAES 2025, section 3).

    Args:
        curve: float [frames] or [frames, n]; components are smoothed each by itself.
        fps: its frame rate.
        median: length of the median filter, an odd number of 50 ms; 1 for none.
        attack_s: time constant of rising, seconds; 0 rises at once.
        release_s: time constant of falling, seconds; 0 falls at once.
        alpha: instead of `release_s`, the share of the last value that a falling one keeps after 50 ms:
            y = (1 − α)x + αy₋₁ at 20 fps.
        gate: values below min + gate · (max − min) become 0; 0 for none.

    Returns:
        float32, the shape of `curve`.

    Raises:
        BadValue: an even median, or a constant outside its range.
    """
    if median < 1 or median % 2 == 0:
        raise BadValue(f"the median's length must be odd, 1, 3, 5 …, got {median}")
    if alpha is not None and release_s:
        raise BadValue("give alpha or release_s, not both")
    if not (alpha is None or 0 <= alpha < 1) or not 0 <= gate <= 1:
        raise BadValue(f"alpha must be from 0 to below 1, gate from 0 to 1, got {alpha} and {gate}")
    if not (0 <= attack_s < math.inf and 0 <= release_s < math.inf):
        raise BadValue("attack_s and release_s must be 0 or more seconds")
    rate = float(rational(fps))
    fall = _kept(release_s, rate) if alpha is None else alpha ** (REFERENCE_FPS / rate)
    kernel = odd(median * rate / REFERENCE_FPS) if median > 1 else 1
    followed = follow(middle(curve, kernel), _kept(attack_s, rate), fall)
    return gated(followed, gate).astype(np.float32)


def odd(length: float) -> int:
    """The odd number nearest to a length, at least 1."""
    return max(1, 2 * math.floor(length / 2) + 1)


def middle(curve: np.ndarray, length: int) -> np.ndarray:
    """Running median of `length` frames, an odd number; the ends are held."""
    import scipy.ndimage

    curve = np.asarray(curve, np.float64)
    size = (length,) + (1,) * (curve.ndim - 1)
    return curve if length == 1 else scipy.ndimage.median_filter(curve, size=size, mode="nearest")


def follow(curve: np.ndarray, rise: float, fall: float) -> np.ndarray:
    """Envelope follower: y = (1 − k)x + k·y₋₁, with k = `rise` where x > y₋₁ and `fall` elsewhere.

    Args:
        curve: float [frames] or [frames, n]; the follower begins at the first value.
        rise, fall: shares kept of the last value, 0 … below 1.
    """
    if rise == 0 and fall == 0:
        return curve
    out = np.array(curve, np.float64)
    last = out[0]
    for i, x in enumerate(out):
        keep = np.where(x > last, rise, fall)
        out[i] = last = (1 - keep) * x + keep * last
    return out


def gated(curve: np.ndarray, share: float) -> np.ndarray:
    """0 where the curve is below min + share · (max − min), each component by its own range."""
    lo, hi = curve.min(axis=0), curve.max(axis=0)
    return curve if share == 0 else np.where(curve < lo + share * (hi - lo), 0.0, curve)


def scale(curve: np.ndarray, lo: float, hi: float, *, together: bool = False) -> np.ndarray:
    """From the curve's own minimum and maximum to lo … hi; a constant curve becomes lo.

    Args:
        curve: float [frames] or [frames, n].
        lo, hi: where the minimum and the maximum go; hi may be the smaller one.
        together: one range for all components, so that their proportions stay; else each has its own.

    Returns:
        float32, the shape of `curve`.
    """
    curve = np.asarray(curve, np.float64)
    axis = None if together else 0
    least, most = curve.min(axis=axis), curve.max(axis=axis)
    span = np.where(most > least, most - least, 1.0)
    return (lo + (hi - lo) * ((curve - least) / span)).astype(np.float32)


def _kept(time_s: float, fps: float) -> float:
    """Share of the last value that is left after one frame, for a time constant."""
    return math.exp(-1 / (fps * time_s)) if time_s > 0 else 0.0

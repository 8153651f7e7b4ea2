"""Where a control is on its way to the value that was set: exact at any time, whatever the frame rate."""

from __future__ import annotations

import math

import numpy as np

from oscbend.curves import curved
from oscbend.state import Glide
from oscbend.table import Value

SETTLED = 40.0
"""After so many time constants a lag has arrived: nothing is left of the way in double precision."""


def place(glide: Glide | None, target: Value, show_s: float) -> Value:
    """The value of a control that was set to `target`, numbers as many as in `target`.

    Args:
        glide: how it gets there; None if it is there.
        target: what it was set to.
        show_s: the time, seconds on the clock of the show.
    """
    if glide is None or isinstance(target, str):
        return target
    elapsed = show_s - glide.since_s
    if elapsed >= glide.seconds * (SETTLED if glide.lag else 1.0):
        return target
    if glide.lag:
        left = math.exp(-max(0.0, elapsed) / glide.seconds)
        if isinstance(target, tuple) or isinstance(glide.start, tuple):
            ends, starts = np.broadcast_arrays(_numbers(target), _numbers(glide.start))
            return tuple((ends + (starts - ends) * left).tolist())
        return target + (float(glide.start) - target) * left
    unit = max(0.0, elapsed) / glide.seconds
    made = curved(unit, _numbers(glide.start), _numbers(target), glide.curve)
    return tuple(made.tolist()) if made.ndim else float(made)


def lagged(glide: Glide | None, before: Value, after: Value, show_s: float, seconds: float) -> Glide | None:
    """How a control that was set to `before` draws near to `after`, from where it is now; None for at once.

    Args:
        glide: how it got to `before`; None if it is there.
        before, after: what it was set to, and is set to now.
        show_s: the time, seconds on the clock of the show.
        seconds: the lag.
    """
    if seconds <= 0:
        return None
    start = place(glide, before, show_s)
    return None if start == after else Glide(start, show_s, seconds, lag=True)


def _numbers(value: Value) -> np.ndarray:
    return np.asarray(value, np.float64)

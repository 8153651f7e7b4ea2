"""Frames per second as exact fractions."""

from __future__ import annotations

from fractions import Fraction

from oscbend.errors import BadValue

Rate = Fraction | int | float | str

HIGHEST = 4000
NTSC = tuple(Fraction(whole * 1000, 1001) for whole in (24, 30, 48, 60, 120))


def rational(fps: Rate) -> Fraction:
    """Frames per second as an exact fraction; the rounded NTSC rates are known.

    >>> rational(23.976), rational("30000/1001"), rational(12.5), rational(25)
    (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25, 2), Fraction(25, 1))

    Raises:
        BadValue: not a number above 0 and up to 1000.
    """
    try:
        exact = Fraction(fps)
    except (ValueError, OverflowError, ZeroDivisionError, TypeError):
        raise BadValue(f"fps must be a number such as 25, 29.97 or 24000/1001, got {fps!r}") from None
    if not 0 < exact <= HIGHEST:
        raise BadValue(f"fps must be above 0 and at most {HIGHEST}, got {fps}")
    if exact.denominator > 1 and not isinstance(fps, Fraction) and "/" not in str(fps):
        for rate in NTSC:
            if abs(exact - rate) < Fraction(1, 200):
                return rate
        exact = exact.limit_denominator(1001)
    return exact

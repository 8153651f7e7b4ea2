"""Bends as arithmetic on channels: what several in a row do, worked out as one map.

An operator that is gain·x + offset declares `affine`, one that multiplies channels by a matrix declares
`linear`. Both are functions of the number of channels and of the operator's arguments by name, live ones
as arrays [B, 1] (or [B, n]) in double precision:

- `affine(channels, …)` gives gain and offset, each a number or broadcastable to [B, channels];
- `linear(channels, …)` gives (first, matrix): an array [B or 1, n, n] that is applied to the n channels from
  `first` on, or, where that is None, to each group of n channels.

Mix and selected channels are folded in, so that a chain of such bends is one map again. It is worked out on
the host, in double precision, for all steps and rows of a frame at once: a few dozen numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from oscbend.table import Row

WIDEST_GROUP = 4
"""The largest group of channels whose matrix is worked out for the whole chain; larger ones cost too much."""

WIDEST_RANGE = 8
"""As many neighbouring channels may be mixed by one matrix that leaves the others alone."""


@dataclass(frozen=True)
class Shape:
    """What kind of map a bend is, or several are.

    Args:
        size: n, how many channels are mixed with each other; 1 where each has its own gain and offset.
        first: the first of the n channels that are mixed; None where every group of n channels is.
        alike: True if all channels (or all groups) are treated alike.
    """

    size: int = 1
    first: int | None = None
    alike: bool = True


@dataclass(frozen=True, eq=False)
class Share:
    """How much of a bend acts.

    Args:
        amount: weights of rows and selected channels, [..., B, C or 1], double precision.
        none: where that is 0; None where it nowhere is.
    """

    amount: np.ndarray
    none: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Form:
    """One bend as arithmetic on the channels of its site.

    Args:
        row: its operator.
        static: its static options.
        channels: C of the site.
        chosen: bool [C], the selected channels; None for all.
        shape: what kind of map it is.
        touched: bool [C], the channels that it can change.
    """

    row: Row
    static: Mapping[str, Any]
    channels: int
    chosen: np.ndarray | None
    shape: Shape
    touched: np.ndarray

    def share(self, weights: np.ndarray) -> Share:
        """How much of it acts with weights [..., B]."""
        amount = weights.astype(np.float64)[..., None]
        if self.chosen is not None:
            amount = amount * self.chosen
        none = amount == 0
        return Share(amount, none if none.any() else None)

    def affine(self, share: Share, params: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Gain and offset with a share folded in, each [..., B, C or 1].

        Where nothing acts they are 1 and −0, for adding −0 leaves every number as it is, −0 too.
        """
        assert self.row.affine is not None
        gain, offset = self.row.affine(self.channels, **params, **self.static)
        gain, offset = 1.0 + share.amount * (gain - 1.0), share.amount * offset
        if share.none is None:
            return gain, offset
        return np.where(share.none, 1.0, gain), np.where(share.none, -0.0, offset)

    def linear(self, share: Share, params: Mapping[str, np.ndarray], into: Shape) -> np.ndarray:
        """The matrix with a share folded in, as part of a larger one: [..., B, n, n]."""
        assert self.row.linear is not None
        first, matrix = self.row.linear(self.channels, **params, **self.static)
        size, own, one = into.size, matrix.shape[-1], _one(into.size)
        if own != size and first is None:
            matrix = np.einsum("ij,bkl->bikjl", _one(size // own), matrix).reshape(-1, size, size)
        elif own != size:
            at = first - (into.first or 0)
            matrix, part = np.tile(one, (len(matrix), 1, 1)), matrix
            matrix[:, at : at + own, at : at + own] = part
        w = _within(share.amount, into.first or 0, size)[..., None]
        matrix = one + w * (matrix - one)
        return matrix if share.none is None else np.where(w == 0, one, matrix)


def form_of(row: Row, static: Mapping[str, Any], channels: int, chosen: np.ndarray | None) -> Form | None:
    """A bend as arithmetic; None if it is none, or none that can be joined with others.

    Args:
        row: the operator.
        static: its static options.
        channels: C of the site.
        chosen: bool [C], the selected channels; None for all.
    """
    sample = {arg.name: np.ones((1, arg.size)) for arg in row.live}
    touched = np.ones(channels, bool) if chosen is None else chosen
    form = Form(row, static, channels, chosen, Shape(), touched)
    if row.affine is not None:
        gain, offset = (np.shape(c)[-1:] for c in row.affine(channels, **sample, **static))
        several = chosen is not None or gain not in ((), (1,)) or offset not in ((), (1,))
        return replace(form, shape=Shape(alike=not several))
    if row.linear is None:
        return None
    first, size, changed = _extent(row, static, channels, sample)
    if channels <= WIDEST_RANGE:
        if first is None and channels % size:
            return None
        return replace(form, shape=Shape(channels), touched=touched & changed)
    if first is not None:
        shape = Shape(size, first, alike=False)
        return replace(form, shape=shape, touched=touched & changed) if size <= WIDEST_RANGE else None
    if chosen is not None or size > WIDEST_GROUP or channels % size:
        return None
    return replace(form, shape=Shape(size))


def _extent(
    row: Row, static: Mapping[str, Any], channels: int, sample: Mapping[str, np.ndarray]
) -> tuple[int | None, int, np.ndarray]:
    """First channel and size of an operator's matrix, and the channels that it changes, bool [C]."""
    assert row.linear is not None
    first, matrix = row.linear(channels, **sample, **static)
    size = matrix.shape[-1]
    changed = np.ones(channels, bool)
    if first is not None:
        changed[:] = False
        changed[first : first + size] = (matrix[0] != _one(size)).any(1)
    return first, size, changed


def joined(a: Shape, b: Shape, channels: int) -> Shape | None:
    """What kind of map two that follow each other are; None if they must stay two."""
    if a.size == b.size == 1:
        return Shape(alike=a.alike and b.alike)
    if channels <= WIDEST_RANGE:
        return Shape(channels)
    ranges = [shape for shape in (a, b) if shape.first is not None]
    groups = [shape for shape in (a, b) if shape.first is None and shape.size > 1]
    if not ranges:
        return Shape(max(a.size, b.size)) if a.alike and b.alike else None
    if groups:
        return None
    begin = min(shape.first or 0 for shape in ranges)
    end = max((shape.first or 0) + shape.size for shape in ranges)
    return Shape(end - begin, begin, alike=False) if end - begin <= WIDEST_RANGE else None


@dataclass(eq=False)
class Coefficients:
    """One map for every step and row of a frame.

    Args:
        gain, offset: [..., B, C or 1]; of the channels that are not mixed with others.
        matrix, shift: [..., B, n, n] and [..., B, n]: matrix·x + shift; None where no channels are mixed.
    """

    gain: np.ndarray
    offset: np.ndarray
    matrix: np.ndarray | None = None
    shift: np.ndarray | None = None


def composed(
    forms: Sequence[Form],
    shape: Shape,
    shares: Sequence[Share],
    params: Sequence[Mapping[str, np.ndarray]],
) -> Coefficients:
    """Several bends, the first one first, as one map.

    Args:
        forms: the bends.
        shape: what kind of map all of them are together.
        shares: how much of each acts.
        params: live parameters of each, [B, 1] or [B, n], double precision.
    """
    begin, size = shape.first or 0, shape.size
    made: Coefficients | None = None
    for form, share, given in zip(forms, shares, params, strict=True):
        if form.row.affine is not None:
            gain, offset = form.affine(share, given)
            if made is None:
                made = _start(gain, offset, shape)
                continue
            made.gain, made.offset = gain * made.gain, gain * made.offset + offset
            if made.matrix is not None and made.shift is not None:
                g, o = _within(gain, begin, size), _within(offset, begin, size)
                made.matrix, made.shift = g[..., None] * made.matrix, g * made.shift + o
        else:
            matrix = form.linear(share, given, shape)
            if made is None:
                rows = share.amount.shape[:-1]
                gain, offset = np.ones((*rows, 1)), np.full((*rows, 1), -0.0)
                made = Coefficients(gain, offset, matrix, np.zeros((*rows, shape.size)))
                continue
            assert made.matrix is not None
            assert made.shift is not None
            made.matrix = matrix @ made.matrix
            made.shift = (matrix @ made.shift[..., None])[..., 0]
    assert made is not None
    return made


def _start(gain: np.ndarray, offset: np.ndarray, shape: Shape) -> Coefficients:
    """The map that a chain begins with."""
    if shape.size == 1:
        return Coefficients(gain, offset)
    begin, size = shape.first or 0, shape.size
    g = np.broadcast_to(_within(gain, begin, size), (*gain.shape[:-1], size))
    o = np.broadcast_to(_within(offset, begin, size), g.shape)
    return Coefficients(gain, offset, g[..., None] * _one(size), o)


@functools.cache
def _one(size: int) -> np.ndarray:
    return np.eye(size)


def _within(coefficient: np.ndarray, begin: int, size: int) -> np.ndarray:
    """Of coefficients [..., C or 1], those of a range of channels."""
    return coefficient if coefficient.shape[-1] == 1 else coefficient[..., begin : begin + size]

"""Neighbouring bends that are arithmetic on channels, applied as one map."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from oscbend.bends.algebra import Coefficients, Form, Shape, composed
from oscbend.bends.common import wide
from oscbend.bends.contract import contract, repeated, repeats, turn_pairs
from oscbend.bends.place import Place
from oscbend.net.bent import Bent, Part
from oscbend.net.link import ALL, Link, stretches


class Mapped(Link):
    """What the maps have in common.

    Args:
        bents: the bends, in order.
        place: what all of them select, besides channels.
        forms: the bends as arithmetic.
        shape: what kind of map they are together.
    """

    local = True

    def __init__(self, bents: Sequence[Bent], place: Place, forms: Sequence[Form], shape: Shape) -> None:
        super().__init__(bents, place)
        self.forms = forms
        self.shape = shape
        self.channels = bents[0].site.shape[0]
        self.lead = (bents[0].steps + 1, bents[0].rows)
        self._new = False

    def weigh(self) -> None:
        """Knows besides how much of each bend acts."""
        super().weigh()
        self._shares = [form.share(bent.weights) for form, bent in zip(self.forms, self.bents, strict=True)]

    def load(self) -> None:
        """Composes the map anew if anything has changed."""
        if any(self.rows) and any(bent.changed for bent in self.bents):
            params = [{name: v.astype(np.float64) for name, v in bent.given.items()} for bent in self.bents]
            self.write(composed(self.forms, self.shape, self._shares, params))
            self._new = True

    def sent(self) -> None:
        """Prepares a map that is new."""
        if self._new:
            self.prepare()
            self._new = False

    def prepare(self) -> None:
        """Makes of the coefficients what is applied."""
        raise NotImplementedError

    def write(self, made: Coefficients) -> None:
        """Writes the coefficients into the buffer."""
        raise NotImplementedError


class Gains(Mapped):
    """gain·x + offset, each channel with its own."""

    def shapes(self) -> Iterator[tuple[int, ...]]:
        """Gain and offset, [S + 1, rows, 2, C]."""
        yield (*self.lead, 2, self.channels)

    def settle(self, part: Callable[[], Part]) -> None:
        """Takes its part of the buffer."""
        self._host, self._there = part()
        self._dtype = self.bents[0].dtype
        self._spread(self._there)

    def write(self, made: Coefficients) -> None:
        """Gain and offset; and whether channels are silenced, for a zero times infinity is no zero."""
        self._host[:, :, 0], self._host[:, :, 1] = made.gain, made.offset
        self._some = self._every = [False] * self.lead[0]
        if not np.logical_and.reduce(made.gain, None):
            silent = made.gain == 0
            self._some = np.logical_or.reduce(silent, (1, 2)).tolist()
            self._every = np.logical_and.reduce(silent, (1, 2)).tolist()

    def prepare(self) -> None:
        """Coefficients in the precision of the tensors, where that is not the buffer's."""
        if self._dtype != self._there.dtype:
            self._spread(self._there.to(self._dtype))

    def _spread(self, coefficients: Tensor) -> None:
        steps = coefficients[..., None, None].unbind(0)
        self._steps = [step.unbind(1) for step in steps]  # gain and offset, [rows, C, 1, 1]

    def bend(self, x: Tensor, step: int, rows: slice) -> Tensor:
        """One pass over x."""
        gain, offset = self._steps[step]
        gain, offset = gain[rows], offset[rows]
        if self._every[step]:
            return torch.empty_like(x).copy_(offset)
        y = torch.addcmul(offset, x, gain)
        return torch.where(gain == 0, offset, y) if self._some[step] else y


class Groups(Mapped):
    """matrix·x + shift, on each group of n channels."""

    def __init__(self, bents: Sequence[Bent], place: Place, forms: Sequence[Form], shape: Shape) -> None:
        super().__init__(bents, place, forms, shape)
        box = place.box or (ALL,) * 3
        sides = [len(range(size)[side]) for size, side in zip(bents[0].site.shape, box, strict=True)]
        self._times = repeats(shape.size, math.prod(sides))
        self._turns = shape.size == 2 < self.channels  # pairs, and what treats both of a pair alike
        self._untouched = stretches(~np.logical_or.reduce([form.touched for form in forms]))

    def shapes(self) -> Iterator[tuple[int, ...]]:
        """Matrix and shift, [S + 1, rows, n, n + 1]."""
        yield (*self.lead, self.shape.size, self.shape.size + 1)

    def settle(self, part: Callable[[], Part]) -> None:
        """Takes its part of the buffer."""
        self._host, self._there = part()
        self._steps = self._there.unbind(0)

    def write(self, made: Coefficients) -> None:
        """Matrix and shift, and at which steps there is one."""
        assert made.matrix is not None
        assert made.shift is not None
        self._host[..., :-1], self._host[..., -1] = made.matrix, made.shift
        self._shifted = np.logical_or.reduce(made.shift != 0, (1, 2)).tolist()

    def prepare(self) -> None:
        """Matrices as wide as they are applied."""
        if not self._turns:
            self._lines = repeated(self._there[..., :-1], self._times).unbind(0)

    def bend(self, x: Tensor, step: int, rows: slice) -> Tensor:
        """One product."""
        m = self._steps[step][rows]  # [rows, n, n + 1]
        if self._turns:
            c, s = m[:, 0, 0], m[:, 1, 0]
            y = turn_pairs(x.to(wide(x.dtype)), c[:, None, None, None], s[:, None, None, None])
        else:
            y = contract(m[..., :-1], x.to(wide(x.dtype)), self._lines[step][rows])
        if self._shifted[step]:
            y += m[..., -1].repeat(1, self.channels // self.shape.size)[..., None, None]
        y = y.to(x.dtype)
        for stretch in self._untouched:
            y[:, stretch] = x[:, stretch]
        return y


class Range(Gains):
    """gain·x + offset, but for a few neighbouring channels matrix·x + shift."""

    def __init__(self, bents: Sequence[Bent], place: Place, forms: Sequence[Form], shape: Shape) -> None:
        super().__init__(bents, place, forms, shape)
        first = shape.first or 0
        mixed = np.logical_or.reduce([form.touched for form in forms])[first : first + shape.size]
        self._stretches = stretches(mixed)  # counted from `first`

    def shapes(self) -> Iterator[tuple[int, ...]]:
        """Gain and offset, [S + 1, rows, 2, C]; matrix and shift, [S + 1, rows, n, n + 1]."""
        yield from super().shapes()
        yield (*self.lead, self.shape.size, self.shape.size + 1)

    def settle(self, part: Callable[[], Part]) -> None:
        """Takes its parts of the buffer."""
        super().settle(part)
        self._host_mixed, there = part()
        self._mixed = there.unbind(0)

    def write(self, made: Coefficients) -> None:
        """All of them, and at which steps the other channels stay."""
        super().write(made)
        assert made.matrix is not None
        assert made.shift is not None
        self._host_mixed[..., :-1], self._host_mixed[..., -1] = made.matrix, made.shift
        self._still = np.logical_and.reduce((made.gain == 1) & (made.offset == 0), (1, 2)).tolist()

    def bend(self, x: Tensor, step: int, rows: slice) -> Tensor:
        """One pass over x, and a product for a few channels."""
        first, n = self.shape.first or 0, self.shape.size
        m = self._mixed[step][rows]  # [rows, n, n + 1]
        y = x.clone() if self._still[step] else super().bend(x, step, rows)
        few = x[:, first : first + n].to(m.dtype).permute(0, 2, 3, 1)
        product = torch.baddbmm(m[:, None, :, -1], few.reshape(len(m), -1, n), m[..., :-1].mT)
        made = product.reshape(few.shape).permute(0, 3, 1, 2)
        for stretch in self._stretches:
            y[:, first + stretch.start : first + stretch.stop] = made[:, stretch]
        return y


def mapped(bents: Sequence[Bent], place: Place, forms: Sequence[Form], shape: Shape) -> Mapped:
    """The link that a map of some shape needs."""
    if shape.size == 1:
        return Gains(bents, place, forms, shape)
    return (Groups if shape.first is None else Range)(bents, place, forms, shape)

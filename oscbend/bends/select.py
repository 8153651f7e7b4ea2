"""Which elements of a tensor a bend touches: channels, rows, columns, regions, a fraction, a picture.

Places are fractions of the picture, never cells: a selection means the same at every site and size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from oscbend.bends.common import seeded, sent
from oscbend.errors import BadValue, UnknownName

FORMS = {
    "all": "all",
    "channels": "channels 0-15 or channels 0,3,7",
    "fraction": "fraction 0.05 SEED",
    "rows": "rows 0.45 0.55",
    "cols": "cols 0.45 0.55",
    "region": "region x y w h",
    "mask": "mask NAME",
}
"""The kinds of selection, and how each is written."""


@dataclass(frozen=True)
class Selection:
    """Which elements a bend touches; made by `parse`.

    Args:
        kind: one of `FORMS`.
        numbers: channels: (first, last, first, last …); fraction: (share, seed); rows and cols:
            (from, to); region: (x, y, width, height).
        name: of the picture, for `mask`.
    """

    kind: str = "all"
    numbers: tuple[float, ...] = ()
    name: str = ""

    def mask(
        self,
        shape: Sequence[int],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        pictures: Mapping[str, Any] | None = None,
    ) -> Tensor | None:
        """How much of each element is selected, 0…1; None for all.

        Args:
            shape: of the tensor at the site, ending in (C, H, W).
            device, dtype: of the mask.
            pictures: float arrays [h, w] of 0…1 by name, for `mask`.

        Returns:
            [1, C or 1, H or 1, W or 1].

        Raises:
            BadValue: none of the channels exists here.
            UnknownName: there is no such picture.
        """
        if self.kind == "all":
            return None
        channels, height, width = shape[-3:]
        if self.kind == "channels":
            mask = torch.zeros(1, channels, 1, 1)
            for first, last in zip(self.numbers[::2], self.numbers[1::2]):
                mask[:, int(first) : int(last) + 1] = 1
            if not mask.any():
                raise BadValue(f"none of the selected channels exists: there are {channels}, from 0")
        elif self.kind == "fraction":
            mask = _fraction(self.numbers[0], int(self.numbers[1]), (1, channels, height, width))
        elif self.kind == "rows":
            mask = _cells(self.numbers[0], self.numbers[1], height).reshape(1, 1, -1, 1)
        elif self.kind == "cols":
            mask = _cells(self.numbers[0], self.numbers[1], width).reshape(1, 1, 1, -1)
        elif self.kind == "region":
            x, y, w, h = self.numbers
            mask = _cells(y, y + h, height).reshape(1, 1, -1, 1) * _cells(x, x + w, width)
        else:
            mask = _resampled(self.name, pictures or {}, (height, width))
        return sent(mask.to(dtype), device)


def parse(text: str) -> Selection:
    """Reads a selection: `all`, `channels 0-15`, `fraction 0.05 7`, `rows 0.45 0.55`, `mask NAME` …

    Raises:
        UnknownName: no such kind of selection.
        BadValue: numbers that are missing, superfluous, or out of range.

    >>> parse("channels 0-3,7").numbers
    (0, 3, 7, 7)
    >>> parse("rows 0.45 0.55")
    Selection(kind='rows', numbers=(0.45, 0.55), name='')
    """
    kind, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    if kind not in FORMS:
        raise UnknownName("selection", kind, FORMS)
    if kind == "mask":
        if not rest:
            raise _wrong(kind, text)
        return Selection("mask", name=rest)
    if kind == "channels":
        return Selection("channels", _channels(rest, text))
    words = rest.split()
    counts = {"all": (0,), "fraction": (1, 2), "rows": (2,), "cols": (2,), "region": (4,)}[kind]
    if len(words) not in counts:
        raise _wrong(kind, text)
    numbers = tuple(_number(word, kind, text) for word in words)
    if any(not 0 <= n <= 1 for n in (numbers[:1] if kind == "fraction" else numbers)):
        raise BadValue(f"select {text}: places and shares are fractions, 0…1")
    if kind == "fraction":
        seed = numbers[1] if len(numbers) == 2 else 0.0
        if seed != int(seed):
            raise BadValue(f"select {text}: the seed must be a whole number")
        return Selection("fraction", (numbers[0], int(seed)))
    if kind in ("rows", "cols") and numbers[0] > numbers[1]:
        raise BadValue(f"select {text}: the first number must not exceed the second")
    return Selection(kind, numbers)


def _wrong(kind: str, text: str) -> BadValue:
    return BadValue(f"select {text}: write {FORMS[kind]}")


def _number(word: str, kind: str, text: str) -> float:
    try:
        number = float(word)
    except ValueError:
        raise _wrong(kind, text) from None
    if not math.isfinite(number):
        raise _wrong(kind, text)
    return number


def _channels(rest: str, text: str) -> tuple[int, ...]:
    """(first, last, first, last …) of channels written as `0-15`, `0,3,7`, `0 3 7` or a mixture."""
    ends: list[int] = []
    for word in rest.replace(",", " ").split():
        first, dash, last = word.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise _wrong("channels", text)
        ends += [int(first), int(last if dash else first)]
        if ends[-2] > ends[-1]:
            raise BadValue(f"select {text}: the first channel must not exceed the last")
    if not ends:
        raise _wrong("channels", text)
    return tuple(ends)


def _cells(start: float, stop: float, count: int) -> Tensor:
    """1 for each of `count` cells whose centre lies in start…stop; for the nearest one if none does."""
    centres = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    mask = (centres >= start) & (centres < stop)
    if not mask.any():
        mask[min(int((start + min(stop, 1.0)) / 2 * count), count - 1)] = True
    return mask.float()


def _fraction(share: float, seed: int, shape: tuple[int, ...]) -> Tensor:
    """1 for a seeded random share of the elements, exact to one element, and for at least one.

    A larger share of the same seed contains a smaller one, so that it can be opened like a valve.
    """
    draw = torch.rand(shape, generator=seeded("select", seed), dtype=torch.float64)
    count = max(1, round(share * draw.numel()))
    return (draw <= draw.flatten().kthvalue(count).values).float()


def _resampled(name: str, pictures: Mapping[str, Any], size: tuple[int, int]) -> Tensor:
    """The picture `name` at another size, [1, 1, H, W], averaged where it shrinks."""
    if name not in pictures:
        raise UnknownName("mask", name, pictures)
    picture = torch.from_numpy(np.array(pictures[name], np.float32))[None, None]
    return F.interpolate(picture, size, mode="bilinear", align_corners=False, antialias=True).clamp(0, 1)

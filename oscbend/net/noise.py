"""Noise fields from seeds: what diffusers draws from a CPU generator with that seed, in its order.

Fields are drawn on the CPU, so that they are equal on every device, and kept where they are used.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor

from oscbend.bends.common import sent
from oscbend.frame import Mix
from oscbend.turns import Guard

Shape = tuple[int, int, int]


class Fields:
    """The draws of many seeds, the last used ones kept.

    Args:
        device: where the fields are wanted.
        room: how many seeds are kept at each shape.
    """

    def __init__(self, device: torch.device, room: int = 64) -> None:
        self.device = device
        self.room = room
        self._kept: OrderedDict[tuple[int, Shape], _Draws] = OrderedDict()
        self._lock = Guard()

    def draw(self, seed: int, shape: Shape, index: int) -> Tensor:
        """Draw number `index` (from 0) of a seed, [1, C, H, W], float32, not to be written into."""
        with self._lock:
            key = (seed, shape)
            draws = self._kept.get(key)
            if draws is None:
                draws = self._kept[key] = _Draws(seed, shape, self.device)
                while len(self._kept) > self.room:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return draws.get(index)

    def mix(self, mixes: tuple[Mix, ...], shape: Shape, index: int) -> Tensor:
        """Draw number `index` of every recipe, [B, C, H, W].

        A recipe of one seed with coefficient 1 is exactly that seed's field.
        """
        return torch.cat([self._one(recipe, shape, index) for recipe in mixes])

    def _one(self, recipe: Mix, shape: Shape, index: int) -> Tensor:
        parts = [(seed, amount) for seed, amount in recipe if amount != 0]
        if len(parts) == 1 and parts[0][1] == 1:
            return self.draw(parts[0][0], shape, index)
        field = torch.zeros((1, *shape), device=self.device)
        for seed, amount in parts:
            field = field.add(self.draw(seed, shape, index), alpha=amount)
        return field


class _Draws:
    """One seed's fields, drawn one after the other as they are asked for."""

    def __init__(self, seed: int, shape: Shape, device: torch.device) -> None:
        self.shape = shape
        self.device = device
        self.generator = torch.Generator().manual_seed(seed)
        self.fields: list[Tensor] = []

    def get(self, index: int) -> Tensor:
        while len(self.fields) <= index:
            drawn = torch.randn((1, *self.shape), generator=self.generator)
            self.fields.append(sent(drawn, self.device))
        return self.fields[index]

"""Noise that is drawn beforehand, so that no frame has to draw any."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oscbend.bends.common import seeded, sent

FIELDS = 8
"""Different fields of one seed; moving noise shows them in turn, each time rolled elsewhere."""

KEPT = 8
"""Seeds and shapes that are kept; the one used longest ago goes first."""


class NoiseBank:
    """Noise fields for the operator `noise`.

    Each field is N(0, 1), drawn on the CPU from a generator seeded by (seed, number of the field), so it is
    the same on every device. A frame of moving noise costs one copy: field tick % 8, rolled over the picture
    plane by an amount that follows from the tick.

    Args:
        device, dtype: where and in what precision the fields are kept.
        kept: how many seeds and shapes.
        memory_format: of the tensors that they will be added to.
    """

    def __init__(
        self,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        kept: int = KEPT,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.device = torch.device(device)
        self.memory_format = memory_format
        self.dtype = dtype
        self.kept = kept
        self._fields: OrderedDict[tuple[int, tuple[int, ...]], list[Tensor]] = OrderedDict()

    def prepare(self, seed: int, shape: Sequence[int], mode: str = "fixed") -> None:
        """Draws what `field` will need, so that the first frame does not wait for it."""
        self._drawn(seed, tuple(shape[-3:]), FIELDS if mode == "moving" else 1)

    def field(self, seed: int, shape: Sequence[int], ticks: np.ndarray | Any, mode: str = "fixed") -> Tensor:
        """The noise of some frames: [B, C, H, W], to be read, never written.

        Args:
            seed: of the bank.
            shape: of the tensor at the site, ending in (C, H, W).
            ticks: numbers of the B frames, whole and not negative, int64 [B].
            mode: `fixed` (the same in every frame) or `moving`.
        """
        shape = tuple(shape[-3:])
        ticks = np.atleast_1d(np.asarray(ticks))
        last = self.memory_format == torch.channels_last
        if mode == "fixed":
            made = self._drawn(seed, shape, 1)[0].expand(len(ticks), -1, -1, -1)
        else:
            fields, plane = self._drawn(seed, shape, FIELDS), (0, 1) if last else (1, 2)
            moved = [fields[t % FIELDS].roll(_offset(t // FIELDS, shape[1:]), plane) for t in ticks.tolist()]
            made = torch.stack(moved) if len(moved) > 1 else moved[0][None]
        return made.permute(0, 3, 1, 2) if last else made

    def _drawn(self, seed: int, shape: tuple[int, ...], count: int) -> list[Tensor]:
        """At least the first `count` fields of a seed, [C, H, W] or, channels last, [H, W, C]."""
        fields = self._fields.setdefault((seed, shape), [])
        self._fields.move_to_end((seed, shape))
        for number in range(len(fields), count):
            draw = torch.randn(shape, generator=seeded("noise", seed, number)).to(self.dtype)
            if self.memory_format == torch.channels_last:
                draw = draw.permute(1, 2, 0).contiguous()
            fields.append(sent(draw, self.device))
        while len(self._fields) > self.kept:
            self._fields.popitem(last=False)
        return fields


def _offset(turn: int, size: tuple[int, ...]) -> tuple[int, int]:
    """How far the fields are rolled on their turn: the golden and the silver ratio keep turns apart."""
    return int(turn * 0.6180339887498949 % 1 * size[0]), int(turn * 0.41421356237309515 % 1 * size[1])

"""The part of a tensor that a selection leaves to a bend, and how all else comes through bit-identical."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from oscbend.bends.common import sent

BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Whole numbers as wide as a number of so many bytes."""


@dataclass(frozen=True, eq=False)
class Place:
    """A selection at a site.

    Args:
        box: channels, rows and columns, where the selection is a box; None for another form, or for all.
        inside: where something is selected, for a selection of another form: bool, or on a processor whole
            numbers as wide as the tensor's, all bits 0 or all 1; broadcastable to [1, C, H, W].
        soft: how much is selected, 0…1, where that is not all or nothing.
    """

    box: tuple[slice, slice, slice] | None = None
    inside: Tensor | None = None
    soft: Tensor | None = None

    @property
    def everywhere(self) -> bool:
        """True if the whole tensor is selected."""
        return self.box is None and self.inside is None and self.soft is None

    @property
    def nowhere(self) -> bool:
        """True if nothing is selected."""
        return self.box is not None and any(side.start == side.stop for side in self.box)

    @property
    def by_channel(self) -> bool:
        """True if a cell may be selected in one channel and not in another: between two bends that mix
        channels, what is not selected must then be put back."""
        return self.inside is not None and self.inside.shape[1] > 1

    def keep(self, y: Tensor, x: Tensor) -> Tensor:
        """y as far as it is selected, x bit for bit where it is not."""
        if self.soft is not None:
            y = torch.lerp(x, y, self.soft)
        if self.inside is None:
            return y
        if self.inside.dtype == torch.bool:
            return torch.where(self.inside, y, x)
        # On a CPU five times as fast as where.
        old = x.view(self.inside.dtype)
        return (y.view(self.inside.dtype) ^ old).bitwise_and_(self.inside).bitwise_xor_(old).view(x.dtype)


def place_of(
    mask: Tensor | None,
    shape: tuple[int, int, int],
    device: torch.device,
    dtype: torch.dtype,
    memory_format: torch.memory_format = torch.contiguous_format,
    *,
    whole: bool = False,
) -> Place:
    """What a mask selects.

    Args:
        mask: of `Selection.mask`, on the CPU; None for all.
        shape: of the tensor at the site: channels, rows, columns.
        device, dtype, memory_format: of the tensors that will be bent.
        whole: True if a box must hold all channels.
    """
    if mask is None or bool((mask == 1).all()):
        return Place()
    inside = mask != 0
    hard = bool(((mask == 1) == inside).all())
    box = _box(inside, shape) if hard else None
    if box is not None and not (whole and 0 < len(range(shape[0])[box[0]]) < shape[0]):
        return Place(box)
    soft = None if hard else sent(mask.to(dtype).contiguous(memory_format=memory_format), device)
    if bool(inside.all()):
        return Place(soft=soft)
    if device.type == "cpu":
        inside = inside.to(BITS[dtype.itemsize]).neg()
    return Place(None, sent(inside.contiguous(memory_format=memory_format), device), soft)


def _box(inside: Tensor, shape: tuple[int, int, int]) -> tuple[slice, slice, slice] | None:
    """The box that holds what is inside [1, C or 1, H or 1, W or 1], and nothing else; None if none does."""
    sides: list[slice] = []
    for dim, size in enumerate(shape, 1):
        others = [d for d in range(4) if d != dim]
        along = inside.amax(others).nonzero().flatten()
        if not len(along):
            return slice(0, 0), slice(0, 0), slice(0, 0)
        first, last = int(along[0]), int(along[-1]) + 1
        sides.append(slice(first, last) if inside.shape[dim] > 1 else slice(0, size))
    channels, rows, columns = sides
    filled = inside.expand(1, *shape)[:, channels, rows, columns]
    return (channels, rows, columns) if bool(filled.all()) else None

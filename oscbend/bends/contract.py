"""Products of small matrices with channels: what operators and chains of them compute with.

Where the channels of a cell lie side by side in memory (channels_last), they are read as they lie.
"""

from __future__ import annotations

import torch
from torch import Tensor

from oscbend.bends.common import wide

LINE = 16
"""Small matrices are repeated until they are this wide: four times as fast, by the width of a processor's
registers."""


def side_by_side(x: Tensor) -> bool:
    """True if x [B, C, H, W] lies in memory as [B, H, W, C]."""
    return x.permute(0, 2, 3, 1).is_contiguous()


def like(y: Tensor, x: Tensor) -> Tensor:
    """y in the layout of x, so that what comes after does not pay for another one."""
    if not side_by_side(x) or side_by_side(y):
        return y
    if y.device.type != "cpu" or not y.is_contiguous():
        return y.contiguous(memory_format=torch.channels_last)
    # A transposed copy of one sample takes a processor a quarter of the time.
    made = torch.empty_like(y, memory_format=torch.channels_last)
    for to, sample in zip(made.permute(0, 2, 3, 1).flatten(1, 2), y.flatten(2), strict=True):
        to.copy_(sample.T)
    return made


def repeats(size: int, numbers: int) -> int:
    """How many matrices [size, size] side by side make a line that `numbers` can be cut into."""
    return next((k for k in range(LINE // size, 1, -1) if numbers % (k * size) == 0), 1)


def repeated(m: Tensor, times: int) -> Tensor:
    """Matrices [..., n, n] repeated along the diagonal: [..., times·n, times·n]."""
    if times == 1:
        return m
    size = m.shape[-1]
    line = m.new_zeros(*m.shape[:-2], times, size, times, size)
    line.diagonal(dim1=-4, dim2=-2).copy_(m[..., None])
    return line.reshape(*m.shape[:-2], times * size, times * size)


def contract(m: Tensor, x: Tensor, line: Tensor | None = None) -> Tensor:
    """Matrices times each group of n channels.

    Args:
        m: [B or 1, n, n], n a divisor of C.
        x: [B, C, H, W], in the precision of m.
        line: m, `repeated` as often as `repeats` tells for one sample; None to have that done here.
    """
    batch, channels, height, width = x.shape
    size = m.shape[-1]
    if not side_by_side(x):
        return torch.matmul(m[:, None], x.reshape(batch, -1, size, height * width)).reshape(x.shape)
    if line is None:
        line = repeated(m, repeats(size, channels * height * width))
    cells, width = x.permute(0, 2, 3, 1), line.shape[-1]
    if len(line) == 1:
        y = cells.reshape(-1, width) @ line[0].mT
    else:
        y = cells.reshape(batch, -1, width) @ line.mT
    return y.reshape(cells.shape).permute(0, 3, 1, 2)


def turn_pairs(x: Tensor, c: Tensor, s: Tensor) -> Tensor:
    """Every pair of neighbouring channels (i, j) as (c·i − s·j, s·i + c·j); an odd channel stays.

    Args:
        x: [B, C, H, W].
        c, s: [B, 1, 1, 1], in at least float32.
    """
    if x.shape[1] % 2 == 0 and x.device.type != "mps" and side_by_side(x):
        cells = x.permute(0, 2, 3, 1).to(wide(x.dtype))
        pairs = torch.view_as_complex(cells.reshape(*cells.shape[:3], -1, 2))
        turned = torch.view_as_real(pairs * torch.complex(c, s))
        return turned.reshape(cells.shape).permute(0, 3, 1, 2).to(x.dtype)
    even = x.shape[1] // 2 * 2
    i, j = x[:, 0:even:2], x[:, 1:even:2]
    y = x.clone()
    y[:, 0:even:2] = i * c - j * s
    y[:, 1:even:2] = i * s + j * c
    return y
